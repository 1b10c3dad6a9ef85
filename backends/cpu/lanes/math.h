/* Elementary functions on one float, written so that a loop over them becomes vector code: no
 * branches, no calls, no tables. Selections take the place of branches, and every comparison
 * is arranged so that a NaN comes out as a NaN.
 *
 * The polynomials are minimax fits of our own (Lawson's iteration on Chebyshev nodes, the
 * coefficients rounded to float one after the other). The tests hold
 * them against libm in double: 2 units in the last place for sin and cos, 3 for exp and log, 4
 * for tanh and erf. */
#ifndef CPU_LANES_MATH_H
#define CPU_LANES_MATH_H

#include <math.h>
#include <stdint.h>

static inline uint32_t float_bits(float x)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float bits_float(uint32_t bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, and leaves that integer in
 * the low bits of the sum. */
#define ROUND_MAGIC 12582912.0f

/* 2^n for -126 <= n <= 127. */
static inline float power_of_two(int32_t n) { return bits_float((uint32_t)(n + 127) << 23); }

static inline float exp_reduced(float x, int32_t *n)
{
    float t = x * 1.44269504f + ROUND_MAGIC;
    float k = t - ROUND_MAGIC;
    float r = x - k * 0.693359375f;
    r = r + k * 2.12194440e-4f;
    float p = 1.381982351e-03f;
    p = p * r + 8.368686773e-03f;
    p = p * r + 4.166827723e-02f;
    p = p * r + 1.666652113e-01f;
    p = p * r + 4.999999404e-01f;
    *n = (int32_t)(float_bits(t) - float_bits(ROUND_MAGIC));
    return p * (r * r) + r + 1.0f;
}

/* e^x: 0 and infinity where float ends, subnormal results included. The scaling is done in two
 * steps because 2^n alone may be out of range. */
static inline float lane_exp(float x)
{
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    int32_t n;
    float p = exp_reduced(x, &n);
    int32_t half = n >> 1;
    return p * power_of_two(half) * power_of_two(n - half);
}

/* e^x for x <= 0 with results below 2^-126 flushed to 0: what a softmax needs. */
static inline float lane_exp_negative(float x)
{
    float clamped = x < -87.3f ? -87.3f : x;
    int32_t n;
    float p = exp_reduced(clamped, &n) * power_of_two(n);
    return x < -87.3f ? 0.0f : p;
}

static inline float lane_log(float x)
{
    float scaled = x < 1.17549435e-38f ? x * 33554432.0f : x; /* subnormals */
    float shift = x < 1.17549435e-38f ? -25.0f : 0.0f;
    uint32_t bits = float_bits(scaled) - 0x3f3504f3u; /* from sqrt(1/2) */
    float e = (float)((int32_t)bits >> 23) + shift;
    float m = bits_float((bits & 0x007fffffu) + 0x3f3504f3u);
    float s = (m - 1.0f) / (m + 1.0f);
    float z = s * s;
    float p = 2.428021133e-01f;
    p = p * z + 2.849875987e-01f;
    p = p * z + 4.000097215e-01f;
    p = p * z + 6.666666269e-01f;
    /* 2 s = f - s f for f = m - 1, which loses nothing to the rounding of s. */
    float f = m - 1.0f;
    float y = e * 0.693359375f + (f - (s * f - s * (z * p) + e * 2.12194440e-4f));
    y = x > 3.40282347e+38f ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x < 0.0f || x != x ? NAN : y;
}

/* log(1 + u) for u in [0, 1], as 2 atanh(u / (2 + u)). */
static inline float log1p_unit(float u)
{
    float s = u / (2.0f + u);
    float z = s * s;
    float p = 2.424498498e-01f;
    p = p * z + 2.144394368e-01f;
    p = p * z + 2.861520946e-01f;
    p = p * z + 3.999894857e-01f;
    p = p * z + 6.666667461e-01f;
    return u - (s * u - s * (z * p));
}

static inline float lane_tanh(float x)
{
    float a = fabsf(x);
    float z = x * x;
    float p = -5.665719043e-03f;
    p = p * z + 2.060487308e-02f;
    p = p * z - 5.372953042e-02f;
    p = p * z + 1.333132386e-01f;
    p = p * z - 3.333327770e-01f;
    float small = x + x * (z * p);
    float bound = a > 10.0f ? 10.0f : a;
    float large = 1.0f - 2.0f / (lane_exp(2.0f * bound) + 1.0f);
    return a < 0.625f ? small : copysignf(large, x);
}

/* Near zero a polynomial in x^2; elsewhere 1 - e^-g with g a fit of -log(erfc). */
static inline float lane_erf(float x)
{
    float a = fabsf(x);
    float z = x * x;
    float p = -5.981807481e-04f;
    p = p * z + 4.991641268e-03f;
    p = p * z - 2.676580474e-02f;
    p = p * z + 1.128180474e-01f;
    p = p * z - 3.761249483e-01f;
    p = p * z + 1.283791512e-01f;
    float small = x + x * p;
    float b = a > 4.05f ? 4.05f : a;
    float g = -1.959355286e-04f;
    g = g * b + 3.043203382e-03f;
    g = g * b - 2.222688496e-02f;
    g = g * b + 1.039315686e-01f;
    g = g * b + 6.371822357e-01f;
    g = g * b + 1.127675653e+00f;
    g = g * b + 1.956662745e-04f;
    float large = 1.0f - lane_exp_negative(-g);
    return a < 0.92f ? small : copysignf(large, x);
}

static inline float lane_sigmoid(float x) { return 1.0f / (1.0f + lane_exp(-x)); }

/* max(x, 0) + log(1 + e^-|x|), which neither overflows nor cancels. */
static inline float lane_softplus(float x)
{
    float top = x < 0.0f ? 0.0f : x;
    return top + log1p_unit(lane_exp(-fabsf(x)));
}

/* e^x - 1 for x <= 0, without cancellation near 0. tanh(x/2) = (e^x - 1) / (e^x + 1). */
static inline float expm1_negative(float x)
{
    float t = lane_tanh(0.5f * x);
    return 2.0f * t / (1.0f - t);
}

/* sin(x + quarter * pi / 2). The reduction is done in double, which is exact enough for
 * |x| < 2^20; callers hand larger ones to libm. */
static inline float lane_sine(float x, int32_t quarter)
{
    double t = (double)x * 0.63661977236758134 + 6755399441055744.0;
    double k = t - 6755399441055744.0;
    float r = (float)((double)x - k * 1.5707963267948966);
    int32_t q = (int32_t)k + quarter;
    float z = r * r;
    float s = -1.950823353e-04f;
    s = s * z + 8.332108147e-03f;
    s = s * z - 1.666665375e-01f;
    s = r + r * (z * s);
    float c = 2.443008816e-05f;
    c = c * z - 1.388729783e-03f;
    c = c * z + 4.166664556e-02f;
    c = 1.0f - 0.5f * z + (z * z) * c;
    float y = q & 1 ? c : s;
    return q & 2 ? -y : y;
}

#endif
