/* rows.h - products with the rows of a weight that is stored in some small form and made real a
 * piece at a time. */
#ifndef HEED_OPS_ROWS_H
#define HEED_OPS_ROWS_H

#include "ops/op.h"

#define ROWS_PIECE 1024 /* most elements of a row that are made real at once */

typedef struct row_source {
    /* Elements [first, first + n) of a row as floats. Any thread; n <= ROWS_PIECE. */
    void (*load)(const struct row_source *w, int64_t row, int64_t first, int64_t n, float *out);
    const void *self;
} row_source;

/* c[m,n] = a[m,k] * w[n,k]^T, over the pool; sums do not depend on how many threads there are. */
void rows_multiply(const row_source *w, int64_t m, int64_t n, int64_t k, const float *a, float *c);

#endif
