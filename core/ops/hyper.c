/* hyper.c - hyper-connections of com.microsoft: several residual streams side by side, mixed before
 * and after each block (Zhu et al. 2024). A group of streams is [..., C, H], or flat [..., C * H].
 */
#include "ops/body.h"

/* ---- Streams ----------------------------------------------------------------------------------
 */

static int64_t branches(const op_body *b) { return ir_attr_int(b->node, "num_branches", 0); }

/* x, [..., C * H], as [..., C, H]. */
static ir_value *group(op_body *b, ir_value *x)
{
    int64_t dims[TENSOR_MAX_RANK + 1] = {0};
    int32_t rank = body_rank(b, x);
    if (rank < 1 || rank >= TENSOR_MAX_RANK) {
        body_fail(b, HEED_INVALID, "streams of rank %d", rank);
        return x;
    }
    dims[rank - 1] = branches(b);
    dims[rank] = -1;
    return body_2(b, x, body_ints(b, rank + 1, dims), "Reshape");
}

static ir_value *wide(op_body *b, ir_value *x) { return x ? body_cast(b, x, HEED_FLOAT32) : NULL; }

static ir_value *streams(op_body *b)
{
    ir_value *x = wide(b, body_in(b, 0));
    return branches(b) > 0 ? group(b, x) : x;
}

/* A gate for each stream [..., C], or for each element: what it is multiplied with has rank `rank`.
 */
static ir_value *gate(op_body *b, ir_value *x, int32_t rank)
{
    bool flat = branches(b) > 0 && body_extent(b, x, -1) != branches(b);
    if (body_rank(b, x) == rank)
        return wide(b, x);
    return wide(b, flat ? group(b, x) : body_unsqueeze(b, x, "-1"));
}

static ir_value *over_streams(op_body *b, ir_value *x)
{
    return body_2(b, x, body_ints(b, 1, (int64_t[]){-2}), "ReduceSum keepdims=0");
}

static ir_value *times(op_body *b, ir_value *x, double factor)
{
    return factor == 1 ? x : body_2(b, x, body_like(b, factor, x), "Mul");
}

static void give(op_body *b, uint32_t o, ir_value *x)
{
    if (!b->status)
        body_set(b, o, body_cast(b, x, body_in(b, 0)->type.dtype));
}

/* ---- PreMix: the streams become one -------------------------------------------------------------
 */

static heed_status infer_pre(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), flat = ir_attr_int(c->node, "num_branches", 0) > 0;
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < (flat ? 1 : 2))
        return infer_error(c, "streams [..., C, H]", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    if (flat)
        dims[rank - 1] =
            dims_floor_div(c->dims, dims[rank - 1], ir_attr_int(c->node, "num_branches", 0));
    else
        dims[rank - 2] = dims[rank - 1];
    return infer_set(c, 0, 0, flat ? rank : rank - 1, dims);
}

static void decompose_pre(op_body *b)
{
    ir_value *x = streams(b);
    ir_value *mixed = over_streams(b, body_2(b, x, gate(b, body_in(b, 1), body_rank(b, x)), "Mul"));
    give(b, 0, times(b, mixed, ir_attr_float(b->node, "reduction_scale", 1)));
}

/* ---- PostMix: streams are mixed, and what the block gave is added to each
 * ------------------------ */

static void decompose_post(op_body *b)
{
    ir_value *x = streams(b), *mix = wide(b, body_in(b, 3));
    int32_t rank = body_rank(b, x);
    ir_value *block = body_unsqueeze(b, wide(b, body_in(b, 1)), "-2");
    block = body_2(b, gate(b, body_in(b, 2), rank), block, "Mul");
    if (mix) /* [c, k] says how much of c goes to k */
        x = body_2(b, mix, x, "com.microsoft.FusedMatMul transA=1");
    ir_value *shape = body_1(b, body_in(b, 0), "Shape");
    give(b, 0, body_2(b, body_2(b, x, block, "Add"), shape, "Reshape allowzero=1"));
}

/* ---- LowRankMix: both for the next block, with gates that a small network makes
 * ------------------ */

enum { STREAMS, SCALE, DOWN, UP, INJECT, BLOCK, GATE };

