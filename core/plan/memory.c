/* memory.c - where values lie while a stretch runs; see planner.h. */
#include <string.h>

#include "ops/evaluate.h"
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

/* Which output of the graph a local is, if it may be written there directly. */
static bool take_output(planner *w, uint32_t local, uint32_t *output)
{
    if (w->p->last_use[local] != PROGRAM_FOREVER || w->types[local].dtype == HEED_STRING)
        return false; /* text of moved strings may be another tensor's: results get a copy */
    for (uint32_t o = 0; o < w->p->graph->n_outputs; o++) {
        if (w->p->outputs[o] == local && !w->output_used[o]) {
            w->output_used[o] = 1;
            *output = o;
            return true;
        }
    }
    return false;
}

heed_status planner_own_memory(planner *w, uint32_t local)
{
    uint32_t output;
    bool direct = take_output(w, local, &output);
    plan_value *v = planner_add_value(w, local, direct ? PLAN_OUTPUT : PLAN_ARENA);
    if (direct)
        v->root = output;
    else
        TRY(layout_take(&w->layout, v->bytes, &v->offset));
    w->root_of[local] = local;
    w->roots[local] = (planner_root){.value = w->s->n_values, .last_use = w->p->last_use[local]};
    die_at(w, local);
    return HEED_OK;
}

void planner_alias(planner *w, uint32_t local, uint32_t of, size_t offset)
{
    uint32_t root = w->root_of[of];
    plan_value *v = planner_add_value(w, local, PLAN_ALIAS);
    v->root = root;
    v->offset = w->offset_of[local] = w->offset_of[of] + offset;
    w->root_of[local] = root;
    if (w->roots[root].value && w->p->last_use[local] > w->roots[root].last_use)
        w->roots[root].last_use = w->p->last_use[local];
}

/* ---- In place ------------------------------------------------------------------------------- */

static bool writes_in_place(const plan_step *step)
{
    if (step->where->kernel)
        return (step->where->kernel->flags & HEED_INPLACE) != 0;
    return (step->node->op->flags & OP_INPLACE) != 0;
}

/* Input 0 dies here, is as large as output 0, and no other input shares its memory. */
bool planner_can_reuse(planner *w, const plan_step *step, uint32_t at, uint32_t local)
{
    uint32_t first = program_local(w->p, ir_input(step->node, 0));
    size_t bytes;
    if (first == PROGRAM_NONE || !writes_in_place(step))
        return false;
    uint32_t root = w->root_of[first];
    const planner_root *r = &w->roots[root];
    if (!r->value || r->last_use != at || w->s->values[r->value - 1].storage != PLAN_ARENA ||
        !op_known_bytes(&w->types[local], &bytes) || w->s->values[r->value - 1].bytes != bytes ||
        w->p->last_use[local] == PROGRAM_FOREVER)
        return false;
    for (uint32_t i = 1; i < step->node->n_in; i++) {
        uint32_t other = program_local(w->p, ir_input(step->node, i));
        if (other != PROGRAM_NONE && w->root_of[other] == root)
            return false;
    }
    return true;
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
    w->output_used = mem_zero(p->graph->n_outputs);
    if (!w->roots || !w->root_of || !w->offset_of || !w->next_dying || !w->dying || !w->output_used)
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
        if (v->storage == PLAN_OUTPUT)
            w->output_used[v->root] = 0;
        *r = (planner_root){0};
        w->root_of[v->local] = v->local;
        w->offset_of[v->local] = 0;
    }
    w->layout.n_holes = 0;
    w->layout.top = w->layout.peak = 0;
}

void planner_memory_free(planner *w)
{
    mem_free(w->roots);
    mem_free(w->root_of);
    mem_free(w->offset_of);
    mem_free(w->next_dying);
    mem_free(w->dying);
    mem_free(w->output_used);
    layout_free(&w->layout);
}
