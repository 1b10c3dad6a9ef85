/* The loops of tiled attention that are not arithmetic of attention itself: turning tiles between
 * rows and columns, hiding keys by range or by mask, biases and factors, and what can be said of a
 * tile before it is computed. Tiles are x[key][row], as in flash_tile.h; masks, biases and factors
 * come in rows of keys. */
#ifndef CPU_LANES_FLASH_MASK_H
#define CPU_LANES_FLASH_MASK_H

#include "lanes/flash_vector.h"

static void turn_square(float *to, size_t to_row, const float *from, size_t from_row)
{
    lane_f x[LANES];
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        x[i] = lane_load(from + i * from_row);
    lane_turn(x);
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        lane_store(to + i * to_row, x[i]);
}

/* to[c][r] = from[r][c]. */
static void flash_turn(float *to, size_t to_row, const float *from, size_t from_row, size_t rows,
                       size_t cols)
{
    size_t r = 0;
    for (; r + LANES <= rows; r += LANES) {
        size_t c = 0;
        for (; c + LANES <= cols; c += LANES)
            turn_square(to + c * to_row + r, to_row, from + r * from_row + c, from_row);
        for (; c < cols; c++)
            for (size_t i = r; i < r + LANES; i++)
                to[c * to_row + i] = from[i * from_row + c];
    }
    for (; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            to[c * to_row + r] = from[r * from_row + c];
}

/* to[c][r] = scale from[r][c] for whole vectors of rows, which lie anywhere. */
static void flash_gather(float *to, const float *const *from, size_t cols, float scale,
                         size_t vectors)
{
    size_t height = vectors * LANES;
    for (size_t r = 0; r < height; r += LANES) {
        size_t c = 0;
        for (; c + LANES <= cols; c += LANES) {
            lane_f x[LANES];
            FLASH_UNROLL
            for (size_t i = 0; i < LANES; i++)
                x[i] = lane_load(from[r + i] + c);
            lane_turn(x);
            FLASH_UNROLL
            for (size_t i = 0; i < LANES; i++)
                lane_store(to + (c + i) * height + r, x[i] * scale);
        }
        for (; c < cols; c++)
            for (size_t i = r; i < r + LANES; i++)
                to[c * height + i] = from[i][c] * scale;
    }
}

/* to[r][c] = factor[r] from[c][r], the way back. */
static void flash_scatter(float *const *to, const float *from, size_t cols, const float *factor,
                          size_t vectors)
{
    size_t height = vectors * LANES;
    for (size_t r = 0; r < height; r += LANES) {
        lane_f scale = lane_load(factor + r);
        size_t c = 0;
        for (; c + LANES <= cols; c += LANES) {
            lane_f x[LANES];
            FLASH_UNROLL
            for (size_t i = 0; i < LANES; i++)
                x[i] = lane_load(from + (c + i) * height + r) * scale;
            lane_turn(x);
            FLASH_UNROLL
            for (size_t i = 0; i < LANES; i++)
                lane_store(to[r + i] + c, x[i]);
        }
        for (; c < cols; c++)
            for (size_t i = r; i < r + LANES; i++)
                to[i][c] = from[c * height + i] * factor[i];
    }
}

/* x += y, or x *= y. */
FLASH_INLINE lane_f joined(lane_f x, lane_f y, int multiply) { return multiply ? x * y : x + y; }

/* x[key][row] += from[row][key] for LANES rows and keys. */
FLASH_INLINE void join_square(float *x, size_t step, const float *const *from, size_t key,
                              int multiply)
{
    lane_f y[LANES];
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        y[i] = lane_load(from[i] + key);
    lane_turn(y);
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        lane_store(x + i * step, joined(lane_load(x + i * step), y[i], multiply));
}

FLASH_INLINE void join_rows(float *x, const float *const *from, size_t keys, size_t vectors,
                            int multiply)
{
    size_t step = vectors * LANES;
    for (size_t v = 0; v < vectors; v++, x += LANES, from += LANES) {
        size_t j = 0;
        for (; j + LANES <= keys; j += LANES)
            join_square(x + j * step, step, from, j, multiply);
        for (; j < keys; j++) {
            lane_f y;
            for (size_t i = 0; i < LANES; i++)
                y[i] = from[i][j];
            lane_store(x + j * step, joined(lane_load(x + j * step), y, multiply));
        }
    }
}

static void flash_add(float *x, const float *const *from, size_t keys, size_t vectors)
{
    join_rows(x, from, keys, vectors, 0);
}

static void flash_multiply(float *x, const float *const *from, size_t keys, size_t vectors)
{
    join_rows(x, from, keys, vectors, 1);
}

/* The same where all rows are one. */
static void flash_add_alike(float *x, const float *from, size_t keys, size_t vectors)
{
    for (size_t j = 0; j < keys; j++)
        for (size_t v = 0; v < vectors; v++, x += LANES)
            lane_store(x, lane_load(x) + from[j]);
}

/* Of one row: scores with vectors along the keys. */
static void flash_row_add(float *x, const float *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
}

static void flash_row_multiply(float *x, const float *y, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] *= y[i];
}

