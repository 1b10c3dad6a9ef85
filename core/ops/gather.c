/* gather.c - elements picked by index: Gather, GatherElements, GatherND. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

static int32_t axis_of(const op_call *c)
{
    int64_t axis = ir_attr_int(c->node, "axis", 0);
    return (int32_t)(axis < 0 ? axis + tensor_rank(c->in[0]) : axis);
}

/* ---- Gather -------------------------------------------------------------------------------- */

static heed_status infer_gather(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), more = infer_rank(c, 1), axis, n = 0;
    ir_dim dims[2 * TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    if (more < 0)
        return infer_set_unknown(c, 0, 0, -1);
    for (int32_t i = 0; i < axis; i++)
        dims[n++] = c->in[0]->dims[i];
    for (int32_t i = 0; i < more; i++)
        dims[n++] = c->in[1]->dims[i];
    for (int32_t i = axis + 1; i < rank; i++)
        dims[n++] = c->in[0]->dims[i];
    return infer_set(c, 0, 0, n, dims);
}

static void content_gather(op_infer *c)
{
    const ir_dim *from;
    const int64_t *indices;
    int64_t n, count;
    if (infer_rank(c, 0) != 1 || infer_rank(c, 1) > 1 || !infer_ints(c, 0, &from, &n))
        return;
    if (!infer_numbers(c, 1, &indices, &count) || count > CONTENT_MAX)
        return;
    ir_dim *values = infer_dims_new(c, count);
    for (int64_t i = 0; values && i < count; i++) {
        int64_t at = indices[i] < 0 ? indices[i] + n : indices[i];
        if (at < 0 || at >= n)
            return;
        values[i] = from[at];
    }
    if (values)
        content_put(c, 0, count, values);
}

/* One known index on the outermost axis: qkv[0] of a packed projection. */
static bool part_gather(op_infer *c, uint32_t o, int64_t *first)
{
    const ir_type *in = c->in[0];
    const int64_t *index;
    int64_t count;
    int32_t axis;
    (void)o;
    if (infer_axis(c, ir_attr_int(c->node, "axis", 0), in->rank, &axis) ||
        !layout_outermost(in, axis) || !infer_numbers(c, 1, &index, &count) || count != 1)
        return false;
    int64_t dim = in->dims[axis];
    if (index[0] < -dim || index[0] >= dim)
        return false; /* the kernel says what is wrong */
    int64_t at = index[0] < 0 ? index[0] + dim : index[0];
    *first = at * layout_product(in->dims, axis + 1, in->rank);
    return true;
}

static heed_status run_gather(op_call *c)
{
    const heed_tensor *data = c->in[0];
    heed_tensor *out = call_out(c, 0);
    int64_t n = tensor_count(c->in[1]), to = 0, *indices = call_ints(c, 1);
    int32_t axis = axis_of(c), rank = tensor_rank(data);
    if (!indices || !out)
        return indices ? HEED_OK : err_get()->status;
    int64_t outer = layout_product(data->dims, 0, axis);
    int64_t inner = layout_product(data->dims, axis + 1, rank), dim = data->dims[axis];
    for (int64_t i = 0; i < n; i++)
        TRY(call_index(c, &indices[i], dim));
    for (int64_t o = 0; o < outer && inner > 0; o++)
        for (int64_t i = 0; i < n; i++, to += inner)
            dtype_copy(data->dtype, tensor_data(out), to, tensor_data(data),
                       (o * dim + indices[i]) * inner, inner);
    return HEED_OK;
}

/* ---- GatherElements ------------------------------------------------------------------------ */

static heed_status infer_gather_elements(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), other = infer_rank(c, 1), axis;
    if (rank < 0 || other < 0)
        return infer_set_unknown(c, 0, 0, rank > other ? rank : other);
    if (rank != other)
        return infer_error(c, "indices of the rank of data", "%d and %d", other, rank);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    for (int32_t i = 0; i < rank; i++) {
        ir_dim data = c->in[0]->dims[i], indices = c->in[1]->dims[i];
        if (i != axis && dim_known(data) && dim_known(indices) && indices > data)
            return infer_error(c, "indices no larger than data beside the axis",
                               "%lld of %lld on axis %d", (long long)indices, (long long)data, i);
    }
    return infer_set(c, 0, 0, rank, c->in[1]->dims);
}

