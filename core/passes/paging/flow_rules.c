/* flow_rules.c - where the rows of a node's inputs are in its outputs. Each rule is of a family of
 * operators; what has no rule mixes rows. */
#include <string.h>

#include "ops/equation.h"
#include "ops/heads.h"
#include "passes/paging/flow.h"

static const flow mixed = {.kind = FLOW_MIXED};

static const ir_type *type_in(const ir_node *n, uint32_t i) { return &n->in[i].value->type; }

/* ---- Moves ---------------------------------------------------------------------------------- */

/* The axis before which as many elements lie: extents of 1 come and go. */
int32_t flow_find_axis(const flow_map *m, const ir_type *from, int32_t axis, const ir_type *to)
{
    ir_dims *dims = m->run->model->dims;
    ir_dim before = 1, count = 1;
    for (int32_t i = 0; i < axis; i++)
        before = dims_mul(dims, before, from->dims[i]);
    for (int32_t i = 0; i < to->rank && before != DIM_UNKNOWN; i++) {
        if (count == before && to->dims[i] == from->dims[axis])
            return i;
        count = dims_mul(dims, count, to->dims[i]);
    }
    return -1;
}

static flow at_axis(int32_t axis) { return axis < 0 ? mixed : flow_rows(axis); }

static flow reshaped(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind == FLOW_ROWS)
            return mixed;
    return at_axis(flow_find_axis(m, type_in(n, 0), f.axis, &n->out[o]->type));
}

static flow expanded(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    const ir_type *to = &n->out[o]->type;
    int32_t axis = f.axis + to->rank - type_in(n, 0)->rank;
    bool stays = f.kind == FLOW_ROWS && flow_of(m, ir_input(n, 1)).kind != FLOW_ROWS &&
                 to->dims[axis] == type_in(n, 0)->dims[f.axis];
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
    return perm ? mixed : flow_rows(type_in(n, 0)->rank - 1 - f.axis);
}

/* ---- Elementwise ---------------------------------------------------------------------------- */

/* Input i is the same for all rows along this axis of the output. */
static bool is_same_for_all(const flow_map *m, const ir_node *n, uint32_t i, int32_t axis,
                            int32_t rank)
{
    const ir_type *type = type_in(n, i);
    int32_t own = axis - (rank - type->rank);
    return flow_of(m, n->in[i].value).kind == FLOW_FREE && type->rank >= 0 &&
           (own < 0 || type->dims[own] == 1);
}

/* Inputs first to last, broadcast to each other. */
static flow aligned(flow_map *m, const ir_node *n, uint32_t first, uint32_t last, uint32_t o)
{
    int32_t rank = n->out[o]->type.rank, axis = -1;
    for (uint32_t i = first; i <= last; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind != FLOW_ROWS)
            continue;
        int32_t own = f.axis + rank - type_in(n, i)->rank;
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
    return aligned(m, n, 0, n->n_in - 1, o);
}

/* Input 0 to output 0, the others are the same for all: norms over the last axes, quantisation. */
static flow first_alone(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = flow_of(m, ir_input(n, 0));
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return mixed;
    (void)o;
    return f;
}

/* ---- Along one axis, or several ---------------------------------------------------------------
 */

static int32_t axis_attr(const ir_node *n, int64_t missing, int32_t rank)
{
    int64_t axis = ir_attr_int(n, "axis", missing);
    return (int32_t)(axis < 0 ? axis + rank : axis);
}

/* Softmax, Split, TopK: all elements along an axis that is not the tokens'. */
static flow along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = first_alone(m, n, o);
    bool hits = f.kind == FLOW_ROWS && axis_attr(n, -1, type_in(n, 0)->rank) == f.axis;
    return hits ? mixed : f;
}

/* From an axis to the last. */
static flow from_axis(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = first_alone(m, n, o);
    bool hits = f.kind == FLOW_ROWS && axis_attr(n, -1, type_in(n, 0)->rank) <= f.axis;
    return hits ? mixed : f;
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
    flow f = first_alone(m, n, o);
    uint32_t bits;
    if (f.kind != FLOW_ROWS || !listed(n, 1, type_in(n, 0)->rank, &bits) || (bits >> f.axis & 1))
        return mixed;
    if (ir_attr_int(n, "keepdims", 1))
        return f;
    int32_t before = __builtin_popcount(bits & ((1u << f.axis) - 1));
    return flow_rows(f.axis - before);
}

/* ArgMax and its like: the axis is an attribute, and goes. */
static flow picked_along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = first_alone(m, n, o);
    int32_t axis = axis_attr(n, 0, type_in(n, 0)->rank);
    if (f.kind != FLOW_ROWS || axis == f.axis)
        return mixed;
    return ir_attr_int(n, "keepdims", 1) || axis > f.axis ? f : flow_rows(f.axis - 1);
}

static flow cumulated(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = first_alone(m, n, o);
    const ir_value *axis = ir_input(n, 1);
    if (f.kind != FLOW_ROWS || !axis || !pass_constant(axis))
        return mixed;
    int64_t at = tensor_get_int(axis->constant, 0);
    return (at < 0 ? at + type_in(n, 0)->rank : at) == f.axis ? mixed : f;
}

