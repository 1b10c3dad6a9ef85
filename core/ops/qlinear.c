/* qlinear.c - products and convolutions whose operands and results are numbers on grids:
 * QLinearMatMul, QLinearConv, and of com.microsoft QLinearConv, MatMulIntegerToFloat,
 * DynamicQuantizeMatMul, QGemm.
 *
 * Their bodies sum integers exactly and scale the sums, so that a fast MatMulInteger or ConvInteger
 * serves all of them. */
#include "ops/infer_as.h"
#include "ops/matmul.h"
#include "ops/quant.h"

/* ---- Scaling sums --------------------------------------------------------------------------- */

/* sums * a * b / y in float32; a scale that is left out is 1. */
static ir_value *scaled(op_body *b, ir_value *sums, ir_value *a, ir_value *w, ir_value *y)
{
    ir_value *scale =
        body_2(b, body_cast(b, a, HEED_FLOAT32), body_cast(b, w, HEED_FLOAT32), "Mul");
    if (y)
        scale = body_2(b, scale, body_cast(b, quant_scalar(b, y), HEED_FLOAT32), "Div");
    return body_2(b, body_cast(b, sums, HEED_FLOAT32), scale, "Mul");
}

/* What is on y's grid but for the zero point. */
static ir_value *rounded(op_body *b, ir_value *x, ir_value *zero)
{
    ir_value *one = body_number(b, HEED_FLOAT32, 1.0);
    return quant_grid(b, x, one, quant_scalar(b, zero), zero ? zero->type.dtype : 0);
}

/* The parameters of A's rows stand in a column. */
static ir_value *row_parameter(op_body *b, ir_value *x, const ir_value *matrix)
{
    x = quant_scalar(b, x);
    bool column = !b->status && x && x->type.rank == 1 && body_rank(b, matrix) > 1;
    return column ? body_unsqueeze(b, x, "1") : x;
}

/* ---- QLinearMatMul -------------------------------------------------------------------------- */

static heed_status infer_matmul(op_infer *c) { return matmul_infer_of(c, c->in[0], c->in[3]); }

static bool is_grid_of_ints(const ir_value *x) { return x && dtype_is_int(x->type.dtype); }

static void decompose_matmul(op_body *b)
{
    enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO };
    ir_value *a = body_in(b, A), *w = body_in(b, B), *one = body_number(b, HEED_FLOAT32, 1.0), *y;
    ir_value *a_zero = row_parameter(b, body_in(b, A_ZERO), a);
    ir_value *w_zero = quant_scalar(b, body_in(b, B_ZERO));
    if (is_grid_of_ints(a) && is_grid_of_ints(w))
        y = body_n(b, 4, (ir_value *[]){a, w, a_zero, w_zero}, "MatMulInteger");
    else /* floats of 8 bits */
        y = body_2(b, quant_real(b, a, one, NULL), quant_real(b, w, one, NULL), "MatMul");
    ir_value *a_scale = row_parameter(b, body_in(b, A_SCALE), a);
    y = scaled(b, y, a_scale, quant_scalar(b, body_in(b, B_SCALE)), body_in(b, Y_SCALE));
    body_set(b, 0, rounded(b, y, body_in(b, Y_ZERO)));
}

/* ---- QLinearConv ---------------------------------------------------------------------------- */

enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static bool has_channels_last(const ir_node *n) { return ir_attr_int(n, "channels_last", 0) != 0; }

static heed_status infer_conv(op_infer *c)
{
    const ir_type *types[] = {c->in[X], c->in[W]};
    bool last = has_channels_last(c->node);
    return last ? infer_as_last(c, "ConvInteger", 2, types) : infer_as(c, "ConvInteger", 2, types);
}

/* One for each output channel (or one for all), against [N, C, D1 ... Dn]. */
static ir_value *of_channels(op_body *b, ir_value *v, int32_t rank)
{
    int64_t shape[TENSOR_MAX_RANK] = {-1};
    for (int32_t i = 2; i < rank; i++)
        shape[i - 1] = 1;
    return v ? body_2(b, v, body_ints(b, rank > 1 ? rank - 1 : 1, shape), "Reshape") : NULL;
}

