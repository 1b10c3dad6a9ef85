/* flow_look_ups.c - rows that are looked up in a table, or written to one (Gather, Scatter,
 * OneHot), for flow_rules.c. Separate because data and indices may both have rows: each rule says
 * which of them may, and along which axes. */
#include "passes/paging/flow_rule.h"

/* A table of places: sequences end where it does. */
static void note_places(const flow_map *m, const ir_node *n, int32_t axis)
{
    int64_t rows = flow_type_in(n, 0)->dims[axis];
    if (flow_of(m, ir_input(n, 1)).place && rows > 0)
        paging_limit(m->run, rows);
}

flow flow_gathered(flow_map *m, const ir_node *n, uint32_t o)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int32_t axis = flow_axis_attr(n, 0, flow_type_in(n, 0)->rank);
    (void)o;
    if (data.kind == FLOW_FREE && at.kind == FLOW_ROWS) {
        note_places(m, n, axis);
        return flow_rows(axis + at.axis);
    }
    if (data.kind != FLOW_ROWS || at.kind != FLOW_FREE || data.axis == axis)
        return flow_mixed();
    return data.axis < axis ? data : flow_rows(data.axis - 1 + flow_type_in(n, 1)->rank);
}

flow flow_gathered_nd(flow_map *m, const ir_node *n, uint32_t o)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int32_t rank = flow_type_in(n, 1)->rank;
    int64_t width = rank > 0 ? flow_type_in(n, 1)->dims[rank - 1] : -1;
    (void)o;
    if (ir_attr_int(n, "batch_dims", 0) != 0 || width < 1)
        return flow_mixed();
    if (data.kind == FLOW_FREE && at.kind == FLOW_ROWS && at.axis < rank - 1)
        return at;
    bool picks = data.kind == FLOW_ROWS && at.kind == FLOW_FREE && data.axis >= width;
    return picks ? flow_rows(rank - 1 + data.axis - (int32_t)width) : flow_mixed();
}

/* Data and indices have the same rows; or rows of indices look along a table, each for itself. */
flow flow_gathered_along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int32_t axis = flow_axis_attr(n, 0, flow_type_in(n, 0)->rank);
    (void)o;
    if (data.kind == FLOW_FREE && at.kind == FLOW_ROWS) {
        note_places(m, n, axis);
        return at.axis == axis ? at : flow_mixed();
    }
    bool same = data.kind == FLOW_ROWS && at.kind == FLOW_ROWS && data.axis == at.axis;
    return same && axis != at.axis ? at : flow_mixed();
}

/* Data, indices and updates have the same rows. */
flow flow_scattered_along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_aligned(m, n, 0, n->n_in - 1, o);
    return f.kind == FLOW_ROWS && flow_axis_attr(n, 0, flow_type_in(n, 0)->rank) == f.axis
               ? flow_mixed()
               : f;
}

/* Indices become an axis of as many as there may be. */
flow flow_one_hot(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_first_alone(m, n, o);
    int32_t axis = flow_axis_attr(n, -1, n->out[o]->type.rank);
    return f.kind == FLOW_ROWS && axis <= f.axis ? flow_rows(f.axis + 1) : f;
}
