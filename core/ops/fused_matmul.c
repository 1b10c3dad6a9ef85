/* fused_matmul.c - products of com.microsoft with what ONNX Runtime fuses into them: transposes and
 * a factor (FusedMatMul, TransposeMatMul), a sum and an activation (FusedGemm, FusedConv), images
 * with channels last (NhwcConv, NhwcFusedConv). */
#include <stdio.h>
#include <string.h>

#include "ops/infer_as.h"
#include "ops/matmul.h"
#include "ops/quant.h"

/* ---- FusedMatMul ---------------------------------------------------------------------------- */

/* Where each axis of a side comes from: the first axis moves behind the batch, then the last
 * two change places. A vector stays as it is. */
static bool order_axes(const ir_node *n, bool left, int32_t rank, int32_t *perm)
{
    bool batch = ir_attr_int(n, left ? "transBatchA" : "transBatchB", 0) != 0 && rank > 2;
    bool flip = ir_attr_int(n, left ? "transA" : "transB", 0) != 0 && rank > 1;
    for (int32_t i = 0; i < rank; i++)
        perm[i] = !batch || i == rank - 1 ? i : i == rank - 2 ? 0 : i + 1;
    if (flip) {
        int32_t last = perm[rank - 1];
        perm[rank - 1] = perm[rank - 2];
        perm[rank - 2] = last;
    }
    return batch || flip;
}

static heed_status infer_matmul(op_infer *c)
{
    ir_type sides[2];
    int32_t perm[TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < 2; i++) {
        order_axes(c->node, i == 0, infer_rank(c, i), perm);
        TRY(infer_permuted(c, c->in[i], perm, &sides[i]));
    }
    return matmul_infer_of(c, &sides[0], &sides[1]);
}

/* The same of as many axes as come: m is the batch's axis. */
static ir_value *move_axes(op_body *b, ir_value *x, bool batch, bool flip)
{
    if (batch)
        return body_1(b, x, "Einsum equation=%s", flip ? "m...n->...nm" : "m...n->...mn");
    return flip ? body_1(b, x, "Einsum equation=...mn->...nm") : x;
}

static ir_value *side(op_body *b, uint32_t i)
{
    int32_t perm[TENSOR_MAX_RANK];
    ir_value *x = body_in(b, i);
    bool batch = ir_attr_int(b->node, i == 0 ? "transBatchA" : "transBatchB", 0) != 0;
    bool flip = ir_attr_int(b->node, i == 0 ? "transA" : "transB", 0) != 0;
    if (x->type.rank < 0)
        return move_axes(b, x, batch, flip);
    bool moved = order_axes(b->node, i == 0, x->type.rank, perm);
    return moved ? quant_permute(b, x, perm) : x;
}

static void decompose_matmul(op_body *b)
{
    double alpha = ir_attr_float(b->node, "alpha", 1.0);
    ir_value *y = body_2(b, side(b, 0), side(b, 1), "MatMul");
    body_set(b, 0, alpha == 1.0 ? y : body_2(b, y, body_like(b, alpha, y), "Mul"));
}

/* ---- Activations ---------------------------------------------------------------------------- */

typedef struct fused_activation {
    const char *name; /* of the operator, too */
    const char *parameters[2];
} fused_activation;

static const fused_activation activations[] = {
    {"Relu", {NULL, NULL}},
    {"Sigmoid", {NULL, NULL}},
    {"Tanh", {NULL, NULL}},
    {"Softplus", {NULL, NULL}},
    {"Softsign", {NULL, NULL}},
    {"LeakyRelu", {"alpha", NULL}},
    {"Elu", {"alpha", NULL}},
    {"ThresholdedRelu", {"alpha", NULL}},
    {"HardSigmoid", {"alpha", "beta"}},
};

/* `n` parameters were given. "Clip" has its bounds as inputs. */
static ir_value *activate(op_body *b, ir_value *x, const char *name, uint64_t n,
                          const double *parameters)
{
    char text[128];
    if (!*name)
        return x;
    if (!strcmp(name, "Clip") && n >= 2)
        return body_3(b, x, body_like(b, parameters[0], x), body_like(b, parameters[1], x), "Clip");
    for (size_t i = 0; i < sizeof(activations) / sizeof(*activations); i++) {
        const fused_activation *a = &activations[i];
        if (strcmp(a->name, name) != 0)
            continue;
        int used = snprintf(text, sizeof(text), "%s", name);
        for (uint64_t k = 0; k < 2 && k < n && a->parameters[k]; k++)
            used += snprintf(text + used, sizeof(text) - (size_t)used, " %s=%.9g", a->parameters[k],
                             parameters[k]);
        return body_1(b, x, "%s", text);
    }
    body_fail(b, HEED_UNSUPPORTED, "activation \"%.32s\" with %llu parameters", name,
              (unsigned long long)n);
    return x;
}

/* ---- FusedGemm and FusedConv ---------------------------------------------------------------- */

static heed_status infer_gemm(op_infer *c) { return infer_as(c, "Gemm", c->n_in, c->in); }

