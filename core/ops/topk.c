/* topk.c - TopK: the k largest or smallest elements along an axis, in order, with their places.
 * They come sorted also where the model does not ask for it. */
#include "ops/content.h"
#include "ops/order.h"

/* Copies the chosen elements of one line, as they are. */
static void take(op_call *c, const loop_lines *from, const loop_lines *to, int64_t o, int64_t j,
                 const int64_t *indices)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *values = call_out(c, 0), *places = call_out(c, 1);
    for (int64_t k = 0; k < to->n; k++) {
        int64_t at = (o * to->n + k) * to->inner + j;
        if (values)
            dtype_copy(in->dtype, tensor_data(values), at, tensor_data(in),
                       (o * from->n + indices[k]) * from->inner + j, 1);
        if (places)
            ((int64_t *)tensor_data(places))[at] = indices[k];
    }
}

static heed_status run_topk(op_call *c)
{
    const heed_tensor *in = c->in[0];
    bool smallest = ir_attr_int(c->node, "largest", 1) == 0;
    int64_t k = tensor_count(c->in[1]) == 1 ? tensor_get_int(c->in[1], 0) : -1;
    int32_t axis;
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", -1), tensor_rank(in), &axis));
    loop_lines from = loop_lines_of(in, axis), to = from;
    if (k < 0 || k > from.n)
        return call_error(c, HEED_INVALID, "TopK asks for %lld of %lld elements", (long long)k,
                          (long long)from.n);
    to.n = k;
    uint64_t *keys = call_scratch(c, (size_t)from.n * sizeof *keys + 1);
    int64_t *indices = call_scratch(c, (size_t)k * sizeof *indices + 1);
    if (!keys || !indices)
        return HEED_NOMEM;
    for (int64_t o = 0; o < from.outer; o++)
        for (int64_t j = 0; j < from.inner; j++) {
            order_keys(in, &from, o, j, smallest, false, keys);
            order_top(keys, from.n, k, indices);
            take(c, &from, &to, o, j, indices);
        }
    return HEED_OK;
}

static heed_status infer_topk(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    ir_dim dims[TENSOR_MAX_RANK];
    content_entry k = {.dim = DIM_UNKNOWN};
    bool known = content_scalar(c, 1, 0, &k);
    if (rank < 0)
        return infer_late(c);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", -1), rank, &axis));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    if (known && k.known && (k.number < 0 || (dim_known(dims[axis]) && k.number > dims[axis])))
        return infer_error(c, "K from 0 to the extent of the axis", "%lld", (long long)k.number);
    dims[axis] = known ? content_extent(c, &k) : DIM_UNKNOWN;
    TRY(infer_set(c, 0, 0, rank, dims));
    if (c->n_out > 1 && c->out[0].rank >= 0)
        return infer_set(c, 1, HEED_INT64, rank, known ? c->out[0].dims : dims);
    return HEED_OK;
}

// clang-format off
static const op_def topk = {
    .domain = "", .name = "TopK", .since = 24,
    .signature = "X:T, K:int64 -> Values:T?, Indices:int64?", .types = "T=real",
    .attrs = "axis:int=-1 largest:int=1 sorted:int=1",
    .infer = infer_topk, .run = run_topk};

const op_def *const ops_topk[] = {&topk, NULL};
// clang-format on
