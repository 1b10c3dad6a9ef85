/* The loops of tiled attention over a panel whose keys and values are side by side, of the blocks
 * of flash_block.h; and the online softmax. */
#ifndef CPU_LANES_FLASH_TILE_H
#define CPU_LANES_FLASH_TILE_H

#include "flash.h"
#include "lanes/flash_block.h"
#include "lanes/flash_few.h"
#include "lanes/flash_mask.h"
#include "lanes/flash_softmax.h"

// clang-format off
/* o[cols][rows] = alpha o + v[keys][cols]^T p[keys][rows], a register block of it; behind `keys`
 * come `more` for the last vector of rows alone. */
FLASH_INLINE void value_block(size_t cols, size_t vectors, float *o, const float *value,
                              size_t v_row, float *p, size_t keys, size_t more, const float *alpha,
                              weigher *w)
{
    lane_f sum[DEEP][2];
    value_rows x = {.at = value, .step = v_row};
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[c][v] = lane_load(o + (c * vectors + v) * LANES) * lane_load(alpha + v * LANES);
    value_sums(cols, vectors, sum, &x, false, p, keys, more, w);
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            lane_store(o + (c * vectors + v) * LANES, sum[c][v]);
}

/* The same of the first columns, where scores become weights: `base` and `sum` of each row. */
FLASH_INLINE void front_block(size_t cols, size_t vectors, float *o, const float *value,
                              size_t v_row, float *p, size_t keys, size_t more, const float *alpha,
                              const float *base, float *sum)
{
    weigher w = {.parts = NULL};
    FLASH_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        w.base[v] = lane_load(base + v * LANES);
        w.total[v] = (lane_f){0};
    }
    value_block(cols, vectors, o, value, v_row, p, keys, more, alpha, &w);
    FLASH_UNROLL
    for (size_t v = 0; v < vectors; v++)
        lane_store(sum + v * LANES, lane_load(sum + v * LANES) + w.total[v]);
}
// clang-format on

/* ---- Blocks of all depths ------------------------------------------------------------------- */

typedef void score_function(float *s, const float *const *k, size_t k_row, const float *q, size_t d,
                            float *most);
typedef void value_function(float *o, const float *value, size_t v_row, float *p, size_t keys,
                            size_t more, const float *alpha);
typedef void front_function(float *o, const float *value, size_t v_row, float *p, size_t keys,
                            size_t more, const float *alpha, const float *base, float *sum);

#define FLASH_SCORE(depth, low, vectors)                                                           \
    static void score_##depth##_##low##_##vectors(float *s, const float *const *k, size_t k_row,   \
                                                  const float *q, size_t d, float *most)           \
    {                                                                                              \
        score_block(depth, low, vectors, s, k, k_row, q, d, NULL, most);                           \
    }
#define FLASH_VALUE(depth, vectors)                                                                \
    static void value_##depth##_##vectors(float *o, const float *value, size_t v_row, float *p,    \
                                          size_t keys, size_t more, const float *alpha)            \
    {                                                                                              \
        value_block(depth, vectors, o, value, v_row, p, keys, more, alpha, NULL);                  \
    }
#define FLASH_FRONT(depth, vectors)                                                                \
    static void front_##depth##_##vectors(float *o, const float *value, size_t v_row, float *p,    \
                                          size_t keys, size_t more, const float *alpha,            \
                                          const float *base, float *sum)                           \
    {                                                                                              \
        front_block(depth, vectors, o, value, v_row, p, keys, more, alpha, base, sum);             \
    }

#define FLASH_BLOCKS(depth)                                                                        \
    FLASH_SCORE(depth, 0, 1)                                                                       \
    FLASH_SCORE(depth, 0, 2)                                                                       \
    FLASH_SCORE(depth, 1, 2) FLASH_VALUE(depth, 1) FLASH_VALUE(depth, 2)
#define FLASH_FRONTS(depth) FLASH_FRONT(depth, 1) FLASH_FRONT(depth, 2)

FLASH_DEPTHS(FLASH_BLOCKS)
FLASH_FRONT_DEPTHS(FLASH_FRONTS)

#define FLASH_SCORE_01(depth) score_##depth##_0_1,
#define FLASH_SCORE_02(depth) score_##depth##_0_2,
#define FLASH_SCORE_12(depth) score_##depth##_1_2,
#define FLASH_VALUE_1(depth)  value_##depth##_1,
#define FLASH_VALUE_2(depth)  value_##depth##_2,
#define FLASH_FRONT_1(depth)  front_##depth##_1,
#define FLASH_FRONT_2(depth)  front_##depth##_2,