static void decompose_conv(op_body *b)
{
    bool last = has_channels_last(b->node);
    const ir_value *w = body_in(b, W);
    int32_t rank = w->type.rank >= 0 ? w->type.rank : body_rank(b, body_in(b, X));
    ir_value *x = quant_channels_first(b, body_in(b, X), last);
    ir_value *in[] = {x, body_in(b, W), quant_scalar(b, body_in(b, X_ZERO)), body_in(b, W_ZERO)};
    const char *conv =
        quant_with_attrs(b, "ConvInteger", "auto_pad dilations group kernel_shape pads strides");
    ir_value *y = body_n(b, 4, in, "%s", conv), *bias = of_channels(b, body_in(b, BIAS), rank);
    if (bias)
        y = body_2(b, y, bias, "Add");
    ir_value *w_scale = of_channels(b, body_in(b, W_SCALE), rank);
    y = scaled(b, y, quant_scalar(b, body_in(b, X_SCALE)), w_scale, body_in(b, Y_SCALE));
    body_set(b, 0, quant_channels_last(b, rounded(b, y, body_in(b, Y_ZERO)), last));
}

/* ---- Products to real numbers --------------------------------------------------------------- */

static ir_value *product(op_body *b, ir_value *a, ir_value *w, ir_value *a_zero, ir_value *w_zero)
{
    return body_n(b, 4, (ir_value *[]){a, w, row_parameter(b, a_zero, a), quant_scalar(b, w_zero)},
                  "MatMulInteger");
}

static void decompose_to_float(op_body *b)
{
    enum { A, B, A_SCALE, B_SCALE, A_ZERO, B_ZERO, C };
    ir_value *a = body_in(b, A), *bias = body_in(b, C);
    heed_dtype dtype = body_in(b, A_SCALE)->type.dtype;
    ir_value *y = product(b, a, body_in(b, B), body_in(b, A_ZERO), body_in(b, B_ZERO));
    y = scaled(b, y, row_parameter(b, body_in(b, A_SCALE), a), quant_scalar(b, body_in(b, B_SCALE)),
               NULL);
    if (bias)
        y = body_2(b, y, body_cast(b, bias, HEED_FLOAT32), "Add");
    body_set(b, 0, body_cast(b, y, dtype));
}

static void decompose_dynamic(op_body *b)
{
    enum { A, B, B_SCALE, B_ZERO, C };
    ir_value *a = body_in(b, A), *q[3] = {NULL};
    body_nodes(b, 1, &a, 3, q, "DynamicQuantizeLinear");
    ir_value *y = product(b, q[0], body_in(b, B), q[2], body_in(b, B_ZERO));
    y = scaled(b, y, q[1], quant_scalar(b, body_in(b, B_SCALE)), NULL);
    body_set(b, 0, body_in(b, C) ? body_2(b, y, body_in(b, C), "Add") : y);
}

/* ---- QGemm ---------------------------------------------------------------------------------- */

enum { G_A, G_A_SCALE, G_A_ZERO, G_B, G_B_SCALE, G_B_ZERO, G_C, G_Y_SCALE, G_Y_ZERO };

static heed_status infer_gemm(op_infer *c)
{
    const ir_type *types[] = {c->in[G_A], c->in[G_B], infer_has(c, G_C) ? c->in[G_C] : NULL};
    c->out[0].dtype = infer_has(c, G_Y_ZERO) ? c->in[G_Y_ZERO]->dtype : HEED_FLOAT32;
    return infer_as(c, "Gemm", 3, types);
}

static ir_value *flipped(op_body *b, ir_value *x, const char *attr)
{
    return ir_attr_int(b->node, attr, 0) ? body_transpose(b, x, "1,0") : x;
}

