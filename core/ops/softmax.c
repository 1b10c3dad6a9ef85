/* softmax.c - Softmax, LogSoftmax, Hardmax: one line along an axis at a time, in double. */
#include <math.h>

#include "ops/loops.h"

typedef void line_fn(int64_t n, double *x);

/* NaN if there is one. */
static double largest(int64_t n, const double *x)
{
    double max = x[0];
    for (int64_t i = 1; i < n; i++)
        max = x[i] > max || x[i] != x[i] ? x[i] : max;
    return max;
}

static void softmax_line(int64_t n, double *x)
{
    double max = largest(n, x), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        x[i] = exp(x[i] - max);
        sum += x[i];
    }
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

static void log_softmax_line(int64_t n, double *x)
{
    double max = largest(n, x), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - max);
    double all = log(sum);
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] - max - all;
}

static void hardmax_line(int64_t n, double *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    for (int64_t i = 0; i < n; i++)
        x[i] = i == best;
}

typedef struct line_op {
    line_fn *line;
} line_op;

static heed_status run_lines(op_call *c)
{
    const line_op *op = c->node->op->data;
    const heed_tensor *in = c->in[0];
    int32_t axis = 0;
    if (tensor_rank(in) > 0)
        TRY(loop_axis(c, ir_attr_int(c->node, "axis", -1), tensor_rank(in), &axis));
    loop_lines lines = loop_lines_of(in, axis);
    double *x = call_scratch(c, (size_t)lines.n * sizeof *x + 1);
    if (!x)
        return HEED_NOMEM;
    if (lines.n == 0)
        return HEED_OK;
    for (int64_t o = 0; o < lines.outer; o++)
        for (int64_t j = 0; j < lines.inner; j++) {
            loop_load_line(in, CLASS_F64, &lines, o, j, x);
            op->line(lines.n, x);
            loop_store_line(c->out[0], CLASS_F64, &lines, o, j, x);
        }
    return HEED_OK;
}

static heed_status infer_lines(op_infer *c)
{
    int32_t axis;
    if (infer_rank(c, 0) > 0)
        TRY(infer_axis(c, ir_attr_int(c->node, "axis", -1), infer_rank(c, 0), &axis));
    return infer_same(c);
}

// clang-format off
static const line_op softmax_data = {softmax_line};
static const line_op log_softmax_data = {log_softmax_line};
static const line_op hardmax_data = {hardmax_line};

static const op_def softmax = {
    .domain = "", .name = "Softmax", .since = 13, .flags = OP_INPLACE, .data = &softmax_data,
    .signature = "input:T -> output:T", .types = "T=float", .attrs = "axis:int=-1",
    .infer = infer_lines, .run = run_lines};
static const op_def log_softmax = {
    .domain = "", .name = "LogSoftmax", .since = 13, .flags = OP_INPLACE,
    .data = &log_softmax_data,
    .signature = "input:T -> output:T", .types = "T=float", .attrs = "axis:int=-1",
    .infer = infer_lines, .run = run_lines};
static const op_def hardmax = {
    .domain = "", .name = "Hardmax", .since = 13, .flags = OP_INPLACE, .data = &hardmax_data,
    .signature = "input:T -> output:T", .types = "T=float", .attrs = "axis:int=-1",
    .infer = infer_lines, .run = run_lines};

const op_def *const ops_softmax[] = {&softmax, &log_softmax, &hardmax, NULL};
// clang-format on
