/* memory.c - where values lie while a stretch runs; see planner.h. */
#include <string.h>

#include "ops/evaluate.h"
#include "plan/pack.h"
#include "plan/planner.h"

plan_value *planner_add_value(planner *w, uint32_t local, uint32_t storage)
{
    plan_stretch *s = w->s;
    const ir_type *type = &w->types[local];
    plan_value *v = &s->values[s->n_values++];
    *v = (plan_value){.local = local,
                      .storage = storage,
                      .dtype = type->dtype,
                      .rank = type->rank,
                      .dims = type->dims};
    (void)op_known_bytes(type, &v->bytes); /* known: the type was checked by visit_infer */
    return v;
}

/* ---- Lifetimes ------------------------------------------------------------------------------ */

static void die_at(planner *w, uint32_t root)
{
    uint32_t at = w->roots[root].last_use;
    if (at == PROGRAM_FOREVER)
        return;
    w->next_dying[root] = w->dying[at];
    w->dying[at] = root + 1;
    w->roots[root].listed = at + 1;
}

/* Gives back what was read last by node `at`. An alias may have moved the end of its root. */
heed_status planner_bury(planner *w, uint32_t at)
{
    uint32_t i = w->dying[at];
    w->dying[at] = 0; /* what moves on is in another list from here on */
    for (uint32_t next; i; i = next) {
        uint32_t root = i - 1;
        next = w->next_dying[root];
        if (w->roots[root].last_use != at) {
            die_at(w, root); /* later than first thought */
            continue;
        }
        const plan_value *v = &w->s->values[w->roots[root].value - 1];
        if (v->storage == PLAN_ARENA)
            TRY(layout_give(&w->layout, v->offset, v->bytes));
    }
    return HEED_OK;
}

/* The output of the graph, + 1, in whose memory a local may be written; 0: none. Text of moved
 * strings may be another tensor's, so results get a copy. */
static uint32_t result_of(const planner *w, uint32_t local)
{
    return w->types[local].dtype == HEED_STRING ? 0 : w->p->result[local];
}

static void set_result(plan_value *v, const plan_value *as)
{
    v->result_rank = as->rank;
    v->result_dims = as->dims;
}

heed_status planner_own_memory(planner *w, uint32_t local, uint32_t at)
{
    uint32_t result = result_of(w, local);
    plan_value *v = planner_add_value(w, local, result ? PLAN_OUTPUT : PLAN_ARENA);
    if (result) {
        v->root = result - 1;
        if (w->p->outputs[v->root] == local)
            set_result(v, v);
    } else {
        TRY(layout_take(&w->layout, v->bytes, &v->offset));
    }
    w->root_of[local] = local;
    w->roots[local] =
        (planner_root){.value = w->s->n_values, .last_use = w->p->last_use[local], .born = at};
    die_at(w, local);
    return HEED_OK;
}

/* An output that is a view lies where it should. */
static void settle_alias(planner *w, const plan_value *v)
{
    if (!w->roots[v->root].value)
        return;
    plan_value *root = &w->s->values[w->roots[v->root].value - 1];
    if (root->storage == PLAN_OUTPUT && w->p->outputs[root->root] == v->local && !v->offset &&
        v->bytes == root->bytes)
        set_result(root, v);
}

/* Its view was no view, or must wait for data. Behind all others nothing is overwritten. */
heed_status planner_settle(planner *w)
{
    for (uint32_t i = 0; i < w->s->n_values; i++) {
        plan_value *v = &w->s->values[i];
        if (v->storage != PLAN_OUTPUT || v->result_dims)
            continue;
        v->storage = PLAN_ARENA;
        w->layout.n_holes = 0;
        w->layout.top = w->layout.peak;
        TRY(layout_take(&w->layout, v->bytes, &v->offset));
    }
    return HEED_OK;
}

void planner_alias(planner *w, uint32_t local, uint32_t of, size_t offset)
{
    uint32_t root = w->root_of[of];
    plan_value *v = planner_add_value(w, local, PLAN_ALIAS);
    v->root = root;
    v->offset = w->offset_of[local] = w->offset_of[of] + offset;
    w->root_of[local] = root;
    settle_alias(w, v);
    w->roots[root].needed = true;
    if (w->roots[root].value && w->p->last_use[local] > w->roots[root].last_use)
        w->roots[root].last_use = w->p->last_use[local];
}

heed_status planner_workspace(planner *w, plan_step *step, uint32_t at, size_t bytes)
{
    if (!bytes)
        return HEED_OK;
    TRY(mem_grow(&w->rooms, &w->rooms_capacity, w->n_rooms, sizeof(*w->rooms)));
    w->rooms[w->n_rooms++] = (planner_room){w->s->n_steps, at, bytes};
    TRY(layout_take(&w->layout, bytes, &step->workspace));
    return layout_give(&w->layout, step->workspace, bytes);
}

/* ---- Packing -------------------------------------------------------------------------------- */

static size_t list_blocks(const planner *w, pack_block *blocks)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->s->n_values; i++) {
        const plan_value *v = &w->s->values[i];
        const planner_root *r = &w->roots[v->local];
        if (v->storage == PLAN_ARENA)
            blocks[n++] = (pack_block){.bytes = v->bytes, .born = r->born, .dies = r->last_use};
    }
    for (size_t i = 0; i < w->n_rooms; i++)
        blocks[n++] = (pack_block){
            .bytes = w->rooms[i].bytes, .born = w->rooms[i].at, .dies = w->rooms[i].at};
    return n;
}

