/* unpool.c - MaxUnpool: elements go back to where MaxPool found them; the rest is zero. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"
#include "ops/window.h"

enum { X, INDICES, SHAPE };

/* The extent from which the pool would have made this one. */
static ir_dim unpooled(ir_dims *t, const window *w, int32_t axis, ir_dim in)
{
    ir_dim steps = dims_mul(t, dims_sub(t, in, 1), w->stride[axis]);
    int64_t more = w->kernel[axis] - w->before[axis] - w->after[axis];
    return dims_add(t, steps, dims_constant(t, more));
}

static heed_status own_shape(op_infer *c, int32_t rank, const content_entry *shape, int64_t n,
                             ir_dim *dims)
{
    if (n != rank)
        return infer_error(c, "an extent for each axis in output_shape", "%lld for %d",
                           (long long)n, rank);
    for (int32_t i = 0; i < rank; i++) {
        if (shape[i].known && shape[i].number < 0)
            return infer_error(c, "extents of at least 0", "%lld", (long long)shape[i].number);
        dims[i] = content_extent(c, &shape[i]);
    }
    return HEED_OK;
}

static heed_status infer_unpool(op_infer *c)
{
    int32_t rank = infer_rank(c, X);
    ir_dim dims[TENSOR_MAX_RANK];
    content_entry *shape;
    int64_t n;
    window w;
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 3 || (infer_rank(c, INDICES) >= 0 && infer_rank(c, INDICES) != rank))
        return infer_error(c, "an input of rank 3 or more and as many indices", "ranks %d and %d",
                           rank, infer_rank(c, INDICES));
    for (int32_t i = 0; i < rank; i++) {
        ir_dim a = infer_dim(c, X, i), b = infer_dim(c, INDICES, i);
        if (dim_known(a) && dim_known(b) && a != b)
            return infer_error(c, "an index for each element", "%lld for %lld on axis %d",
                               (long long)b, (long long)a, i);
    }
    const char *problem = window_read(c->node, rank - 2, NULL, &w);
    if (problem)
        return infer_error(c, problem, "another");
    memcpy(dims, c->in[X]->dims, 2 * sizeof(*dims));
    for (int32_t i = 2; i < rank; i++)
        dims[i] = unpooled(c->dims, &w, i - 2, c->in[X]->dims[i]);
    if (infer_has(c, SHAPE)) {
        if (!content_get(c, SHAPE, &shape, &n))
            return infer_set_unknown(c, 0, 0, rank);
        TRY(own_shape(c, rank, shape, n, dims));
    }
    return infer_set(c, 0, 0, rank, dims);
}

/* Indices count the elements of the unpooled tensor. Where the output has another shape, the
 * unpooled tensor lies in its corner. */
static heed_status run_unpool(op_call *c)
{
    const heed_tensor *in = c->in[X];
    heed_tensor *out = call_out(c, 0);
    int64_t dims[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], count;
    int32_t rank = tensor_rank(in);
    window w;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    const char *problem = window_read(c->node, rank - 2, NULL, &w);
    if (problem)
        return call_error(c, HEED_INVALID, "expected %s", problem);
    memcpy(dims, in->dims, sizeof(dims));
    for (int32_t i = 2; i < rank; i++)
        dims[i] = unpooled(NULL, &w, i - 2, in->dims[i]);
    if (!shape_count(rank, dims, &count))
        return call_error(c, HEED_INVALID, "pads are larger than what is unpooled");
    layout_strides(rank, out->dims, strides);
    layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    for (int64_t i = 0; i < tensor_count(in); i++) {
        int64_t at, to = 0;
        bool inside = true;
        dtype_load_i64(HEED_INT64, tensor_data(c->in[INDICES]), i, 1, &at);
        if (at < 0 || at >= count)
            return call_error(c, HEED_INVALID, "index %lld is not in [0, %lld)", (long long)at,
                              (long long)count);
        layout_index(at, rank, dims, index);
        for (int32_t a = 0; a < rank; a++) {
            inside = inside && index[a] < out->dims[a];
            to += index[a] * strides[a];
        }
        if (inside)
            dtype_copy(out->dtype, tensor_data(out), to, tensor_data(in), i, 1);
    }
    return HEED_OK;
}

// clang-format off
static const op_def max_unpool = {
    .domain = "", .name = "MaxUnpool", .since = 22,
    .signature = "X:T, I:int64, output_shape:int64? -> output:T", .types = "T=float",
    .attrs = "kernel_shape:ints! pads:ints strides:ints",
    .infer = infer_unpool, .run = run_unpool};
// clang-format on

const op_def *const ops_unpool[] = {&max_unpool, NULL};
