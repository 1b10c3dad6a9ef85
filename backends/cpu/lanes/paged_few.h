/* Paged attention for few query rows (a decoder's tokens): vectors run along the keys for scores,
 * which takes squares of keys turned in registers, and along the channels for values. So a score is
 * one chain over the channels, and a sum of values one chain over the keys, as where rows are many;
 * and memory is the slower one all the same. */
#ifndef CPU_LANES_PAGED_FEW_H
#define CPU_LANES_PAGED_FEW_H

#include "lanes/flash_vector.h"
#include "paged.h"

/* Rows whose sums registers hold beside a square, and beside a row of values. */
#if defined(__AVX512F__)
enum { PAGED_SCORE_ROWS = 8, PAGED_VALUE_ROWS = 4 };
#else
enum { PAGED_SCORE_ROWS = 4, PAGED_VALUE_ROWS = 2 };
#endif

/* ---- Scores --------------------------------------------------------------------------------- */

// clang-format off
/* LANES keys; behind `keys` the last one is repeated. */
FLASH_INLINE void paged_square(size_t rows, float *s, size_t s_row, const float *k, size_t k_row,
                               size_t keys, const float *q, size_t d)
{
    lane_f sum[PAGED_SCORE_ROWS];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[r] = (lane_f){0};
    for (size_t i = 0; i < d; i += LANES) {
        lane_f x[LANES];
        FLASH_UNROLL
        for (size_t j = 0; j < LANES; j++)
            x[j] = lane_load(k + (j < keys ? j : keys - 1) * k_row + i);
        lane_turn(x);
        FLASH_UNROLL
        for (size_t c = 0; c < LANES; c++)
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r] += q[r * d + i + c] * x[c];
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        lane_store(s + r * s_row, sum[r]);
}
// clang-format on

FLASH_INLINE void paged_squares(size_t rows, float *s, size_t s_row, const float *k, size_t k_row,
                                size_t keys, const float *q, size_t d)
{
    size_t j = 0;
    for (; j + LANES <= keys; j += LANES)
        paged_square(rows, s + j, s_row, k + j * k_row, k_row, LANES, q, d);
    if (j < keys)
        paged_square(rows, s + j, s_row, k + j * k_row, k_row, keys - j, q, d);
}

typedef void paged_square_function(float *s, size_t s_row, const float *k, size_t k_row,
                                   size_t keys, const float *q, size_t d);

#define PAGED_SQUARES(rows)                                                                        \
    static void paged_squares_##rows(float *s, size_t s_row, const float *k, size_t k_row,         \
                                     size_t keys, const float *q, size_t d)                        \
    {                                                                                              \
        paged_squares(rows, s, s_row, k, k_row, keys, q, d);                                       \
    }

// clang-format off
PAGED_SQUARES(1) PAGED_SQUARES(2) PAGED_SQUARES(3) PAGED_SQUARES(4)
#if defined(__AVX512F__)
PAGED_SQUARES(5) PAGED_SQUARES(6) PAGED_SQUARES(7) PAGED_SQUARES(8)
#endif

static paged_square_function *const paged_square_rows[PAGED_SCORE_ROWS + 1] = {
    NULL, paged_squares_1, paged_squares_2, paged_squares_3, paged_squares_4,
#if defined(__AVX512F__)
    paged_squares_5, paged_squares_6, paged_squares_7, paged_squares_8,
#endif
};
// clang-format on

#undef PAGED_SQUARES

static void keyed_scores(float *s, size_t s_row, const float *k, size_t k_row, size_t keys,
                         const float *q, size_t d, size_t rows)
{
    while (rows) {
        size_t n = rows < PAGED_SCORE_ROWS ? rows : PAGED_SCORE_ROWS;
        paged_square_rows[n](s, s_row, k, k_row, keys, q, d);
        s += n * s_row;
        q += n * d;
        rows -= n;
    }
}

/* ---- Weights -------------------------------------------------------------------------------- */

