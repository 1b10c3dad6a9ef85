/* compress.c - the slices along an axis that a list of truths picks: Compress. */
#include <string.h>

#include "ops/layout.h"
#include "ops/loops.h"

static bool has_axis(const ir_node *n) { return ir_node_attr(n, "axis") != NULL; }

static heed_status infer_compress(op_infer *c)
{
    ir_dim dims[TENSOR_MAX_RANK] = {DIM_UNKNOWN};
    int32_t rank = infer_rank(c, 0), axis;
    if (infer_rank(c, 1) >= 0 && infer_rank(c, 1) != 1)
        return infer_error(c, "a condition of one dimension", "%d", infer_rank(c, 1));
    if (!has_axis(c->node))
        return infer_set(c, 0, 0, 1, dims);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    memcpy(dims, c->in[0]->dims, (size_t)rank * sizeof(*dims));
    dims[axis] = DIM_UNKNOWN;
    return infer_set(c, 0, 0, rank, dims);
}

/* The condition may be shorter than the axis; what it says beyond is not read. */
static heed_status run_compress(op_call *c)
{
    const heed_tensor *in = c->in[0];
    int64_t dims[TENSOR_MAX_RANK], *truth = call_ints(c, 1), found = 0, to = 0;
    loop_lines lines = {1, tensor_count(in), 1};
    int32_t axis = 0, rank = has_axis(c->node) ? tensor_rank(in) : 1;
    if (!truth)
        return err_get()->status;
    if (has_axis(c->node)) {
        TRY(loop_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
        lines = loop_lines_of(in, axis);
    }
    int64_t n = tensor_count(c->in[1]) < lines.n ? tensor_count(c->in[1]) : lines.n;
    for (int64_t i = 0; i < n; i++)
        if (truth[i])
            truth[found++] = i;
    memcpy(dims, in->dims, sizeof(dims));
    dims[axis] = found;
    TRY(call_output(c, 0, 0, rank, dims));
    for (int64_t o = 0; call_out(c, 0) && o < lines.outer && lines.inner > 0; o++)
        for (int64_t i = 0; i < found; i++, to += lines.inner)
            dtype_copy(in->dtype, tensor_data(c->out[0]), to, tensor_data(in),
                       (o * lines.n + truth[i]) * lines.inner, lines.inner);
    return HEED_OK;
}

// clang-format off
static const op_def compress = {
    .domain = "", .name = "Compress", .since = 11, .flags = OP_DATA_SHAPE,
    .signature = "input:T, condition:bool -> output:T", .types = "T=any", .attrs = "axis:int",
    .infer = infer_compress, .run = run_compress};
// clang-format on

const op_def *const ops_compress[] = {&compress, NULL};
