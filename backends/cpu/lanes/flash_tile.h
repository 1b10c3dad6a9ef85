/* The loops of tiled attention over a panel: one or two vectors of query rows, one row a lane.
 *
 * Scores and weights of a tile are held transposed, s[key][row], and so are queries, q[d][row], and
 * sums of values, o[column][row]. Then keys and values are read where they lie, one element for
 * all rows; the largest score and the sum of weights of a row need no work across lanes; and a mask
 * that differs from row to row is a comparison of vectors. */
#ifndef CPU_LANES_FLASH_TILE_H
#define CPU_LANES_FLASH_TILE_H

#include "flash.h"
#include "lanes/flash_few.h"
#include "lanes/flash_mask.h"
#include "lanes/flash_softmax.h"
#include "lanes/flash_vector.h"

/* ---- Products ------------------------------------------------------------------------------- */

// clang-format off
/* s[keys][rows] = k[keys][d] q[d][rows], a register block of it. */
FLASH_INLINE void score_block(size_t keys, size_t vectors, float *s, const float *k, size_t k_row,
                              const float *q, size_t d)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[j][v] = (lane_f){0};
    for (size_t i = 0; i < d; i++) {
        lane_f row[2];
        for (size_t j = 0; j < keys && i % LINE == 0; j++)
            __builtin_prefetch(k + (keys + j) * k_row + i);
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            row[v] = lane_load(q + (i * vectors + v) * LANES);
        FLASH_UNROLL
        for (size_t j = 0; j < keys; j++)
            FLASH_UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[j][v] += k[j * k_row + i] * row[v];
    }
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            lane_store(s + (j * vectors + v) * LANES, sum[j][v]);
}

/* o[cols][rows] = alpha o + v[keys][cols]^T p[keys][rows], a register block of it. */
FLASH_INLINE void value_block(size_t cols, size_t vectors, float *o, const float *value,
                              size_t v_row, const float *p, size_t keys, const float *alpha)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[c][v] = lane_load(o + (c * vectors + v) * LANES) * lane_load(alpha + v * LANES);
    for (size_t j = 0; j < keys; j++) {
        lane_f row[2];
        __builtin_prefetch(value + (j + AHEAD) * v_row);
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            row[v] = lane_load(p + (j * vectors + v) * LANES);
        FLASH_UNROLL
        for (size_t c = 0; c < cols; c++)
            FLASH_UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[c][v] += value[j * v_row + c] * row[v];
    }
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            lane_store(o + (c * vectors + v) * LANES, sum[c][v]);
}
// clang-format on

typedef void score_function(float *s, const float *k, size_t k_row, const float *q, size_t d);
typedef void value_function(float *o, const float *value, size_t v_row, const float *p, size_t keys,
                            const float *alpha);

#define FLASH_BLOCK(depth, vectors)                                                                \
    static void score_##depth##_##vectors(float *s, const float *k, size_t k_row, const float *q,  \
                                          size_t d)                                                \
    {                                                                                              \
        score_block(depth, vectors, s, k, k_row, q, d);                                            \
    }                                                                                              \
    static void value_##depth##_##vectors(float *o, const float *value, size_t v_row,              \
                                          const float *p, size_t keys, const float *alpha)         \
    {                                                                                              \
        value_block(depth, vectors, o, value, v_row, p, keys, alpha);                              \
    }

#define FLASH_BLOCKS(depth)  FLASH_BLOCK(depth, 1) FLASH_BLOCK(depth, 2)
#define FLASH_SCORE_1(depth) score_##depth##_1,
#define FLASH_SCORE_2(depth) score_##depth##_2,
#define FLASH_VALUE_1(depth) value_##depth##_1,
#define FLASH_VALUE_2(depth) value_##depth##_2,

FLASH_DEPTHS(FLASH_BLOCKS)

// clang-format off
static score_function *const score_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(FLASH_SCORE_1)},
                                                          {NULL, FLASH_DEPTHS(FLASH_SCORE_2)}};
static value_function *const value_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(FLASH_VALUE_1)},
                                                          {NULL, FLASH_DEPTHS(FLASH_VALUE_2)}};
// clang-format on

#undef FLASH_BLOCK
#undef FLASH_BLOCKS
#undef FLASH_SCORE_1
#undef FLASH_SCORE_2
#undef FLASH_VALUE_1
#undef FLASH_VALUE_2

static void flash_scores(float *s, const float *k, size_t k_row, size_t keys, const float *q,
                         size_t d, size_t vectors)
{
    while (keys) {
        size_t depth = next_part(keys);
        score_blocks[vectors - 1][depth](s, k, k_row, q, d);
        s += depth * vectors * LANES;
        k += depth * k_row;
        keys -= depth;
    }
}

static void flash_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                         size_t keys, const float *alpha, size_t vectors)
{
    while (cols) {
        size_t depth = next_part(cols);
        value_blocks[vectors - 1][depth](o, v, v_row, p, keys, alpha);
        o += depth * vectors * LANES;
        v += depth;
        cols -= depth;
    }
}

/* ---- Softmax -------------------------------------------------------------------------------- */

/* Scores become weights relative to the largest score so far; returns their sum. */
FLASH_INLINE lane_f column_weights(float *s, size_t keys, size_t vectors, lane_f top)
{
    lane_f even = {0}, odd = {0};
    size_t step = vectors * LANES, j = 0;
    for (; j + 2 <= keys; j += 2) {
        lane_f a = lane_exp_minus(lane_load(s + j * step) - top);
        lane_f b = lane_exp_minus(lane_load(s + (j + 1) * step) - top);
        lane_store(s + j * step, a);
        lane_store(s + (j + 1) * step, b);
        even += a;
        odd += b;
    }
    if (j < keys) {
        lane_f a = lane_exp_minus(lane_load(s + j * step) - top);
        lane_store(s + j * step, a);
        even += a;
    }
    return even + odd;
}

static void flash_weigh(float *s, size_t keys, float *top, float *sum, float *alpha, size_t vectors)
{
    weigh_columns(s, keys, top, sum, alpha, vectors, column_weights);
}

/* Joins the state of the same rows over other keys; o[cols][rows]. */
static void flash_join(float *o, float *top, float *sum, const float *o2, const float *top2,
                       const float *sum2, size_t cols, size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f a = lane_load(top + v), b = lane_load(top2 + v), now = lane_larger(a, b);
        lane_i none = now == -INFINITY;
        lane_f base = (lane_f)((lane_i)now & ~none);
        lane_f left = lane_exp_minus(a - base), right = lane_exp_minus(b - base);
        lane_store(top + v, now);
        lane_store(sum + v, lane_load(sum + v) * left + lane_load(sum2 + v) * right);
        for (size_t c = 0; c < cols; c++) {
            size_t at = c * vectors * LANES + v;
            lane_store(o + at, lane_load(o + at) * left + lane_load(o2 + at) * right);
        }
    }
}

static void flash_cap(float *s, size_t n, float cap)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        s[i] = lane_tanh(s[i] / cap) * cap;
}

#endif
