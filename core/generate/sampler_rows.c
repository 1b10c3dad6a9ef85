/* sampler_rows.c - passes over a vocabulary, written so that compilers make vector code of them.
 *
 * Blocks let later passes skip most of a row, and give sums an order that depends on nothing but
 * the length. exp is our own: the libraries' differ in their last bits, and then a seed would not
 * mean the same tokens everywhere. */
#include <string.h>

#include "generate/sampler_parts.h"

enum { LANES = 16 };

size_t row_block(size_t n)
{
    size_t each = (n + ROW_BLOCKS - 1) / ROW_BLOCKS;
    return (each + LANES - 1) / LANES * LANES;
}

static float larger(float a, float b) { return a > b ? a : b; /* b when a is NaN */ }

static float block_top(const float *x, size_t n)
{
    float lane[LANES], top = -INFINITY;
    size_t i = 0;
    for (size_t j = 0; j < LANES; j++)
        lane[j] = -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] = larger(x[i + j], lane[j]);
    for (; i < n; i++)
        top = larger(x[i], top);
    for (size_t j = 0; j < LANES; j++)
        top = larger(lane[j], top);
    return top;
}

static double block_sum(const float *x, size_t n)
{
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += (double)x[i + j];
    for (; i < n; i++)
        sum += (double)x[i];
    for (size_t j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

static size_t shorter(size_t a, size_t b) { return a < b ? a : b; }

size_t row_tops(const float *x, size_t n, float tops[ROW_BLOCKS])
{
    size_t each = row_block(n), blocks = 0;
    for (size_t i = 0; i < n; i += each)
        tops[blocks++] = block_top(x + i, shorter(each, n - i));
    return blocks;
}

float row_top(const float *tops, size_t blocks) { return block_top(tops, blocks); }

double row_sums(const float *x, size_t n, double sums[ROW_BLOCKS])
{
    size_t each = row_block(n), blocks = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i += each)
        sum += sums[blocks++] = block_sum(x + i, shorter(each, n - i));
    return sum;
}

/* exp(x) for x <= 0 within 2^-23 of itself; 0 below -85 and for NaN. x = n ln 2 + r, |r| <= ln 2 /
 * 2; n is rounded by adding 1.5 * 2^23, whose last bits then hold it. */
static inline float exp_below(float x)
{
    const float rounder = 12582912.0f;
    float t = x * 1.44269502f + rounder, n = t - rounder, scale;
    float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;
    float p = 0.00137449265f;
    p = p * r + 0.00837348122f;
    p = p * r + 0.0416701585f;
    p = p * r + 0.166664749f;
    p = p * r + 0.499999821f;
    p = (p * r) * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &t, sizeof(bits));
    bits = (bits + 127u) << 23;
    memcpy(&scale, &bits, sizeof(scale));
    return x >= -85.0f ? p * scale : 0.0f;
}

void row_weights(const float *x, size_t n, float top, float temperature, float *out)
{
    if (top == INFINITY) { /* infinitely more likely than the others, and equally so */
        for (size_t i = 0; i < n; i++)
            out[i] = x[i] == INFINITY ? 1.0f : 0.0f;
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = exp_below((x[i] - top) / temperature);
}

double row_weight_sum(const float *x, size_t n, float top)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += ROW_BLOCKS) {
        float weights[ROW_BLOCKS];
        size_t m = shorter(ROW_BLOCKS, n - i);
        row_weights(x + i, m, top, 1.0f, weights);
        sum += block_sum(weights, m);
    }
    return sum;
}
