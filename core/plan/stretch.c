/* stretch.c - binding: from shapes to steps and offsets; see stretch.h.
 *
 * One walk over the nodes in order. A node's outputs become, in this order of preference: content
 * (computed now), an alias (views; in-place results), the memory of a graph output, or a range of
 * the arena that is given back after the last reading. */
#include "plan/stretch.h"

#include <string.h>

#include "ops/concrete.h"
#include "ops/evaluate.h"
#include "plan/align.h"
#include "plan/planner.h"

#define CONTENT_LIMIT ((size_t)1 << 20) /* bytes of one value that is computed while planning */

struct plan_owned {
    heed_tensor *tensor;
    struct plan_owned *next;
};

/* One node on its way through the walk. */
typedef struct visit {
    const ir_node *n;
    uint32_t at; /* place of the node */
    op_concrete infer;
    const ir_type **in;
    const heed_tensor **in_tensors;
    bool all_known; /* every input has content */
    bool tensors;   /* every value is a tensor */
} visit;

/* ---- Keys ----------------------------------------------------------------------------------- */

heed_status stretch_key(const ir_type *const *types, uint32_t n, arena *memory, const void **key,
                        size_t *size)
{
    size_t words = 0;
    for (uint32_t i = 0; i < n; i++)
        words += 2 + (types[i] && types[i]->rank > 0 ? (size_t)types[i]->rank : 0);
    int64_t *out = arena_array(memory, words, sizeof(*out));
    if (!out)
        return HEED_NOMEM;
    *key = out;
    *size = words * sizeof(*out);
    for (uint32_t i = 0; i < n; i++) {
        const ir_type *t = types[i];
        *out++ = t ? (int64_t)(t->kind * 256 + t->dtype) : -1;
        *out++ = t ? t->rank : -1;
        for (int32_t d = 0; t && d < t->rank; d++)
            *out++ = t->dims[d];
    }
    return HEED_OK;
}

/* ---- Values --------------------------------------------------------------------------------- */

static heed_status own(plan_stretch *s, heed_tensor *t)
{
    struct plan_owned *entry = arena_alloc(&s->memory, sizeof(*entry));
    if (!entry) {
        tensor_free(t);
        return HEED_NOMEM;
    }
    *entry = (struct plan_owned){t, s->contents_owned};
    s->contents_owned = entry;
    return HEED_OK;
}

static heed_status set_content(planner *w, uint32_t local, heed_tensor *t)
{
    TRY(own(w->s, t));
    if (local == PROGRAM_NONE)
        return HEED_OK;
    w->contents[local] = t;
    w->types[local] = op_type_of(t);
    planner_add_value(w, local, PLAN_CONTENT)->content = t;
    w->roots[local].value = w->s->n_values;
    return HEED_OK;
}