static void flash_row_mask(float *x, const uint8_t *mask, size_t n, float fill)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] = mask[i] ? x[i] : fill;
}

/* x = fill where key first + j is not in [low, high) of its row. */
static void flash_hide(float *x, size_t keys, size_t vectors, const int32_t *low,
                       const int32_t *high, int32_t first, float fill)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_i from = *(const lane_i *)(low + v), to = *(const lane_i *)(high + v);
        for (size_t j = 0; j < keys; j++) {
            float *at = x + j * vectors * LANES + v;
            lane_i key = (lane_i){0} + (first + (int32_t)j);
            lane_i keep = (key >= from) & (key < to);
            lane_store(at, lane_select(keep, lane_load(at), lane_all(fill)));
        }
    }
}

/* Of each key, bit `row` says whether that row of a mask is true. */
static void flash_mask_row(uint32_t *bits, const uint8_t *mask, size_t n, unsigned row)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        bits[i] |= (uint32_t)(mask[i] != 0) << row;
}

/* x = fill where the bit of the row is 0. */
static void flash_mask(float *x, const uint32_t *bits, size_t keys, size_t vectors, float fill)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_i row;
        for (size_t i = 0; i < LANES; i++)
            row[i] = (int32_t)(1u << (v + i));
        for (size_t j = 0; j < keys; j++) {
            float *at = x + j * vectors * LANES + v;
            lane_i keep = (((lane_i){0} + (int32_t)bits[j]) & row) != 0;
            lane_store(at, lane_select(keep, lane_load(at), lane_all(fill)));
        }
    }
}

/* The same where all rows are one. */
static void flash_mask_alike(float *x, const uint8_t *mask, size_t keys, size_t vectors, float fill)
{
    for (size_t j = 0; j < keys; j++)
        for (size_t v = 0; v < vectors && !mask[j]; v++)
            lane_store(x + (j * vectors + v) * LANES, lane_all(fill));
}

/* Which keys some row sees; bits of rows that some key lacks, and of rows that lack a key which
 * another has. */
static void flash_mask_join(const uint32_t *bits, size_t n, uint32_t rows, uint8_t *shown,
                            uint32_t lacks[2])
{
    uint32_t some = 0, uneven = 0;
#pragma omp simd reduction(| : some, uneven)
    for (size_t i = 0; i < n; i++) {
        uint32_t without = ~bits[i] & rows;
        shown[i] = bits[i] != 0;
        some |= without;
        uneven |= bits[i] ? without : 0;
    }
    lacks[0] = some;
    lacks[1] = uneven;
}

/* Widens [range[0], range[1]] to hold x; a NaN makes it all numbers. */
static void flash_range(const float *x, size_t n, float range[2])
{
    float low = range[0], high = range[1];
    int odd = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(| : odd)
    for (size_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        odd |= x[i] != x[i];
    }
    range[0] = odd ? -INFINITY : low;
    range[1] = odd ? INFINITY : high;
}

/* The largest magnitude, as bits. */
static uint32_t flash_peak32(const void *x, size_t n)
{
    const uint32_t *bits = x;
    int32_t peak = 0;
#pragma omp simd reduction(max : peak)
    for (size_t i = 0; i < n; i++) {
        int32_t size = (int32_t)(bits[i] & 0x7fffffffu);
        peak = size > peak ? size : peak;
    }
    return (uint32_t)peak;
}

static uint32_t flash_peak16(const void *x, size_t n)
{
    const uint16_t *bits = x;
    int32_t peak = 0;
#pragma omp simd reduction(max : peak)
    for (size_t i = 0; i < n; i++) {
        int32_t size = bits[i] & 0x7fff;
        peak = size > peak ? size : peak;
    }
    return (uint32_t)peak;
}

#endif
