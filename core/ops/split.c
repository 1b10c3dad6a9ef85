/* split.c - one tensor cut into several along an axis: Split. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* Sizes from input `split`; *known is false when its content is not there. */
static heed_status given_sizes(op_infer *c, ir_dim dim, ir_dim *sizes, bool *known)
{
    content_entry *entries;
    int64_t n;
    ir_dim sum = 0;
    *known = content_get(c, 1, &entries, &n);
    if (!*known)
        return HEED_OK;
    if (n != (int64_t)c->n_out)
        return infer_error(c, "one size in input split for each output", "%lld sizes, %u outputs",
                           (long long)n, c->n_out);
    for (int64_t i = 0; i < n; i++) {
        if (entries[i].known && entries[i].number < 0)
            return infer_error(c, "sizes of at least 0", "%lld", (long long)entries[i].number);
        sizes[i] = content_extent(c, &entries[i]);
        sum = dims_add(c->dims, sum, sizes[i]);
    }
    if (dim_known(sum) && dim_known(dim) && sum != dim)
        return infer_error(c, "sizes that add up to the extent of the axis", "%lld of %lld",
                           (long long)sum, (long long)dim);
    return HEED_OK;
}

/* Size of piece o when `dim` elements are cut into n: whole chunks, what is left, nothing. */
static int64_t equal_piece(int64_t dim, int64_t n, uint32_t o)
{
    int64_t chunk = dim / n + (dim % n != 0), left;
    if (__builtin_mul_overflow(chunk, (int64_t)o, &left) || left >= dim)
        return 0;
    return dim - left < chunk ? dim - left : chunk;
}

/* Equal sizes as long as there is something left. */
static heed_status equal_sizes(op_infer *c, ir_dim dim, ir_dim *sizes)
{
    int64_t n = ir_attr_int(c->node, "num_outputs", (int64_t)c->n_out);
    if (n < 1 || n < (int64_t)c->n_out || n > TENSOR_MAX_DIM)
        return infer_error(c, "num_outputs to be the number of outputs", "%lld for %u outputs",
                           (long long)n, c->n_out);
    ir_dim chunk = dims_ceil_div(c->dims, dim, n);
    ir_dim last = dims_sub(c->dims, dim, dims_mul(c->dims, chunk, n - 1));
    for (uint32_t o = 0; o < c->n_out; o++) {
        if (dim_known(dim))
            sizes[o] = equal_piece(dim, n, o);
        else
            sizes[o] = o + 1 == (uint64_t)n ? last : chunk;
    }
    return HEED_OK;
}

static heed_status infer_split(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    ir_dim dims[TENSOR_MAX_RANK];
    bool known = true;
    if (rank < 0)
        return infer_late(c);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    ir_dim *sizes = infer_dims_new(c, c->n_out);
    if (!sizes)
        return err_get()->status;
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    if (infer_has(c, 1))
        TRY(given_sizes(c, dims[axis], sizes, &known));
    else
        TRY(equal_sizes(c, dims[axis], sizes));
    for (uint32_t o = 0; o < c->n_out; o++) {
        dims[axis] = known ? sizes[o] : DIM_UNKNOWN;
        TRY(infer_set(c, o, 0, rank, dims));
    }
    return HEED_OK;
}

static void content_split(op_infer *c)
{
    const ir_dim *values;
    int64_t n, at = 0;
    if (infer_rank(c, 0) != 1 || !infer_ints(c, 0, &values, &n))
        return;
    for (uint32_t o = 0; o < c->n_out; o++) {
        ir_dim size = c->out[o].rank == 1 ? c->out[o].dims[0] : DIM_UNKNOWN;
        if (size < 0 || size > n - at)
            return;
        content_put(c, o, size, values + at);
        at += size;
    }
}

static bool part_split(op_infer *c, uint32_t o, int64_t *first)
{
    const ir_type *in = c->in[0];
    int32_t axis;
    if (infer_axis(c, ir_attr_int(c->node, "axis", 0), in->rank, &axis) ||
        !layout_outermost(in, axis))
        return false;
    *first = 0;
    for (uint32_t i = 0; i < o; i++)
        *first += c->out[i].dims[axis];
    *first *= layout_product(in->dims, axis + 1, in->rank);
    return true;
}

/* Extent of output o on the axis, also of one that nobody asked for. */
static int64_t piece_of(op_call *c, uint32_t o, int64_t extent)
{
    if (call_has(c, 1))
        return tensor_get_int(c->in[1], o);
    int64_t n = ir_attr_int(c->node, "num_outputs", (int64_t)c->n_out);
    return equal_piece(extent, n, o);
}

static heed_status run_split(op_call *c)
{
    const heed_tensor *in = c->in[0];
    int32_t rank = tensor_rank(in);
    int64_t axis = ir_attr_int(c->node, "axis", 0), at = 0;
    axis = axis < 0 ? axis + rank : axis;
    int64_t outer = layout_product(in->dims, 0, (int32_t)axis);
    int64_t inner = layout_product(in->dims, (int32_t)axis + 1, rank);
    int64_t row = in->dims[axis] * inner;
    for (uint32_t o = 0; o < c->n_out; o++) {
        heed_tensor *out = call_out(c, o);
        int64_t piece = piece_of(c, o, in->dims[axis]) * inner;
        for (int64_t k = 0; out && k < outer && piece > 0; k++)
            dtype_copy(in->dtype, tensor_data(out), k * piece, tensor_data(in), k * row + at,
                       piece);
        at += piece;
    }
    return HEED_OK;
}

// clang-format off
static const op_def split = {
    .domain = "", .name = "Split", .since = 18,
    .signature = "input:T, split:int64? -> outputs:T*", .types = "T=any",
    .attrs = "axis:int=0 num_outputs:int",
    .infer = infer_split, .content = content_split, .part = part_split, .run = run_split};
// clang-format on

const op_def *const ops_split[] = {&split, NULL};
