/* Scores of additive attention: sum over d of w[d] * tanh(q[d] + k[d][j]), for a tile of keys whose
 * channels lie one after the other.
 *
 * tanh(x) = 1 - 2 / (e^2x + 1), and e^2(q+k) is a product: with the powers of queries and keys made
 * once, an element costs a multiplication and half a division, since two channels share one. That
 * holds while no power is large; where one is, the tanh itself is computed. */
#ifndef CPU_LANES_ADDITIVE_H
#define CPU_LANES_ADDITIVE_H

#include "lanes.h"
#include "lanes/math.h"

/* y = e^2x; the largest |x|, infinity when there is a NaN. */
static float additive_powers(float *y, const float *x, size_t n)
{
    float most = 0.0f, bad = 0.0f;
#pragma omp simd reduction(max : most) reduction(+ : bad)
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(x[i]);
        bad += a == a ? 0.0f : 1.0f;
        most = a > most ? a : most;
        y[i] = lane_exp(2.0f * x[i]);
    }
    return bad > 0.0f ? INFINITY : most;
}

/* Of powers; d is even, the width a multiple of 16. */
static void additive_fast(float *scores, const float *q, const float *w, const float *k, size_t d,
                          size_t width)
{
    float sum = 0.0f;
    for (size_t c = 0; c < d; c++)
        sum += w[c];
    for (size_t j = 0; j < width; j++)
        scores[j] = 0.0f;
    for (size_t c = 0; c < d; c += 2) {
        const float *k0 = k + c * width, *k1 = k0 + width;
        float q0 = q[c], q1 = q[c + 1], w0 = w[c], w1 = w[c + 1];
#pragma omp simd
        for (size_t j = 0; j < width; j++) {
            float a = q0 * k0[j] + 1.0f, b = q1 * k1[j] + 1.0f;
            scores[j] += (w0 * b + w1 * a) / (a * b);
        }
    }
#pragma omp simd
    for (size_t j = 0; j < width; j++)
        scores[j] = sum - 2.0f * scores[j];
}

static void additive_exact(float *scores, const float *q, const float *w, const float *k, size_t d,
                           size_t width)
{
    for (size_t j = 0; j < width; j++)
        scores[j] = 0.0f;
    for (size_t c = 0; c < d; c++) {
        const float *k0 = k + c * width;
        float q0 = q[c], w0 = w[c];
#pragma omp simd
        for (size_t j = 0; j < width; j++)
            scores[j] += w0 * lane_tanh(q0 + k0[j]);
    }
}

/* The same for keys as they lie, each with its channels in one run: for a query or two, powers that
 * are kept would not pay. */
static void additive_rows(float *scores, const float *q, const float *w, const float *k,
                          size_t k_row, size_t d, size_t n)
{
    for (size_t j = 0; j < n; j++, k += k_row) {
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < d; c++)
            sum += w[c] * (1.0f - 2.0f / (lane_exp(2.0f * (q[c] + k[c])) + 1.0f));
        scores[j] = sum;
    }
}

#endif
