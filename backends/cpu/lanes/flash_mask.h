/* The loops of tiled attention that are not arithmetic of attention itself: turning tiles between
 * rows and columns, hiding keys by range or by mask, adding a bias, and looking for numbers that
 * are none. Tiles are x[key][row], as in flash_tile.h. */
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

/* x[key][row] = from[key] for all rows. */
static void flash_spread(float *x, const float *from, size_t keys, size_t vectors)
{
    for (size_t j = 0; j < keys; j++)
        for (size_t v = 0; v < vectors; v++, x += LANES)
            lane_store(x, lane_all(from[j]));
}

/* x = fill where key first + j is not in [low, high) of its row; `seen` is set where it is. */
static void flash_hide(float *x, size_t keys, size_t vectors, const int32_t *low,
                       const int32_t *high, int32_t first, float fill, int32_t *seen)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_i from = *(const lane_i *)(low + v), to = *(const lane_i *)(high + v);
        lane_i found = *(const lane_i *)(seen + v);
        for (size_t j = 0; j < keys; j++) {
            float *at = x + j * vectors * LANES + v;
            lane_i key = (lane_i){0} + (first + (int32_t)j);
            lane_i keep = (key >= from) & (key < to);
            found |= keep;
            lane_store(at, lane_select(keep, lane_load(at), lane_all(fill)));
        }
        *(lane_i *)(seen + v) = found;
    }
}

/* x = fill where the mask is 0, which else is -1 (as integers). */
static void flash_mask(float *x, const float *mask, size_t n, float fill)
{
    for (size_t i = 0; i < n; i += LANES) {
        lane_i keep = (lane_i)lane_load(mask + i);
        lane_store(x + i, lane_select(keep, lane_load(x + i), lane_all(fill)));
    }
}

static void flash_add(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        lane_store(x + i, lane_load(x + i) + lane_load(y + i));
}

static void flash_multiply(float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        lane_store(x + i, lane_load(x + i) * lane_load(y + i));
}

/* seen |= any key's element that is not -infinity; `bits`: that is not 0 as an integer. */
static void flash_note(const float *x, size_t keys, size_t vectors, int bits, int32_t *seen)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_i found = *(const lane_i *)(seen + v);
        for (size_t j = 0; j < keys; j++) {
            lane_f at = lane_load(x + j * vectors * LANES + v);
            lane_i none = at == -INFINITY;
            found |= bits ? (lane_i)at : ~none;
        }
        *(lane_i *)(seen + v) = found;
    }
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
