/* flow_rules.c - where the rows of a node's inputs are in its outputs. Each rule is of a family of
 * operators; what has no rule mixes rows. */
#include <string.h>

#include "passes/paging/flow_rule.h"

static const flow mixed = {.kind = FLOW_MIXED};

/* ---- Moves ----------------------------------------------------------------------------------- */

/* How many times the number of rows an extent is; 0: it is no multiple. */
static int32_t times_rows(const flow_map *m, ir_dim extent, ir_dim rows)
{
    ir_dims *dims = m->run->model->dims;
    ir_dim each = dim_known(extent) ? 0 : dims_floor_div(dims, extent, rows);
    bool exact = each > 0 && each < INT32_MAX && dims_mul(dims, each, rows) == extent;
    return exact ? (int32_t)each : 0;
}

/* The axis before which as many elements lie: extents of 1 come and go. There a token has as many
 * elements as before, so that what follows it may have come into the axis, or left it. */
static flow find_rows(const flow_map *m, const ir_type *from, flow f, const ir_type *to)
{
    ir_dims *dims = m->run->model->dims;
    ir_dim before = 1, count = 1, rows = flow_count(m, f.list);
    bool whole = from->dims[f.axis] == dims_mul(dims, rows, f.each);
    for (int32_t i = 0; i < f.axis; i++)
        before = dims_mul(dims, before, from->dims[i]);
    for (int32_t i = 0; i < to->rank && before != DIM_UNKNOWN; i++) {
        int32_t each = count == before && whole ? times_rows(m, to->dims[i], rows) : 0;
        flow found = {.kind = FLOW_ROWS, .axis = (int8_t)i, .each = each ? each : f.each};
        if (count == before && (each || to->dims[i] == from->dims[f.axis]))
            return found;
        count = dims_mul(dims, count, to->dims[i]);
    }
    return mixed;
}

int32_t flow_find_axis(const flow_map *m, const ir_type *from, int32_t axis, const ir_type *to)
{
    flow found = find_rows(m, from, flow_rows(axis), to);
    return found.kind == FLOW_ROWS && found.each == 1 ? found.axis : -1;
}

static flow at_axis(int32_t axis) { return axis < 0 ? mixed : flow_rows(axis); }

static flow reshaped(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind == FLOW_ROWS)
            return mixed;
    return find_rows(m, flow_type_in(n, 0), f, &n->out[o]->type);
}

static flow expanded(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    const ir_type *to = &n->out[o]->type;
    int32_t axis = f.axis + to->rank - flow_type_in(n, 0)->rank;
    bool stays = f.kind == FLOW_ROWS && flow_of(m, ir_input(n, 1)).kind != FLOW_ROWS &&
                 to->dims[axis] == flow_type_in(n, 0)->dims[f.axis];
    return stays ? flow_rows(axis) : mixed;
}

static flow transposed(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    uint64_t count = 0;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    (void)o;
    for (uint64_t i = 0; perm && i < count; i++)
        if (perm[i] == f.axis)
            return flow_rows((int32_t)i);
    return perm ? mixed : flow_rows(flow_type_in(n, 0)->rank - 1 - f.axis);
}

/* ---- Elementwise ----------------------------------------------------------------------------- */

/* Input i is the same for all rows along this axis of the output. */
static bool is_same_for_all(const flow_map *m, const ir_node *n, uint32_t i, int32_t axis,
                            int32_t rank)
{
    const ir_type *type = flow_type_in(n, i);
    int32_t own = axis - (rank - type->rank);
    return flow_of(m, n->in[i].value).kind == FLOW_FREE && type->rank >= 0 &&
           (own < 0 || type->dims[own] == 1);
}

flow flow_aligned(flow_map *m, const ir_node *n, uint32_t first, uint32_t last, uint32_t o)
{
    int32_t rank = n->out[o]->type.rank, axis = -1;
    for (uint32_t i = first; i <= last; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind != FLOW_ROWS)
            continue;
        int32_t own = f.axis + rank - flow_type_in(n, i)->rank;
        if (axis >= 0 && own != axis)
            return mixed;
        axis = own;
    }
    for (uint32_t i = first; axis >= 0 && i <= last; i++)
        if (n->in[i].value && flow_of(m, n->in[i].value).kind != FLOW_ROWS &&
            !is_same_for_all(m, n, i, axis, rank))
            return mixed;
    return at_axis(axis);
}

static flow elementwise(flow_map *m, const ir_node *n, uint32_t o)
{
    return flow_aligned(m, n, 0, n->n_in - 1, o);
}

flow flow_first_alone(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return mixed;
    (void)o;
    return f;
}

/* ---- Along one axis, or several -------------------------------------------------------------- */

/* Softmax, Split, TopK: all elements along an axis that is not the tokens'. */
static flow along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_first_alone(m, n, o);
    bool hits = f.kind == FLOW_ROWS && flow_axis_attr(n, -1, flow_type_in(n, 0)->rank) == f.axis;
    return hits ? mixed : f;
}

/* Norms from an axis to the last: scale and bias may be those of the row. */
static flow from_axis(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = o == 0 ? flow_aligned(m, n, 0, n->n_in - 1, o) : flow_first_alone(m, n, o);
    bool own = f.kind == FLOW_ROWS && flow_of(m, ir_input(n, 0)).kind == FLOW_ROWS;
    bool hits = own && flow_axis_attr(n, -1, flow_type_in(n, 0)->rank) <= f.axis;
    return hits || !own ? mixed : f;
}