static heed_status keep_type(planner *w, uint32_t local, const ir_type *type)
{
    ir_type *to = &w->types[local];
    *to = *type;
    to->dims = arena_array(&w->s->memory, (size_t)type->rank, sizeof(ir_dim));
    if (!to->dims)
        return HEED_NOMEM;
    if (type->rank)
        memcpy(to->dims, type->dims, (size_t)type->rank * sizeof(ir_dim));
    return HEED_OK;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static heed_status fill_shapes(arena *scratch, const ir_type *types, uint32_t n,
                               const DLTensor ***out)
{
    const DLTensor **list = arena_array(scratch, n, sizeof(*list));
    for (uint32_t i = 0; list && i < n; i++) {
        if (!types[i].dtype)
            continue;
        DLTensor *t = arena_alloc(scratch, sizeof(*t));
        if (!t)
            return HEED_NOMEM;
        *t = (DLTensor){.device = {kDLCPU, 0},
                        .ndim = types[i].rank,
                        .dtype = dtype_to_dl(types[i].dtype),
                        .shape = types[i].dims};
        list[i] = t;
    }
    *out = list;
    return list ? HEED_OK : HEED_NOMEM;
}

/* Asks the kernel how much workspace it wants for these shapes. */
static heed_status measure(planner *w, const visit *v, const place *where, uint64_t *bytes)
{
    const DLTensor **in, **out;
    ir_type *types = arena_array(&w->scratch, v->n->n_in, sizeof(*types));
    *bytes = 0;
    if (!where->kernel || !HEED_HAS(where->kernel, measure))
        return HEED_OK;
    for (uint32_t i = 0; types && i < v->n->n_in; i++)
        if (v->in[i])
            types[i] = *v->in[i];
    if (!types)
        return HEED_NOMEM;
    TRY(fill_shapes(&w->scratch, types, v->n->n_in, &in));
    TRY(fill_shapes(&w->scratch, v->infer.out, v->n->n_out, &out));
    heed_call call = {.size = sizeof(call),
                      .state = where->state,
                      .device = where->backend->device,
                      .n_in = v->n->n_in,
                      .n_out = v->n->n_out,
                      .in = in,
                      .out = (DLTensor *const *)(const void *)out};
    heed_status status = where->kernel->measure(where->backend->device, where->state, &call, bytes);
    return status ? place_error(where, v->n, status) : HEED_OK;
}

static heed_status add_step(planner *w, visit *v)
{
    plan_stretch *s = w->s;
    plan_step *step = &s->steps[s->n_steps];
    uint64_t workspace;
    *step = (plan_step){
        .node = v->n, .where = &w->p->places->by_node[v->n->id], .operands = s->n_operands};
    TRY(measure(w, v, step->where, &workspace));
    for (uint32_t i = 0; i < v->n->n_in; i++) {
        uint32_t local = program_local(w->p, v->n->in[i].value);
        s->operands[s->n_operands++] = local;
        if (local != PROGRAM_NONE)
            w->roots[local].needed = true;
    }
    for (uint32_t o = 0; o < v->n->n_out; o++) {
        uint32_t local = program_local(w->p, v->n->out[o]);
        s->operands[s->n_operands++] = local;
        if (local == PROGRAM_NONE)
            continue;
        uint32_t over = planner_reusable(w, step, v->at, o);
        if (over != PROGRAM_NONE)
            planner_alias(w, local, over, 0);
        else
            TRY(planner_own_memory(w, local, v->at));
    }
    TRY(planner_workspace(w, step, v->at, workspace));
    s->n_steps++;
    return HEED_OK;
}

/* ---- Content -------------------------------------------------------------------------------- */

/* A shape computation: the content follows from the inputs' types or contents. */
static heed_status content_by_rule(planner *w, visit *v, bool *done)
{
    heed_tensor *t = NULL;
    if (v->n->n_out == 1)
        TRY(op_content_tensor(NULL, &v->infer.out[0], v->infer.out_content[0],
                              v->infer.out_n_content[0], &t));
    *done = t != NULL;
    return *done ? set_content(w, program_local(w->p, v->n->out[0]), t) : HEED_OK;
}

static bool cheap(const visit *v)
{
    size_t sum = 0, bytes;
    if (!v->all_known || (v->n->op->flags & (OP_RANDOM | OP_CONTROL | OP_DATA_SHAPE)) ||
        !op_computes(v->n->op))
        return false;
    for (uint32_t o = 0; o < v->n->n_out; o++)
        if (v->n->out[o] &&
            (!op_known_bytes(&v->infer.out[o], &bytes) || !size_add(sum, bytes, &sum)))
            return false;
    return sum <= CONTENT_LIMIT || !v->n->op->run;
}

static heed_status content_by_kernel(planner *w, visit *v)
{
    heed_tensor **out = arena_array(&w->scratch, v->n->n_out, sizeof(*out));
    if (!out)
        return HEED_NOMEM;
    TRY(op_evaluate(v->n, v->in_tensors, v->infer.out, &w->scratch, out));
    heed_status status = HEED_OK;
    for (uint32_t o = 0; o < v->n->n_out; o++) {
        if (out[o] && !status)
            status = set_content(w, program_local(w->p, v->n->out[o]), out[o]);
        else
            tensor_free(out[o]);
    }
    return status;
}

/* ---- The walk ------------------------------------------------------------------------------- */

/* Room for all that one node can add, so that adding cannot fail. */
static heed_status reserve(planner *w, const ir_node *n)
{
    plan_stretch *s = w->s;
    for (uint32_t o = 0; o < n->n_out; o++)
        TRY(mem_grow(&s->values, &w->values_capacity, s->n_values + o, sizeof(*s->values)));
    for (uint32_t i = 0; i < n->n_in + n->n_out; i++)
        TRY(mem_grow(&s->operands, &w->operands_capacity, s->n_operands + i, sizeof(*s->operands)));
    return mem_grow(&s->steps, &w->steps_capacity, s->n_steps, sizeof(*s->steps));
}

static heed_status visit_start(planner *w, visit *v, const ir_node *n, uint32_t at)
{
    arena *a = &w->scratch;
    *v = (visit){.n = n, .at = at, .all_known = true, .tensors = true};
    TRY(reserve(w, n));
    v->in = arena_array(a, n->n_in, sizeof(*v->in));
    v->in_tensors = arena_array(a, n->n_in, sizeof(*v->in_tensors));
    v->infer.out = arena_array(a, n->n_out, sizeof(ir_type));
    v->infer.out_content = arena_array(a, n->n_out, sizeof(ir_dim *));
    v->infer.out_n_content = arena_array(a, n->n_out, sizeof(int64_t));
    v->infer.out_first = arena_array(a, n->n_out, sizeof(int64_t));
    if (!v->infer.out_first || !v->in || !v->in_tensors || !v->infer.out || !v->infer.out_content ||
        !v->infer.out_n_content)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t local = program_local(w->p, n->in[i].value);
        if (local == PROGRAM_NONE)
            continue;
        v->in[i] = &w->types[local];
        v->in_tensors[i] = w->contents[local];
        v->all_known = v->all_known && v->in_tensors[i];
        v->tensors = v->tensors && v->in[i]->kind == HEED_KIND_TENSOR;
    }
    for (uint32_t o = 0; o < n->n_out; o++)
        v->tensors = v->tensors && (!n->out[o] || n->out[o]->type.kind == HEED_KIND_TENSOR);
    v->infer.in = v->in;
    v->infer.in_tensors = v->in_tensors;
    return HEED_OK;
}

