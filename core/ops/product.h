/* product.h - products of dense matrices in the few types in which arithmetic is done. */
#ifndef HEED_OPS_PRODUCT_H
#define HEED_OPS_PRODUCT_H

#include "ops/op.h"

typedef struct product_type {
    heed_dtype dtype; /* float32, float64, or int64 for every integer (modulo 2^64) */
    size_t size;
    /* c[m,n] += a[m,k] * b[k,n], all dense. Sums run over k in ascending order. */
    void (*multiply)(int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c);
} product_type;

/* NULL for what has no product (strings, complex numbers, bool). */
const product_type *product_for(heed_dtype dtype);

/* The same, cut into rows over the pool. The cut depends on the shape only. */
void product_run(const product_type *type, int64_t m, int64_t n, int64_t k, const void *a,
                 const void *b, void *c);

/* n elements of `data` from `first` on in the product's type: in place when they have it already,
 * else widened into scratch. NULL: the error is set. */
const void *product_read(op_call *c, const product_type *type, heed_dtype dtype, const void *data,
                         int64_t first, int64_t n);
/* The way back: rounds to nearest, integers wrap. */
void product_write(const product_type *type, heed_dtype dtype, void *data, int64_t first, int64_t n,
                   const void *from);
void product_load(const product_type *type, heed_dtype dtype, const void *data, int64_t first,
                  int64_t n, void *to);

#endif
