/* experimental.c - operators that ai.onnx had as experiments before version 1.5 and that old files
 * still name: affine maps and activations with two factors. */
#include "ops/body.h"

static double number(const op_body *b, const char *name, double missing)
{
    return ir_attr_float(b->node, name, missing);
}

/* x * factor, the node left out where it changes nothing. */
static ir_value *times(op_body *b, ir_value *x, double factor)
{
    return factor == 1 ? x : body_2(b, x, body_like(b, factor, x), "Mul");
}

static void decompose_scale(op_body *b)
{
    ir_value *x = body_in(b, 0);
    body_set(b, 0, body_2(b, x, body_like(b, number(b, "scale", 1), x), "Mul"));
}

static void decompose_affine(op_body *b)
{
    ir_value *x = times(b, body_in(b, 0), number(b, "alpha", 1));
    body_set(b, 0, body_2(b, x, body_like(b, number(b, "beta", 0), x), "Add"));
}

/* alpha * f(beta * x) */
static void decompose_scaled(op_body *b)
{
    const char *f = b->node->op->data;
    ir_value *x = times(b, body_in(b, 0), number(b, "beta", 1));
    body_set(b, 0, times(b, body_1(b, x, "%s", f), number(b, "alpha", 1)));
}

/* One number a channel is added after scaling. */
static void decompose_image_scaler(op_body *b)
{
    uint64_t n = 0;
    const float *bias = ir_attr_floats(b->node, "bias", &n);
    ir_value *x = times(b, body_in(b, 0), number(b, "scale", 1)), *shift = body_like(b, 0, x);
    for (uint64_t i = 0; i < n && bias && !b->status; i++) {
        ir_value *one = body_unsqueeze(b, body_like(b, (double)bias[i], x), "0,1,2");
        shift = i ? body_concat(b, shift, one, 0) : one;
    }
    body_set(b, 0, body_2(b, x, shift, "Add"));
}

/* border: left, top, right, bottom; with scale (height, width), the last two mean nothing. */
static void decompose_crop(op_body *b)
{
    uint64_t n = 0, n_scale = 0;
    const int64_t *border = ir_attr_ints(b->node, "border", &n);
    const int64_t *scale = ir_attr_ints(b->node, "scale", &n_scale);
    if (n != 4 || (n_scale && n_scale != 2)) {
        body_fail(b, HEED_INVALID, "Crop with %llu borders and %llu scales", (unsigned long long)n,
                  (unsigned long long)n_scale);
        return;
    }
    ir_value *x = body_in(b, 0);
    for (int32_t i = 0; i < 2; i++) { /* height, width */
        int64_t first = border[1 - i], last = border[3 - i], end = last > 0 ? -last : INT64_MAX;
        if (first < 0 || last < 0 || (n_scale && scale[i] < 0))
            body_fail(b, HEED_INVALID, "Crop outside of the image");
        if (n_scale && __builtin_add_overflow(first, scale[i], &end))
            end = INT64_MAX;
        x = body_part(b, x, 2 + i, first, end);
    }
    body_set(b, 0, x);
}

static heed_status infer_crop(op_infer *c) { return infer_set_unknown(c, 0, 0, 4); }

// clang-format off
static const op_def affine = {
    .domain = "", .name = "Affine", .since = 1, .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "alpha:float=1 beta:float=0",
    .infer = infer_same, .decompose = decompose_affine};
static const op_def scale = {
    .domain = "", .name = "Scale", .since = 1, .signature = "input:T -> output:T",
    .types = "T=float", .attrs = "scale:float=1",
    .infer = infer_same, .decompose = decompose_scale};
static const op_def image_scaler = {
    .domain = "", .name = "ImageScaler", .since = 1, .signature = "input:T -> output:T",
    .types = "T=float", .attrs = "bias:floats scale:float=1",
    .infer = infer_same, .decompose = decompose_image_scaler};
static const op_def parametric_softplus = {
    .domain = "", .name = "ParametricSoftplus", .since = 1, .data = "Softplus",
    .signature = "X:T -> Y:T", .types = "T=float", .attrs = "alpha:float! beta:float!",
    .infer = infer_same, .decompose = decompose_scaled};
static const op_def scaled_tanh = {
    .domain = "", .name = "ScaledTanh", .since = 1, .data = "Tanh",
    .signature = "input:T -> output:T", .types = "T=float", .attrs = "alpha:float! beta:float!",
    .infer = infer_same, .decompose = decompose_scaled};
static const op_def crop = {
    .domain = "", .name = "Crop", .since = 1, .signature = "input:T -> output:T",
    .types = "T=float", .attrs = "border:ints! scale:ints",
    .infer = infer_crop, .decompose = decompose_crop};

const op_def *const ops_experimental[] = {&affine, &scale, &image_scaler, &parametric_softplus,
                                          &scaled_tanh, &crop, NULL};
// clang-format on
