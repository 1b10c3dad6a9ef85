/* The products of tiled attention for few query rows (a decoder's single token): vectors run along
 * the channels, so that keys and values are read as they lie at the full speed of memory, and no
 * lanes are wasted on rows that are not there. Keys, values and queries are padded with zeros to
 * whole vectors. Scores and weights are s[key][lane] as in flash_tile.h, rows in the first
 * lanes. */
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

static void few_store(float *s, lane_f dots, size_t keys)
{
    for (size_t j = 0; j < keys && j < LANES; j++)
        s[j * LANES] = dots[j];
}

/* s[keys][lane] for the rows of q[rows][d]; lanes without a row become 0. */
static void few_scores(float *s, const float *k, size_t k_row, size_t keys, const float *q,
                       size_t d, size_t rows)
{
    for (size_t j = 0; j < keys * LANES; j += LANES)
        lane_store(s + j, (lane_f){0});
    for (size_t j = 0; j < keys; j += LANES)
        for (size_t r = 0; r < rows; r++) {
            const float *at = k + j * k_row;
            if (keys - j >= LANES)
                few_store(s + j * LANES + r, few_dots(q + r * d, at, k_row, LANES, d), LANES);
            else
                few_store(s + j * LANES + r, few_dots(q + r * d, at, k_row, keys - j, d), keys - j);
        }
}

FLASH_INLINE void few_block(size_t rows, size_t vectors, float *o, size_t o_row, const float *v,
                            size_t v_row, const float *p, size_t keys, const float *alpha)
{
    lane_f sum[2][8];
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
            sum[r][c] += p[j * LANES + r] * x;
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
    for (size_t c = 0; c < vectors; c++)
        lane_store(o + r * o_row + c * LANES, sum[r][c]);
}

/* o[rows][cols] = alpha o + p[keys][lane]^T v[keys][cols]. */
static void few_values(float *o, const float *v, size_t v_row, size_t cols, const float *p,
                       size_t keys, const float *alpha, size_t rows)
{
    for (size_t r = 0; r < rows; r += 2) {
        float *to = o + r * cols;
        size_t c = 0;
        for (; c + 4 * LANES <= cols; c += 4 * LANES)
            if (r + 1 < rows)
                few_block(2, 4, to + c, cols, v + c, v_row, p + r, keys, alpha + r);
            else
                few_block(1, 4, to + c, cols, v + c, v_row, p + r, keys, alpha + r);
        for (; c < cols; c += LANES)
            if (r + 1 < rows)
                few_block(2, 1, to + c, cols, v + c, v_row, p + r, keys, alpha + r);
            else
                few_block(1, 1, to + c, cols, v + c, v_row, p + r, keys, alpha + r);
    }
}

#endif
