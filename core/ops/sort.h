/* sort.h - sorting indices by what they stand for, stable: equal ones keep their order. */
#ifndef HEED_OPS_SORT_H
#define HEED_OPS_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* Below, at, or above zero, as a stands before b, equals it, or stands behind it. */
typedef int sort_compare(const void *context, int64_t a, int64_t b);

/* indices[n] becomes 0..n-1 in order; `spare` has room for n too. */
void sort_indices(int64_t n, sort_compare *compare, const void *context, int64_t *indices,
                  int64_t *spare);

#endif
