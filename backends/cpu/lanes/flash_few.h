/* The products of tiled attention for few query rows (a decoder's single token): vectors run along
 * the channels, so that keys and values are read as they lie at the full speed of memory, and no
 * lanes are wasted on rows that are not there. Keys, values and queries are padded with zeros to
 * whole vectors. Scores and weights are s[row][key]. */
#ifndef CPU_LANES_FLASH_FEW_H
#define CPU_LANES_FLASH_FEW_H

#include "lanes/flash_vector.h"

/* The products of one query with LANES keys; at the end of the keys the last one is repeated. */
FLASH_INLINE lane_f few_dots(const float *q, const float *k, size_t k_row, size_t keys, size_t d)
{
    lane_f sum[LANES];
    FLASH_UNROLL
    for (size_t j = 0; j < LANES; j++)
        sum[j] = (lane_f){0};
    for (size_t i = 0; i < d; i += LANES) {
        lane_f x = lane_load(q + i);
        FLASH_UNROLL
        for (size_t j = 0; j < LANES; j++)
            sum[j] += lane_load(k + (j < keys ? j : keys - 1) * k_row + i) * x;
    }
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

/* The step of flash_weigh for one row of whole vectors. */
static void few_weigh_row(float *s, size_t keys, float *top, float *sum, float *alpha)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = *top, added = 0.0f;
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
        added += total[i];
    *alpha = lane_exp_minus(lane_all(*top) - base)[0];
    *sum = *sum * *alpha + added;
    *top = now;
}

static void few_weigh(float *s, size_t s_row, size_t keys, float *top, float *sum, float *alpha,
                      size_t rows)
{
    for (size_t r = 0; r < rows; r++)
        few_weigh_row(s + r * s_row, keys, top + r, sum + r, alpha + r);
}

FLASH_INLINE void few_block(size_t rows, size_t vectors, float *o, size_t o_row, const float *v,
                            size_t v_row, const float *p, size_t p_row, size_t keys,
                            const float *alpha)
{
    lane_f sum[2][4];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
    for (size_t c = 0; c < vectors; c++)
        sum[r][c] = lane_load(o + r * o_row + c * LANES) * alpha[r];
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
    for (size_t c = 0; c < vectors; c++) {
        lane_f x = lane_load(v + j * v_row + c * LANES);
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[r][c] += p[r * p_row + j] * x;
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
    for (size_t c = 0; c < vectors; c++)
        lane_store(o + r * o_row + c * LANES, sum[r][c]);
}

/* o[row][col] = alpha o + p[row][key] v[key][col]. */
static void few_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                       size_t p_row, size_t keys, const float *alpha, size_t rows)
{
    for (size_t r = 0; r < rows; r += 2) {
        float *to = o + r * cols;
        size_t c = 0;
        for (; c + 4 * LANES <= cols; c += 4 * LANES)
            if (r + 1 < rows)
                few_block(2, 4, to + c, cols, v + c, v_row, p + r * p_row, p_row, keys, alpha + r);
            else
                few_block(1, 4, to + c, cols, v + c, v_row, p + r * p_row, p_row, keys, alpha + r);
        for (; c < cols; c += LANES)
            if (r + 1 < rows)
                few_block(2, 1, to + c, cols, v + c, v_row, p + r * p_row, p_row, keys, alpha + r);
            else
                few_block(1, 1, to + c, cols, v + c, v_row, p + r * p_row, p_row, keys, alpha + r);
    }
}

#endif