// clang-format off
static score_function *const score_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(FLASH_SCORE_01)},
                                                          {NULL, FLASH_DEPTHS(FLASH_SCORE_02)}};
static score_function *const score_lasts[DEEP + 1] = {NULL, FLASH_DEPTHS(FLASH_SCORE_12)};
static value_function *const value_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(FLASH_VALUE_1)},
                                                          {NULL, FLASH_DEPTHS(FLASH_VALUE_2)}};
static front_function *const front_blocks[2][FRONT + 1] = {
    {NULL, FLASH_FRONT_DEPTHS(FLASH_FRONT_1)}, {NULL, FLASH_FRONT_DEPTHS(FLASH_FRONT_2)}};
// clang-format on

#undef FLASH_SCORE
#undef FLASH_VALUE
#undef FLASH_FRONT
#undef FLASH_BLOCKS
#undef FLASH_FRONTS
#undef FLASH_SCORE_01
#undef FLASH_SCORE_02
#undef FLASH_SCORE_12
#undef FLASH_VALUE_1
#undef FLASH_VALUE_2
#undef FLASH_FRONT_1
#undef FLASH_FRONT_2

static void score_all(score_function *const blocks[DEEP + 1], float *s, const float *k,
                      size_t k_row, size_t keys, const float *q, size_t d, size_t vectors,
                      float *most)
{
    while (keys) {
        size_t depth = next_part(keys);
        const float *at[2 * DEEP];
        FLASH_UNROLL
        for (size_t j = 0; j < DEEP; j += GROUP) {
            at[j] = k + j * k_row;
            at[DEEP + j] = k + (depth + j) * k_row;
        }
        blocks[depth](s, at, k_row, q, d, most);
        s += depth * vectors * LANES;
        k += depth * k_row;
        keys -= depth;
    }
}

static void flash_scores(float *s, const float *k, size_t k_row, size_t keys, size_t more,
                         const float *q, size_t d, size_t vectors, float *most)
{
    score_all(score_blocks[vectors - 1], s, k, k_row, keys, q, d, vectors, most);
    if (more)
        score_all(score_lasts, s + keys * vectors * LANES, k + keys * k_row, k_row, more, q, d,
                  vectors, most);
}

static void flash_values(float *o, const float *v, size_t v_row, size_t cols, float *p, size_t keys,
                         size_t more, const float *alpha, const float *base, float *sum,
                         size_t vectors)
{
    size_t depth = cols < FRONT ? cols : FRONT;
    front_blocks[vectors - 1][depth](o, v, v_row, p, keys, more, alpha, base, sum);
    while (cols -= depth) {
        o += depth * vectors * LANES;
        v += depth;
        depth = next_part(cols);
        value_blocks[vectors - 1][depth](o, v, v_row, p, keys, more, alpha);
    }
}

/* ---- Softmax -------------------------------------------------------------------------------- */

/* The largest of scores, and of what `most` has already; NaN is none. */
static void flash_tops(float *most, const float *s, size_t keys, size_t more, size_t vectors)
{
    for (size_t v = 0; v < vectors; v++) {
        size_t n = v + 1 == vectors ? keys + more : keys;
        lane_f top = column_top(s + v * LANES, n, vectors);
        lane_store(most + v * LANES, lane_larger(top, lane_load(most + v * LANES)));
    }
}

/* A step of the online softmax, before its weights: alpha is what earlier weights are multiplied
 * with, `most`, the largest scores of the tile, becomes what its scores are taken relative to. A
 * row whose scores are all -infinity keeps weights of 0 and so a sum of 0; a NaN, or +infinity,
 * makes the sum a NaN. */
static void flash_rise(float *most, float *top, float *sum, float *alpha, size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f old = lane_load(top + v), now = lane_larger(lane_load(most + v), old);
        lane_i none = now == -INFINITY;
        lane_f base = (lane_f)((lane_i)now & ~none), factor = lane_exp_minus(old - base);
        lane_store(top + v, now);
        lane_store(most + v, base);
        lane_store(alpha + v, factor);
        lane_store(sum + v, lane_load(sum + v) * factor);
    }
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
