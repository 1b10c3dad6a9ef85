/* skip_norm.c - layer norms of com.microsoft: after a residual sum, in the form without a mean, by
 * groups of the last axis. */
#include <string.h>

#include "ops/body.h"

/* Outputs from..to-1 hold one number for each row that is normalised. */
static heed_status infer_rows(op_infer *c, uint32_t from, uint32_t to, int64_t axis)
{
    int32_t rank = infer_rank(c, 0), first;
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank >= 0)
        TRY(infer_axis(c, axis, rank, &first));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i < first ? c->in[0]->dims[i] : 1;
    for (uint32_t o = from; o < to; o++)
        TRY(rank < 0 ? infer_set_unknown(c, o, HEED_FLOAT32, -1)
                     : infer_set(c, o, HEED_FLOAT32, rank, dims));
    return HEED_OK;
}

static heed_status infer_simplified(op_infer *c)
{
    TRY(infer_set_like(c, 0, 0));
    return infer_rows(c, 1, 2, ir_attr_int(c->node, "axis", -1));
}

static heed_status infer_skip(op_infer *c)
{
    TRY(infer_set_like(c, 0, 0));
    TRY(infer_rows(c, 1, 3, -1));
    return infer_set_like(c, 3, 0);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static double epsilon_of(const op_body *b, double missing)
{
    return ir_attr_float(b->node, "epsilon", missing);
}

/* 1 / sqrt(mean(x^2) + epsilon), over all axes from `axis` on, as float32. */
static ir_value *inverse_rms(op_body *b, ir_value *x, int64_t axis, double epsilon)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    int64_t first = axis < 0 ? axis : axis - body_rank(b, x);
    if (first < -TENSOR_MAX_RANK)
        body_fail(b, HEED_INVALID, "attribute \"axis\" is %lld", (long long)axis);
    for (int64_t i = first; i < 0 && !b->status; i++)
        axes[n++] = i;
    ir_value *wide = body_cast(b, x, HEED_FLOAT32);
    ir_value *square = body_2(b, wide, wide, "Mul");
    ir_value *mean = body_2(b, square, body_ints(b, n, axes), "ReduceMean");
    ir_value *shifted = body_2(b, mean, body_like(b, epsilon, mean), "Add");
    return body_1(b, body_1(b, shifted, "Sqrt"), "Reciprocal");
}

static void decompose_simplified(op_body *b)
{
    int64_t axis = ir_attr_int(b->node, "axis", -1);
    double epsilon = epsilon_of(b, 1e-5);
    ir_value *x = body_in(b, 0);
    body_set(b, 0,
             body_2(b, x, body_in(b, 1), "RMSNormalization axis=%lld epsilon=%.9g", (long long)axis,
                    epsilon));
    if (body_wants(b, 1))
        body_set(b, 1, inverse_rms(b, x, axis, epsilon));
}

/* input + skip + bias, which is output 3 as well. */
static ir_value *residual_sum(op_body *b, ir_value *bias)
{
    ir_value *sum = body_2(b, body_in(b, 0), body_in(b, 1), "Add");
    if (bias)
        sum = body_2(b, sum, bias, "Add");
    body_set(b, 3, sum);
    return sum;
}

static void decompose_skip(op_body *b)
{
    ir_value *in[] = {residual_sum(b, body_in(b, 4)), body_in(b, 2), body_in(b, 3)};
    ir_value *out[3];
    body_nodes(b, 3, in, 3, out, "LayerNormalization axis=-1 epsilon=%.9g", epsilon_of(b, 1e-12));
    for (uint32_t o = 0; o < 3; o++)
        body_set(b, o, out[o]);
}

static void decompose_skip_simplified(op_body *b)
{
    double epsilon = epsilon_of(b, 1e-12);
    ir_value *sum = residual_sum(b, body_in(b, 3));
    body_set(b, 0, body_2(b, sum, body_in(b, 2), "RMSNormalization axis=-1 epsilon=%.9g", epsilon));
    if (body_wants(b, 1))
        body_fail(b, HEED_UNSUPPORTED, "%s without a mean is asked for one", b->node->op->name);
    if (body_wants(b, 2))
        body_set(b, 2, inverse_rms(b, sum, -1, epsilon));
}

