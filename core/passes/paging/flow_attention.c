/* flow_attention.c - rules of flow.h for attention, the one operator in which a token may read
 * others, and for what turns queries and keys before it. */
#include <math.h>

#include "ops/heads.h"
#include "passes/paging/flow_rule.h"

/* x [1, H, S, D] or [1, S, H * D], tables, positions: rows stay where they are. Tables have those
 * of the tokens, or are looked up by positions. */
flow flow_turned(flow_map *m, const ir_node *n, uint32_t o)
{
    flow x = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 3));
    (void)o;
    if (x.kind != FLOW_ROWS || (ir_input(n, 3) && (at.kind != FLOW_ROWS || at.axis != 1)))
        return flow_mixed();
    for (uint32_t i = 1; i <= 2; i++) {
        flow f = flow_of(m, ir_input(n, i));
        bool rows = f.kind == FLOW_ROWS && f.axis == flow_type_in(n, i)->rank - 2;
        if (ir_input(n, 3) ? f.kind != FLOW_FREE : !rows)
            return flow_mixed();
    }
    return x;
}

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, SEEN, FACTOR };
static const double HIDES = -1000;

/* One number that is this one when all tokens are there at once. */
static bool is_number(flow_map *m, const ir_node *n, uint32_t input, ir_dim wanted)
{
    ir_value *v = ir_input(n, input);
    ir_dim number;
    return !v || (flow_number(m, v, &number) && number == wanted);
}

/* It hides what comes later, and nothing else. */
static bool is_causal(flow_map *m, const ir_node *n, ir_dim heads)
{
    static const struct {
        uint32_t input;
        double wanted;
    } rest[] = {{BIAS, 0}, {SEEN, 1}, {FACTOR, 1}};
    for (size_t i = 0; i < sizeof(rest) / sizeof(*rest); i++) {
        ir_value *v = ir_input(n, rest[i].input);
        bool paged = rest[i].input == BIAS && flow_bias_by(m, n);
        if (v && !paged && !flow_is_where_seen(m, v, heads, rest[i].wanted))
            return false;
    }
    /* no score is as low as what hides */
    return ir_attr_float(n, "fill", -(double)INFINITY) < HIDES &&
           is_number(m, n, LENGTHS, m->tokens) && is_number(m, n, OFFSETS, 0) &&
           ir_attr_int(n, "causal", 0) && (n->n_out < 2 || !ir_value_used(n->out[1]));
}

/* Queries against what is the same for all of them. */
static bool is_free(const flow_map *m, const ir_node *n)
{
    for (uint32_t i = K; i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        flow f = flow_of(m, v);
        bool rows = i == BIAS || i == SEEN || i == FACTOR; /* one for each query */
        if (rows && v && f.kind == FLOW_ROWS && f.axis == v->type.rank - 2)
            continue;
        if (f.kind != FLOW_FREE ||
            (rows && v && v->type.rank > 1 && v->type.dims[v->type.rank - 2] != 1))
            return false;
    }
    return !ir_attr_int(n, "causal", 0) && ir_attr_int(n, "left_window", -1) < 0 &&
           ir_attr_int(n, "right_window", -1) < 0;
}

/* Rows are batches, each of which attends to itself; what else there is, is the same for all. */
static bool is_by_batch(const flow_map *m, const ir_node *n, const heads_layout *layout)
{
    for (uint32_t i = Q; i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        flow f = flow_of(m, v);
        bool first = v && (i == LENGTHS || i == OFFSETS || (i != SINKS && v->type.rank == 4));
        bool same = f.kind == FLOW_FREE && (!first || v->type.rank < 1 || v->type.dims[0] == 1);
        bool own =
            f.kind == FLOW_ROWS && f.axis == (i <= V ? layout[i].place[0] : 0) && (i <= V || first);
        if (!own && (i <= V || !same))
            return false;
    }
    return n->n_out < 2 || !ir_value_used(n->out[1]);
}

flow flow_attention(flow_map *m, const ir_node *n, uint32_t o)
{
    static const char *const names[] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    heads_layout layout[4];
    if (o > 0)
        return flow_mixed();
    for (uint32_t i = 0; i < 4; i++)
        if (!heads_layout_read(n, names[i], &layout[i]))
            return flow_mixed();
    if (is_by_batch(m, n, layout))
        return flow_rows(layout[3].place[0]);
    for (uint32_t i = Q; i <= V; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind == FLOW_ROWS && f.axis != layout[i].place[2])
            return flow_mixed();
    }
    if (flow_of(m, ir_input(n, Q)).kind != FLOW_ROWS)
        return flow_mixed();
    if (is_free(m, n))
        return flow_rows(layout[3].place[2]);
    bool own = flow_of(m, ir_input(n, K)).kind == FLOW_ROWS &&
               flow_of(m, ir_input(n, V)).kind == FLOW_ROWS &&
               is_causal(m, n, flow_type_in(n, Q)->dims[layout[0].place[1]]);
    return own ? flow_rows(layout[3].place[2]) : flow_mixed();
}
