/* ms_causal_conv.c - CausalConvWithState of com.microsoft, which knows dilation, channels that come
 * last and states that are kept for going back; and VarlenCausalConvWithState, for sequences of
 * different lengths side by side. */
#include <string.h>

#include "ops/causal_conv.h"

enum { X, WEIGHT, BIAS, PAST };              /* CausalConvWithState */
enum { STARTS = 2, V_BIAS, STATE, CAPTURE }; /* VarlenCausalConvWithState */

#define DILATION_MAX ((int64_t)1 << 30)

static int64_t attr(const ir_node *n, const char *name, int64_t missing)
{
    return ir_attr_int(n, name, missing);
}

/* Elements of a tensor that lie `step` apart. */
typedef struct span {
    int64_t first, step, n;
} span;

static void load(const heed_tensor *t, span s, double *out)
{
    if (s.step == 1)
        loop_load(t, CLASS_F64, s.first, s.n, out);
    for (int64_t i = 0; s.step != 1 && i < s.n; i++)
        loop_load(t, CLASS_F64, s.first + i * s.step, 1, out + i);
}

static void store(heed_tensor *t, span s, const double *in)
{
    if (s.step == 1)
        loop_store(t, CLASS_F64, s.first, s.n, in);
    for (int64_t i = 0; s.step != 1 && i < s.n; i++)
        loop_store(t, CLASS_F64, s.first + i * s.step, 1, in + i);
}

/* The extents of weight [C, 1, k] and how much is carried; DIM_UNKNOWN while k is not known. */
static heed_status infer_carried(op_infer *c, ir_dim *carried)
{
    int64_t dilation = attr(c->node, "dilation", 1);
    ir_dim k = infer_dim(c, WEIGHT, 2);
    *carried = DIM_UNKNOWN;
    if (infer_rank(c, WEIGHT) >= 0 && infer_rank(c, WEIGHT) != 3)
        return infer_error(c, "a weight [C, 1, k]", "rank %d", infer_rank(c, WEIGHT));
    if (dilation < 1 || dilation > DILATION_MAX || k == 0)
        return infer_error(c, "a dilation and a kernel of one or more", "%lld and %lld",
                           (long long)dilation, (long long)k);
    if (k != DIM_UNKNOWN)
        *carried = dims_mul(c->dims, dims_sub(c->dims, k, 1), dilation);
    return HEED_OK;
}

/* At run: the extents that inference could not compare. */
static heed_status check_count(const op_call *c, uint32_t i, int64_t count)
{
    if (!call_has(c, i) || tensor_count(c->in[i]) == count)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "input %u of %s has %lld elements for %lld", i,
                      c->node->op->name, (long long)tensor_count(c->in[i]), (long long)count);
}

/* ---- CausalConvWithState -------------------------------------------------------------------- */

static heed_status infer_state(op_infer *c)
{
    int32_t rank = infer_rank(c, X), at = 0;
    int64_t window = attr(c->node, "state_window", 0);
    bool last = attr(c->node, "channels_last", 0) != 0;
    ir_dim dims[TENSOR_MAX_RANK], carried;
    if (attr(c->node, "ndim", 1) != 1)
        return infer_error(c, "an ndim of 1", "%lld", (long long)attr(c->node, "ndim", 1));
    if (window < 0 || window > 8)
        return infer_error(c, "a state_window of 0 to 8", "%lld", (long long)window);
    TRY(infer_carried(c, &carried));
    TRY(infer_set_like(c, 0, X));
    if (rank < 0)
        return infer_set_unknown(c, 1, 0, -1);
    if (rank < 3 || (!last && rank != 3) || rank >= TENSOR_MAX_RANK)
        return infer_error(c, "an input [batch, channels, length]", "rank %d", rank);
    if (window)
        dims[at++] = window;
    for (int32_t i = 0; i < rank; i++)
        dims[at + i] = i == (last ? 1 : 2) ? carried : c->in[X]->dims[i];
    return infer_set(c, 1, 0, at + rank, dims);
}