/* y, and then what "activation" says. */
static void finish(op_body *b, ir_value *y)
{
    const char *names[] = {"activation_alpha", "activation_beta"};
    double parameters[2];
    uint64_t n = 0;
    while (n < 2 && ir_node_attr(b->node, names[n])) {
        parameters[n] = ir_attr_float(b->node, names[n], 0.0);
        n++;
    }
    body_set(b, 0, activate(b, y, ir_attr_string(b->node, "activation", ""), n, parameters));
}

static void decompose_gemm(op_body *b)
{
    finish(b, body_3(b, body_in(b, 0), body_in(b, 1), body_in(b, 2), "%s",
                     quant_with_attrs(b, "Gemm", "alpha beta transA transB")));
}

static void decompose_matmul_activation(op_body *b)
{
    const char *text = quant_with_attrs(b, "com.microsoft.FusedMatMul",
                                        "alpha transA transB transBatchA transBatchB");
    finish(b, body_2(b, body_in(b, 0), body_in(b, 1), "%s", text));
}

/* A row with data: the channels of images stand last. */
static bool has_channels_last(const ir_node *n) { return n->op->data != NULL; }

static heed_status infer_conv(op_infer *c)
{
    uint32_t n = c->n_in < 3 ? c->n_in : 3;
    bool last = has_channels_last(c->node);
    return last ? infer_as_last(c, "Conv", n, c->in) : infer_as(c, "Conv", n, c->in);
}

static void decompose_conv(op_body *b)
{
    double parameters[2] = {0.0, 0.0};
    uint64_t n = 0;
    const float *given = ir_attr_floats(b->node, "activation_params", &n);
    for (uint64_t i = 0; given && i < n && i < 2; i++)
        parameters[i] = (double)given[i];
    bool last = has_channels_last(b->node);
    ir_value *x = quant_channels_first(b, body_in(b, 0), last);
    ir_value *y =
        body_3(b, x, body_in(b, 1), body_in(b, 2), "%s",
               quant_with_attrs(b, "Conv", "auto_pad dilations group kernel_shape pads strides"));
    y = quant_channels_last(b, y, last);
    if (body_in(b, 3))
        y = body_2(b, y, body_in(b, 3), "Add");
    body_set(b, 0, activate(b, y, ir_attr_string(b->node, "activation", ""), n, parameters));
}

// clang-format off
#define MATMUL(id, op)                                                                             \
    static const op_def id = {                                                                     \
        .domain = "com.microsoft", .name = op, .since = 1, .signature = "A:T, B:T -> Y:T",         \
        .types = "T=float",                                                                        \
        .attrs = "alpha:float=1.0 transA:int=0 transB:int=0 transBatchA:int=0 transBatchB:int=0",  \
        .infer = infer_matmul, .decompose = decompose_matmul}

MATMUL(fused_matmul, "FusedMatMul");
MATMUL(transpose_matmul, "TransposeMatMul");
static const op_def matmul_activation = {
    .domain = "com.microsoft", .name = "FusedMatMulActivation", .since = 1,
    .signature = "A:T, B:T -> Y:T", .types = "T=float",
    .attrs = "activation:string! activation_alpha:float activation_axis:int activation_beta:float "
             "activation_gamma:float alpha:float=1.0 transA:int=0 transB:int=0 transBatchA:int=0 "
             "transBatchB:int=0",
    .infer = infer_matmul, .decompose = decompose_matmul_activation};
static const op_def gemm = {
    .domain = "com.microsoft", .name = "FusedGemm", .since = 1,
    .signature = "A:T, B:T, C:T? -> Y:T", .types = "T=real",
    .attrs = "activation:string activation_alpha:float activation_beta:float "
             "activation_gamma:float alpha:float=1.0 beta:float=1.0 transA:int=0 transB:int=0",
    .infer = infer_gemm, .decompose = decompose_gemm};
static const op_def conv = {
    .domain = "com.microsoft", .name = "FusedConv", .since = 1,
    .signature = "X:T, W:T, B:T?, Z:T? -> Y:T", .types = "T=float",
    .attrs = "activation:string activation_params:floats auto_pad:string=NOTSET dilations:ints "
             "group:int=1 kernel_shape:ints pads:ints strides:ints",
    .infer = infer_conv, .decompose = decompose_conv};

static const op_def nhwc_conv = {
    .domain = "com.microsoft", .name = "NhwcConv", .since = 1, .data = "channels last",
    .signature = "X:T, W:T, B:T? -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints "
             "strides:ints",
    .infer = infer_conv, .decompose = decompose_conv};
static const op_def nhwc_fused_conv = {
    .domain = "com.microsoft", .name = "NhwcFusedConv", .since = 1, .data = "channels last",
    .signature = "X:T, W:T, B:T?, Z:T? -> Y:T", .types = "T=float",
    .attrs = "activation:string activation_params:floats auto_pad:string=NOTSET dilations:ints "
             "group:int=1 kernel_shape:ints pads:ints strides:ints",
    .infer = infer_conv, .decompose = decompose_conv};

const op_def *const ops_fused_matmul[] = {&fused_matmul, &transpose_matmul, &matmul_activation, &gemm,
                                          &conv, &nhwc_conv, &nhwc_fused_conv, NULL};
// clang-format on
