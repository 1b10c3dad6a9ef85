/* unfold.c - UnfoldTensor of com.microsoft: all slices of one size along an axis, side by side. */
#include "ops/layout.h"

static heed_status infer_unfold(op_infer *c)
{
    int64_t size = ir_attr_int(c->node, "size", 1), step = ir_attr_int(c->node, "step", 1);
    int32_t rank = infer_rank(c, 0), axis;
    ir_dim dims[TENSOR_MAX_RANK];
    if (size < 1 || step < 1)
        return infer_error(c, "a size and a step of one or more", "%lld and %lld", (long long)size,
                           (long long)step);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "dim", -1), rank, &axis));
    if (rank >= TENSOR_MAX_RANK)
        return infer_error(c, "room for one more axis", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    if (dim_known(dims[axis]) && dims[axis] < size)
        return infer_error(c, "an axis that holds a slice", "extent %lld, size %lld",
                           (long long)dims[axis], (long long)size);
    ir_dim room = dims_sub(c->dims, dims[axis], size);
    dims[axis] = dims_add(c->dims, dims_floor_div(c->dims, room, step), 1);
    dims[rank] = size;
    return infer_set(c, 0, 0, rank + 1, dims);
}

static heed_status run_unfold(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = c->out[0];
    int64_t dim = ir_attr_int(c->node, "dim", -1);
    int32_t rank = tensor_rank(in), axis = (int32_t)(dim < 0 ? dim + rank : dim);
    layout_box box = {.rank = rank + 1};
    for (int32_t i = 0; i <= rank; i++)
        box.dims[i] = out->dims[i];
    layout_strides(rank + 1, out->dims, box.dst);
    layout_strides(rank, in->dims, box.src);
    box.src[rank] = box.src[axis];
    if (out->dims[axis] > 1) /* else a step may be longer than everything */
        box.src[axis] *= ir_attr_int(c->node, "step", 1);
    if (tensor_count(out) > 0)
        layout_copy(in->dtype, &box, tensor_data(out), 0, tensor_data(in), 0);
    return HEED_OK;
}

// clang-format off
static const op_def unfold = {
    .domain = "com.microsoft", .name = "UnfoldTensor", .since = 1,
    .signature = "input:T -> output:T", .types = "T=any", .attrs = "dim:int=-1 size:int! step:int=1",
    .infer = infer_unfold, .run = run_unfold};
// clang-format on

const op_def *const ops_unfold[] = {&unfold, NULL};
