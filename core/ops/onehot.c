/* onehot.c - indices spread out along a new axis: OneHot. */
#include "ops/content.h"
#include "ops/layout.h"

static heed_status depth_of(op_infer *c, ir_dim *depth)
{
    content_entry entry;
    const heed_tensor *t = c->in_tensors[1];
    int64_t number;
    if (t && tensor_count(t) != 1)
        return infer_error(c, "one number as depth", "%lld", (long long)tensor_count(t));
    if (t) {
        dtype_load_i64(t->dtype, tensor_data(t), 0, 1, &number);
        *depth = number;
        if (number < 0)
            return infer_error(c, "a depth of at least 0", "%lld", (long long)number);
    } else {
        bool known = content_scalar(c, 1, 0, &entry);
        *depth = known ? content_extent(c, &entry) : DIM_UNKNOWN;
    }
    return HEED_OK;
}

static heed_status infer_one_hot(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    ir_dim dims[TENSOR_MAX_RANK + 1], depth = DIM_UNKNOWN, n = infer_dim(c, 2, 0);
    TRY(depth_of(c, &depth));
    if (dim_known(n) && n != 2)
        return infer_error(c, "two values: off and on", "%lld", (long long)n);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", -1), rank + 1, &axis));
    for (int32_t i = 0; i <= rank; i++)
        dims[i] = i == axis ? depth : c->in[0]->dims[i < axis ? i : i - 1];
    return infer_set(c, 0, 0, rank + 1, dims);
}

static heed_status run_one_hot(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t *indices = call_ints(c, 0), axis = ir_attr_int(c->node, "axis", -1);
    if (!indices || !out)
        return indices ? HEED_OK : err_get()->status;
    if (tensor_count(c->in[2]) != 2)
        return call_error(c, HEED_INVALID, "values must be two elements, off and on");
    int32_t rank = tensor_rank(out);
    axis = axis < 0 ? axis + rank : axis;
    int64_t depth = out->dims[axis], inner = layout_product(out->dims, (int32_t)axis + 1, rank);
    layout_fill(out->dtype, tensor_data(out), 0, tensor_count(out), tensor_data(c->in[2]), 0);
    for (int64_t i = 0, n = tensor_count(c->in[0]); i < n; i++) {
        int64_t at = indices[i];
        if (at < -depth || at >= depth)
            continue;
        at = at < 0 ? at + depth : at;
        dtype_copy(out->dtype, tensor_data(out), (i / inner * depth + at) * inner + i % inner,
                   tensor_data(c->in[2]), 1, 1);
    }
    return HEED_OK;
}

// clang-format off
static const op_def one_hot = {
    .domain = "", .name = "OneHot", .since = 28,
    .signature = "indices:A, depth:B, values:T -> output:T", .types = "A=real B=real T=any",
    .attrs = "axis:int=-1", .infer = infer_one_hot, .run = run_one_hot};
// clang-format on

const op_def *const ops_onehot[] = {&one_hot, NULL};