static void use_blocks(planner *w, const pack_block *blocks)
{
    size_t n = 0;
    for (uint32_t i = 0; i < w->s->n_values; i++)
        if (w->s->values[i].storage == PLAN_ARENA)
            w->s->values[i].offset = blocks[n++].offset;
    for (size_t i = 0; i < w->n_rooms; i++)
        w->s->steps[w->rooms[i].step].workspace = blocks[n++].offset;
}

heed_status planner_pack(planner *w)
{
    size_t most = w->s->n_values + w->n_rooms, n, peak = 0;
    if (most > PACK_MOST || !w->layout.peak)
        return HEED_OK;
    pack_block *blocks = mem_array(most, sizeof(*blocks));
    if (!blocks)
        return HEED_NOMEM;
    n = list_blocks(w, blocks);
    heed_status status = pack_blocks(blocks, n, &peak);
    if (!status && peak < w->layout.peak) {
        use_blocks(w, blocks);
        w->layout.peak = peak;
    }
    mem_free(blocks);
    return status;
}

/* ---- In place ------------------------------------------------------------------------------- */

enum { REUSE_MOST = 8 }; /* inputs and outputs that HEED_REUSE can name */

static bool may_reuse(const plan_step *step, uint32_t o, uint32_t input)
{
    const heed_kernel *kernel = step->where->kernel;
    bool first = o == 0 && input == 0;
    if (!kernel)
        return first && (step->node->op->flags & OP_INPLACE);
    if (first && (kernel->flags & HEED_INPLACE))
        return true;
    uint64_t reuse = HEED_HAS(kernel, reuse) ? kernel->reuse : 0;
    if (HEED_HAS(kernel, reuses))
        reuse = kernel->reuses(step->where->backend->device, step->where->state);
    return reuse & HEED_REUSE(o, input);
}

/* Is the root another input's too, or an earlier output's? */
static bool is_shared(const planner *w, const ir_node *n, uint32_t input, uint32_t o, uint32_t root)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t local = program_local(w->p, n->in[i].value);
        if (i != input && local != PROGRAM_NONE && w->root_of[local] == root)
            return true;
    }
    for (uint32_t i = 0; i < o; i++) {
        uint32_t local = program_local(w->p, n->out[i]);
        if (local != PROGRAM_NONE && w->root_of[local] == root)
            return true;
    }
    return false;
}

/* The input is all of its memory, as large as the output, and is read last here. */
static bool fits(const planner *w, const plan_step *step, uint32_t at, uint32_t o, uint32_t input)
{
    uint32_t local = program_local(w->p, ir_input(step->node, input));
    if (local == PROGRAM_NONE)
        return false;
    uint32_t root = w->root_of[local];
    const planner_root *r = &w->roots[root];
    size_t own, bytes;
    if (!r->value || r->last_use != at || w->s->values[r->value - 1].storage != PLAN_ARENA)
        return false;
    return op_known_bytes(&w->types[local], &own) &&
           op_known_bytes(&w->types[program_local(w->p, step->node->out[o])], &bytes) &&
           own == bytes && w->s->values[r->value - 1].bytes == bytes &&
           !is_shared(w, step->node, input, o, root);
}

/* A result of the graph has memory of its own: it is written there. */
uint32_t planner_reusable(const planner *w, const plan_step *step, uint32_t at, uint32_t o)
{
    const ir_node *n = step->node;
    uint32_t local = program_local(w->p, n->out[o]);
    if (o >= REUSE_MOST || w->p->last_use[local] == PROGRAM_FOREVER || result_of(w, local))
        return PROGRAM_NONE;
    for (uint32_t i = 0; i < n->n_in && i < REUSE_MOST; i++)
        if (may_reuse(step, o, i) && fits(w, step, at, o, i))
            return program_local(w->p, n->in[i].value);
    return PROGRAM_NONE;
}

/* ---- Life ----------------------------------------------------------------------------------- */

heed_status planner_memory_new(planner *w)
{
    const program *p = w->p;
    size_t locals = p->n_locals;
    w->roots = mem_array(locals, sizeof(*w->roots));
    w->root_of = mem_array(locals, sizeof(*w->root_of));
    w->offset_of = mem_array(locals, sizeof(*w->offset_of));
    w->next_dying = mem_array(locals, sizeof(*w->next_dying));
    w->dying = mem_array(p->n_nodes, sizeof(*w->dying));
    if (!w->roots || !w->root_of || !w->offset_of || !w->next_dying || !w->dying)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < locals; i++)
        w->root_of[i] = i;
    return HEED_OK;
}

void planner_memory_reset(planner *w)
{
    for (uint32_t i = 0; i < w->s->n_values; i++) {
        const plan_value *v = &w->s->values[i];
        planner_root *r = &w->roots[v->local];
        if (r->listed)
            w->dying[r->listed - 1] = 0;
        *r = (planner_root){0};
        w->root_of[v->local] = v->local;
        w->offset_of[v->local] = 0;
    }
    w->layout.n_holes = 0;
    w->layout.top = w->layout.peak = 0;
    w->n_rooms = 0;
}

void planner_memory_free(planner *w)
{
    mem_free(w->roots);
    mem_free(w->root_of);
    mem_free(w->offset_of);
    mem_free(w->next_dying);
    mem_free(w->dying);
    mem_free(w->rooms);
    layout_free(&w->layout);
}
