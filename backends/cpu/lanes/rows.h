/* Loops over one row: sums and extremes, and norms (softmax: row_softmax.h). A row is summed in
 * blocks, and a block in four chains over its four quarters, each as wide as a vector: this keeps
 * the adders busy, and rounding errors of long rows small. */
#ifndef CPU_LANES_ROWS_H
#define CPU_LANES_ROWS_H

#include "lanes.h"
#include "lanes/math.h"

enum { SUM_BLOCK = 1024 };

static inline float block_sum(const float *x, size_t n)
{
    size_t q = n / 4;
    float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
#pragma omp simd reduction(+ : a, b, c, d)
    for (size_t i = 0; i < q; i++) {
        a += x[i];
        b += x[q + i];
        c += x[2 * q + i];
        d += x[3 * q + i];
    }
    float sum = (a + b) + (c + d);
    for (size_t i = 4 * q; i < n; i++)
        sum += x[i];
    return sum;
}

/* Sum of (x - center)^2. */
static inline float block_squares(const float *x, size_t n, float center)
{
    size_t q = n / 4;
    float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;
#pragma omp simd reduction(+ : a, b, c, d)
    for (size_t i = 0; i < q; i++) {
        float s = x[i] - center, t = x[q + i] - center;
        float u = x[2 * q + i] - center, v = x[3 * q + i] - center;
        a += s * s;
        b += t * t;
        c += u * u;
        d += v * v;
    }
    float sum = (a + b) + (c + d);
    for (size_t i = 4 * q; i < n; i++)
        sum += (x[i] - center) * (x[i] - center);
    return sum;
}

static inline float block_abs(const float *x, size_t n)
{
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += fabsf(x[i]);
    return sum;
}

static inline size_t block_at(size_t i, size_t n) { return n - i < SUM_BLOCK ? n - i : SUM_BLOCK; }

static float row_sum(const float *x, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i += SUM_BLOCK)
        sum += block_sum(x + i, block_at(i, n));
    return sum;
}

static float row_squares(const float *x, size_t n, float center)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i += SUM_BLOCK)
        sum += block_squares(x + i, block_at(i, n), center);
    return sum;
}

static float row_sum_squares(const float *x, size_t n) { return row_squares(x, n, 0.0f); }

static float row_sum_abs(const float *x, size_t n)
{
    float sum = 0.0f;
    for (size_t i = 0; i < n; i += SUM_BLOCK)
        sum += block_abs(x + i, block_at(i, n));
    return sum;
}

/* Maps floats to integers in the same order, and back. Compilers vectorise the extreme of
 * integers without being told to forget about NaNs. */
static inline int32_t float_order(float x)
{
    int32_t bits = (int32_t)float_bits(x);
    return bits ^ (bits >> 31 & 0x7fffffff);
}

static inline float order_float(int32_t order)
{
    return bits_float((uint32_t)(order ^ (order >> 31 & 0x7fffffff)));
}

/* The largest element. A NaN is either returned or passed over. */
static inline float row_peak(const float *x, size_t n)
{
    int32_t a = float_order(-INFINITY), b = a;
    size_t h = n / 2;
#pragma omp simd reduction(max : a, b)
    for (size_t i = 0; i < h; i++) {
        int32_t s = float_order(x[i]), t = float_order(x[h + i]);
        a = s > a ? s : a;
        b = t > b ? t : b;
    }
    float rest = n % 2 ? x[n - 1] : -INFINITY;
    float peak = order_float(a > b ? a : b);
    return rest > peak ? rest : peak;
}

static inline int row_has_nan(const float *x, size_t n)
{
    int found = 0;
#pragma omp simd reduction(| : found)
    for (size_t i = 0; i < n; i++)
        found |= x[i] != x[i];
    return found;
}

static float row_max(const float *x, size_t n) { return row_has_nan(x, n) ? NAN : row_peak(x, n); }

static float row_min(const float *x, size_t n)
{
    int32_t low = float_order(INFINITY);
#pragma omp simd reduction(min : low)
    for (size_t i = 0; i < n; i++) {
        int32_t s = float_order(x[i]);
        low = s < low ? s : low;
    }
    return row_has_nan(x, n) ? NAN : order_float(low);
}

static void into_sum(float *total, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        total[i] += x[i];
}

static void into_sum_squares(float *total, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        total[i] += x[i] * x[i];
}

static void into_sum_abs(float *total, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        total[i] += fabsf(x[i]);
}

static void into_max(float *total, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        total[i] = total[i] > x[i] || total[i] != total[i] ? total[i] : x[i];
}

static void into_min(float *total, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        total[i] = total[i] < x[i] || total[i] != total[i] ? total[i] : x[i];
}

/* ReduceMean, ReduceL2 and their like are one of these and a step on the result. */
// clang-format off
static const cpu_fold_row fold_rows[] = {
    {"ReduceSum", 0.0f, row_sum, into_sum, into_sum},
    {"ReduceMean", 0.0f, row_sum, into_sum, into_sum},
    {"ReduceMax", -INFINITY, row_max, into_max, into_max},
    {"ReduceMin", INFINITY, row_min, into_min, into_min},
    {"ReduceL1", 0.0f, row_sum_abs, into_sum_abs, into_sum},
    {"ReduceL2", 0.0f, row_sum_squares, into_sum_squares, into_sum},
    {"ReduceSumSquare", 0.0f, row_sum_squares, into_sum_squares, into_sum},
    {NULL, 0.0f, NULL, NULL, NULL},
};
// clang-format on

static void row_affine(float *y, const float *x, size_t n, float a, float b)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = a * x[i] + b;
}

static void row_axpy(float *y, const float *x, size_t n, float a)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static inline void row_scale(float *y, const float *x, size_t n, float center, float factor,
                             const float *scale, const float *bias)
{
    if (scale && bias) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - center) * factor * scale[i] + bias[i];
    } else if (scale) {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - center) * factor * scale[i];
    } else {
#pragma omp simd
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - center) * factor;
    }
}

static void row_layer_norm(float *y, const float *x, size_t n, const float *scale,
                           const float *bias, float epsilon, float stats[2])
{
    float mean = row_sum(x, n) / (float)n;
    float factor = 1.0f / sqrtf(row_squares(x, n, mean) / (float)n + epsilon);
    row_scale(y, x, n, mean, factor, scale, bias);
    stats[0] = mean;
    stats[1] = factor;
}

static void row_rms_norm(float *y, const float *x, size_t n, const float *scale, const float *bias,
                         float epsilon, float stats[2])
{
    float factor = 1.0f / sqrtf(row_squares(x, n, 0.0f) / (float)n + epsilon);
    row_scale(y, x, n, 0.0f, factor, scale, bias);
    stats[0] = 0.0f;
    stats[1] = factor;
}

#endif
