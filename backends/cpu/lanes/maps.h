/* Loops with one operand: y[i] = f(x[i]). One line an operator; MAP makes the loop that the
 * compiler turns into vector code. y may be x, which `omp simd` states (no iteration reads what
 * another writes). a and b are the operator's parameters. */
#ifndef CPU_LANES_MAPS_H
#define CPU_LANES_MAPS_H

#include "lanes.h"
#include "lanes/math.h"

#define MAP(name, from, to, expression)                                                            \
    static void name(void *out, const void *in, size_t n, const float *p)                          \
    {                                                                                              \
        to *y = out;                                                                               \
        const from *px = in;                                                                       \
        const float a = p[0], b = p[1];                                                            \
        (void)a, (void)b;                                                                          \
        _Pragma("omp simd") for (size_t i = 0; i < n; i++)                                         \
        {                                                                                          \
            from x = px[i];                                                                        \
            y[i] = (to)(expression);                                                               \
        }                                                                                          \
    }

// clang-format off
MAP(map_abs, float, float, fabsf(x))
MAP(map_neg, float, float, -x)
MAP(map_sqrt, float, float, sqrtf(x))
MAP(map_reciprocal, float, float, 1.0f / x)
MAP(map_exp, float, float, lane_exp(x))
MAP(map_log, float, float, lane_log(x))
MAP(map_erf, float, float, lane_erf(x))
MAP(map_tanh, float, float, lane_tanh(x))
MAP(map_sigmoid, float, float, lane_sigmoid(x))
MAP(map_relu, float, float, x < 0.0f ? 0.0f : x)
MAP(map_leaky, float, float, x < 0.0f ? a * x : x)
MAP(map_threshold, float, float, x > a || x != x ? x : 0.0f)
MAP(map_elu, float, float, x < 0.0f ? a * expm1_negative(x) : x)
MAP(map_celu, float, float, x < 0.0f ? a * expm1_negative(x / a) : x)
MAP(map_selu, float, float, b * (x < 0.0f ? a * expm1_negative(x) : x))
MAP(map_gelu, float, float, 0.5f * x * (1.0f + lane_erf(x * 0.707106781f)))
MAP(map_gelu_tanh, float, float,
    0.5f * x * (1.0f + lane_tanh(0.797884561f * (x + 0.044715f * x * x * x))))
