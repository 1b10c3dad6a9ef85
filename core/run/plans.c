/* plans.c - see plans.h. One mutex guards the cache, the trees of stretches and the idle lists;
 * running needs it only to begin, to end, and to move on after a late node. */
#include "run/plans.h"

#include <string.h>

#include "run/arenas.h"

/* A plan with more stretches is dropped when it is idle: late shapes differ in every run. */
#define STRETCH_LIMIT 512

struct plan {
    const program *program;
    plan *next; /* more recently used plans stand first */
    const void *key;
    size_t key_size;
    planner *planner;
    plan_stretch *root;
    uint32_t n_stretches, references;
    plan_context *idle;
    arena memory;
};

struct plan_store {
    pthread_mutex_t lock;
    plan **plans; /* by program: a list */
    uint32_t n_programs;
    uint64_t limit; /* plans of one program */
    arenas arenas;
    plans_stats stats;
};

/* ---- Contexts ------------------------------------------------------------------------------- */

static void context_free(plan_context *c)
{
    for (uint32_t i = 0; i < c->n_instances; i++) {
        mem_free(c->instances[i].tensors);
        mem_free(c->instances[i].operands);
    }
    mem_free(c->instances);
    mem_free(c->owned);
    mem_free(c->arenas);
    arena_free(&c->scratch);
    arena_free(&c->memory);
    mem_free(c);
}

static plan_context *context_new(plan *owner)
{
    const program *p = owner->program;
    plan_context *c = mem_zero(sizeof(*c));
    if (!c)
        return NULL;
    c->owner = owner;
    c->slots = arena_array(&c->memory, p->n_locals, sizeof(*c->slots));
    c->outputs = arena_array(&c->memory, p->graph->n_outputs, sizeof(heed_tensor *));
    if (!c->slots || !c->outputs) {
        context_free(c);
        return NULL;
    }
    for (uint32_t i = 0; i < p->n_locals; i++)
        if (p->values[i]->constant)
            c->slots[i] = p->values[i]->constant;
    return c;
}

/* ---- Plans ---------------------------------------------------------------------------------- */

static void plan_free(plan *p)
{
    while (p->idle) {
        plan_context *c = p->idle;
        p->idle = c->next;
        context_free(c);
    }
    stretch_free(p->root);
    planner_free(p->planner);
    arena_free(&p->memory);
    mem_free(p);
}

static heed_status plan_new(const program *prog, const void *key, size_t key_size,
                            const ir_type *const *types, plan **out)
{
    plan *p = mem_zero(sizeof(*p));
    if (!p)
        return HEED_NOMEM;
    p->program = prog;
    p->key = arena_copy(&p->memory, key, key_size);
    p->key_size = key_size;
    p->n_stretches = 1;
    heed_status status = p->key ? planner_new(prog, types, &p->planner) : HEED_NOMEM;
    if (!status)
        status = stretch_new(p->planner, NULL, NULL, NULL, 0, &p->root);
    if (!status && !p->root->tail) { /* nothing is left to plan */
        planner_free(p->planner);
        p->planner = NULL;
    }
    if (status)
        plan_free(p);
    else
        *out = p;
    return status;
}

/* ---- The store ------------------------------------------------------------------------------ */

plan_store *plans_new(uint32_t n_programs, uint64_t limit)
{
    plan_store *s = mem_zero(sizeof(*s));
    if (!s)
        return NULL;
    s->plans = mem_array(n_programs, sizeof(*s->plans));
    if (!s->plans) {
        mem_free(s);
        return NULL;
    }
    s->n_programs = n_programs;
    s->limit = limit;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

static bool overgrown(const plan *p)
{
    return p->n_stretches > STRETCH_LIMIT && p->n_stretches > 2 * p->program->n_nodes;
}

/* Drops idle plans of a program beyond the first `keep`, and those that grew too large. */
static void drop_idle(plan_store *s, uint32_t index, uint64_t keep)
{
    uint64_t seen = 0;
    for (plan **i = &s->plans[index]; *i;) {
        plan *p = *i;
        bool large = overgrown(p);
        if (p->references == 0 && (++seen > keep || large)) {
            *i = p->next;
            s->stats.plans--;
            plan_free(p);
        } else {
            i = &p->next;
        }
    }
}

void plans_trim(plan_store *s)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->n_programs; i++)
        drop_idle(s, i, 0);
    arenas_trim(&s->arenas);
    pthread_mutex_unlock(&s->lock);
}