static void decompose_gemm(op_body *b)
{
    ir_value *a = flipped(b, body_in(b, G_A), "transA");
    ir_value *w = flipped(b, body_in(b, G_B), "transB"), *sum = body_in(b, G_C);
    ir_value *y = product(b, a, w, body_in(b, G_A_ZERO), body_in(b, G_B_ZERO));
    ir_value *alpha = body_number(b, HEED_FLOAT32, ir_attr_float(b->node, "alpha", 1.0));
    ir_value *scale = body_2(b, alpha, quant_scalar(b, body_in(b, G_A_SCALE)), "Mul");
    if (sum)
        y = body_2(b, y, sum, "Add");
    y = scaled(b, y, scale, quant_scalar(b, body_in(b, G_B_SCALE)), body_in(b, G_Y_SCALE));
    body_set(b, 0, body_in(b, G_Y_ZERO) ? rounded(b, y, body_in(b, G_Y_ZERO)) : y);
}

// clang-format off
#define BYTES "int8|uint8"
#define CODES BYTES "|float8e4m3fn|float8e4m3fnuz|float8e5m2|float8e5m2fnuz"
#define WINDOW "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints strides:ints"
#define CONV "x:S, x_scale:float32, x_zero_point:S, w:T, w_scale:float32, w_zero_point:T, " \
             "y_scale:float32, y_zero_point:U, B:int32? -> y:U"
static const op_def qlinear_matmul = {
    .domain = "", .name = "QLinearMatMul", .since = 21,
    .signature = "a:S, a_scale:F, a_zero_point:S, b:T, b_scale:F, b_zero_point:T, y_scale:F, "
                 "y_zero_point:U -> y:U",
    .types = "F=float32|float16|bfloat16 S=" CODES " T=" CODES " U=" CODES,
    .infer = infer_matmul, .decompose = decompose_matmul};
static const op_def qlinear_conv = {
    .domain = "", .name = "QLinearConv", .since = 10, .signature = CONV,
    .types = "S=" BYTES " T=" BYTES " U=" BYTES, .attrs = WINDOW,
    .infer = infer_conv, .decompose = decompose_conv};
static const op_def ms_qlinear_conv = {
    .domain = "com.microsoft", .name = "QLinearConv", .since = 1, .signature = CONV,
    .types = "S=" BYTES " T=" BYTES " U=" BYTES, .attrs = WINDOW " channels_last:int=0",
    .infer = infer_conv, .decompose = decompose_conv};
static const op_def to_float = {
    .domain = "com.microsoft", .name = "MatMulIntegerToFloat", .since = 1,
    .signature = "A:S, B:T, a_scale:F, b_scale:F, a_zero_point:S?, b_zero_point:T?, bias:F? -> Y:F",
    .types = "F=float32|float16 S=" BYTES " T=" BYTES,
    .infer = matmul_infer, .decompose = decompose_to_float};
static const op_def dynamic_matmul = {
    .domain = "com.microsoft", .name = "DynamicQuantizeMatMul", .since = 1,
    .signature = "A:float32, B:T, b_scale:float32, b_zero_point:T?, bias:float32? -> Y:float32",
    .types = "T=" BYTES, .infer = matmul_infer, .decompose = decompose_dynamic};
static const op_def gemm = {
    .domain = "com.microsoft", .name = "QGemm", .since = 1,
    .signature = "A:S, a_scale:float32, a_zero_point:S, B:T, b_scale:float32, b_zero_point:T, "
                 "C:int32?, y_scale:float32?, y_zero_point:U? -> Y:V",
    .types = "S=" BYTES " T=" BYTES " U=" BYTES " V=float32|" BYTES,
    .attrs = "alpha:float=1.0 transA:int=0 transB:int=0",
    .infer = infer_gemm, .decompose = decompose_gemm};

const op_def *const ops_qlinear[] = {&qlinear_matmul, &qlinear_conv, &ms_qlinear_conv,
                                     &to_float, &dynamic_matmul, &gemm, NULL};
// clang-format on