static float keyed_weigh(float *s, size_t keys, float *top)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = -INFINITY, sum = 0.0f;
    for (size_t j = 0; j < keys; j += LANES)
        most = lane_larger(lane_load(s + j), most);
    for (size_t i = 0; i < LANES; i++)
        now = most[i] > now ? most[i] : now;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    for (size_t j = 0; j < keys; j += LANES) {
        lane_f weight = lane_exp_minus(lane_load(s + j) - base);
        lane_store(s + j, weight);
        total += weight;
    }
    for (size_t i = 0; i < LANES; i++)
        sum += total[i];
    *top = now;
    return sum;
}

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o += p v for some rows and vectors. */
FLASH_INLINE void paged_columns(size_t rows, size_t vectors, float *o, size_t o_row, const float *v,
                                size_t v_row, const float *p, size_t p_row, size_t keys)
{
    lane_f sum[16];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r * vectors + c] = lane_load(o + r * o_row + c * LANES);
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            lane_f x = lane_load(v + j * v_row + c * LANES);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r * vectors + c] += p[r * p_row + j] * x;
        }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            lane_store(o + r * o_row + c * LANES, sum[r * vectors + c]);
}
// clang-format on

FLASH_INLINE void paged_row_values(size_t rows, float *o, const float *v, size_t v_row, size_t cols,
                                   const float *p, size_t p_row, size_t keys)
{
    size_t c = 0;
    if (PAGED_VALUE_ROWS >= 4 && rows <= 2)
        for (; c + 8 * LANES <= cols; c += 8 * LANES)
            paged_columns(rows, 8, o + c, cols, v + c, v_row, p, p_row, keys);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        paged_columns(rows, 4, o + c, cols, v + c, v_row, p, p_row, keys);
    for (; c < cols; c += LANES)
        paged_columns(rows, 1, o + c, cols, v + c, v_row, p, p_row, keys);
}

static void keyed_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                         size_t p_row, size_t keys, size_t rows)
{
    size_t r = 0;
    for (; PAGED_VALUE_ROWS >= 4 && r + 4 <= rows; r += 4)
        paged_row_values(4, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys);
    for (; PAGED_VALUE_ROWS >= 4 && r + 3 <= rows; r += 3)
        paged_row_values(3, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys);
    for (; r + 2 <= rows; r += 2)
        paged_row_values(2, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys);
    for (; r < rows; r++)
        paged_row_values(1, o + r * cols, v, v_row, cols, p + r * p_row, p_row, keys);
}

/* One row, as paged_join_columns has it. */
static void keyed_join(float *o, float *top, float *sum, const float *o2, float top2, float sum2,
                       size_t cols)
{
    float now = top2 > *top ? top2 : *top;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    lane_f alpha = lane_exp_minus(lane_all(*top) - base);
    lane_f beta = lane_exp_minus(lane_all(top2) - base);
    *top = now;
    *sum = lane_fma(lane_all(*sum), alpha, lane_all(sum2) * beta)[0];
    for (size_t c = 0; c < cols; c += LANES)
        lane_store(o + c, lane_fma(lane_load(o + c), alpha, lane_load(o2 + c) * beta));
}

/* ---- Pages of int8 -------------------------------------------------------------------------- */

/* round(127 x / m) for the largest magnitude m, beside m / 127. Halves go to even numbers, as the
 * sum with ROUND_MAGIC has them. */
static float paged_narrow8(int8_t *to, const float *x, size_t n)
{
    float most = 0.0f, odd = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        most = size > most ? size : most;
        odd = x[i] != x[i] ? x[i] : odd;
    }
    float each = 127.0f / most;
    bool zero = !(most > 0.0f) || !(each < INFINITY) || !(most < INFINITY) || odd != odd;
    for (size_t i = 0; i < n; i++) {
        float y = zero ? 0.0f : x[i] * each;
        to[i] = (int8_t)(int32_t)((y + ROUND_MAGIC) - ROUND_MAGIC);
    }
    return odd != odd ? odd : most / 127.0f;
}

static void paged_widen8(float *to, const int8_t *x, size_t n, float scale)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = (float)x[i] * scale;
}

#endif
