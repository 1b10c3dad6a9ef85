/* caches_back.c - from an output of a decoder back to the input whose content it has, through what
 * moves elements, joins and writes them. Separate, since it knows operators and nothing of what a
 * cache is. */
#include <string.h>

#include "passes/paging/caches_find.h"

enum { MOST_DEPTH = 400 };

/* What was met on the way; the place nearest to the input counts. */
typedef struct trail {
    int form;
    const ir_node *update;
    bool branch;
    int depth;
} trail;

static bool back(cache_walk *w, const ir_value *v, trail t);

bool caches_may_be(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type;
    return roles_is_given(r->g->inputs[i]) && type->kind == HEED_KIND_TENSOR && i != r->main &&
           (r->role[i] == PAGING_PAST || (r->role[i] == PAGING_SIDE && type->rank > 1));
}

static bool back_through(cache_walk *w, const ir_node *n, uint32_t first, uint32_t last, trail t)
{
    for (uint32_t i = first; i <= last && i < n->n_in; i++)
        if (n->in[i].value && back(w, n->in[i].value, t))
            return true;
    return false;
}

static bool back_into_branches(cache_walk *w, const ir_node *n, uint32_t output, trail t)
{
    t.branch = true;
    for (uint32_t a = 0; a < n->n_attrs; a++) {
        const ir_graph *g = n->attrs[a].graph;
        if (g && output < g->n_outputs && back(w, g->outputs[output], t))
            return true;
    }
    return false;
}

/* Of "present_key" and "past_key" the part that they share. */
static const char *without_time(const char *name, size_t *length)
{
    static const char *const times[] = {"past", "present", "initial", "final", "new"};
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        size_t n = strlen(times[i]);
        if (*length >= n && memcmp(name, times[i], n) == 0) {
            *length -= n;
            return name + n;
        }
    }
    return NULL;
}

/* The input of an operator that its output is the next of; UINT32_MAX: none. */
static uint32_t past_of(const ir_node *n, uint32_t output, int *form)
{
    size_t length, have;
    const char *next = growth_slot_name(n->op, true, output, &length);
    const char *rest = length ? without_time(next, &length) : NULL;
    for (uint32_t i = 0; rest && i < n->n_in; i++) {
        const char *name = growth_slot_name(n->op, false, i, &have);
        const char *own = have ? without_time(name, &have) : NULL;
        if (!own || have != length || memcmp(own, rest, length) != 0)
            continue;
        bool state = length >= 5 && memcmp(rest + length - 5, "state", 5) == 0;
        *form = state                                       ? CACHE_STATE
                : strcmp(n->op->name, "TensorScatter") == 0 ? CACHE_TENSOR_SCATTER
                : n->op->domain[0]                          ? CACHE_BUFFER
                                                            : CACHE_CONCAT;
        return i;
    }
    return UINT32_MAX;
}

/* Loop and Scan: outputs that are carried from round to round, LSTM and GRU likewise. */
static uint32_t carried_by(const ir_node *n, uint32_t output)
{
    int64_t scans = ir_attr_int(n, "num_scan_inputs", 0);
    if (pass_is(n, "Loop") && output + 2 < n->n_in)
        return output + 2;
    if (pass_is(n, "Scan") && output < n->n_in - (uint32_t)scans)
        return output;
    if ((pass_is(n, "LSTM") || pass_is(n, "GRU") || pass_is(n, "RNN")) && output > 0)
        return 4 + output;
    return UINT32_MAX;
}

static bool back_through_node(cache_walk *w, const ir_node *n, uint32_t output, trail t)
{
    static const char *const scatters[] = {"ScatterND", "ScatterElements", "Scatter", NULL};
    static const char *const sums[] = {"Add", "Sub", "Mul", "Div",  "Sum",
                                       "Neg", "Max", "Min", "Clip", NULL};
    int form;
    uint32_t carried = carried_by(n, output), past = past_of(n, output, &form);
    if (pass_is(n, "If"))
        return back_into_branches(w, n, output, t);
    if (paging_moves(n, MOVE_KEEPS | MOVE_CUTS | MOVE_PICKS | MOVE_PADS | MOVE_PACKS))
        return back_through(w, n, 0, 0, t);
    t.update = n;
    if (past != UINT32_MAX) {
        t.form = form;
        return back_through(w, n, past, past, t);
    }
    if (carried != UINT32_MAX) {
        t.form = CACHE_STATE;
        return back_through(w, n, carried, carried, t);
    }
    if (pass_is(n, "Concat")) {
        t.form = CACHE_CONCAT;
        return back_through(w, n, 0, n->n_in - 1, t);
    }
    t.form = CACHE_STATIC;
    if (pass_is_one_of(n, scatters))
        return back_through(w, n, 0, 0, t);
    if (pass_is(n, "Where"))
        return back_through(w, n, 1, 2, t);
    t.form = CACHE_STATE;
    return pass_is_one_of(n, sums) && back_through(w, n, 0, n->n_in - 1, t);
}

static bool back(cache_walk *w, const ir_value *v, trail t)
{
    if (w->seen[v->id] || t.depth++ > MOST_DEPTH)
        return false;
    w->seen[v->id] = 1;
    if (v->producer)
        return back_through_node(w, v->producer, v->slot, t);
    if (!v->is_input || v->graph != w->r->g || !caches_may_be(w->r, v->slot))
        return false;
    w->found = (cache_pair){
        .input = v->slot, .form = t.form, .axis = -1, .branch = t.branch, .update = t.update};
    return true;
}

bool caches_back(cache_walk *w, const ir_value *output)
{
    return back(w, output, (trail){.form = FORM_UNCHANGED});
}
