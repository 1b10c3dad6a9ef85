/* order.h - order among elements of any real dtype, for ArgMax, ArgMin and TopK. */
#ifndef HEED_OPS_ORDER_H
#define HEED_OPS_ORDER_H

#include "ops/loops.h"

/* Keys of one line: unsigned numbers in the order of the elements (in reverse with `smallest`).
 * NaN has the largest key when `nan_first`, else it counts as the largest number. */
void order_keys(const heed_tensor *t, const loop_lines *lines, int64_t o, int64_t j, bool smallest,
                bool nan_first, uint64_t *keys);

/* Indices of the k largest keys, largest first, equal ones in the order of their index. */
void order_top(const uint64_t *keys, int64_t n, int64_t k, int64_t *indices);

#endif