typedef struct layout {
    int64_t batch, channels, carried, window;
    bool last;
} layout;

/* Channel `channel` of image b in a tensor with n places. */
static span place(const layout *l, int64_t b, int64_t channel, int64_t n)
{
    if (l->last)
        return (span){b * n * l->channels + channel, l->channels, n};
    return (span){(b * l->channels + channel) * n, 1, n};
}

/* The state after each of the last `window` places, the newest last; none before the first. */
static void store_states(const op_call *c, const causal *w, const layout *l, span to)
{
    int64_t slots = l->window ? l->window : 1, size = l->batch * l->channels * l->carried;
    for (int64_t slot = 0; slot < slots; slot++, to.first += size) {
        int64_t after = w->length - slots + slot + 1;
        if (after > 0 || !l->window)
            store(c->out[1], to, w->row + after);
        for (int64_t i = 0; after <= 0 && l->window && i < to.n; i++)
            store(c->out[1], (span){to.first + i * to.step, 1, 1}, &(double){0});
    }
}

static void run_channel(const op_call *c, const causal *w, const layout *l, int64_t b,
                        int64_t channel)
{
    span x = place(l, b, channel, w->length), state = place(l, b, channel, l->carried);
    span past = state;
    past.first += (l->window ? l->window - 1 : 0) * l->batch * l->channels * l->carried;
    memset(w->row, 0, (size_t)l->carried * sizeof(*w->row));
    if (call_has(c, PAST))
        load(c->in[PAST], past, w->row);
    load(c->in[X], x, w->row + l->carried);
    loop_load(c->in[WEIGHT], CLASS_F64, channel * w->k, w->k, w->weight);
    if (call_out(c, 0)) {
        causal_convolve(c, w, call_has(c, BIAS) ? tensor_get_float(c->in[BIAS], channel) : 0);
        store(c->out[0], x, w->sum);
    }
    if (call_out(c, 1))
        store_states(c, w, l, state);
}

static heed_status run_state(op_call *c)
{
    const heed_tensor *x = c->in[X];
    layout l = {.batch = x->dims[0],
                .channels = 1,
                .window = attr(c->node, "state_window", 0),
                .last = attr(c->node, "channels_last", 0) != 0};
    causal w = {.length = x->dims[l.last ? 1 : 2],
                .k = c->in[WEIGHT]->dims[2],
                .dilation = attr(c->node, "dilation", 1)};
    for (int32_t i = 1; i < tensor_rank(x); i++)
        l.channels *= i == (l.last ? 1 : 2) ? 1 : x->dims[i];
    l.carried = causal_carried(&w);
    TRY(check_count(c, WEIGHT, l.channels * w.k));
    TRY(check_count(c, BIAS, l.channels));
    TRY(check_count(c, PAST, l.batch * l.channels * l.carried * (l.window ? l.window : 1)));
    TRY(causal_open(c, &w));
    for (int64_t b = 0; b < l.batch; b++)
        for (int64_t channel = 0; channel < l.channels; channel++)
            run_channel(c, &w, &l, b, channel);
    return HEED_OK;
}

/* ---- VarlenCausalConvWithState --------------------------------------------------------------- */

static heed_status infer_varlen(op_infer *c)
{
    int64_t room = attr(c->node, "state_update_capacity", 0);
    ir_dim carried, batch = infer_dim(c, STATE, 0), channels = infer_dim(c, X, 1);
    TRY(infer_carried(c, &carried));
    if (infer_rank(c, X) >= 0 && infer_rank(c, X) != 2)
        return infer_error(c, "an input [tokens, channels]", "rank %d", infer_rank(c, X));
    if (room < 0 || room > 8)
        return infer_error(c, "a state_update_capacity of 0 to 8", "%lld", (long long)room);
    ir_dim state[3] = {batch, channels, carried}, update[3] = {batch, room, channels};
    TRY(infer_set_like(c, 0, X));
    TRY(infer_set(c, 1, 0, 3, state));
    return infer_set(c, 2, 0, 3, update);
}