void plans_free(plan_store *s)
{
    if (!s)
        return;
    plans_trim(s);
    pthread_mutex_destroy(&s->lock);
    mem_free(s->plans);
    mem_free(s);
}

void plans_get_stats(plan_store *s, plans_stats *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    pthread_mutex_unlock(&s->lock);
}

/* The plan under this key, moved to the front; made when there is none. */
static heed_status find_plan(plan_store *s, const program *prog, const ir_type *const *types,
                             const void *key, size_t key_size, plan **out)
{
    plan **list = &s->plans[prog->index];
    for (plan **i = list; *i; i = &(*i)->next) {
        plan *p = *i;
        if (p->key_size == key_size && memcmp(p->key, key, key_size) == 0) {
            *i = p->next;
            p->next = *list;
            *list = *out = p;
            s->stats.hits++;
            return HEED_OK;
        }
    }
    drop_idle(s, prog->index, s->limit ? s->limit - 1 : 0);
    TRY(plan_new(prog, key, key_size, types, out));
    (*out)->next = *list;
    *list = *out;
    s->stats.misses++;
    s->stats.plans++;
    return HEED_OK;
}

static heed_status acquire(plan_store *s, const program *prog, const ir_type *const *types,
                           uint32_t n_types, plan_context **out)
{
    arena scratch = {0};
    const void *key;
    size_t key_size;
    plan *p = NULL;
    heed_status status = stretch_key(types, n_types, &scratch, &key, &key_size);
    if (!status)
        status = find_plan(s, prog, types, key, key_size, &p);
    arena_free(&scratch);
    if (status)
        return status;
    *out = p->idle;
    if (*out)
        p->idle = (*out)->next;
    else if (!(*out = context_new(p)))
        return HEED_NOMEM;
    p->references++;
    s->stats.steps = p->root->n_steps;
    return HEED_OK;
}

heed_status plans_acquire(plan_store *s, const program *p, const ir_type *const *types,
                          uint32_t n_types, plan_context **out)
{
    *out = NULL;
    pthread_mutex_lock(&s->lock);
    heed_status status = acquire(s, p, types, n_types, out);
    pthread_mutex_unlock(&s->lock);
    return status;
}

void plans_release(plan_store *s, plan_context *c)
{
    plan *p = c->owner;
    for (size_t i = 0; i < c->n_owned; i++)
        tensor_free(c->owned[i]);
    c->n_owned = 0;
    for (uint32_t i = 0; i < p->program->graph->n_outputs; i++) {
        tensor_free(c->outputs[i]);
        c->outputs[i] = NULL;
    }
    arena_reset(&c->scratch);
    pthread_mutex_lock(&s->lock);
    for (size_t i = c->n_arenas; i-- > 0;) /* so that the next run finds them in its order */
        arenas_give(&s->arenas, c->arenas[i]);
    c->n_arenas = 0;
    c->next = p->idle;
    p->idle = c;
    p->references--;
    if (p->references == 0 && overgrown(p))
        drop_idle(s, p->program->index, UINT64_MAX);
    pthread_mutex_unlock(&s->lock);
}

const plan_stretch *plans_first(const plan_context *c) { return c->owner->root; }

/* ---- Late shapes ---------------------------------------------------------------------------- */

