/* Paged attention over a panel of rows, one row a lane, as in flash_tile.h, whose scores it takes.
 * A tile's weights are relative to its own largest score, and its values are summed from 0 and
 * joined to what was there at the end of a register block. */
#ifndef CPU_LANES_PAGED_MANY_H
#define CPU_LANES_PAGED_MANY_H

#include "lanes/flash_softmax.h"
#include "lanes/paged_few.h"

/* ---- Weights -------------------------------------------------------------------------------- */

/* Sums by the key's place among LANES, then over these in order. */
FLASH_INLINE lane_f paged_weights(float *s, size_t keys, size_t step, lane_f base)
{
    lane_f part[LANES], total = {0};
    size_t j = 0;
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        part[i] = (lane_f){0};
    for (; j + LANES <= keys; j += LANES)
        FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++) {
        lane_f weight = lane_exp_minus(lane_load(s + (j + i) * step) - base);
        lane_store(s + (j + i) * step, weight);
        part[i] += weight;
    }
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        if (j + i < keys) {
            lane_f weight = lane_exp_minus(lane_load(s + (j + i) * step) - base);
            lane_store(s + (j + i) * step, weight);
            part[i] += weight;
        }
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        total += part[i];
    return total;
}

FLASH_INLINE lane_f paged_base(lane_f top)
{
    lane_i none = top == -INFINITY;
    return (lane_f)((lane_i)top & ~none);
}

static void paged_weigh(float *s, size_t keys, float *top, float *sum, float *alpha, float *beta,
                        size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f old = lane_load(top + v), own = column_top(s + v, keys, vectors);
        lane_f now = lane_larger(own, old), base = paged_base(now);
        lane_f total = paged_weights(s + v, keys, vectors * LANES, paged_base(own));
        lane_f left = lane_exp_minus(old - base), right = lane_exp_minus(own - base);
        lane_store(top + v, now);
        lane_store(alpha + v, left);
        lane_store(beta + v, right);
        lane_store(sum + v, lane_fma(lane_load(sum + v), left, total * right));
    }
}

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o[cols][rows] = alpha o + beta v[keys][cols]^T p[keys][rows], a register block of it. */
FLASH_INLINE void paged_block(size_t cols, size_t vectors, float *o, const float *value,
                              size_t v_row, const float *p, size_t keys, const float *alpha,
                              const float *beta)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[c][v] = (lane_f){0};
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
        for (size_t v = 0; v < vectors; v++) {
            float *at = o + (c * vectors + v) * LANES;
            lane_f more = sum[c][v] * lane_load(beta + v * LANES);
            lane_store(at, lane_fma(lane_load(at), lane_load(alpha + v * LANES), more));
        }
}
// clang-format on

typedef void paged_block_function(float *o, const float *value, size_t v_row, const float *p,
                                  size_t keys, const float *alpha, const float *beta);

#define PAGED_BLOCK_OF(depth, vectors)                                                             \
    static void paged_##depth##_##vectors(float *o, const float *value, size_t v_row,              \
                                          const float *p, size_t keys, const float *alpha,         \
                                          const float *beta)                                       \
    {                                                                                              \
        paged_block(depth, vectors, o, value, v_row, p, keys, alpha, beta);                        \
    }
#define PAGED_BLOCKS(depth) PAGED_BLOCK_OF(depth, 1) PAGED_BLOCK_OF(depth, 2)

// clang-format off
PAGED_BLOCKS(1) PAGED_BLOCKS(2) PAGED_BLOCKS(3) PAGED_BLOCKS(4) PAGED_BLOCKS(5) PAGED_BLOCKS(6)
#if defined(__AVX512F__)
PAGED_BLOCKS(7) PAGED_BLOCKS(8) PAGED_BLOCKS(9) PAGED_BLOCKS(10) PAGED_BLOCKS(11) PAGED_BLOCKS(12)
#endif

static paged_block_function *const paged_blocks[2][DEEP + 1] = {
    {NULL, paged_1_1, paged_2_1, paged_3_1, paged_4_1, paged_5_1, paged_6_1,
#if defined(__AVX512F__)
     paged_7_1, paged_8_1, paged_9_1, paged_10_1, paged_11_1, paged_12_1,
#endif
    },
    {NULL, paged_1_2, paged_2_2, paged_3_2, paged_4_2, paged_5_2, paged_6_2,
#if defined(__AVX512F__)
     paged_7_2, paged_8_2, paged_9_2, paged_10_2, paged_11_2, paged_12_2,
#endif
    },
};
// clang-format on

#undef PAGED_BLOCK_OF
#undef PAGED_BLOCKS

static void paged_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                         size_t keys, const float *alpha, const float *beta, size_t vectors)
{
    while (cols) {
        size_t depth = next_part(cols);
        paged_blocks[vectors - 1][depth](o, v, v_row, p, keys, alpha, beta);
        o += depth * vectors * LANES;
        v += depth;
        cols -= depth;
    }
}

static void paged_values_apart(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                               size_t keys, const float *alpha, const float *beta, size_t vectors,
                               const int32_t *low, const int32_t *high, int32_t first)
{
    for (size_t c = 0; c < cols; c++)
        for (size_t u = 0; u < vectors * LANES; u += LANES) {
            lane_i from = *(const lane_i *)(low + u), to = *(const lane_i *)(high + u);
            lane_f sum = {0};
            for (size_t j = 0; j < keys; j++) {
                lane_i key = (lane_i){0} + (first + (int32_t)j);
                lane_f next = sum;
                next += v[j * v_row + c] * lane_load(p + j * vectors * LANES + u);
                sum = lane_select((key >= from) & (key < to), next, sum);
            }
            float *at = o + c * vectors * LANES + u;
            lane_f more = sum * lane_load(beta + u);
            lane_store(at, lane_fma(lane_load(at), lane_load(alpha + u), more));
        }
}

static void paged_join(float *o, float *top, float *sum, const float *o2, const float *top2,
                       const float *sum2, size_t cols, size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f a = lane_load(top + v), b = lane_load(top2 + v), now = lane_larger(b, a);
        lane_f base = paged_base(now);
        lane_f left = lane_exp_minus(a - base), right = lane_exp_minus(b - base);
        lane_store(top + v, now);
        lane_store(sum + v, lane_fma(lane_load(sum + v), left, lane_load(sum2 + v) * right));
        for (size_t c = 0; c < cols; c++) {
            size_t at = c * vectors * LANES + v;
            lane_store(o + at, lane_fma(lane_load(o + at), left, lane_load(o2 + at) * right));
        }
    }
}

#endif
