/* causal_conv.c - CausalConvWithState: a convolution of each channel by itself, which sees what was
 * before and carries its last k - 1 elements on. */
#include <math.h>
#include <string.h>

#include "ops/causal_conv.h"

enum { X, WEIGHT, BIAS, PAST };

static heed_status infer_causal(op_infer *c)
{
    for (uint32_t i = X; i <= PAST; i++) {
        int32_t want = i == BIAS ? 1 : 3;
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != want)
            return infer_error(c, "input, weight and past_state of rank 3, bias of rank 1",
                               "input %u of rank %d", i, infer_rank(c, i));
    }
    ir_dim channels = infer_dim(c, X, 1), k = infer_dim(c, WEIGHT, 2), carried = DIM_UNKNOWN;
    if (k == 0)
        return infer_error(c, "a kernel of 1 or more", "0");
    if (k != DIM_UNKNOWN)
        carried = dims_sub(c->dims, k, 1);
    const ir_dim have[] = {infer_dim(c, WEIGHT, 0), infer_dim(c, WEIGHT, 1), infer_dim(c, BIAS, 0),
                           infer_dim(c, PAST, 0),   infer_dim(c, PAST, 1),   infer_dim(c, PAST, 2)};
    const ir_dim want[] = {channels, 1, channels, infer_dim(c, X, 0), channels, carried};
    for (size_t i = 0; i < sizeof(have) / sizeof(*have); i++)
        if (dim_known(have[i]) && dim_known(want[i]) && have[i] != want[i])
            return infer_error(c, "weight [C, 1, k], bias [C], past_state [B, C, k - 1]",
                               "an extent of %lld for %lld", (long long)have[i],
                               (long long)want[i]);
    TRY(infer_set_like(c, 0, X));
    const ir_dim state[] = {infer_dim(c, X, 0), channels, carried};
    return c->n_out > 1 ? infer_set(c, 1, 0, 3, state) : HEED_OK;
}

void causal_convolve(const op_call *c, const causal *w, double bias)
{
    for (int64_t i = 0; i < w->length; i++) {
        w->sum[i] = bias;
        for (int64_t j = 0; j < w->k; j++)
            w->sum[i] += w->weight[j] * w->row[i + j * w->dilation];
    }
    if (!w->swish)
        return;
    loop_round(c->in[X]->dtype, w->length, w->sum);
    for (int64_t i = 0; i < w->length; i++)
        w->sum[i] /= 1 + exp(-w->sum[i]);
}

heed_status causal_open(op_call *c, causal *w)
{
    const char *activation = ir_attr_string(c->node, "activation", "none");
    size_t carried = (size_t)causal_carried(w), length = (size_t)w->length;
    w->swish = strcmp(activation, "silu") == 0 || strcmp(activation, "swish") == 0;
    if (!w->swish && strcmp(activation, "none") != 0)
        return call_error(c, HEED_INVALID, "activation %s is none of none, silu, swish",
                          activation);
    w->row = call_scratch(c, (2 * length + carried + 1) * sizeof(double));
    w->weight = call_scratch(c, (size_t)w->k * sizeof(double) + 1);
    if (!w->row || !w->weight)
        return HEED_NOMEM;
    w->sum = w->row + length + carried;
    return HEED_OK;
}

/* Channel `at` of all images. */
static void run_row(const op_call *c, const causal *w, int64_t at)
{
    int64_t carried = causal_carried(w), channel = at % c->in[X]->dims[1];
    memset(w->row, 0, (size_t)carried * sizeof(*w->row));
    if (call_has(c, PAST))
        loop_load(c->in[PAST], CLASS_F64, at * carried, carried, w->row);
    loop_load(c->in[X], CLASS_F64, at * w->length, w->length, w->row + carried);
    loop_load(c->in[WEIGHT], CLASS_F64, channel * w->k, w->k, w->weight);
    if (call_out(c, 0)) {
        causal_convolve(c, w, call_has(c, BIAS) ? tensor_get_float(c->in[BIAS], channel) : 0);
        loop_store(c->out[0], CLASS_F64, at * w->length, w->length, w->sum);
    }
    if (call_out(c, 1))
        loop_store(c->out[1], CLASS_F64, at * carried, carried, w->row + w->length);
}

static heed_status run_causal(op_call *c)
{
    const heed_tensor *x = c->in[X];
    causal w = {.length = x->dims[2], .k = c->in[WEIGHT]->dims[2], .dilation = 1};
    TRY(causal_open(c, &w));
    for (int64_t at = 0; at < x->dims[0] * x->dims[1]; at++)
        run_row(c, &w, at);
    return HEED_OK;
}

// clang-format off
static const op_def causal_conv = {
    .domain = "", .name = "CausalConvWithState", .since = 27,
    .signature = "input:T, weight:T, bias:T?, past_state:T? -> output:T, present_state:T?",
    .types = "T=float", .attrs = "activation:string=none",
    .infer = infer_causal, .run = run_causal};

const op_def *const ops_causal_conv[] = {&causal_conv, NULL};
// clang-format on
