/* layout.h - moving elements of any dtype between strided places. */
#ifndef HEED_OPS_LAYOUT_H
#define HEED_OPS_LAYOUT_H

#include "ops/op.h"

/* Tile and DepthToSpace look at a tensor with more axes than it has. */
#define LAYOUT_MAX_RANK (2 * TENSOR_MAX_RANK)

/* A box of elements, read and written with one stride an axis (in elements, any sign, 0 too). */
typedef struct layout_box {
    int32_t rank;
    int64_t dims[LAYOUT_MAX_RANK];
    int64_t dst[LAYOUT_MAX_RANK];
    int64_t src[LAYOUT_MAX_RANK];
} layout_box;

/* Copies the box: element 0 goes from src_first to dst_first. Everything must be in range. */
void layout_copy(heed_dtype dtype, const layout_box *box, void *dst, int64_t dst_first,
                 const void *src, int64_t src_first);

/* n elements from dst_first on become element `which` of value. */
void layout_fill(heed_dtype dtype, void *dst, int64_t dst_first, int64_t n, const void *value,
                 int64_t which);
/* n zeros, empty strings, false. */
void layout_zero(heed_dtype dtype, void *dst, int64_t dst_first, int64_t n);

/* `out` becomes n tensors one after the other along `axis`. They fit together and into it. */
void layout_join(heed_tensor *out, int32_t axis, size_t n, const heed_tensor *const *in);

/* Strides of dense dims, row-major. */
void layout_strides(int32_t rank, const int64_t *dims, int64_t *strides);
/* Product of dims[from..to). */
int64_t layout_product(const int64_t *dims, int32_t from, int32_t to);
/* No axis before `axis` has more than one element: a range of it is one run of memory. */
bool layout_outermost(const ir_type *type, int32_t axis);
/* Strides with which `t` is read as if broadcast to `rank` dims: 0 where it is repeated. */
void layout_broadcast(const heed_tensor *t, int32_t rank, int64_t *strides);

/* Counts `index` up like an odometer over dims; false after the last. */
bool layout_next(int32_t rank, const int64_t *dims, int64_t *index);
/* The coordinates of element `flat`. */
void layout_index(int64_t flat, int32_t rank, const int64_t *dims, int64_t *index);

#endif
