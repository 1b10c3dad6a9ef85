/* Softmax and its logarithm over one row. Rows of a few vectors have loops of their own: they would
 * be all remainder in loops over any length, and a model's short sequences are made of such rows.
 */
#ifndef CPU_LANES_ROW_SOFTMAX_H
#define CPU_LANES_ROW_SOFTMAX_H

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#include "lanes/rows.h"

/* ---- Short rows, padded to whole blocks with what has no weight ------------------------------ */

enum { SHORT_BLOCK = 16, SHORT_ROW = 4 * SHORT_BLOCK };

/* A whole block from n < SHORT_BLOCK elements. */
static inline void short_load(float *to, const float *x, size_t n)
{
#if defined(__AVX512F__)
    __mmask16 some = (__mmask16)((1u << n) - 1);
    _mm512_storeu_ps(to, _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), some, x));
#else
#pragma omp simd
    for (size_t i = 0; i < SHORT_BLOCK; i++)
        to[i] = i < n ? x[i] : -INFINITY;
#endif
}

/* Two stores that overlap: a masked one would reach into the next row, whose load, where y is x,
 * then waits until it is done. */
static inline void short_store(float *to, const float *x, size_t n)
{
    if (n >= 8) {
        __builtin_memcpy(to, x, 8 * sizeof(*to));
        __builtin_memcpy(to + n - 8, x + n - 8, 8 * sizeof(*to));
    } else if (n >= 4) {
        __builtin_memcpy(to, x, 4 * sizeof(*to));
        __builtin_memcpy(to + n - 4, x + n - 4, 4 * sizeof(*to));
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = x[i];
    }
}

static inline float short_peak(const float *t, size_t n)
{
    int32_t peaks[SHORT_BLOCK], most = float_order(-INFINITY);
    for (size_t i = 0; i < SHORT_BLOCK; i++)
        peaks[i] = most;
    for (size_t v = 0; v < n; v += SHORT_BLOCK)
#pragma omp simd
        for (size_t i = 0; i < SHORT_BLOCK; i++) {
            int32_t s = float_order(t[v + i]);
            peaks[i] = s > peaks[i] ? s : peaks[i];
        }
#pragma omp simd reduction(max : most)
    for (size_t i = 0; i < SHORT_BLOCK; i++)
        most = peaks[i] > most ? peaks[i] : most;
    return order_float(most);
}

/* Elements become e^(t - peak); returns their sum. */
static inline float short_weigh(float *t, size_t n, float peak)
{
    float sums[SHORT_BLOCK] = {0}, sum = 0.0f;
    for (size_t v = 0; v < n; v += SHORT_BLOCK)
#pragma omp simd
        for (size_t i = 0; i < SHORT_BLOCK; i++) {
            t[v + i] = lane_exp_negative(t[v + i] - peak);
            sums[i] += t[v + i];
        }
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < SHORT_BLOCK; i++)
        sum += sums[i];
    return sum;
}

static void short_softmax(float *y, const float *x, size_t n)
{
    float t[SHORT_ROW] __attribute__((aligned(64)));
    size_t whole = n / SHORT_BLOCK * SHORT_BLOCK, end = whole;
    for (size_t v = 0; v < whole; v += SHORT_BLOCK)
        __builtin_memcpy(t + v, x + v, SHORT_BLOCK * sizeof(*t));
    if (whole < n) {
        short_load(t + whole, x + whole, n - whole);
        end += SHORT_BLOCK;
    }
    float scale = 1.0f / short_weigh(t, end, short_peak(t, end));
#pragma omp simd
    for (size_t i = 0; i < end; i++)
        t[i] *= scale;
    for (size_t v = 0; v < whole; v += SHORT_BLOCK)
        __builtin_memcpy(y + v, t + v, SHORT_BLOCK * sizeof(*t));
    if (whole < n)
        short_store(y + whole, t + whole, n - whole);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* A row with a NaN, with +infinity, or of -infinity alone becomes NaN, as the arithmetic of the
 * definition gives: the exponentials carry it into the sum. */
static void row_softmax(float *y, const float *x, size_t n)
{
    if (n <= SHORT_ROW) {
        short_softmax(y, x, n);
        return;
    }
    float peak = row_peak(x, n);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = lane_exp_negative(x[i] - peak);
    float scale = 1.0f / row_sum(y, n);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

static void row_log_softmax(float *y, const float *x, size_t n)
{
    float peak = row_peak(x, n);
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += lane_exp_negative(x[i] - peak);
    float shift = lane_log(sum);
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - peak) - shift;
}

#endif
