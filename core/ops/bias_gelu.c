/* bias_gelu.c - the Gelu family of com.microsoft: with a bias or a product first, and with other
 * curves. */
#include "ops/matmul.h"

#include "ops/body.h"

static ir_value *biased(op_body *b)
{
    ir_value *x = body_in(b, 0), *bias = body_in(b, 1);
    return bias ? body_2(b, x, bias, "Add") : x;
}

static void decompose_exact(op_body *b) { body_set(b, 0, body_1(b, biased(b), "Gelu")); }

static void decompose_fast(op_body *b)
{
    body_set(b, 0, body_1(b, biased(b), "Gelu approximate=tanh"));
}

static void decompose_quick(op_body *b)
{
    double alpha = ir_attr_float(b->node, "alpha", 1.702);
    body_set(b, 0, body_1(b, body_in(b, 0), "Swish alpha=%.17g", alpha));
}

static void decompose_gemm(op_body *b)
{
    ir_value *y = body_2(b, body_in(b, 0), body_in(b, 1), "MatMul");
    if (body_in(b, 2))
        y = body_2(b, y, body_in(b, 2), "Add");
    body_set(b, 0, body_1(b, y, "Gelu approximate=tanh"));
}

// clang-format off
static const op_def gelu = {
    .domain = "com.microsoft", .name = "Gelu", .since = 1,
    .signature = "X:T -> Y:T", .types = "T=float",
    .infer = infer_same, .decompose = decompose_exact};
static const op_def bias_gelu = {
    .domain = "com.microsoft", .name = "BiasGelu", .since = 1,
    .signature = "A:T, B:T -> C:T", .types = "T=float",
    .infer = infer_same, .decompose = decompose_exact};
static const op_def fast_gelu = {
    .domain = "com.microsoft", .name = "FastGelu", .since = 1,
    .signature = "X:T, bias:T? -> Y:T", .types = "T=float",
    .infer = infer_same, .decompose = decompose_fast};
static const op_def quick_gelu = {
    .domain = "com.microsoft", .name = "QuickGelu", .since = 1,
    .signature = "X:T -> Y:T", .types = "T=float", .attrs = "alpha:float=1.702",
    .infer = infer_same, .decompose = decompose_quick};
static const op_def gemm_gelu = {
    .domain = "com.microsoft", .name = "GemmFastGelu", .since = 1,
    .signature = "X:T, W:T, bias:T? -> Y:T", .types = "T=float",
    .infer = matmul_infer, .decompose = decompose_gemm};

const op_def *const ops_bias_gelu[] = {&gelu, &bias_gelu, &fast_gelu, &quick_gelu, &gemm_gelu,
                                       NULL};
// clang-format on
