/* unary.c - operators of one tensor without attributes: a row each. */
#include <math.h>

#include "ops/content.h"
#include "ops/loops.h"

LOOP_MAP1(neg_f32, float, float, -x)
LOOP_MAP1(neg_f64, double, double, -x)
LOOP_MAP1(neg_i64, int64_t, int64_t, (uint64_t)0 - (uint64_t)x)
LOOP_MAP1(abs_f32, float, float, fabsf(x))
LOOP_MAP1(abs_f64, double, double, fabs(x))
LOOP_MAP1(abs_i64, int64_t, int64_t, x < 0 ? (uint64_t)0 - (uint64_t)x : (uint64_t)x)
LOOP_MAP1(abs_u64, uint64_t, uint64_t, x)
LOOP_MAP1(sign_f32, float, float, x > 0 ? 1.0f : (x < 0 ? -1.0f : x))
LOOP_MAP1(sign_f64, double, double, x > 0 ? 1.0 : (x < 0 ? -1.0 : x))
LOOP_MAP1(sign_i64, int64_t, int64_t, (x > 0) - (x < 0))
LOOP_MAP1(sign_u64, uint64_t, uint64_t, x > 0)
LOOP_MAP1(sqrt_f32, float, float, sqrtf(x))
LOOP_MAP1(sqrt_f64, double, double, sqrt(x))
LOOP_MAP1(reciprocal_f32, float, float, 1.0f / x)
LOOP_MAP1(reciprocal_f64, double, double, 1.0 / x)
LOOP_MAP1(floor_f32, float, float, floorf(x))
LOOP_MAP1(floor_f64, double, double, floor(x))
LOOP_MAP1(ceil_f32, float, float, ceilf(x))
LOOP_MAP1(ceil_f64, double, double, ceil(x))
LOOP_MAP1(round_f32, float, float, rintf(x)) /* halves to even, the default of the machine */
LOOP_MAP1(round_f64, double, double, rint(x))
LOOP_MAP1(exp_f32, float, float, expf(x))
LOOP_MAP1(exp_f64, double, double, exp(x))
LOOP_MAP1(log_f32, float, float, logf(x))
LOOP_MAP1(log_f64, double, double, log(x))
LOOP_MAP1(erf_f32, float, float, erff(x))
LOOP_MAP1(erf_f64, double, double, erf(x))
LOOP_MAP1(erf_i64, int64_t, int64_t, erf((double)x))
LOOP_MAP1(erf_u64, uint64_t, uint64_t, erf((double)x))
LOOP_MAP1(tanh_f32, float, float, tanhf(x))
LOOP_MAP1(tanh_f64, double, double, tanh(x))
LOOP_MAP1(sin_f32, float, float, sinf(x))
LOOP_MAP1(sin_f64, double, double, sin(x))
LOOP_MAP1(cos_f32, float, float, cosf(x))
LOOP_MAP1(cos_f64, double, double, cos(x))
LOOP_MAP1(tan_f64, double, double, tan(x))
LOOP_MAP1(asin_f64, double, double, asin(x))
LOOP_MAP1(acos_f64, double, double, acos(x))
LOOP_MAP1(atan_f64, double, double, atan(x))
LOOP_MAP1(sinh_f64, double, double, sinh(x))
LOOP_MAP1(cosh_f64, double, double, cosh(x))
LOOP_MAP1(asinh_f64, double, double, asinh(x))
LOOP_MAP1(acosh_f64, double, double, acosh(x))
LOOP_MAP1(atanh_f64, double, double, atanh(x))
LOOP_MAP1(not_bool, uint8_t, uint8_t, !x)
LOOP_MAP1(bitnot_i64, int64_t, int64_t, ~(uint64_t)x)
LOOP_MAP1(bitnot_u64, uint64_t, uint64_t, ~x)
LOOP_MAP1(isnan_f32, float, uint8_t, x != x)
LOOP_MAP1(isnan_f64, double, uint8_t, x != x)