/* The axes that input i lists; false when they are no constants. */
static bool listed(const ir_node *n, uint32_t i, int32_t rank, uint32_t *bits)
{
    const ir_value *v = ir_input(n, i);
    *bits = 0;
    if (!v || !pass_constant(v))
        return false;
    for (int64_t k = 0; k < tensor_count(v->constant); k++) {
        int64_t axis = tensor_get_int(v->constant, k);
        axis += axis < 0 ? rank : 0;
        if (axis < 0 || axis >= rank)
            return false;
        *bits |= 1u << axis;
    }
    return true;
}

static flow reduced(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_first_alone(m, n, o);
    uint32_t bits;
    if (f.kind != FLOW_ROWS || !listed(n, 1, flow_type_in(n, 0)->rank, &bits) ||
        (bits >> f.axis & 1))
        return mixed;
    if (ir_attr_int(n, "keepdims", 1))
        return f;
    int32_t before = __builtin_popcount(bits & ((1u << f.axis) - 1));
    return flow_rows(f.axis - before);
}

/* ArgMax and its like: the axis is an attribute, and goes. */
static flow picked_along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_first_alone(m, n, o);
    int32_t axis = flow_axis_attr(n, 0, flow_type_in(n, 0)->rank);
    if (f.kind != FLOW_ROWS || axis == f.axis)
        return mixed;
    return ir_attr_int(n, "keepdims", 1) || axis > f.axis ? f : flow_rows(f.axis - 1);
}

static flow cumulated(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_first_alone(m, n, o);
    const ir_value *axis = ir_input(n, 1);
    if (f.kind != FLOW_ROWS || !axis || !pass_constant(axis))
        return mixed;
    int64_t at = tensor_get_int(axis->constant, 0);
    return (at < 0 ? at + flow_type_in(n, 0)->rank : at) == f.axis ? mixed : f;
}

static flow joined(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_aligned(m, n, 0, n->n_in - 1, o);
    return f.kind == FLOW_ROWS && flow_axis_attr(n, 0, n->out[o]->type.rank) == f.axis ? mixed : f;
}

/* ---- Table ----------------------------------------------------------------------------------- */

static const struct {
    const char *domain, *op;
    flow_rule *rule;
} rules[] = {
    {"", "Identity", flow_first_alone},
    {"", "Dropout", flow_first_alone},
    {"", "Clip", flow_first_alone},
    {"", "Reshape", reshaped},
    {"", "Flatten", reshaped},
    {"", "Squeeze", reshaped},
    {"", "Unsqueeze", reshaped},
    {"", "Expand", expanded},
    {"", "Transpose", transposed},
    {"", "Concat", joined},
    {"", "Split", along},
    {"", "Slice", flow_sliced},
    {"", "Tile", flow_tiled},
    {"", "Pad", flow_padded},
    {"", "Gather", flow_gathered},
    {"", "GatherND", flow_gathered_nd},
    {"", "GatherElements", flow_gathered_along},
    {"", "ScatterElements", flow_scattered_along},
    {"", "MatMul", flow_product},
    {"", "Gemm", flow_gemm},
    {"", "Einsum", flow_einsum},
    {"", "Softmax", along},
    {"", "LogSoftmax", along},
    {"", "TopK", along},
    {"", "LpNormalization", along},
    {"", "ArgMax", picked_along},
    {"", "ArgMin", picked_along},
    {"", "CumSum", cumulated},
    {"", "LayerNormalization", from_axis},
    {"", "RMSNormalization", from_axis},
    {"", "ReduceMean", reduced},
    {"", "ReduceSum", reduced},
    {"", "ReduceMax", reduced},
    {"", "ReduceMin", reduced},
    {"", "ReduceProd", reduced},
    {"", "ReduceL1", reduced},
    {"", "ReduceL2", reduced},
    {"", "ReduceSumSquare", reduced},
    {"", "RotaryEmbedding", flow_turned},
    {"", "DequantizeLinear", flow_first_alone},
    {"", "QuantizeLinear", flow_first_alone},
    {"com.microsoft", "MatMulNBits", flow_first_alone},
    {"com.microsoft", "MoE", flow_experts},
    {"com.microsoft", "QMoE", flow_experts},
    {"", "OneHot", flow_one_hot},
    {"heed", "Attention", flow_attention},
};

static flow_rule *find_rule(const ir_node *n, uint32_t o)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(n->op->name, rules[i].op) == 0 && strcmp(n->op->domain, rules[i].domain) == 0)
            return rules[i].rule;
    return (n->op->flags & OP_ELEMENTWISE) && o == 0 ? elementwise : NULL;
}

/* All inputs with rows have those of one list, and as many of each token: these, or 0. */
static int32_t common_each(const flow_map *m, const ir_node *n, uint16_t *list)
{
    int32_t each = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind != FLOW_ROWS)
            continue;
        if (each && (f.each != each || f.list != *list))
            return 0;
        each = f.each;
        *list = f.list;
    }
    return each;
}

/* Several rows of a token are rows like others where nothing asks which one it is. */
flow flow_through(flow_map *m, const ir_node *n, uint32_t o)
{
    flow_rule *rule = find_rule(n, o);
    uint16_t list = 0;
    int32_t each = common_each(m, n, &list);
    flow found;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && n->in[i].value->type.rank < 0)
            return mixed;
    if (n->out[o]->type.rank >= 0 && flow_through_list(m, n, o, &found))
        return found;
    if (n->out[o]->type.rank < 0 || !rule || each < 1 ||
        ((each > 1 || list) && rule == flow_attention))
        return mixed;
    found = rule(m, n, o);
    found = (flow){.kind = found.kind,
                   .axis = found.axis,
                   .each = rule == reshaped ? found.each : each,
                   .list = list};
    if (list && found.kind == FLOW_ROWS)
        flow_number_entries(m, n, o, &found);
    return found;
}
