/* activation.c - activation functions: one tensor, up to three numbers as attributes, a row each.
 *
 * Most are written in double alone, and narrower floats pass through it: a reference is right
 * before it is fast. Only the cheap and frequent ones have a float32 form as well. */
#include <math.h>

#include "ops/loops.h"

typedef struct numbers {
    double alpha, beta, gamma;
} numbers;

static double alpha(const void *args) { return ((const numbers *)args)->alpha; }

static double beta(const void *args) { return ((const numbers *)args)->beta; }

static double gamma_of(const void *args) { return ((const numbers *)args)->gamma; }

static double sigmoid(double x)
{
    double e = exp(-fabs(x)); /* at most 1, so nothing overflows */
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static float sigmoid_of(float x)
{
    float e = expf(-fabsf(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

static double unit(double x) { return x < 0 ? 0 : (x > 1 ? 1 : x); }

static double gelu(double x) { return 0.5 * x * (1 + erf(x * 0.70710678118654752440)); }

static double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

static double celu(double x, double a)
{
    double low = a * expm1(x / a);
    return (x > 0 ? x : 0) + (low < 0 ? low : 0);
}

// clang-format off
LOOP_MAP1(sigmoid_f32, float, float, sigmoid_of(x))
LOOP_MAP1(sigmoid_f64, double, double, sigmoid(x))
LOOP_MAP1(relu_f32, float, float, x < 0 ? 0 : x)
LOOP_MAP1(relu_f64, double, double, x < 0 ? 0 : x)
LOOP_MAP1(relu_i64, int64_t, int64_t, x < 0 ? 0 : x)
LOOP_MAP1(relu_u64, uint64_t, uint64_t, x)
LOOP_MAP1(leaky_f64, double, double, x < 0 ? alpha(args) * x : x)
LOOP_MAP1(elu_f64, double, double, x < 0 ? alpha(args) * expm1(x) : x)
LOOP_MAP1(selu_f64, double, double, gamma_of(args) * (x > 0 ? x : alpha(args) * expm1(x)))
LOOP_MAP1(celu_f64, double, double, celu(x, alpha(args)))
LOOP_MAP1(softplus_f64, double, double, softplus(x))
LOOP_MAP1(softsign_f64, double, double, x / (1 + fabs(x)))
LOOP_MAP1(mish_f64, double, double, x * tanh(softplus(x)))
LOOP_MAP1(swish_f64, double, double, x * sigmoid(alpha(args) * x))
LOOP_MAP1(hard_sigmoid_f64, double, double, unit(alpha(args) * x + beta(args)))
LOOP_MAP1(hard_swish_f64, double, double, x * unit(x / 6 + 0.5))
LOOP_MAP1(threshold_f64, double, double, x > alpha(args) ? x : 0)
LOOP_MAP1(gelu_f64, double, double, gelu(x))
LOOP_MAP1(gelu_tanh_f64, double, double, gelu_tanh(x))
LOOP_MAP2(prelu_f64, double, double, x < 0 ? x * y : x)
LOOP_MAP2(prelu_i64, int64_t, int64_t, x < 0 ? (uint64_t)x * (uint64_t)y : (uint64_t)x)
LOOP_MAP1(prelu_u64, uint64_t, uint64_t, x) /* never negative */
// clang-format on

static heed_status run_activation(op_call *c)
{
    const numbers args = {.alpha = ir_attr_float(c->node, "alpha", 1),
                          .beta = ir_attr_float(c->node, "beta", 0),
                          .gamma = ir_attr_float(c->node, "gamma", 1)};
    const loop_map m = {.rows = c->node->op->data, .args = &args};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

typedef loop_fn *const rows[LOOP_CLASSES];

static rows gelu_rows = {[CLASS_F64] = gelu_f64};
static rows gelu_tanh_rows = {[CLASS_F64] = gelu_tanh_f64};

static heed_status run_gelu(op_call *c)
{
    bool approximate = ir_attr_string(c->node, "approximate", "none")[0] == 't';
    const loop_map m = {.rows = approximate ? gelu_tanh_rows : gelu_rows};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

static heed_status run_prelu(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data};
    return loop_run(c, &m, 2, c->in, c->out[0]);
}

/* The slope must broadcast to the input's shape, not the other way round. */
static heed_status infer_prelu(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), slope = infer_rank(c, 1);
    if (rank >= 0 && slope > rank)
        return infer_error(c, "a slope that broadcasts to the input", "rank %d for rank %d", slope,
                           rank);
    for (int32_t i = 1; rank >= 0 && i <= slope; i++) {
        ir_dim x = infer_dim(c, 0, rank - i), s = infer_dim(c, 1, slope - i);
        if (dim_known(x) && dim_known(s) && s != 1 && s != x)
            return infer_error(c, "a slope that broadcasts to the input",
                               "extent %lld for %lld on axis -%d", (long long)s, (long long)x, i);
    }
    return infer_same(c);
}

// clang-format off
static rows sigmoid_rows = {[CLASS_F32] = sigmoid_f32, [CLASS_F64] = sigmoid_f64};
static rows relu_rows = {[CLASS_F32] = relu_f32, [CLASS_F64] = relu_f64, [CLASS_I64] = relu_i64,
                         [CLASS_U64] = relu_u64};
static rows leaky_rows = {[CLASS_F64] = leaky_f64};
static rows elu_rows = {[CLASS_F64] = elu_f64};
static rows selu_rows = {[CLASS_F64] = selu_f64};
static rows celu_rows = {[CLASS_F64] = celu_f64};
static rows softplus_rows = {[CLASS_F64] = softplus_f64};
static rows softsign_rows = {[CLASS_F64] = softsign_f64};
static rows mish_rows = {[CLASS_F64] = mish_f64};
static rows swish_rows = {[CLASS_F64] = swish_f64};
static rows hard_sigmoid_rows = {[CLASS_F64] = hard_sigmoid_f64};
static rows hard_swish_rows = {[CLASS_F64] = hard_swish_f64};
static rows threshold_rows = {[CLASS_F64] = threshold_f64};
static rows prelu_rows = {[CLASS_F64] = prelu_f64, [CLASS_I64] = prelu_i64,
                          [CLASS_U64] = prelu_u64};

enum { ACTIVATION = OP_ELEMENTWISE | OP_INPLACE };

/* Everything but name, version, types, attributes and functions is the same in every row. */
#define ROW(ident, op_name, version, set, attributes, table)                                       \
    static const op_def ident = {                                                                  \
        .domain = "", .name = op_name, .since = version, .flags = ACTIVATION,                      \
        .signature = "X:T -> Y:T", .types = "T=" set, .attrs = attributes, .data = table,          \
        .infer = infer_same, .run = run_activation}

ROW(op_sigmoid, "Sigmoid", 13, "float", NULL, sigmoid_rows);
ROW(op_relu, "Relu", 14, "real", NULL, relu_rows);
ROW(op_leaky, "LeakyRelu", 16, "float", "alpha:float=0.01", leaky_rows);
ROW(op_elu, "Elu", 22, "float", "alpha:float=1", elu_rows);
ROW(op_selu, "Selu", 22, "float",
    "alpha:float=1.67326319217681884765625 gamma:float=1.05070102214813232421875", selu_rows);
ROW(op_celu, "Celu", 28, "float", "alpha:float=1", celu_rows);
ROW(op_softplus, "Softplus", 22, "float", NULL, softplus_rows);
ROW(op_softsign, "Softsign", 22, "float", NULL, softsign_rows);
ROW(op_mish, "Mish", 22, "float", NULL, mish_rows);
ROW(op_swish, "Swish", 24, "float", "alpha:float=1", swish_rows);
ROW(op_hard_sigmoid, "HardSigmoid", 22, "float", "alpha:float=0.2 beta:float=0.5",
    hard_sigmoid_rows);
ROW(op_hard_swish, "HardSwish", 22, "float", NULL, hard_swish_rows);
ROW(op_threshold, "ThresholdedRelu", 22, "float", "alpha:float=1", threshold_rows);

static const op_def op_gelu = {
    .domain = "", .name = "Gelu", .since = 20, .flags = ACTIVATION,
    .signature = "X:T -> Y:T", .types = "T=float", .attrs = "approximate:string=none",
    .infer = infer_same, .run = run_gelu};
static const op_def op_prelu = {
    .domain = "", .name = "PRelu", .since = 16, .flags = ACTIVATION,
    .signature = "X:T, slope:T -> Y:T", .types = "T=real", .data = prelu_rows,
    .infer = infer_prelu, .run = run_prelu};

const op_def *const ops_activation[] = {
    &op_sigmoid, &op_relu, &op_leaky, &op_elu, &op_selu, &op_celu, &op_softplus, &op_softsign,
    &op_mish, &op_swish, &op_hard_sigmoid, &op_hard_swish, &op_threshold, &op_gelu, &op_prelu,
    NULL};
// clang-format on