/* The last axis is seen as groups of as many elements as `scale` has. */
static void decompose_gated(op_body *b)
{
    ir_value *x = body_in(b, 0), *scale = body_in(b, 1), *gate = body_in(b, 2);
    const char *activation = ir_attr_string(b->node, "activation", "silu");
    bool silu = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
    if (!silu && strcmp(activation, "sigmoid") != 0)
        body_fail(b, HEED_UNSUPPORTED, "the activation \"%s\"", activation);
    ir_value *shape = body_1(b, x, "Shape");
    ir_value *groups[] = {body_int(b, -1), body_dim(b, scale, 0)};
    groups[0] = body_unsqueeze(b, groups[0], "0");
    ir_value *wide = body_reshape_to(b, body_cast(b, x, HEED_FLOAT32), 2, groups);
    ir_value *norm = body_2(b, wide, body_cast(b, scale, HEED_FLOAT32),
                            "RMSNormalization axis=-1 epsilon=%.9g", epsilon_of(b, 1e-5));
    norm = body_2(b, norm, shape, "Reshape allowzero=1");
    gate = body_1(b, body_cast(b, gate, HEED_FLOAT32), silu ? "Swish" : "Sigmoid");
    body_set(b, 0, body_cast(b, body_2(b, norm, gate, "Mul"), x ? x->type.dtype : 0));
}

/* [..., C * H] as [..., C, H] when num_branches says C. */
static ir_value *branches(op_body *b, ir_value *x)
{
    int64_t n = ir_attr_int(b->node, "num_branches", 0), dims[TENSOR_MAX_RANK + 1] = {0};
    int32_t rank = body_rank(b, x);
    if (n <= 0 || rank < 1 || rank >= TENSOR_MAX_RANK)
        return x;
    dims[rank - 1] = n;
    dims[rank] = -1;
    return body_2(b, x, body_ints(b, rank + 1, dims), "Reshape");
}

static void decompose_branchwise(op_body *b)
{
    ir_value *x = body_in(b, 0), *scale = body_in(b, 1);
    ir_value *wide = body_cast(b, branches(b, x), HEED_FLOAT32);
    if (scale && body_rank(b, scale) == 1) { /* [C * H] or [H] */
        ir_value *dims[] = {body_ints(b, 1, (int64_t[]){-1}), body_dim(b, wide, -1)};
        scale = body_reshape_to(b, scale, 2, dims);
    }
    scale = scale ? body_cast(b, scale, HEED_FLOAT32) : body_number(b, HEED_FLOAT32, 1);
    ir_value *norm =
        body_2(b, wide, scale, "RMSNormalization axis=-1 epsilon=%.9g", epsilon_of(b, 1e-5));
    norm = body_2(b, norm, body_1(b, x, "Shape"), "Reshape allowzero=1");
    body_set(b, 0, body_cast(b, norm, x ? x->type.dtype : 0));
}

// clang-format off
static const op_def simplified = {
    .domain = "com.microsoft", .name = "SimplifiedLayerNormalization", .since = 1,
    .signature = "X:T, scale:V -> Y:V, inv_std_var:U?", .types = "T=float V=float U=float",
    .attrs = "axis:int=-1 epsilon:float=0.00001 stash_type:int=1",
    .infer = infer_simplified, .decompose = decompose_simplified};
static const op_def skip = {
    .domain = "com.microsoft", .name = "SkipLayerNormalization", .since = 1,
    .signature = "input:T, skip:T, gamma:T, beta:T?, bias:T? -> "
                 "output:T, mean:U?, inv_std_var:U?, input_skip_bias_sum:T?",
    .types = "T=float U=float", .attrs = "epsilon:float=0.000000000001",
    .infer = infer_skip, .decompose = decompose_skip};
static const op_def skip_simplified = {
    .domain = "com.microsoft", .name = "SkipSimplifiedLayerNormalization", .since = 1,
    .signature = "input:T, skip:T, gamma:T, bias:T? -> "
                 "output:T, mean:U?, inv_std_var:U?, input_skip_bias_sum:T?",
    .types = "T=float U=float", .attrs = "epsilon:float=0.000000000001",
    .infer = infer_skip, .decompose = decompose_skip_simplified};
static const op_def gated = {
    .domain = "com.microsoft", .name = "GatedRMSNorm", .since = 1,
    .signature = "X:T, scale:T, gate:T -> Y:T", .types = "T=float",
    .attrs = "activation:string=silu epsilon:float=0.00001",
    .infer = infer_same, .decompose = decompose_gated};
static const op_def branchwise = {
    .domain = "com.microsoft", .name = "BranchwiseRMSNorm", .since = 1,
    .signature = "X:T, scale:M? -> Y:T", .types = "T=float M=float",
    .attrs = "epsilon:float=0.00001 num_branches:int=0",
    .infer = infer_same, .decompose = decompose_branchwise};

const op_def *const ops_skip_norm[] = {&simplified, &skip, &skip_simplified, &gated, &branchwise,
                                       NULL};
// clang-format on
