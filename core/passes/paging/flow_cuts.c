/* flow_cuts.c - rules of flow.h for what cuts, pads and repeats along axes: rows stay where they
 * are only when nothing happens along theirs.
 *
 * As many rows as before do not say so. A Pad that puts one row in front and takes one from the end
 * gives each token the row of the one before, and a Slice that steps by -1 turns their order. */
#include "passes/paging/flow_rule.h"

/* Input 0 has the rows, nothing else knows of tokens, and there are as many rows as before. */
static bool keeps_count(const flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    const ir_type *to = &n->out[o]->type;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return false;
    return f.kind == FLOW_ROWS && to->rank > f.axis &&
           to->dims[f.axis] == flow_type_in(n, 0)->dims[f.axis];
}

/* Which entry of a list that goes with `axes` is of this one; *at is -1 when there is none. */
static bool find_entry(const flow_map *m, const ir_value *axes, int32_t axis, int32_t rank,
                       int64_t *at)
{
    int64_t named;
    *at = -1;
    if (!axes) {
        *at = axis;
        return true;
    }
    if (axes->type.rank != 1 || !dim_known(axes->type.dims[0]))
        return false;
    for (int64_t i = 0; i < axes->type.dims[0]; i++) {
        if (!flow_entry(m, axes, i, &named))
            return false;
        if (named + (named < 0 ? rank : 0) == axis)
            *at = i;
    }
    return true;
}

/* Forward, and one after the other. */
flow flow_sliced(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    const ir_value *steps = ir_input(n, 4);
    int64_t at, step;
    if (!keeps_count(m, n, o))
        return flow_mixed();
    if (!steps)
        return f;
    if (!find_entry(m, ir_input(n, 3), f.axis, flow_type_in(n, 0)->rank, &at))
        return flow_mixed();
    return at < 0 || (flow_entry(m, steps, at, &step) && step == 1) ? f : flow_mixed();
}

/* Nothing before the rows, and nothing behind them. */
flow flow_padded(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    const ir_value *pads = ir_input(n, 1), *axes = ir_input(n, 3);
    int32_t rank = flow_type_in(n, 0)->rank;
    int64_t at, before, behind, count = rank;
    if (!pads || !keeps_count(m, n, o) || !find_entry(m, axes, f.axis, rank, &at))
        return flow_mixed();
    if (at < 0)
        return f;
    if (axes)
        count = axes->type.dims[0];
    bool none = flow_entry(m, pads, at, &before) && before == 0 &&
                flow_entry(m, pads, at + count, &behind) && behind == 0;
    return none ? f : flow_mixed();
}

/* As many rows as before: each is there once. */
flow flow_tiled(flow_map *m, const ir_node *n, uint32_t o)
{
    return keeps_count(m, n, o) ? flow_of(m, ir_input(n, 0)) : flow_mixed();
}
