/* shape.c - a tensor's extents as integers: Shape, Size. They read no data, so they are known as
 * soon as their input's type is. */
#include "ops/content.h"

/* Attributes start and end, clamped as in slicing. */
static void range_of(const ir_node *n, int32_t rank, int32_t *from, int32_t *to)
{
    int64_t start = ir_attr_int(n, "start", 0), end = ir_attr_int(n, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    *from = (int32_t)(start < 0 ? 0 : start > rank ? rank : start);
    *to = (int32_t)(end < 0 ? 0 : end > rank ? rank : end);
    if (*to < *from)
        *to = *from;
}

static heed_status infer_shape(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), from, to;
    if (rank < 0)
        return infer_set_unknown(c, 0, HEED_INT64, 1);
    range_of(c->node, rank, &from, &to);
    ir_dim n = to - from;
    return infer_set(c, 0, HEED_INT64, 1, &n);
}

static void content_shape(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), from, to;
    if (rank < 0)
        return;
    range_of(c->node, rank, &from, &to);
    content_put(c, 0, to - from, c->in[0]->dims + from);
}

static heed_status run_shape(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int32_t from, to;
    if (!out)
        return HEED_OK;
    range_of(c->node, tensor_rank(c->in[0]), &from, &to);
    for (int32_t i = from; i < to; i++)
        dtype_store_i64(HEED_INT64, tensor_data(out), i - from, 1, &c->in[0]->dims[i]);
    return HEED_OK;
}

static heed_status infer_size(op_infer *c) { return infer_set(c, 0, HEED_INT64, 0, NULL); }

static void content_size(op_infer *c)
{
    ir_dim count = content_count(c->dims, c->in[0]);
    if (count != DIM_UNKNOWN)
        content_put(c, 0, 1, &count);
}

static heed_status run_size(op_call *c)
{
    int64_t count = tensor_count(c->in[0]);
    if (call_out(c, 0))
        dtype_store_i64(HEED_INT64, tensor_data(c->out[0]), 0, 1, &count);
    return HEED_OK;
}

// clang-format off
static const op_def shape = {
    .domain = "", .name = "Shape", .since = 25,
    .signature = "data:T -> shape:int64", .types = "T=any",
    .attrs = "end:int start:int=0",
    .infer = infer_shape, .content = content_shape, .run = run_shape};
static const op_def size = {
    .domain = "", .name = "Size", .since = 25,
    .signature = "data:T -> size:int64", .types = "T=any",
    .infer = infer_size, .content = content_size, .run = run_size};
// clang-format on

const op_def *const ops_shape[] = {&shape, &size, NULL};