/* Whether the node must wait for data. */
static heed_status visit_infer(planner *w, visit *v, bool *late)
{
    *late = true;
    if (!v->tensors || (v->n->op->flags & OP_CONTROL))
        return HEED_OK;
    TRY(op_infer_concrete(v->n, &w->scratch, &v->infer));
    *late = v->infer.late;
    for (uint32_t o = 0; o < v->n->n_out; o++) {
        size_t bytes;
        if (v->n->out[o] && !op_known_bytes(&v->infer.out[o], &bytes))
            *late = true;
    }
    return HEED_OK;
}

/* Every output lies in input 0: it costs nothing. Not in a weight at an odd address, which other
 * kernels than the one of this node need not take. */
static bool is_view(const visit *v)
{
    bool fit = dtype_bits(v->in[0] ? v->in[0]->dtype : 0) >= 8;
    if (v->n->n_in > 0 && v->n->in[0].value && align_needed(v->n->in[0].value))
        fit = false;
    for (uint32_t o = 0; o < v->n->n_out; o++)
        if (v->n->out[o] && (v->infer.out_first[o] < 0 || !fit))
            return v->n->op->flags & OP_VIEW;
    return v->n->n_in > 0;
}

static heed_status add_views(planner *w, const visit *v)
{
    uint32_t of = program_local(w->p, v->n->in[0].value);
    for (uint32_t o = 0; o < v->n->n_out; o++) {
        int64_t first = v->infer.out_first[o] < 0 ? 0 : v->infer.out_first[o];
        size_t offset = (size_t)first * (dtype_bits(v->in[0]->dtype) / 8);
        if (v->n->out[o])
            planner_alias(w, program_local(w->p, v->n->out[o]), of, offset);
    }
    return HEED_OK;
}

static heed_status visit_node(planner *w, const ir_node *n, uint32_t at, bool *late)
{
    visit v;
    bool done;
    TRY(visit_start(w, &v, n, at));
    TRY(visit_infer(w, &v, late));
    if (*late)
        return HEED_OK;
    TRY(content_by_rule(w, &v, &done));
    if (done)
        return HEED_OK;
    if (cheap(&v))
        return content_by_kernel(w, &v);
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            TRY(keep_type(w, program_local(w->p, n->out[o]), &v.infer.out[o]));
    return is_view(&v) ? add_views(w, &v) : add_step(w, &v);
}

static void free_content(plan_stretch *s, const heed_tensor *content)
{
    struct plan_owned *i = s->contents_owned;
    while (i && i->tensor != content)
        i = i->next;
    if (i) {
        tensor_free(i->tensor);
        i->tensor = NULL;
    }
}

/* Content that only served to compute others, and did so for the last time. */
static void bury_content(planner *w, const ir_value *v, uint32_t at)
{
    uint32_t local = program_local(w->p, v);
    if (local == PROGRAM_NONE || w->p->last_use[local] != at || w->roots[local].needed ||
        !w->roots[local].value)
        return;
    plan_value *planned = &w->s->values[w->roots[local].value - 1];
    if (planned->storage != PLAN_CONTENT || !planned->content)
        return;
    free_content(w->s, planned->content);
    w->contents[local] = planned->content = NULL;
}

static void bury_contents(planner *w, const ir_node *n, uint32_t at)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        bury_content(w, n->in[i].value, at);
    for (uint32_t o = 0; o < n->n_out; o++)
        bury_content(w, n->out[o], at);
}