/* As many rows as before: then the tokens' axis was left alone. */
static flow sliced(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = first_alone(m, n, o);
    const ir_type *to = &n->out[o]->type;
    bool stays =
        f.kind == FLOW_ROWS && to->rank > f.axis && to->dims[f.axis] == type_in(n, 0)->dims[f.axis];
    return stays ? f : mixed;
}

static flow joined(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = aligned(m, n, 0, n->n_in - 1, o);
    return f.kind == FLOW_ROWS && axis_attr(n, 0, n->out[o]->type.rank) == f.axis ? mixed : f;
}

/* ---- Looking up -------------------------------------------------------------------------------
 */

static flow gathered(flow_map *m, const ir_node *n, uint32_t o)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int32_t axis = axis_attr(n, 0, type_in(n, 0)->rank);
    (void)o;
    if (data.kind == FLOW_FREE && at.kind == FLOW_ROWS)
        return flow_rows(axis + at.axis);
    if (data.kind != FLOW_ROWS || at.kind != FLOW_FREE || data.axis == axis)
        return mixed;
    return data.axis < axis ? data : flow_rows(data.axis - 1 + type_in(n, 1)->rank);
}

static flow gathered_nd(flow_map *m, const ir_node *n, uint32_t o)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int32_t rank = type_in(n, 1)->rank;
    int64_t width = rank > 0 ? type_in(n, 1)->dims[rank - 1] : -1;
    (void)o;
    if (ir_attr_int(n, "batch_dims", 0) != 0 || width < 1)
        return mixed;
    if (data.kind == FLOW_FREE && at.kind == FLOW_ROWS && at.axis < rank - 1)
        return at;
    bool picks = data.kind == FLOW_ROWS && at.kind == FLOW_FREE && data.axis >= width;
    return picks ? flow_rows(rank - 1 + data.axis - (int32_t)width) : mixed;
}

/* Data and indices have the same rows. */
static flow gathered_along(flow_map *m, const ir_node *n, uint32_t o)
{
    flow f = aligned(m, n, 0, n->n_in - 1, o);
    return f.kind == FLOW_ROWS && axis_attr(n, 0, type_in(n, 0)->rank) == f.axis ? mixed : f;
}

/* ---- Products ---------------------------------------------------------------------------------
 */

static flow product(flow_map *m, const ir_node *n, uint32_t o)
{
    flow a = flow_of(m, ir_input(n, 0)), b = flow_of(m, ir_input(n, 1));
    int32_t ra = type_in(n, 0)->rank, rb = type_in(n, 1)->rank, rank = n->out[o]->type.rank;
    int32_t from_a = a.kind == FLOW_ROWS ? a.axis + rank - ra : -1;
    int32_t from_b = b.kind == FLOW_ROWS ? b.axis + rank - rb : -1;
    bool contracts =
        (a.kind == FLOW_ROWS && a.axis == ra - 1) || (b.kind == FLOW_ROWS && b.axis == rb - 2);
    if (ra < 2 || rb < 2 || contracts || a.kind == FLOW_SHAPE || b.kind == FLOW_SHAPE)
        return mixed;
    if (from_a >= 0 && from_b >= 0) /* a product for each token */
        return from_a == from_b && from_a < rank - 2 ? flow_rows(from_a) : mixed;
    return flow_rows(from_a >= 0 ? from_a : from_b);
}

/* The letter of the tokens is in the result, and in every operand that has rows, and in no other.
 */
static flow einsum(flow_map *m, const ir_node *n, uint32_t o)
{
    int32_t ranks[8];
    equation e;
    int label = -1;
    (void)o;
    for (uint32_t i = 0; i < n->n_in && i < 8; i++)
        ranks[i] = type_in(n, i)->rank;
    if (n->n_in > 8 ||
        equation_read(ir_attr_string(n, "equation", ""), n->n_in, ranks, m->run->scratch, &e))
        return mixed;
    for (uint32_t i = 0; i < n->n_in; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind == FLOW_ROWS && label >= 0 && e.terms[i].labels[f.axis] != label)
            return mixed;
        if (f.kind == FLOW_ROWS)
            label = e.terms[i].labels[f.axis];
        else if (f.kind != FLOW_FREE)
            return mixed;
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        for (int32_t k = 0; k < ranks[i]; k++) {
            flow f = flow_of(m, ir_input(n, i));
            if (e.terms[i].labels[k] == label && (f.kind != FLOW_ROWS || f.axis != k))
                return mixed;
        }
    for (int32_t k = 0; k < e.out.rank; k++)
        if (e.out.labels[k] == label)
            return flow_rows(k);
    return mixed;
}

static flow gemm(flow_map *m, const ir_node *n, uint32_t o)
{
    flow a = flow_of(m, ir_input(n, 0));
    (void)o;
    for (uint32_t i = 1; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).kind != FLOW_FREE)
            return mixed;
    return a.kind == FLOW_ROWS && a.axis == (ir_attr_int(n, "transA", 0) ? 1 : 0) ? flow_rows(0)
                                                                                  : mixed;
}

