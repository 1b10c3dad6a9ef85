/* window.h - a window that slides over the spatial axes of [N, C, D1, ..., Dn]. */
#ifndef HEED_OPS_WINDOW_H
#define HEED_OPS_WINDOW_H

#include "ops/op.h"

typedef struct window {
    int32_t rank; /* spatial axes */
    int64_t kernel[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK], dilation[TENSOR_MAX_RANK];
    int64_t before[TENSOR_MAX_RANK], after[TENSOR_MAX_RANK]; /* padding */
    bool same, same_upper, valid; /* auto_pad; `same` pads by the extents (window_place) */
    bool ceil;
} window;

/* Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode for `rank` spatial axes.
 * `kernel` serves when there is no kernel_shape (Conv: from the weights), and must agree with it.
 * Returns NULL, or what was expected. All numbers are checked to be small enough that sums and
 * products of two of them with an extent cannot overflow. */
const char *window_read(const ir_node *n, int32_t rank, const int64_t *kernel, window *w);

/* How far a window reaches: dilation * (kernel - 1) + 1. */
int64_t window_reach(const window *w, int32_t axis);
/* Output extent on an axis; DIM_UNKNOWN when symbols do not tell. May be negative. */
ir_dim window_extent(ir_dims *t, const window *w, int32_t axis, ir_dim in);
/* With numbers known: sets before and after of `same` padding. */
void window_place(window *w, const int64_t *in, const int64_t *out);
/* Input offset of tap k of the window at `at`, or -1 when it lies in the padding. */
static inline int64_t window_tap(const window *w, int32_t axis, int64_t at, int64_t k, int64_t in)
{
    int64_t i = at * w->stride[axis] - w->before[axis] + k * w->dilation[axis];
    return i >= 0 && i < in ? i : -1;
}

#endif