static heed_status walk(planner *w)
{
    plan_stretch *s = w->s;
    for (uint32_t at = s->first; at < w->p->n_nodes; at++) {
        bool late = false;
        TRY(visit_node(w, w->p->nodes[at], at, &late));
        if (late) {
            s->tail = w->p->nodes[at];
            s->limit = at;
            return HEED_OK;
        }
        TRY(planner_bury(w, at));
        bury_contents(w, w->p->nodes[at], at);
        arena_reset(&w->scratch);
    }
    s->limit = w->p->n_nodes;
    return HEED_OK;
}

/* ---- Contents that have served -------------------------------------------------------------- */

/* By local: steps read it, another value lies in it, or it is a result. */
static uint8_t *find_read(const plan_stretch *s)
{
    const program *p = s->program;
    uint8_t *read = mem_zero(p->n_locals);
    for (uint32_t i = 0; read && i < s->n_operands; i++)
        if (s->operands[i] != PROGRAM_NONE)
            read[s->operands[i]] = 1;
    for (uint32_t i = 0; read && i < s->n_values; i++)
        if (s->values[i].storage == PLAN_ALIAS)
            read[s->values[i].root] = 1;
    for (uint32_t o = 0; read && o < p->graph->n_outputs; o++)
        read[p->outputs[o]] = 1;
    return read;
}

/* Shapes are known when nothing is left to plan: what was computed for them is dropped. */
static heed_status drop_contents(plan_stretch *s)
{
    uint32_t kept = 0;
    uint8_t *read = find_read(s);
    if (!read)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < s->n_values; i++) {
        if (s->values[i].storage == PLAN_CONTENT && !read[s->values[i].local])
            free_content(s, s->values[i].content);
        else
            s->values[kept++] = s->values[i];
    }
    s->n_values = kept;
    mem_free(read);
    return HEED_OK;
}

/* ---- Life ----------------------------------------------------------------------------------- */

/* The lists grew in the planner; the stretch gets them in their final size. */
static heed_status shrink(planner *w, plan_stretch *s)
{
    size_t values = s->n_values * sizeof(*s->values), steps = s->n_steps * sizeof(*s->steps);
    size_t operands = s->n_operands * sizeof(*s->operands);
    void *v = arena_copy(&s->memory, s->values, values);
    void *t = arena_copy(&s->memory, s->steps, steps);
    void *o = arena_copy(&s->memory, s->operands, operands);
    mem_free(s->values);
    mem_free(s->steps);
    mem_free(s->operands);
    w->values_capacity = w->steps_capacity = w->operands_capacity = 0;
    s->values = v;
    s->steps = t;
    s->operands = o;
    return v && t && o ? HEED_OK : HEED_NOMEM;
}

static heed_status plan(planner *w, plan_stretch *s, const ir_type *const *tail_types)
{
    TRY(planner_enter(w, s->parent, tail_types));
    heed_status status = walk(w);
    if (!status)
        status = planner_settle(w);
    if (!s->tail) /* the last stretch: packing needs memory too */
        arena_free(&w->scratch);
    if (!status)
        status = planner_pack(w);
    s->arena_bytes = w->layout.peak;
    planner_memory_reset(w);
    return status || s->tail ? status : drop_contents(s);
}

heed_status stretch_new(planner *w, plan_stretch *parent, const ir_type *const *tail_types,
                        const void *key, size_t key_size, plan_stretch **out)
{
    plan_stretch *s = mem_zero(sizeof(*s));
    *out = NULL;
    if (!s)
        return HEED_NOMEM;
    s->program = w->p;
    s->parent = parent;
    s->first = parent ? parent->limit + 1 : 0;
    s->key = arena_copy(&s->memory, key, key_size);
    s->key_size = key_size;
    w->s = s;
    heed_status status = s->key ? plan(w, s, tail_types) : HEED_NOMEM;
    heed_status shrunk = shrink(w, s);
    arena_reset(&w->scratch);
    status = status ? status : shrunk;
    w->s = NULL;
    w->at = s;
    w->lost = status != HEED_OK;
    if (status)
        stretch_free(s);
    else
        *out = s;
    return status;
}

/* The next stretch of a walk over a whole tree that frees what it leaves. Iterative, because a tree
 * is as deep as a graph has late nodes. */
static plan_stretch *leave(plan_stretch *s)
{
    plan_stretch *next = s->sibling ? s->sibling : s->parent;
    for (struct plan_owned *i = s->contents_owned; i; i = i->next)
        tensor_free(i->tensor);
    arena_free(&s->memory);
    mem_free(s);
    return next;
}

void stretch_free(plan_stretch *s)
{
    if (!s)
        return;
    s->parent = s->sibling = NULL; /* the walk ends here */
    while (s) {
        plan_stretch *child = s->children;
        s->children = NULL; /* when the walk is back, they are gone */
        s = child ? child : leave(s);
    }
}
