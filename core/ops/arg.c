/* arg.c - ArgMax and ArgMin: where along an axis the largest or smallest element is. */
#include "ops/order.h"

static int64_t best_of(const uint64_t *keys, int64_t n, bool last)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (keys[i] > keys[best] || (last && keys[i] == keys[best]))
            best = i;
    return best;
}

static heed_status run_arg(op_call *c)
{
    const heed_tensor *in = c->in[0];
    const bool *smallest = c->node->op->data;
    bool last = ir_attr_int(c->node, "select_last_index", 0) != 0;
    int64_t *out = tensor_data(c->out[0]);
    int32_t axis;
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), tensor_rank(in), &axis));
    loop_lines lines = loop_lines_of(in, axis);
    if (lines.n == 0 && lines.outer * lines.inner > 0)
        return call_error(c, HEED_INVALID, "%s along an axis without elements", c->node->op->name);
    uint64_t *keys = call_scratch(c, (size_t)lines.n * sizeof *keys + 1);
    if (!keys)
        return HEED_NOMEM;
    for (int64_t o = 0; o < lines.outer; o++)
        for (int64_t j = 0; j < lines.inner; j++) {
            order_keys(in, &lines, o, j, *smallest, true, keys);
            out[o * lines.inner + j] = best_of(keys, lines.n, last);
        }
    return HEED_OK;
}

static heed_status infer_arg(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis, kept = 0;
    bool keep = ir_attr_int(c->node, "keepdims", 1) != 0;
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, HEED_INT64, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    for (int32_t i = 0; i < rank; i++)
        if (i != axis || keep)
            dims[kept++] = i == axis ? 1 : c->in[0]->dims[i];
    return infer_set(c, 0, HEED_INT64, kept, dims);
}

static const bool largest = false, smallest = true;

// clang-format off
static const op_def arg_max = {
    .domain = "", .name = "ArgMax", .since = 13, .data = &largest,
    .signature = "data:T -> reduced:int64", .types = "T=real",
    .attrs = "axis:int=0 keepdims:int=1 select_last_index:int=0",
    .infer = infer_arg, .run = run_arg};
static const op_def arg_min = {
    .domain = "", .name = "ArgMin", .since = 13, .data = &smallest,
    .signature = "data:T -> reduced:int64", .types = "T=real",
    .attrs = "axis:int=0 keepdims:int=1 select_last_index:int=0",
    .infer = infer_arg, .run = run_arg};

const op_def *const ops_arg[] = {&arg_max, &arg_min, NULL};
// clang-format on
