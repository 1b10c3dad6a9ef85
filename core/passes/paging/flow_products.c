/* flow_products.c - rules of flow.h for products: the axis of the tokens is not summed over. */
#include "ops/equation.h"
#include "passes/paging/flow_rule.h"

flow flow_product(flow_map *m, const ir_node *n, uint32_t o)
{
    flow a = flow_of(m, ir_input(n, 0)), b = flow_of(m, ir_input(n, 1));
    int32_t ra = flow_type_in(n, 0)->rank, rb = flow_type_in(n, 1)->rank,
            rank = n->out[o]->type.rank;
    int32_t from_a = a.kind == FLOW_ROWS ? a.axis + rank - ra : -1;
    int32_t from_b = b.kind == FLOW_ROWS ? b.axis + rank - rb : -1;
    bool contracts =
        (a.kind == FLOW_ROWS && a.axis == ra - 1) || (b.kind == FLOW_ROWS && b.axis == rb - 2);
    if (ra < 2 || rb < 2 || contracts || a.kind == FLOW_SHAPE || b.kind == FLOW_SHAPE)
        return flow_mixed();
    if (from_a >= 0 && from_b >= 0) /* a product for each token */
        return from_a == from_b && from_a < rank - 2 ? flow_rows(from_a) : flow_mixed();
    return flow_rows(from_a >= 0 ? from_a : from_b);
}

/* The letter of the tokens is in the result, and in every operand that has rows, and in no other.
 */
flow flow_einsum(flow_map *m, const ir_node *n, uint32_t o)
{
    int32_t ranks[8];
    equation e;
    int label = -1;
    (void)o;
    for (uint32_t i = 0; i < n->n_in && i < 8; i++)
        ranks[i] = flow_type_in(n, i)->rank;
    if (n->n_in > 8 ||
        equation_read(ir_attr_string(n, "equation", ""), n->n_in, ranks, m->run->scratch, &e))
        return flow_mixed();
    for (uint32_t i = 0; i < n->n_in; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind == FLOW_ROWS && label >= 0 && e.terms[i].labels[f.axis] != label)
            return flow_mixed();
        if (f.kind == FLOW_ROWS)
            label = e.terms[i].labels[f.axis];
        else if (f.kind != FLOW_FREE)
            return flow_mixed();
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        for (int32_t k = 0; k < ranks[i]; k++) {
            flow f = flow_of(m, ir_input(n, i));
            if (e.terms[i].labels[k] == label && (f.kind != FLOW_ROWS || f.axis != k))
                return flow_mixed();
        }
    for (int32_t k = 0; k < e.out.rank; k++)
        if (e.out.labels[k] == label)
            return flow_rows(k);
    return flow_mixed();
}

flow flow_gemm(flow_map *m, const ir_node *n, uint32_t o)
{
    flow a = flow_of(m, ir_input(n, 0));
    (void)o;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return flow_mixed();
    return a.kind == FLOW_ROWS && a.axis == (ir_attr_int(n, "transA", 0) ? 1 : 0) ? flow_rows(0)
                                                                                  : flow_mixed();
}

/* Input 0 is the tokens, input 1 how much of which expert each wants [tokens, experts]; the rest
 * are weights. */
flow flow_experts(flow_map *m, const ir_node *n, uint32_t o)
{
    flow x = flow_of(m, ir_input(n, 0)), wants = flow_of(m, ir_input(n, 1));
    for (uint32_t i = 2; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return flow_mixed();
    bool own = x.kind == FLOW_ROWS && x.axis == flow_type_in(n, 0)->rank - 2 &&
               wants.kind == FLOW_ROWS && wants.axis == 0;
    return own && o == 0 ? x : flow_mixed();
}
