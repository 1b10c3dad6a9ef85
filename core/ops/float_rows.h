/* float_rows.h - weights that are floats of 4 or 8 bits, with a scale for each block of them. */
#ifndef HEED_OPS_FLOAT_ROWS_H
#define HEED_OPS_FLOAT_ROWS_H

#include "ops/rows.h"

/* A scale serves `high` rows and `wide` elements of each. */
typedef struct float_rows {
    row_source rows; /* first */
    heed_dtype dtype;
    const void *data;
    int64_t first, columns;    /* element 0 of row 0; elements of a row */
    const heed_tensor *scales; /* NULL: 1 each */
    heed_dtype scale_dtype;    /* what the bytes of the scales are */
    int64_t scale_first, scale_columns, high, wide;
    float global; /* factor of all of them */
} float_rows;

/* Sets rows.load. */
void float_rows_init(float_rows *w);

#endif
