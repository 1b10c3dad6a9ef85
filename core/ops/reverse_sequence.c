/* reverse_sequence.c - the first elements of each sequence of a batch turned around:
 * ReverseSequence. */
#include "ops/layout.h"

static heed_status check_axes(op_infer *c)
{
    int64_t time = ir_attr_int(c->node, "time_axis", 0);
    int64_t batch = ir_attr_int(c->node, "batch_axis", 1);
    if (time < 0 || time > 1 || batch != 1 - time)
        return infer_error(c, "time_axis and batch_axis to be 0 and 1", "%lld and %lld",
                           (long long)time, (long long)batch);
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) < 2)
        return infer_error(c, "an input of at least two dimensions", "%d", infer_rank(c, 0));
    ir_dim sequences = infer_dim(c, 0, (int32_t)batch), lengths = infer_dim(c, 1, 0);
    if (infer_rank(c, 1) >= 0 && infer_rank(c, 1) != 1)
        return infer_error(c, "a list of lengths", "rank %d", infer_rank(c, 1));
    if (dim_known(sequences) && dim_known(lengths) && sequences != lengths)
        return infer_error(c, "a length for each sequence", "%lld for %lld", (long long)lengths,
                           (long long)sequences);
    return HEED_OK;
}

static heed_status infer_reverse(op_infer *c)
{
    TRY(check_axes(c));
    return infer_same(c);
}

static heed_status run_reverse(op_call *c)
{
    const heed_tensor *in = c->in[0];
    bool time_first = ir_attr_int(c->node, "time_axis", 0) == 0;
    int64_t *lengths = call_ints(c, 1), times = in->dims[!time_first];
    int64_t inner = layout_product(in->dims, 2, tensor_rank(in));
    if (!lengths)
        return err_get()->status;
    for (int64_t i = 0, n = tensor_count(c->in[1]); i < n; i++)
        if (lengths[i] < 0 || lengths[i] > times)
            return call_error(c, HEED_INVALID, "sequence %lld has length %lld of %lld",
                              (long long)i, (long long)lengths[i], (long long)times);
    for (int64_t i = 0; i < in->dims[0] && inner > 0; i++)
        for (int64_t j = 0; j < in->dims[1]; j++) {
            int64_t length = lengths[time_first ? j : i], time = time_first ? i : j;
            int64_t from = time < length ? length - 1 - time : time;
            int64_t source = time_first ? from * in->dims[1] + j : i * in->dims[1] + from;
            dtype_copy(in->dtype, tensor_data(c->out[0]), (i * in->dims[1] + j) * inner,
                       tensor_data(in), source * inner, inner);
        }
    return HEED_OK;
}

// clang-format off
static const op_def reverse = {
    .domain = "", .name = "ReverseSequence", .since = 10,
    .signature = "input:T, sequence_lens:int64 -> Y:T", .types = "T=any",
    .attrs = "batch_axis:int=1 time_axis:int=0",
    .infer = infer_reverse, .run = run_reverse};
// clang-format on

const op_def *const ops_reverse_sequence[] = {&reverse, NULL};
