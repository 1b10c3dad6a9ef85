/* lrn.c - LRN: every element divided by a power of the squares of its neighbours in the channels.
 */
#include <math.h>

#include "ops/loops.h"

static heed_status infer_lrn(op_infer *c)
{
    int64_t size = ir_attr_int(c->node, "size", 1);
    if (size < 1 || size > INT32_MAX)
        return infer_error(c, "a size of at least 1", "%lld", (long long)size);
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) < 2)
        return infer_error(c, "rank 2 or more", "rank %d", infer_rank(c, 0));
    return infer_same(c);
}

typedef struct response {
    double alpha, beta, bias;
    int64_t size, channels;
    double *line, *out; /* all channels at one place */
} response;

static void normalise(const response *r)
{
    int64_t before = (r->size - 1) / 2, after = r->size - 1 - before;
    for (int64_t ch = 0; ch < r->channels; ch++) {
        int64_t first = ch < before ? 0 : ch - before;
        int64_t end = r->channels - ch <= after ? r->channels : ch + after + 1;
        double squares = 0.0;
        for (int64_t i = first; i < end; i++)
            squares += r->line[i] * r->line[i];
        r->out[ch] = r->line[ch] / pow(r->bias + r->alpha / (double)r->size * squares, r->beta);
    }
}

static heed_status run_lrn(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    loop_lines lines = loop_lines_of(in, 1);
    response r = {
        .alpha = ir_attr_float(c->node, "alpha", 0.0001),
        .beta = ir_attr_float(c->node, "beta", 0.75),
        .bias = ir_attr_float(c->node, "bias", 1.0),
        .size = ir_attr_int(c->node, "size", 1),
        .channels = lines.n,
        .line = call_scratch(c, (size_t)lines.n * sizeof(double)),
        .out = call_scratch(c, (size_t)lines.n * sizeof(double)),
    };
    if (!r.line || !r.out)
        return err_get()->status;
    for (int64_t o = 0; o < lines.outer; o++)
        for (int64_t j = 0; j < lines.inner; j++) {
            loop_load_line(in, CLASS_F64, &lines, o, j, r.line);
            normalise(&r);
            loop_store_line(out, CLASS_F64, &lines, o, j, r.out);
        }
    return HEED_OK;
}

// clang-format off
static const op_def lrn = {
    .domain = "", .name = "LRN", .since = 13, .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "alpha:float=0.0001 beta:float=0.75 bias:float=1.0 size:int!",
    .infer = infer_lrn, .run = run_lrn};
// clang-format on

const op_def *const ops_lrn[] = {&lrn, NULL};
