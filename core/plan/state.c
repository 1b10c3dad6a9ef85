/* state.c - what planning knows of every value, from one stretch to the next; see planner.h.
 *
 * Stretches are planned in the order in which a run needs them, so the state is nearly always the
 * right one already. Where it is not (a shape that is new in the middle of a known tree), it is
 * made anew from the beginning and the stretches on the way. */
#include <string.h>

#include "ops/evaluate.h"
#include "plan/planner.h"

/* Inputs and captures have types; constants have content. */
static void begin(planner *w)
{
    const program *p = w->p;
    for (uint32_t i = 0; i < p->n_locals; i++) {
        const ir_value *v = p->values[i];
        bool constant = v->constant && !v->is_input;
        w->types[i] = constant ? v->type : (ir_type){.rank = -1};
        w->contents[i] = constant ? v->constant : NULL;
    }
    for (uint32_t i = 0; i < p->graph->n_inputs; i++)
        w->types[p->inputs[i]] = w->begin[i];
    for (uint32_t i = 0; i < p->n_captures; i++)
        w->types[p->capture_locals[i]] = w->begin[p->graph->n_inputs + i];
}

/* What the tail before `s` gave. */
static void replay_tail(planner *w, const plan_stretch *s)
{
    const ir_node *tail = s->parent ? s->parent->tail : NULL;
    for (uint32_t o = 0; tail && o < tail->n_out; o++) {
        uint32_t local = program_local(w->p, tail->out[o]);
        if (local != PROGRAM_NONE)
            w->types[local] = s->entered[o];
    }
}

static void replay(planner *w, const plan_stretch *s)
{
    replay_tail(w, s);
    for (uint32_t i = 0; i < s->n_values; i++) {
        const plan_value *v = &s->values[i];
        if (v->storage == PLAN_CONTENT && !v->content)
            continue; /* nothing reads it any more */
        if (v->storage == PLAN_CONTENT) {
            w->types[v->local] = (ir_type){.dtype = v->content->dtype,
                                           .rank = tensor_rank(v->content),
                                           .dims = v->content->dl.shape};
            w->contents[v->local] = v->content;
            continue;
        }
        w->types[v->local] = (ir_type){.dtype = v->dtype, .rank = v->rank};
        w->types[v->local].dims = (ir_dim *)(uintptr_t)v->dims;
    }
}

static heed_status rewind_to(planner *w, const plan_stretch *end)
{
    size_t n = 0, k = 0;
    for (const plan_stretch *s = end; s; s = s->parent)
        n++;
    const plan_stretch **path = mem_array(n, sizeof(*path));
    if (!path)
        return HEED_NOMEM;
    for (const plan_stretch *s = end; s; s = s->parent)
        path[n - ++k] = s;
    begin(w);
    for (k = 0; k < n; k++)
        replay(w, path[k]);
    mem_free(path);
    return HEED_OK;
}

/* The types live in the new stretch, for replaying. */
static heed_status keep_entered(planner *w, const ir_node *tail, const ir_type *const *types)
{
    plan_stretch *s = w->s;
    s->entered = arena_array(&s->memory, tail->n_out, sizeof(*s->entered));
    if (!s->entered)
        return HEED_NOMEM;
    for (uint32_t o = 0; o < tail->n_out; o++) {
        s->entered[o] = types[o] ? *types[o] : (ir_type){.rank = -1};
        if (s->entered[o].rank <= 0)
            continue;
        size_t bytes = (size_t)s->entered[o].rank * sizeof(ir_dim);
        s->entered[o].dims = (ir_dim *)(void *)arena_copy(&s->memory, types[o]->dims, bytes);
        if (!s->entered[o].dims)
            return HEED_NOMEM;
    }
    return HEED_OK;
}

heed_status planner_enter(planner *w, plan_stretch *parent, const ir_type *const *tail_types)
{
    if (w->lost || w->at != parent)
        TRY(rewind_to(w, parent));
    if (!parent)
        return HEED_OK;
    TRY(keep_entered(w, parent->tail, tail_types));
    replay_tail(w, w->s);
    return HEED_OK;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static heed_status keep_begin(planner *w, const ir_type *const *types)
{
    uint32_t n = w->p->graph->n_inputs + w->p->n_captures;
    ir_type *kept = arena_array(&w->memory, n, sizeof(*kept));
    for (uint32_t i = 0; kept && i < n; i++) {
        kept[i] = *types[i];
        if (kept[i].rank <= 0)
            continue;
        size_t bytes = (size_t)kept[i].rank * sizeof(ir_dim);
        kept[i].dims = (ir_dim *)(void *)arena_copy(&w->memory, types[i]->dims, bytes);
        if (!kept[i].dims)
            return HEED_NOMEM;
    }
    w->begin = kept;
    return kept ? HEED_OK : HEED_NOMEM;
}

heed_status planner_new(const program *p, const ir_type *const *types, planner **out)
{
    planner *w = mem_zero(sizeof(*w));
    *out = NULL;
    if (!w)
        return HEED_NOMEM;
    w->p = p;
    w->types = mem_array(p->n_locals, sizeof(*w->types));
    w->contents = mem_array(p->n_locals, sizeof(*w->contents));
    w->lost = true; /* until the first stretch begins */
    heed_status status = w->types && w->contents ? planner_memory_new(w) : HEED_NOMEM;
    if (!status)
        status = keep_begin(w, types);
    if (status)
        planner_free(w);
    else
        *out = w;
    return status;
}

void planner_free(planner *w)
{
    if (!w)
        return;
    planner_memory_free(w);
    mem_free(w->types);
    mem_free(w->contents);
    arena_free(&w->scratch);
    arena_free(&w->memory);
    mem_free(w);
}