static heed_status run_unary(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

static heed_status run_test(op_call *c)
{
    const loop_map m = {.rows = c->node->op->data, .out = CLASS_BOOL};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

/* ---- IsInf: which infinities count is an attribute ------------------------------------------- */

typedef struct infinities {
    bool negative, positive;
} infinities;

#define WANTED(args, x)                                                                            \
    (isinf(x) &&                                                                                   \
     ((x) > 0 ? ((const infinities *)(args))->positive : ((const infinities *)(args))->negative))
LOOP_MAP1(isinf_f32, float, uint8_t, WANTED(args, x))
LOOP_MAP1(isinf_f64, double, uint8_t, WANTED(args, x))

static loop_fn *const isinf_rows[LOOP_CLASSES] = {[CLASS_F32] = isinf_f32, [CLASS_F64] = isinf_f64};

static heed_status run_isinf(op_call *c)
{
    const infinities which = {.negative = ir_attr_int(c->node, "detect_negative", 1) != 0,
                              .positive = ir_attr_int(c->node, "detect_positive", 1) != 0};
    const loop_map m = {.rows = isinf_rows, .args = &which, .out = CLASS_BOOL};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

/* ---- Integer content ------------------------------------------------------------------------ */

static void content_neg(op_infer *c)
{
    const ir_dim *values;
    int64_t n;
    if (!infer_has(c, 0) || !infer_ints(c, 0, &values, &n) || n > CONTENT_MAX)
        return;
    ir_dim *out = infer_dims_new(c, n);
    for (int64_t i = 0; out && i < n; i++)
        out[i] = dims_sub(c->dims, 0, values[i]);
    if (out)
        content_put(c, 0, n, out);
}

/* ---- Rows ----------------------------------------------------------------------------------- */

typedef loop_fn *const rows[LOOP_CLASSES];

// clang-format off
static rows neg_rows = {[CLASS_F32] = neg_f32, [CLASS_F64] = neg_f64, [CLASS_I64] = neg_i64};
static rows abs_rows = {[CLASS_F32] = abs_f32, [CLASS_F64] = abs_f64, [CLASS_I64] = abs_i64,
                        [CLASS_U64] = abs_u64};
static rows sign_rows = {[CLASS_F32] = sign_f32, [CLASS_F64] = sign_f64, [CLASS_I64] = sign_i64,
                         [CLASS_U64] = sign_u64};
static rows erf_rows = {[CLASS_F32] = erf_f32, [CLASS_F64] = erf_f64, [CLASS_I64] = erf_i64,
                        [CLASS_U64] = erf_u64};
static rows sqrt_rows = {[CLASS_F32] = sqrt_f32, [CLASS_F64] = sqrt_f64};
static rows reciprocal_rows = {[CLASS_F32] = reciprocal_f32, [CLASS_F64] = reciprocal_f64};
static rows floor_rows = {[CLASS_F32] = floor_f32, [CLASS_F64] = floor_f64};
static rows ceil_rows = {[CLASS_F32] = ceil_f32, [CLASS_F64] = ceil_f64};
static rows round_rows = {[CLASS_F32] = round_f32, [CLASS_F64] = round_f64};
static rows exp_rows = {[CLASS_F32] = exp_f32, [CLASS_F64] = exp_f64};
static rows log_rows = {[CLASS_F32] = log_f32, [CLASS_F64] = log_f64};
static rows tanh_rows = {[CLASS_F32] = tanh_f32, [CLASS_F64] = tanh_f64};
static rows sin_rows = {[CLASS_F32] = sin_f32, [CLASS_F64] = sin_f64};
static rows cos_rows = {[CLASS_F32] = cos_f32, [CLASS_F64] = cos_f64};
static rows tan_rows = {[CLASS_F64] = tan_f64};
static rows asin_rows = {[CLASS_F64] = asin_f64};
static rows acos_rows = {[CLASS_F64] = acos_f64};
static rows atan_rows = {[CLASS_F64] = atan_f64};
static rows sinh_rows = {[CLASS_F64] = sinh_f64};
static rows cosh_rows = {[CLASS_F64] = cosh_f64};
static rows asinh_rows = {[CLASS_F64] = asinh_f64};
static rows acosh_rows = {[CLASS_F64] = acosh_f64};
static rows atanh_rows = {[CLASS_F64] = atanh_f64};
static rows not_rows = {[CLASS_BOOL] = not_bool};
static rows bitnot_rows = {[CLASS_I64] = bitnot_i64, [CLASS_U64] = bitnot_u64};
static rows isnan_rows = {[CLASS_F32] = isnan_f32, [CLASS_F64] = isnan_f64};

/* Everything but name, version, types and functions is the same in every row. */
#define ROW(ident, op_name, version, set, table)                                                   \
    static const op_def ident = {                                                                  \
        .domain = "", .name = op_name, .since = version, .flags = OP_ELEMENTWISE | OP_INPLACE,     \
        .signature = "X:T -> Y:T", .types = "T=" set, .data = table,                               \
        .infer = infer_same, .run = run_unary}

ROW(op_abs, "Abs", 13, "real", abs_rows);
ROW(op_sign, "Sign", 13, "real", sign_rows);
ROW(op_sqrt, "Sqrt", 13, "float", sqrt_rows);
ROW(op_reciprocal, "Reciprocal", 13, "float", reciprocal_rows);
ROW(op_floor, "Floor", 13, "float", floor_rows);
ROW(op_ceil, "Ceil", 13, "float", ceil_rows);
ROW(op_round, "Round", 22, "float", round_rows);
ROW(op_exp, "Exp", 13, "float", exp_rows);
ROW(op_log, "Log", 13, "float", log_rows);
ROW(op_erf, "Erf", 13, "real", erf_rows);
ROW(op_tanh, "Tanh", 13, "float", tanh_rows);
ROW(op_sin, "Sin", 22, "float", sin_rows);
ROW(op_cos, "Cos", 22, "float", cos_rows);
ROW(op_tan, "Tan", 22, "float", tan_rows);
ROW(op_asin, "Asin", 22, "float", asin_rows);
ROW(op_acos, "Acos", 22, "float", acos_rows);
ROW(op_atan, "Atan", 22, "float", atan_rows);
ROW(op_sinh, "Sinh", 22, "float", sinh_rows);
ROW(op_cosh, "Cosh", 22, "float", cosh_rows);
ROW(op_asinh, "Asinh", 22, "float", asinh_rows);
ROW(op_acosh, "Acosh", 22, "float", acosh_rows);
ROW(op_atanh, "Atanh", 22, "float", atanh_rows);
ROW(op_not, "Not", 1, "bool", not_rows);
ROW(op_bitnot, "BitwiseNot", 18, "int", bitnot_rows);

static const op_def op_neg = {
    .domain = "", .name = "Neg", .since = 13, .flags = OP_ELEMENTWISE | OP_INPLACE,
    .signature = "X:T -> Y:T", .types = "T=signed", .data = neg_rows,
    .infer = infer_same, .content = content_neg, .run = run_unary};
static const op_def op_isnan = {
    .domain = "", .name = "IsNaN", .since = 20, .flags = OP_ELEMENTWISE,
    .signature = "X:T -> Y:bool", .types = "T=float", .data = isnan_rows,
    .infer = infer_same, .run = run_test};
static const op_def op_isinf = {
    .domain = "", .name = "IsInf", .since = 20, .flags = OP_ELEMENTWISE,
    .signature = "X:T -> Y:bool", .types = "T=float",
    .attrs = "detect_negative:int=1 detect_positive:int=1",
    .infer = infer_same, .run = run_isinf};

const op_def *const ops_unary[] = {
    &op_abs, &op_sign, &op_sqrt, &op_reciprocal, &op_floor, &op_ceil, &op_round, &op_exp, &op_log,
    &op_erf, &op_tanh, &op_sin, &op_cos, &op_tan, &op_asin, &op_acos, &op_atan, &op_sinh, &op_cosh,
    &op_asinh, &op_acosh, &op_atanh, &op_not, &op_bitnot, &op_neg, &op_isnan, &op_isinf, NULL};
// clang-format on