static heed_status infer_low_rank(op_infer *c)
{
    int32_t rank = infer_rank(c, STREAMS);
    int64_t n = ir_attr_int(c->node, "num_branches", 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (n < 1)
        return infer_error(c, "a num_branches of one or more", "%lld", (long long)n);
    TRY(infer_set_like(c, 2, STREAMS));
    if (rank < 0) {
        TRY(infer_set_unknown(c, 0, 0, -1));
        return infer_set_unknown(c, 1, 0, -1);
    }
    if (rank < 1 || rank >= TENSOR_MAX_RANK)
        return infer_error(c, "streams [..., C * H]", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[STREAMS]->dims[i];
    dims[rank - 1] = dims_floor_div(c->dims, dims[rank - 1], n);
    TRY(infer_set(c, 0, 0, rank, dims));
    dims[rank - 1] = n;
    return infer_set(c, 1, 0, rank, dims);
}

static double number(const op_body *b, const char *name, double missing)
{
    return ir_attr_float(b->node, name, missing);
}

/* The streams with what the block before gave added to each, flat. */
static ir_value *injected(op_body *b, ir_value *flat)
{
    ir_value *x = body_in(b, STREAMS);
    if (!body_in(b, BLOCK) || !body_in(b, GATE))
        return x;
    ir_value *add = body_2(b, body_unsqueeze(b, body_in(b, GATE), "-1"),
                           body_unsqueeze(b, body_in(b, BLOCK), "-2"), "Mul");
    return body_2(b, body_2(b, group(b, x), add, "Add"), flat, "Reshape allowzero=1");
}

static void decompose_low_rank(op_body *b)
{
    ir_value *flat = body_1(b, body_in(b, STREAMS), "Shape");
    ir_value *all = injected(b, flat), *one = group(b, all);
    ir_value *dims[] = {body_ints(b, 1, (int64_t[]){branches(b)}), body_dim(b, one, -1)};
    ir_value *scale = body_reshape_to(b, body_in(b, SCALE), 2, dims);
    ir_value *norm =
        body_2(b, one, scale, "RMSNormalization axis=-1 epsilon=%.9g", number(b, "epsilon", 1e-5));
    ir_value *x = body_2(b, norm, flat, "Reshape allowzero=1");
    ir_value *hidden = body_1(b, body_2(b, x, body_in(b, DOWN), "MatMul"),
                              "com.microsoft.ScaledSiLU alpha=%.9g", number(b, "silu_alpha", 1));
    ir_value *gates = body_1(b, body_2(b, hidden, body_in(b, UP), "MatMul"), "Sigmoid");
    ir_value *mixed = body_2(b, wide(b, norm), wide(b, group(b, gates)), "Mul");
    give(b, 0, times(b, over_streams(b, mixed), number(b, "reduction_scale", 1)));
    ir_value *inject = body_2(b, x, body_in(b, INJECT), "MatMul");
    double divisor = number(b, "gate_div", 1);
    inject = body_2(b, inject, body_like(b, divisor, inject), "Div");
    body_set(b, 1, times(b, body_1(b, inject, "Sigmoid"), number(b, "gate_mul", 1)));
    body_set(b, 2, all);
}

// clang-format off
static const op_def pre = {
    .domain = "com.microsoft", .name = "HyperConnectionPreMix", .since = 1,
    .signature = "streams:T, pre_mix:M -> output:T", .types = "T=float M=float",
    .attrs = "num_branches:int=0 reduction_scale:float=1",
    .infer = infer_pre, .decompose = decompose_pre};
static const op_def post = {
    .domain = "com.microsoft", .name = "HyperConnectionPostMix", .since = 1,
    .signature = "streams:T, block_output:T, post_mix:M, stream_mix:M? -> output:T",
    .types = "T=float M=float", .attrs = "num_branches:int=0",
    .infer = infer_same, .decompose = decompose_post};
static const op_def low_rank = {
    .domain = "com.microsoft", .name = "HyperConnectionLowRankMix", .since = 1,
    .signature = "streams:T, norm_scale:T, down_weight:T, up_weight:T, inject_weight:T, "
                 "prev_block_output:T?, prev_post_gate:T? -> "
                 "pre_output:T, post_gate:T, streams_out:T?",
    .types = "T=float",
    .attrs = "epsilon:float=0.00001 gate_div:float=1 gate_mul:float=1 num_branches:int! "
             "reduction_scale:float=1 silu_alpha:float=1",
    .infer = infer_low_rank, .decompose = decompose_low_rank};

const op_def *const ops_hyper[] = {&pre, &post, &low_rank, NULL};
// clang-format on
