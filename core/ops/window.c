/* window.c - a window that slides over the spatial axes of [N, C, D1, ..., Dn].
 *
 * Separate because convolutions and pools share these attributes and this arithmetic to the
 * letter. */
#include "ops/window.h"

#include <string.h>

#define SMALL ((int64_t)1 << 20) /* of every attribute */

static bool read_list(const ir_node *n, const char *name, int32_t count, int64_t least,
                      int64_t *values)
{
    uint64_t found;
    const int64_t *given = ir_attr_ints(n, name, &found);
    if (!given || found == 0)
        return true;
    if (found != (uint64_t)count)
        return false;
    for (int32_t i = 0; i < count; i++) {
        if (given[i] < least || given[i] > SMALL)
            return false;
        values[i] = given[i];
    }
    return true;
}

static const char *read_padding(const ir_node *n, window *w)
{
    int64_t pads[2 * TENSOR_MAX_RANK] = {0};
    const char *mode = ir_attr_string(n, "auto_pad", "NOTSET");
    w->same_upper = strcmp(mode, "SAME_UPPER") == 0;
    w->same = w->same_upper || strcmp(mode, "SAME_LOWER") == 0;
    w->valid = strcmp(mode, "VALID") == 0;
    if (!w->same && !w->valid && strcmp(mode, "NOTSET") != 0 && *mode)
        return "auto_pad NOTSET, SAME_UPPER, SAME_LOWER or VALID";
    if (w->same || w->valid)
        return NULL;
    if (!read_list(n, "pads", 2 * w->rank, -SMALL, pads))
        return "two small numbers in pads for each spatial axis";
    memcpy(w->before, pads, (size_t)w->rank * sizeof(int64_t));
    memcpy(w->after, pads + w->rank, (size_t)w->rank * sizeof(int64_t));
    return NULL;
}

const char *window_read(const ir_node *n, int32_t rank, const int64_t *kernel, window *w)
{
    double taps = 1.0;
    memset(w, 0, sizeof(*w));
    w->rank = rank;
    w->ceil = ir_attr_int(n, "ceil_mode", 0) != 0;
    for (int32_t i = 0; i < rank; i++) {
        w->kernel[i] = kernel ? kernel[i] : 0;
        w->stride[i] = w->dilation[i] = 1;
    }
    if (!read_list(n, "kernel_shape", rank, 1, w->kernel))
        return "a small positive number in kernel_shape for each spatial axis";
    for (int32_t i = 0; i < rank; i++) {
        taps *= (double)w->kernel[i];
        if (kernel && w->kernel[i] != kernel[i])
            return "kernel_shape to be that of the weights";
        if (w->kernel[i] < 1 || w->kernel[i] > SMALL)
            return "kernel extents from 1 to 2^20";
    }
    if (taps > (double)INT32_MAX)
        return "a kernel of less than 2^31 elements";
    if (!read_list(n, "strides", rank, 1, w->stride))
        return "a small positive number in strides for each spatial axis";
    if (!read_list(n, "dilations", rank, 1, w->dilation))
        return "a small positive number in dilations for each spatial axis";
    return read_padding(n, w);
}

int64_t window_reach(const window *w, int32_t axis)
{
    return w->dilation[axis] * (w->kernel[axis] - 1) + 1;
}

ir_dim window_extent(ir_dims *t, const window *w, int32_t axis, ir_dim in)
{
    int64_t stride = w->stride[axis], pads = w->before[axis] + w->after[axis], value;
    if (w->same)
        return dims_ceil_div(t, in, stride);
    int64_t room = pads - window_reach(w, axis);
    ir_dim slack = dims_add(t, in, dims_constant(t, room));
    if (!w->ceil || w->valid || stride == 1)
        return dims_add(t, dims_floor_div(t, slack, stride), 1);
    if (!dim_known(in) || !dims_value(t, slack, &value))
        return DIM_UNKNOWN;
    ir_dim extent = dims_add(t, dims_ceil_div(t, slack, stride), 1);
    /* The last window must start inside the input or the padding before it. */
    bool outside = dim_known(extent) && (extent - 1) * stride >= in + w->before[axis];
    return outside && extent > 0 ? extent - 1 : extent;
}

void window_place(window *w, const int64_t *in, const int64_t *out)
{
    for (int32_t i = 0; w->same && i < w->rank; i++) {
        int64_t total = (out[i] - 1) * w->stride[i] + window_reach(w, i) - in[i];
        total = total < 0 ? 0 : total;
        w->before[i] = w->same_upper ? total / 2 : total - total / 2;
        w->after[i] = total - w->before[i];
    }
}