/* Channel `channel` of sequence b, which begins at token `start`. */
static void run_tokens(const op_call *c, const causal *w, int64_t b, int64_t start, int64_t channel)
{
    int64_t channels = c->in[X]->dims[1], carried = causal_carried(w);
    span x = {start * channels + channel, channels, w->length};
    span state = {(b * channels + channel) * carried, 1, carried};
    load(c->in[STATE], state, w->row);
    load(c->in[X], x, w->row + carried);
    loop_load(c->in[WEIGHT], CLASS_F64, channel * w->k, w->k, w->weight);
    if (call_out(c, 0)) {
        causal_convolve(c, w, call_has(c, V_BIAS) ? tensor_get_float(c->in[V_BIAS], channel) : 0);
        store(c->out[0], x, w->sum);
    }
    if (call_out(c, 1))
        store(c->out[1], state, w->row + w->length);
    int64_t room = call_out(c, 2) ? attr(c->node, "state_update_capacity", 0) : 0;
    int64_t count = call_has(c, CAPTURE) ? tensor_get_int(c->in[CAPTURE], b) : 0;
    for (int64_t i = 0; i < room; i++) {
        double value = i < count && i < w->length ? w->row[carried + i] : 0;
        store(c->out[2], (span){(b * room + i) * channels + channel, 1, 1}, &value);
    }
}

static heed_status run_varlen(op_call *c)
{
    int64_t total = c->in[X]->dims[0], channels = c->in[X]->dims[1], batch = c->in[STATE]->dims[0];
    causal w = {
        .length = total, .k = c->in[WEIGHT]->dims[2], .dilation = attr(c->node, "dilation", 1)};
    if (call_has(c, 6) || call_has(c, 7))
        return call_error(c, HEED_UNSUPPORTED, "%s with kernel_delta", c->node->op->name);
    TRY(check_count(c, WEIGHT, channels * w.k));
    TRY(check_count(c, V_BIAS, channels));
    TRY(check_count(c, STARTS, batch + 1));
    TRY(check_count(c, STATE, batch * channels * causal_carried(&w)));
    TRY(check_count(c, CAPTURE, batch));
    TRY(causal_open(c, &w));
    for (int64_t b = 0; b < batch; b++) {
        int64_t start = tensor_get_int(c->in[STARTS], b),
                end = tensor_get_int(c->in[STARTS], b + 1);
        if (start < 0 || end < start || end > total)
            return call_error(c, HEED_INVALID, "tokens %lld to %lld of %lld", (long long)start,
                              (long long)end, (long long)total);
        w.length = end - start;
        for (int64_t channel = 0; channel < channels; channel++)
            run_tokens(c, &w, b, start, channel);
    }
    return HEED_OK;
}

// clang-format off
static const op_def causal_conv = {
    .domain = "com.microsoft", .name = "CausalConvWithState", .since = 1,
    .signature = "input:T, weight:T, bias:T?, past_state:T? -> output:T, present_state:T?",
    .types = "T=float",
    .attrs = "activation:string=none channels_last:int=0 dilation:int=1 ndim:int=1 "
             "state_window:int=0",
    .infer = infer_state, .run = run_state};
static const op_def varlen = {
    .domain = "com.microsoft", .name = "VarlenCausalConvWithState", .since = 1,
    .signature = "input:T, weight:T, cumulative_sequence_length:int32, bias:T?, initial_state:T, "
                 "capture_count:int32?, kernel_delta:T?, previous_mask:T? -> "
                 "output:T, final_state:T?, state_update:T?",
    .types = "T=float",
    .attrs = "activation:string=none delta_offset:int=0 dilation:int=1 group_size:int=1 "
             "state_update_capacity:int=0",
    .infer = infer_varlen, .run = run_varlen};

const op_def *const ops_ms_causal_conv[] = {&causal_conv, &varlen, NULL};
// clang-format on
