/* The products of tiled attention for few query rows (a decoder's single token): vectors run along
 * the channels, so that keys and values are read as they lie at the full speed of memory, and no
 * lanes are wasted on rows that are not there. Keys, values and queries are padded with zeros to
 * whole vectors. Scores and weights are s[row][key]. */
#ifndef CPU_LANES_FLASH_FEW_H
#define CPU_LANES_FLASH_FEW_H

#include "lanes/flash_vector.h"

/* Sums that registers hold beside what they are made of. */
#if defined(__AVX512F__)
enum { FEW_SUMS = 16 };
#else
enum { FEW_SUMS = 8 };
#endif

/* sum[j] += q k[j] over some vectors of channels; at the end of the keys the last one is repeated.
 * Rows of keys are read in long runs, which memory likes. */
FLASH_INLINE void few_products(lane_f sum[LANES], size_t vectors, const float *q, const float *k,
                               size_t k_row, size_t keys)
{
    lane_f x[4];
    FLASH_UNROLL
    for (size_t c = 0; c < vectors; c++)
        x[c] = lane_load(q + c * LANES);
    FLASH_UNROLL
    for (size_t j = 0; j < LANES; j++) {
        const float *row = k + (j < keys ? j : keys - 1) * k_row;
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[j] += lane_load(row + c * LANES) * x[c];
    }
}

/* The products of one query with LANES keys. */
FLASH_INLINE lane_f few_dots(const float *q, const float *k, size_t k_row, size_t keys, size_t d)
{
    lane_f sum[LANES];
    size_t i = 0;
    FLASH_UNROLL
    for (size_t j = 0; j < LANES; j++)
        sum[j] = (lane_f){0};
    for (; i + 4 * LANES <= d; i += 4 * LANES)
        few_products(sum, 4, q + i, k + i, k_row, keys);
    for (; i < d; i += LANES)
        few_products(sum, 1, q + i, k + i, k_row, keys);
    return lane_sums(sum);
}

/* s[row][key] = q[row][d] k[key][d]; keys up to a whole vector get -infinity. */
static void few_scores(float *s, size_t s_row, const float *k, size_t k_row, size_t keys,
                       const float *q, size_t d, size_t rows)
{
    for (size_t j = 0; j < keys; j += LANES)
        for (size_t r = 0; r < rows; r++) {
            const float *at = k + j * k_row;
            float *to = s + r * s_row + j;
            if (keys - j >= LANES) {
                lane_store(to, few_dots(q + r * d, at, k_row, LANES, d));
                continue;
            }
            lane_store(to, few_dots(q + r * d, at, k_row, keys - j, d));
            for (size_t i = keys - j; i < LANES; i++)
                to[i] = -INFINITY;
        }
}

/* The sum of all lanes, and the largest of lanes that are numbers: in halves, since a chain over
 * the lanes takes longer than all that is done to a row of few keys. */
#if defined(__AVX2__)
FLASH_INLINE __m256 lane_half(lane_f x, int upper)
{
#if defined(__AVX512F__)
    return upper ? _mm512_extractf32x8_ps((__m512)x, 1) : _mm512_castps512_ps256((__m512)x);
#else
    (void)upper;
    return (__m256)x;
#endif
}