static heed_status run_gather_elements(op_call *c)
{
    const heed_tensor *data = c->in[0];
    heed_tensor *out = call_out(c, 0);
    int64_t *indices = call_ints(c, 1), strides[TENSOR_MAX_RANK], index[TENSOR_MAX_RANK] = {0};
    int32_t axis = axis_of(c), rank = tensor_rank(data);
    if (!indices || !out)
        return indices ? HEED_OK : err_get()->status;
    layout_strides(rank, data->dims, strides);
    for (int64_t i = 0, n = tensor_count(out); i < n; i++) {
        int64_t from = 0;
        TRY(call_index(c, &indices[i], data->dims[axis]));
        for (int32_t k = 0; k < rank; k++)
            from += (k == axis ? indices[i] : index[k]) * strides[k];
        dtype_copy(data->dtype, tensor_data(out), i, tensor_data(data), from, 1);
        layout_next(rank, out->dims, index);
    }
    return HEED_OK;
}

/* ---- GatherND ------------------------------------------------------------------------------ */

static heed_status check_batch(op_infer *c, int64_t batch, ir_dim depth)
{
    int32_t rank = infer_rank(c, 0), q = infer_rank(c, 1);
    if (batch < 0 || batch >= (rank < q ? rank : q))
        return infer_error(c, "batch_dims below both ranks", "%lld for ranks %d and %d",
                           (long long)batch, rank, q);
    if (dim_known(depth) && (depth < 1 || depth > rank - batch))
        return infer_error(c,
                           "a last extent of indices from 1 to the rank of data without "
                           "batch_dims",
                           "%lld", (long long)depth);
    for (int32_t i = 0; i < batch; i++) {
        ir_dim a = c->in[0]->dims[i], b = c->in[1]->dims[i];
        if (dim_known(a) && dim_known(b) && a != b)
            return infer_error(c, "equal batch extents", "%lld and %lld", (long long)a,
                               (long long)b);
    }
    return HEED_OK;
}

static heed_status infer_gather_nd(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), q = infer_rank(c, 1), n = 0;
    int64_t batch = ir_attr_int(c->node, "batch_dims", 0);
    ir_dim dims[2 * TENSOR_MAX_RANK], depth = infer_dim(c, 1, q - 1);
    if (rank < 0 || q < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(check_batch(c, batch, depth));
    if (!dim_known(depth))
        return infer_set_unknown(c, 0, 0, -1);
    for (int32_t i = 0; i < q - 1; i++)
        dims[n++] = c->in[1]->dims[i];
    for (int32_t i = (int32_t)(batch + depth); i < rank; i++)
        dims[n++] = c->in[0]->dims[i];
    return infer_set(c, 0, 0, n, dims);
}

static heed_status run_gather_nd(op_call *c)
{
    const heed_tensor *data = c->in[0], *where = c->in[1];
    heed_tensor *out = call_out(c, 0);
    int64_t *indices = call_ints(c, 1), strides[TENSOR_MAX_RANK];
    int32_t rank = tensor_rank(data), q = tensor_rank(where);
    int32_t batch = (int32_t)ir_attr_int(c->node, "batch_dims", 0);
    if (!indices || !out || tensor_count(out) == 0)
        return indices ? HEED_OK : err_get()->status;
    int64_t depth = where->dims[q - 1], tuples = layout_product(where->dims, 0, q - 1);
    int64_t inner = layout_product(data->dims, batch + (int32_t)depth, rank);
    int64_t per_batch = tuples / layout_product(where->dims, 0, batch);
    int64_t batch_size = layout_product(data->dims, batch, rank);
    layout_strides(rank, data->dims, strides);
    for (int64_t i = 0; i < tuples; i++) {
        int64_t from = i / per_batch * batch_size;
        for (int64_t k = 0; k < depth; k++) {
            TRY(call_index(c, &indices[i * depth + k], data->dims[batch + k]));
            from += indices[i * depth + k] * strides[batch + k];
        }
        dtype_copy(data->dtype, tensor_data(out), i * inner, tensor_data(data), from, inner);
    }
    return HEED_OK;
}

// clang-format off
static const op_def gather = {
    .domain = "", .name = "Gather", .since = 13,
    .signature = "data:T, indices:I -> output:T", .types = "T=any I=int32|int64",
    .attrs = "axis:int=0",
    .infer = infer_gather, .content = content_gather, .part = part_gather, .run = run_gather};
static const op_def gather_elements = {
    .domain = "", .name = "GatherElements", .since = 13,
    .signature = "data:T, indices:I -> output:T", .types = "T=any I=int32|int64",
    .attrs = "axis:int=0",
    .infer = infer_gather_elements, .run = run_gather_elements};
static const op_def gather_nd = {
    .domain = "", .name = "GatherND", .since = 13,
    .signature = "data:T, indices:I -> output:T", .types = "T=any I=int64",
    .attrs = "batch_dims:int=0",
    .infer = infer_gather_nd, .run = run_gather_nd};
// clang-format on

const op_def *const ops_gather[] = {&gather, &gather_elements, &gather_nd, NULL};
