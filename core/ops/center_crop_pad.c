/* center_crop_pad.c - CenterCropPad: brings axes to given extents, keeping the middle. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* The axes that the extents speak of, each once. */
static heed_status read_axes(op_infer *c, int32_t rank, int32_t *axes, int64_t *n)
{
    uint64_t count;
    const int64_t *given = ir_attr_ints(c->node, "axes", &count);
    bool seen[TENSOR_MAX_RANK] = {false};
    *n = given ? (int64_t)count : rank;
    for (int32_t i = 0; i < *n; i++) {
        int32_t axis;
        TRY(infer_axis(c, given ? given[i] : i, rank, &axis));
        if (seen[axis])
            return infer_error(c, "each axis once", "%d twice", axis);
        seen[axis] = true;
        axes[i] = axis;
    }
    return HEED_OK;
}

static heed_status infer_crop(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axes[TENSOR_MAX_RANK];
    ir_dim dims[TENSOR_MAX_RANK];
    content_entry *shape;
    int64_t n, count;
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(read_axes(c, rank, axes, &n));
    if (!content_get(c, 1, &shape, &count))
        return infer_set_unknown(c, 0, 0, rank);
    if (count != n)
        return infer_error(c, "an extent for each axis", "%lld for %lld", (long long)count,
                           (long long)n);
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    for (int64_t i = 0; i < n; i++) {
        if (shape[i].known && shape[i].number < 0)
            return infer_error(c, "extents of at least 0", "%lld", (long long)shape[i].number);
        dims[axes[i]] = content_extent(c, &shape[i]);
    }
    return infer_set(c, 0, 0, rank, dims);
}

/* What there is too much lies half before and half behind; of an odd number the smaller half lies
 * before. */
static heed_status run_crop(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    layout_box box = {.rank = tensor_rank(in)};
    int64_t from = 0, to = 0, n = 1;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    layout_strides(box.rank, in->dims, box.src);
    layout_strides(box.rank, out->dims, box.dst);
    for (int32_t i = 0; i < box.rank; i++) {
        int64_t more = out->dims[i] - in->dims[i];
        box.dims[i] = more < 0 ? out->dims[i] : in->dims[i];
        from += more < 0 ? -more / 2 * box.src[i] : 0;
        to += more > 0 ? more / 2 * box.dst[i] : 0;
        n *= box.dims[i];
    }
    if (n < tensor_count(out))
        layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    if (n > 0)
        layout_copy(out->dtype, &box, tensor_data(out), to, tensor_data(in), from);
    return HEED_OK;
}

// clang-format off
static const op_def center_crop_pad = {
    .domain = "", .name = "CenterCropPad", .since = 18,
    .signature = "input_data:T, shape:I -> output_data:T", .types = "T=any I=int32|int64",
    .attrs = "axes:ints",
    .infer = infer_crop, .run = run_crop};
// clang-format on

const op_def *const ops_center_crop_pad[] = {&center_crop_pad, NULL};
