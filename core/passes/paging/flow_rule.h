/* flow_rule.h - what files of rules share: each rule says where the rows of a node's inputs are in
 * one of its outputs (flow.h). A rule sees nodes that have at least one input with rows, none that
 * is mixed, and ranks that are known. */
#ifndef HEED_PASSES_FLOW_RULE_H
#define HEED_PASSES_FLOW_RULE_H

#include "passes/paging/flow.h"

typedef flow flow_rule(flow_map *m, const ir_node *n, uint32_t output);

static inline flow flow_mixed(void) { return (flow){.kind = FLOW_MIXED}; }

static inline const ir_type *flow_type_in(const ir_node *n, uint32_t i)
{
    return &n->in[i].value->type;
}

/* The attribute `axis`, counted from the first one. */
static inline int32_t flow_axis_attr(const ir_node *n, int64_t missing, int32_t rank)
{
    int64_t axis = ir_attr_int(n, "axis", missing);
    return (int32_t)(axis < 0 ? axis + rank : axis);
}

/* flow_rules.c */
/* Input 0 to output 0, the others are the same for all: norms over the last axes, quantisation. */
flow_rule flow_first_alone;
/* Inputs first to last, broadcast to each other. */
flow flow_aligned(flow_map *m, const ir_node *n, uint32_t first, uint32_t last, uint32_t o);
/* flow_products.c */
flow_rule flow_product, flow_gemm, flow_einsum, flow_experts;
/* flow_look_ups.c */
flow_rule flow_gathered, flow_gathered_nd, flow_gathered_along, flow_scattered_along, flow_one_hot;
/* flow_lists.c: false: the node has nothing to do with lists, or follows the rules of rows. */
bool flow_through_list(flow_map *m, const ir_node *n, uint32_t o, flow *out);
/* What is known of an output as a number of each entry. */
void flow_number_entries(const flow_map *m, const ir_node *n, uint32_t o, flow *f);
/* flow_cuts.c */
flow_rule flow_sliced, flow_padded, flow_tiled;
/* flow_attention.c */
flow_rule flow_turned, flow_attention;

#endif
