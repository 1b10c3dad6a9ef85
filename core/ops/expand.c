/* expand.c - repeating elements: Expand (by broadcasting), Tile (by counts). */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* Output of one number repeated: every entry is it. */
static void content_repeated(op_infer *c)
{
    const ir_type *out = &c->out[0];
    const ir_dim *from;
    int64_t n;
    if (infer_rank(c, 0) > 1 || out->rank != 1 || out->dims[0] < 0 || out->dims[0] > CONTENT_MAX)
        return;
    if (!dtype_is_int(out->dtype) || !infer_ints(c, 0, &from, &n) || n < 1)
        return;
    ir_dim *values = infer_dims_new(c, out->dims[0]);
    for (int64_t i = 0; values && i < out->dims[0]; i++)
        values[i] = from[i % n];
    if (values)
        content_put(c, 0, out->dims[0], values);
}

/* The entries of input 1, which are extents or counts. False: not known, and output 0 is set so. */
static heed_status read_counts(op_infer *c, content_entry **entries, int64_t *n, bool *known)
{
    if (infer_rank(c, 1) > 1)
        return infer_error(c, "input 1 of rank 1", "rank %d", infer_rank(c, 1));
    *known = content_get(c, 1, entries, n);
    if (!*known)
        return HEED_OK;
    if (*n > TENSOR_MAX_RANK)
        return infer_error(c, "at most 16 dims", "%lld", (long long)*n);
    for (int64_t i = 0; i < *n; i++)
        if ((*entries)[i].known && (*entries)[i].number < 0)
            return infer_error(c, "numbers of at least 0 in input 1", "%lld",
                               (long long)(*entries)[i].number);
    return HEED_OK;
}

/* ---- Expand -------------------------------------------------------------------------------- */

static heed_status infer_expand(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    content_entry *target;
    int64_t n;
    bool known;
    TRY(read_counts(c, &target, &n, &known));
    if (!known || rank < 0) {
        ir_dim other = known ? n : infer_dim(c, 1, 0);
        bool usable = rank >= 0 && other >= 0 && other <= TENSOR_MAX_RANK;
        return infer_set_unknown(c, 0, 0, !usable ? -1 : rank > other ? rank : (int32_t)other);
    }
    int32_t total = rank > n ? rank : (int32_t)n;
    ir_dim dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < total; i++) {
        int32_t own = i - (total - rank), aim = i - (total - (int32_t)n);
        ir_dim a = own < 0 ? 1 : c->in[0]->dims[own];
        ir_dim b = aim < 0 ? 1 : content_extent(c, &target[aim]);
        if (!dims_broadcast(c->dims, a, b, &dims[i]))
            return infer_error(c, "an extent that broadcasts", "%lld to %lld on axis %d",
                               (long long)a, (long long)b, i);
    }
    return infer_set(c, 0, 0, total, dims);
}

static heed_status run_expand(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    layout_box box = {.rank = tensor_rank(out)};
    memcpy(box.dims, out->dims, (size_t)box.rank * sizeof(int64_t));
    layout_strides(box.rank, out->dims, box.dst);
    layout_broadcast(c->in[0], box.rank, box.src);
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(c->in[0]), 0);
    return HEED_OK;
}

/* ---- Tile ---------------------------------------------------------------------------------- */

static heed_status infer_tile(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    content_entry *repeats;
    int64_t n;
    bool known;
    TRY(read_counts(c, &repeats, &n, &known));
    if (!known || rank < 0)
        return infer_set_unknown(c, 0, 0, rank);
    if (n != rank)
        return infer_error(c, "one repeat for each axis", "%lld for rank %d", (long long)n, rank);
    ir_dim dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < rank; i++)
        dims[i] = dims_mul(c->dims, c->in[0]->dims[i], content_extent(c, &repeats[i]));
    return infer_set(c, 0, 0, rank, dims);
}

static heed_status run_tile(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    const heed_tensor *in = c->in[0];
    int64_t in_strides[TENSOR_MAX_RANK], out_strides[TENSOR_MAX_RANK];
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    layout_box box = {.rank = 2 * tensor_rank(in)};
    layout_strides(tensor_rank(in), in->dims, in_strides);
    layout_strides(tensor_rank(in), out->dims, out_strides);
    for (int32_t i = 0; i < tensor_rank(in); i++) {
        box.dims[2 * i] = out->dims[i] / in->dims[i];
        box.dst[2 * i] = in->dims[i] * out_strides[i];
        box.src[2 * i] = 0;
        box.dims[2 * i + 1] = in->dims[i];
        box.dst[2 * i + 1] = out_strides[i];
        box.src[2 * i + 1] = in_strides[i];
    }
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(in), 0);
    return HEED_OK;
}

// clang-format off
static const op_def expand = {
    .domain = "", .name = "Expand", .since = 13,
    .signature = "input:T, shape:int64 -> output:T", .types = "T=any",
    .infer = infer_expand, .content = content_repeated, .run = run_expand};
static const op_def tile = {
    .domain = "", .name = "Tile", .since = 13,
    .signature = "input:T, repeats:int64 -> output:T", .types = "T=any",
    .infer = infer_tile, .content = content_repeated, .run = run_tile};
// clang-format on

const op_def *const ops_expand[] = {&expand, &tile, NULL};
