/* The online softmax over a tile of scores s[key][row], one row a lane; what becomes of weights is
 * the caller's. */
#ifndef CPU_LANES_FLASH_SOFTMAX_H
#define CPU_LANES_FLASH_SOFTMAX_H

#include "lanes/flash_vector.h"

FLASH_INLINE lane_f column_top(const float *s, size_t keys, size_t vectors)
{
    lane_f even = lane_all(-INFINITY), odd = even;
    size_t step = vectors * LANES, j = 0;
    for (; j + 2 <= keys; j += 2) {
        even = lane_larger(lane_load(s + j * step), even);
        odd = lane_larger(lane_load(s + (j + 1) * step), odd);
    }
    if (j < keys)
        even = lane_larger(lane_load(s + j * step), even);
    return lane_larger(even, odd);
}

/* Scores become weights relative to the largest score so far; returns their sum. */
typedef lane_f column_function(float *s, size_t keys, size_t vectors, lane_f top);

/* One step of the online softmax: alpha is what earlier weights are multiplied with. A row whose
 * scores are all -infinity keeps weights of 0 and so a sum of 0; a NaN, or +infinity, makes the sum
 * a NaN. */
FLASH_INLINE void weigh_columns(float *s, size_t keys, float *top, float *sum, float *alpha,
                                size_t vectors, column_function *weights)
{
    for (size_t v = 0; v < vectors; v++, s += LANES) {
        lane_f old = lane_load(top + v * LANES);
        lane_f now = lane_larger(column_top(s, keys, vectors), old);
        lane_i none = now == -INFINITY;
        lane_f base = (lane_f)((lane_i)now & ~none);
        lane_f factor = lane_exp_minus(old - base);
        lane_f total = weights(s, keys, vectors, base);
        lane_store(top + v * LANES, now);
        lane_store(alpha + v * LANES, factor);
        lane_store(sum + v * LANES, lane_load(sum + v * LANES) * factor + total);
    }
}

#endif
