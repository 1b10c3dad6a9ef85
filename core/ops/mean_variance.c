/* mean_variance.c - MeanVarianceNormalization: axes brought to mean 0 and variance 1. */
#include "ops/body.h"

static heed_status infer_mean_variance(op_infer *c)
{
    uint64_t n;
    const int64_t *axes = ir_attr_ints(c->node, "axes", &n);
    int32_t axis;
    for (uint64_t i = 0; infer_rank(c, 0) >= 0 && axes && i < n; i++)
        TRY(infer_axis(c, axes[i], infer_rank(c, 0), &axis));
    return infer_same(c);
}

/* (x - mean) / (deviation + 1e-9), in float32 at least: a half cannot hold the small number. */
static void decompose_mean_variance(op_body *b)
{
    ir_value *in = body_in(b, 0), *x = in;
    uint64_t n;
    const int64_t *axes = ir_attr_ints(b->node, "axes", &n);
    if (in->type.dtype != HEED_FLOAT64)
        x = body_cast(b, in, HEED_FLOAT32);
    ir_value *over =
        axes ? body_ints(b, (int64_t)n, axes) : body_ints(b, 3, (const int64_t[]){0, 2, 3});
    ir_value *centred = body_2(b, x, body_2(b, x, over, "ReduceMean"), "Sub");
    ir_value *variance = body_2(b, body_2(b, centred, centred, "Mul"), over, "ReduceMean");
    ir_value *deviation =
        body_2(b, body_1(b, variance, "Sqrt"), body_like(b, 1e-9, variance), "Add");
    body_set(b, 0, body_cast(b, body_2(b, centred, deviation, "Div"), in->type.dtype));
}

// clang-format off
static const op_def mean_variance = {
    .domain = "", .name = "MeanVarianceNormalization", .since = 13,
    .signature = "X:T -> Y:T", .types = "T=float", .attrs = "axes:ints",
    .infer = infer_mean_variance, .decompose = decompose_mean_variance};
// clang-format on

const op_def *const ops_mean_variance[] = {&mean_variance, NULL};