/* x [1, H, S, D] or [1, S, H * D], tables, positions: rows stay where they are. */
static flow turned(flow_map *m, const ir_node *n, uint32_t o)
{
    flow x = flow_of(m, ir_input(n, 0));
    (void)o;
    for (uint32_t i = 1; i < n->n_in; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind == FLOW_ROWS ? f.axis != type_in(n, i)->rank - (i == 3 ? 1 : 2)
                                : f.kind != FLOW_FREE)
            return mixed;
    }
    return x;
}

/* ---- Attention --------------------------------------------------------------------------------
 */

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, SEEN, FACTOR };

/* One number that is this one when all tokens are there at once. */
static bool is_number(flow_map *m, const ir_node *n, uint32_t input, ir_dim wanted)
{
    ir_value *v = ir_input(n, input);
    ir_dim number;
    return !v || (flow_number(m, v, &number) && number == wanted);
}

int flow_bias_by(const flow_map *m, const ir_node *n)
{
    const ir_value *v = ir_input(n, BIAS);
    int32_t last = v ? v->type.rank - 1 : -1;
    ir_dims *dims = m->run->model->dims;
    if (!v || flow_of(m, v).data || last < 1 || v->type.dims[last - 1] != 1 ||
        !dtype_is_float(v->type.dtype))
        return 0;
    for (int32_t k = 0; k < last - 2; k++)
        if (v->type.dims[k] != 1)
            return 0;
    ir_dim places = dims_sub(dims, dims_mul(dims, 2, m->tokens), 1);
    if (ir_attr_int(n, "relative", 0))
        return v->type.dims[last] == places || v->type.dims[last] == dims_max(dims, places, 0);
    return v->type.dims[last] == m->tokens ? 2 : 0;
}

/* It hides what comes later, and nothing else. */
static bool is_causal(flow_map *m, const ir_node *n)
{
    return (!ir_input(n, BIAS) || flow_bias_by(m, n)) && !ir_input(n, SEEN) &&
           !ir_input(n, FACTOR) && is_number(m, n, LENGTHS, m->tokens) &&
           is_number(m, n, OFFSETS, 0) && ir_attr_int(n, "causal", 0) &&
           (n->n_out < 2 || !ir_value_used(n->out[1]));
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

static flow attention(flow_map *m, const ir_node *n, uint32_t o)
{
    static const char *const names[] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    heads_layout layout[4];
    if (o > 0)
        return mixed;
    for (uint32_t i = 0; i < 4; i++)
        if (!heads_layout_read(n, names[i], &layout[i]))
            return mixed;
    for (uint32_t i = Q; i <= V; i++) {
        flow f = flow_of(m, ir_input(n, i));
        if (f.kind == FLOW_ROWS && f.axis != layout[i].place[2])
            return mixed;
    }
    if (flow_of(m, ir_input(n, Q)).kind != FLOW_ROWS)
        return mixed;
    if (is_free(m, n))
        return flow_rows(layout[3].place[2]);
    bool own = flow_of(m, ir_input(n, K)).kind == FLOW_ROWS &&
               flow_of(m, ir_input(n, V)).kind == FLOW_ROWS && is_causal(m, n);
    return own ? flow_rows(layout[3].place[2]) : mixed;
}

/* ---- Table ------------------------------------------------------------------------------------
 */

typedef flow (*rule)(flow_map *m, const ir_node *n, uint32_t o);

static const struct {
    const char *domain, *op;
    rule rule;
} rules[] = {
    {"", "Identity", first_alone},
    {"", "Dropout", first_alone},
    {"", "Clip", first_alone},
    {"", "Reshape", reshaped},
    {"", "Flatten", reshaped},
    {"", "Squeeze", reshaped},
    {"", "Unsqueeze", reshaped},
    {"", "Expand", expanded},
    {"", "Transpose", transposed},
    {"", "Concat", joined},
    {"", "Split", along},
    {"", "Slice", sliced},
    {"", "Tile", sliced},
    {"", "Pad", sliced},
    {"", "Gather", gathered},
    {"", "GatherND", gathered_nd},
    {"", "GatherElements", gathered_along},
    {"", "ScatterElements", gathered_along},
    {"", "MatMul", product},
    {"", "Gemm", gemm},
    {"", "Einsum", einsum},
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
    {"", "RotaryEmbedding", turned},
    {"", "DequantizeLinear", first_alone},
    {"", "QuantizeLinear", first_alone},
    {"com.microsoft", "MatMulNBits", first_alone},
    {"heed", "Attention", attention},
};

flow flow_through(flow_map *m, const ir_node *n, uint32_t o)
{
    if (n->out[o]->type.rank < 0)
        return mixed;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && n->in[i].value->type.rank < 0)
            return mixed;
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(n->op->name, rules[i].op) == 0 && strcmp(n->op->domain, rules[i].domain) == 0)
            return rules[i].rule(m, n, o);
    return (n->op->flags & OP_ELEMENTWISE) && o == 0 ? elementwise(m, n, o) : mixed;
}