MAP(map_swish, float, float, x * lane_sigmoid(a * x))
MAP(map_softplus, float, float, lane_softplus(x))
MAP(map_mish, float, float, x * lane_tanh(lane_softplus(x)))
MAP(map_softsign, float, float, x / (1.0f + fabsf(x)))
MAP(map_floor, float, float, floorf(x))
MAP(map_ceil, float, float, ceilf(x))
MAP(map_round, float, float, rintf(x))
MAP(map_sign, float, float, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x)
MAP(map_nan, float, uint8_t, x != x)
MAP(map_not, uint8_t, uint8_t, x ^ 1)
MAP(map_neg_i64, int64_t, int64_t, 0 - (uint64_t)x)
MAP(map_neg_i32, int32_t, int32_t, 0 - (uint32_t)x)
MAP(map_abs_i64, int64_t, int64_t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
MAP(map_abs_i32, int32_t, int32_t, x < 0 ? 0 - (uint32_t)x : (uint32_t)x)
// clang-format on

static inline float hard(float x, float a, float b)
{
    float y = a * x + b;
    y = y < 0.0f ? 0.0f : y;
    return y > 1.0f ? 1.0f : y;
}

static inline float clip(float x, float low, float high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

MAP(map_hard_sigmoid, float, float, hard(x, a, b))
MAP(map_hard_swish, float, float, x *hard(x, 0.166666667f, 0.5f))
MAP(map_clip, float, float, clip(x, a, b))

/* Angles beyond 2^20, and NaN, go to libm, in a second sweep that ordinary input never enters.
 * They are looked for first, since y may be x. */
static inline void sines(float *y, const float *x, size_t n, int32_t quarter)
{
    int beyond = 0;
#pragma omp simd reduction(| : beyond)
    for (size_t i = 0; i < n; i++)
        beyond |= !(fabsf(x[i]) < 1048576.0f);
    if (!beyond) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = lane_sine(x[i], quarter);
        return;
    }
    for (size_t i = 0; i < n; i++)
        y[i] = quarter ? cosf(x[i]) : sinf(x[i]);
}

static void map_sin(void *y, const void *x, size_t n, const float *p)
{
    (void)p;
    sines(y, x, n, 0);
}

static void map_cos(void *y, const void *x, size_t n, const float *p)
{
    (void)p;
    sines(y, x, n, 1);
}

// clang-format off
static const cpu_map_row map_rows[] = {
    {"Abs", HEED_FLOAT32, HEED_FLOAT32, map_abs},
    {"Abs", HEED_INT64, HEED_INT64, map_abs_i64},
    {"Abs", HEED_INT32, HEED_INT32, map_abs_i32},
    {"Neg", HEED_FLOAT32, HEED_FLOAT32, map_neg},
    {"Neg", HEED_INT64, HEED_INT64, map_neg_i64},
    {"Neg", HEED_INT32, HEED_INT32, map_neg_i32},
    {"Sqrt", HEED_FLOAT32, HEED_FLOAT32, map_sqrt},
    {"Reciprocal", HEED_FLOAT32, HEED_FLOAT32, map_reciprocal},
    {"Exp", HEED_FLOAT32, HEED_FLOAT32, map_exp},
    {"Log", HEED_FLOAT32, HEED_FLOAT32, map_log},
    {"Erf", HEED_FLOAT32, HEED_FLOAT32, map_erf},
    {"Tanh", HEED_FLOAT32, HEED_FLOAT32, map_tanh},
    {"Sigmoid", HEED_FLOAT32, HEED_FLOAT32, map_sigmoid},
    {"Relu", HEED_FLOAT32, HEED_FLOAT32, map_relu},
    {"LeakyRelu", HEED_FLOAT32, HEED_FLOAT32, map_leaky},
    {"ThresholdedRelu", HEED_FLOAT32, HEED_FLOAT32, map_threshold},
    {"Elu", HEED_FLOAT32, HEED_FLOAT32, map_elu},
    {"Celu", HEED_FLOAT32, HEED_FLOAT32, map_celu},
    {"Selu", HEED_FLOAT32, HEED_FLOAT32, map_selu},
    {"Gelu", HEED_FLOAT32, HEED_FLOAT32, map_gelu},
    {"Gelu/tanh", HEED_FLOAT32, HEED_FLOAT32, map_gelu_tanh},
    {"Swish", HEED_FLOAT32, HEED_FLOAT32, map_swish},
    {"HardSigmoid", HEED_FLOAT32, HEED_FLOAT32, map_hard_sigmoid},
    {"HardSwish", HEED_FLOAT32, HEED_FLOAT32, map_hard_swish},
    {"Softplus", HEED_FLOAT32, HEED_FLOAT32, map_softplus},
    {"Mish", HEED_FLOAT32, HEED_FLOAT32, map_mish},
    {"Softsign", HEED_FLOAT32, HEED_FLOAT32, map_softsign},
    {"Sin", HEED_FLOAT32, HEED_FLOAT32, map_sin},
    {"Cos", HEED_FLOAT32, HEED_FLOAT32, map_cos},
    {"Floor", HEED_FLOAT32, HEED_FLOAT32, map_floor},
    {"Ceil", HEED_FLOAT32, HEED_FLOAT32, map_ceil},
    {"Round", HEED_FLOAT32, HEED_FLOAT32, map_round},
    {"Sign", HEED_FLOAT32, HEED_FLOAT32, map_sign},
    {"Clip", HEED_FLOAT32, HEED_FLOAT32, map_clip},
    {"IsNaN", HEED_FLOAT32, HEED_BOOL, map_nan},
    {"Not", HEED_BOOL, HEED_BOOL, map_not},
    {NULL, HEED_UNDEFINED, HEED_UNDEFINED, NULL},
};
// clang-format on

#undef MAP
#endif
