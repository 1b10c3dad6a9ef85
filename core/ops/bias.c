/* bias.c - operators of com.microsoft that add a bias first (or a residual behind) and then do what
 * one of ai.onnx does. */
#include "ops/body.h"

static ir_value *sum(op_body *b, ir_value *x, ir_value *y)
{
    return y ? body_2(b, x, y, "Add") : x;
}

/* Softmax over all axes from `axis` on, as ai.onnx had it before opset 13. */
static void decompose_bias_softmax(op_body *b)
{
    ir_value *x = sum(b, body_in(b, 0), body_in(b, 1));
    int64_t axis = ir_attr_int(b->node, "axis", 1);
    if (axis == -1) {
        body_set(b, 0, body_1(b, x, "Softmax axis=-1"));
        return;
    }
    ir_value *flat = body_1(b, x, "Flatten axis=%lld", (long long)axis);
    flat = body_1(b, flat, "Softmax axis=-1");
    body_set(b, 0, body_2(b, flat, body_1(b, x, "Shape"), "Reshape allowzero=1"));
}

static void decompose_bias_dropout(op_body *b)
{
    ir_value *in[] = {sum(b, body_in(b, 0), body_in(b, 1)), body_in(b, 3), body_in(b, 4)};
    ir_value *out[2];
    body_nodes(b, 3, in, 2, out, "Dropout");
    body_set(b, 0, sum(b, out[0], body_in(b, 2)));
    body_set(b, 1, out[1]);
}

/* The form whose mask is packed into bits, which only training reads. */
static void decompose_bitmask(op_body *b)
{
    bool biased = b->node->op->data != NULL;
    ir_value *x = biased ? sum(b, body_in(b, 0), body_in(b, 1)) : body_in(b, 0);
    uint32_t next = biased ? 3 : 1;
    if (body_wants(b, 1))
        body_fail(b, HEED_UNSUPPORTED, "%s is asked for its mask", b->node->op->name);
    x = body_3(b, x, body_in(b, next), body_in(b, next + 1), "Dropout");
    body_set(b, 0, biased ? sum(b, x, body_in(b, 2)) : x);
}

static heed_status infer_bitmask(op_infer *c)
{
    TRY(infer_set_like(c, 0, 0));
    return infer_set_unknown(c, 1, HEED_UINT32, 1);
}

static void decompose_bias_add(op_body *b)
{
    body_set(b, 0, sum(b, sum(b, body_in(b, 0), body_in(b, 1)), body_in(b, 2)));
}

/* The left half times Gelu of the right one. */
static heed_status infer_split_gelu(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 1)
        return infer_error(c, "a tensor with a last axis", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank - 1] = dims_floor_div(c->dims, dims[rank - 1], 2);
    return infer_set(c, 0, 0, rank, dims);
}

static void decompose_split_gelu(op_body *b)
{
    ir_value *x = sum(b, body_in(b, 0), body_in(b, 1)), *half[2];
    body_nodes(b, 1, &x, 2, half, "Split axis=-1 num_outputs=2");
    body_set(b, 0, body_2(b, half[0], body_1(b, half[1], "Gelu"), "Mul"));
}

// clang-format off
static const op_def bias_softmax = {
    .domain = "com.microsoft", .name = "BiasSoftmax", .since = 1,
    .signature = "data:T, bias:T -> output:T", .types = "T=float",
    .attrs = "axis:int=1 is_inner_broadcast:int!",
    .infer = infer_same, .decompose = decompose_bias_softmax};
static const op_def bias_dropout = {
    .domain = "com.microsoft", .name = "BiasDropout", .since = 1, .flags = OP_RANDOM,
    .signature = "data:T, bias:T, residual:T?, ratio:R?, training_mode:bool? -> "
                 "output:T, mask:bool?",
    .types = "T=float R=float", .attrs = "seed:int",
    .infer = infer_same, .decompose = decompose_bias_dropout};
static const op_def bitmask_dropout = {
    .domain = "com.microsoft", .name = "BitmaskDropout", .since = 1, .flags = OP_RANDOM,
    .signature = "data:T, ratio:R?, training_mode:bool? -> output:T, mask:M?",
    .types = "T=float R=float M=uint32", .attrs = "seed:int",
    .infer = infer_bitmask, .decompose = decompose_bitmask};
static const op_def bitmask_bias_dropout = {
    .domain = "com.microsoft", .name = "BitmaskBiasDropout", .since = 1, .flags = OP_RANDOM,
    .data = "biased",
    .signature = "data:T, bias:T, residual:T?, ratio:R?, training_mode:bool? -> output:T, mask:M?",
    .types = "T=float R=float M=uint32", .attrs = "seed:int",
    .infer = infer_bitmask, .decompose = decompose_bitmask};
static const op_def bias_add = {
    .domain = "com.microsoft", .name = "BiasAdd", .since = 1,
    .signature = "X:T, bias:T, skip:T -> Y:T", .types = "T=float",
    .infer = infer_same, .decompose = decompose_bias_add};
static const op_def split_gelu = {
    .domain = "com.microsoft", .name = "BiasSplitGelu", .since = 1,
    .signature = "X:T, bias:T -> Y:T", .types = "T=float",
    .infer = infer_split_gelu, .decompose = decompose_split_gelu};

const op_def *const ops_bias[] = {&bias_softmax, &bias_dropout, &bitmask_dropout,
                                  &bitmask_bias_dropout, &bias_add, &split_gelu, NULL};
// clang-format on