static plan_stretch *find_child(const plan_stretch *s, const void *key, size_t key_size)
{
    for (plan_stretch *c = s->children; c; c = c->sibling)
        if (c->key_size == key_size && memcmp(c->key, key, key_size) == 0)
            return c;
    return NULL;
}

static heed_status add_child(plan *owner, plan_stretch *s, const ir_type *const *types,
                             const void *key, size_t key_size, plan_stretch **out)
{
    TRY(stretch_new(owner->planner, s, types, key, key_size, out));
    (*out)->index = owner->n_stretches++;
    (*out)->sibling = s->children;
    s->children = *out;
    return HEED_OK;
}

heed_status plans_next(plan_store *store, plan_context *c, const plan_stretch *s,
                       const ir_type *const *types, uint32_t n_types, const plan_stretch **out)
{
    arena scratch = {0};
    const void *key;
    size_t key_size;
    plan_stretch *child = NULL;
    pthread_mutex_lock(&store->lock);
    heed_status status = stretch_key(types, n_types, &scratch, &key, &key_size);
    if (!status)
        child = find_child(s, key, key_size);
    if (!status && !child) /* trees grow only here, under the lock */
        status = add_child(c->owner, (plan_stretch *)(uintptr_t)s, types, key, key_size, &child);
    pthread_mutex_unlock(&store->lock);
    arena_free(&scratch);
    *out = child;
    return status;
}

/* ---- Instances ------------------------------------------------------------------------------ */

static heed_status instances_reserve(plan_context *c, uint32_t n)
{
    if (n <= c->n_instances)
        return HEED_OK;
    uint32_t more = n < 2 * c->n_instances ? 2 * c->n_instances : n;
    plan_instance *longer =
        mem_resize(c->instances, c->n_instances * sizeof(*longer), more * sizeof(*longer));
    if (!longer)
        return HEED_NOMEM;
    memset(longer + c->n_instances, 0, (more - c->n_instances) * sizeof(*longer));
    c->instances = longer;
    c->n_instances = more;
    return HEED_OK;
}

static heed_status instance_fill(const plan_stretch *s, plan_instance *i)
{
    heed_tensor *tensors = mem_array(s->n_values, sizeof(*tensors));
    i->operands = mem_array(s->n_operands, sizeof(*i->operands));
    heed_status status = tensors && i->operands ? HEED_OK : HEED_NOMEM;
    for (uint32_t k = 0; !status && k < s->n_values; k++) {
        const plan_value *v = &s->values[k];
        if (v->storage != PLAN_CONTENT)
            status = tensor_shape_set(&tensors[k], v->dtype, v->rank, v->dims);
    }
    if (status) {
        mem_free(tensors);
        mem_free(i->operands);
        i->operands = NULL;
        return status;
    }
    i->tensors = tensors;
    return HEED_OK;
}

heed_status plans_instance(plan_store *store, plan_context *c, const plan_stretch *s,
                           plan_instance **out, void **memory)
{
    TRY(instances_reserve(c, s->index + 1));
    *out = &c->instances[s->index];
    if (!(*out)->tensors)
        TRY(instance_fill(s, *out));
    TRY(mem_grow(&c->arenas, &c->arenas_capacity, c->n_arenas, sizeof(void *)));
    pthread_mutex_lock(&store->lock);
    *memory = arenas_take(&store->arenas, s->arena_bytes);
    if (s->arena_bytes > store->stats.arena_bytes)
        store->stats.arena_bytes = s->arena_bytes;
    pthread_mutex_unlock(&store->lock);
    if (!*memory)
        return HEED_NOMEM;
    c->arenas[c->n_arenas++] = *memory;
    return HEED_OK;
}

heed_status plans_own(plan_context *c, heed_tensor *t)
{
    heed_status status = mem_grow(&c->owned, &c->owned_capacity, c->n_owned, sizeof(*c->owned));
    if (status)
        tensor_free(t);
    else
        c->owned[c->n_owned++] = t;
    return status;
}