FLASH_INLINE float lane_total(lane_f x)
{
    __m256 eight = lane_half(x, 0);
    if (LANES == 16)
        eight = _mm256_add_ps(eight, lane_half(x, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

FLASH_INLINE float lane_largest(lane_f x)
{
    __m256 eight = lane_half(x, 0);
    if (LANES == 16)
        eight = _mm256_max_ps(eight, lane_half(x, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
#else
FLASH_INLINE float lane_total(lane_f x) { return (x[0] + x[2]) + (x[1] + x[3]); }

FLASH_INLINE float lane_largest(lane_f x)
{
    float a = x[0] > x[2] ? x[0] : x[2], b = x[1] > x[3] ? x[1] : x[3];
    return a > b ? a : b;
}
#endif

/* The step of flash_weigh for one row of whole vectors. */
static void few_weigh_row(float *s, size_t keys, float *top, float *sum, float *alpha)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = *top;
    for (size_t j = 0; j < keys; j += LANES)
        most = lane_larger(lane_load(s + j), most);
    float largest = lane_largest(most);
    now = largest > now ? largest : now;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    for (size_t j = 0; j < keys; j += LANES) {
        lane_f weight = lane_exp_minus(lane_load(s + j) - base);
        lane_store(s + j, weight);
        total += weight;
    }
    *alpha = lane_exp_minus(lane_all(*top) - base)[0];
    *sum = *sum * *alpha + lane_total(total);
    *top = now;
}

static void few_weigh(float *s, size_t s_row, size_t keys, float *top, float *sum, float *alpha,
                      size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        few_weigh_row(s + r * s_row, keys, top + r, sum + r, alpha + r);
}

// clang-format off
/* Some rows and vectors of o = alpha o + p v. Few of them leave the multipliers waiting for each
 * other's sums: then keys are dealt out to `deep` sums. */
FLASH_INLINE void few_block(size_t rows, size_t vectors, size_t deep, float *o, size_t o_row,
                            const float *v, size_t v_row, const float *p, size_t p_row, size_t keys,
                            const float *alpha)
{
    lane_f sum[4][FEW_SUMS] = {{{0}}};
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[0][r * vectors + c] = lane_load(o + r * o_row + c * LANES) * alpha[r];
    size_t j = 0;
    for (; j + deep <= keys; j += deep)
        FLASH_UNROLL
        for (size_t u = 0; u < deep; u++)
            FLASH_UNROLL
            for (size_t c = 0; c < vectors; c++) {
                lane_f x = lane_load(v + (j + u) * v_row + c * LANES);
                FLASH_UNROLL
                for (size_t r = 0; r < rows; r++)
                    sum[u][r * vectors + c] += p[r * p_row + j + u] * x;
            }
    for (; j < keys; j++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            lane_f x = lane_load(v + j * v_row + c * LANES);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[0][r * vectors + c] += p[r * p_row + j] * x;
        }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            lane_f all = sum[0][r * vectors + c];
            FLASH_UNROLL
            for (size_t u = 1; u < deep; u++)
                all += sum[u][r * vectors + c];
            lane_store(o + r * o_row + c * LANES, all);
        }
}
// clang-format on

/* All columns of some rows. */
FLASH_INLINE void few_columns(size_t rows, float *o, const float *v, size_t v_row, size_t cols,
                              const float *p, size_t p_row, size_t keys, const float *alpha)
{
    size_t c = 0, deep = FEW_SUMS / 4 / rows < 1 ? 1 : FEW_SUMS / 4 / rows;
    if (rows == 1 && FEW_SUMS >= 16)
        for (; c + 8 * LANES <= cols; c += 8 * LANES)
            few_block(1, 8, 2, o + c, cols, v + c, v_row, p, p_row, keys, alpha);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        few_block(rows, 4, deep, o + c, cols, v + c, v_row, p, p_row, keys, alpha);
    for (; c < cols; c += LANES)
        few_block(rows, 1, 4, o + c, cols, v + c, v_row, p, p_row, keys, alpha);
}

/* o[row][col] = alpha o + p[row][key] v[key][col]. */
static void few_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                       size_t p_row, size_t keys, const float *alpha, size_t rows)
{
    size_t r = 0;
    for (; FEW_SUMS >= 16 && r + 4 <= rows; r += 4)
        few_columns(4, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys, alpha + r);
    for (; r + 2 <= rows; r += 2)
        few_columns(2, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys, alpha + r);
    for (; r < rows; r++)
        few_columns(1, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys, alpha + r);
}

/* Joins the state of the same rows over other keys; o[row][col]. */
static void few_join(float *o, float *top, float *sum, const float *o2, const float *top2,
                     const float *sum2, size_t cols, size_t rows)
{
    for (size_t r = 0; r < rows; r++, o += cols, o2 += cols) {
        float now = top2[r] > top[r] ? top2[r] : top[r];
        lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
        lane_f left = lane_exp_minus(lane_all(top[r]) - base);
        lane_f right = lane_exp_minus(lane_all(top2[r]) - base);
        top[r] = now;
        sum[r] = sum[r] * left[0] + sum2[r] * right[0];
        for (size_t c = 0; c < cols; c += LANES)
            lane_store(o + c, lane_load(o + c) * left + lane_load(o2 + c) * right);
    }
}

#endif
