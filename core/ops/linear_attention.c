/* linear_attention.c - LinearAttention: a state S [dk, dv] for each key head takes in a key and a
 * value at each step, and the query reads it.
 *
 *     linear       S = S + k v^T               delta        S = S + beta k (v - S^T k)^T
 *     gated        S = e^g S + k v^T           gated_delta  the same after S = e^g S
 *     output       scale * q^T S
 *
 * (Katharopoulos 2020; Yang 2024). One step after the other, in float32 as the standard has it. */
#include <math.h>
#include <string.h>

#include "ops/heads.h"
#include "ops/linear_rule.h"
#include "ops/loops.h"

enum { Q, K, V, PAST, DECAY, BETA };

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_node(const op_infer *c, int64_t heads, int64_t kv_heads)
{
    const linear_rule *r = linear_rule_of(c->node);
    if (!r)
        return infer_error(c, "update_rule linear, gated, delta or gated_delta", "%s",
                           ir_attr_string(c->node, "update_rule", ""));
    if (heads <= 0 || heads > HEADS_MAX || kv_heads <= 0 || heads % kv_heads != 0)
        return infer_error(c, "query heads in groups, one a key head",
                           "%lld query heads, %lld key heads", (long long)heads,
                           (long long)kv_heads);
    if (infer_has(c, DECAY) != r->gated || infer_has(c, BETA) != r->delta)
        return infer_error(c, "decay for gated rules and beta for delta rules, and no others",
                           "rule %s with%s decay, with%s beta", r->name,
                           infer_has(c, DECAY) ? "" : "out", infer_has(c, BETA) ? "" : "out");
    return HEED_OK;
}

/* Input i is [B, T, parts * n] (the state has four dims). */
static heed_status check_input(const op_infer *c, uint32_t i, int64_t parts)
{
    int32_t rank = infer_rank(c, i), want = i == PAST ? 4 : 3;
    if (rank >= 0 && rank != want)
        return infer_error(c, "inputs of rank 3 and a state of rank 4", "input %u of rank %d", i,
                           rank);
    for (int32_t k = 0; k < (i == PAST ? 1 : 2); k++) {
        ir_dim a = infer_dim(c, Q, k), b = infer_dim(c, i, k);
        if (dim_known(a) && dim_known(b) && a != b)
            return infer_error(c, "the batch and length of the query",
                               "%lld for %lld on axis %d of input %u", (long long)b, (long long)a,
                               k, i);
    }
    ir_dim last = infer_dim(c, i, 2);
    if (i <= V && dim_known(last) && last % parts != 0)
        return infer_error(c, "heads of one size", "%lld channels of input %u for %lld heads",
                           (long long)last, i, (long long)parts);
    return HEED_OK;
}

static heed_status check_sizes(const op_infer *c, int64_t kv_heads, ir_dim dk, ir_dim dv)
{
    ir_dim keys = infer_dim(c, K, 2), decay = infer_dim(c, DECAY, 2), beta = infer_dim(c, BETA, 2);
    const ir_dim want[] = {infer_dim(c, Q, 0), kv_heads, dk, dv};
    if (!dim_known(dk) || !dim_known(keys))
        return HEED_OK;
    if (keys != kv_heads * dk)
        return infer_error(c, "keys as long as queries", "%lld channels for %lld heads of %lld",
                           (long long)keys, (long long)kv_heads, (long long)dk);
    if (dim_known(decay) && decay != kv_heads && decay != keys)
        return infer_error(c, "a decay for each key head or each channel of it", "%lld",
                           (long long)decay);
    if (dim_known(beta) && beta != kv_heads && beta != 1)
        return infer_error(c, "one beta, or one for each key head", "%lld", (long long)beta);
    for (int32_t i = 0; i < 4; i++) {
        ir_dim have = infer_dim(c, PAST, i);
        if (dim_known(have) && dim_known(want[i]) && have != want[i])
            return infer_error(c, "past_state [B, kv_num_heads, dk, dv]",
                               "%lld for %lld on axis %d", (long long)have, (long long)want[i], i);
    }
    return HEED_OK;
}

static ir_dim share(const op_infer *c, ir_dim channels, int64_t parts)
{
    return channels == DIM_UNKNOWN ? channels : dims_floor_div(c->dims, channels, parts);
}

static heed_status infer_linear(op_infer *c)
{
    int64_t heads = ir_attr_int(c->node, "q_num_heads", 0);
    int64_t kv_heads = ir_attr_int(c->node, "kv_num_heads", 0);
    TRY(check_node(c, heads, kv_heads));
    for (uint32_t i = Q; i <= BETA; i++)
        TRY(check_input(c, i, i == Q ? heads : kv_heads));
    ir_dim dk = share(c, infer_dim(c, Q, 2), heads), dv = share(c, infer_dim(c, V, 2), kv_heads);
    TRY(check_sizes(c, kv_heads, dk, dv));
    ir_dim all = dv == DIM_UNKNOWN ? dv : dims_mul(c->dims, dv, heads);
    const ir_dim out[] = {infer_dim(c, Q, 0), infer_dim(c, Q, 1), all};
    TRY(infer_set(c, 0, 0, 3, out));
    const ir_dim state[] = {infer_dim(c, Q, 0), kv_heads, dk, dv};
    heed_dtype type = infer_has(c, PAST) ? c->in[PAST]->dtype : c->in[Q]->dtype;
    return c->n_out > 1 ? infer_set(c, 1, type, 4, state) : HEED_OK;
}

/* ---- Kernel --------------------------------------------------------------------------------- */

typedef struct recurrence {
    const op_call *call;
    const linear_rule *rule;
    int64_t length, heads, kv_heads, dk, dv;
    float scale;
    float *state, *q, *k, *v, *gate, *out;
} recurrence;

/* How much each row of the state keeps. */
static void decay_state(const recurrence *r, int64_t row, int64_t head)
{
    const heed_tensor *decay = r->call->in[DECAY];
    bool each = decay->dims[2] != r->kv_heads;
    int64_t n = each ? r->dk : 1;
    loop_load(decay, CLASS_F32, (row * r->kv_heads + head) * n, n, r->gate);
    for (int64_t i = 0; i < r->dk; i++) {
        float keep = expf(r->gate[each ? i : 0]), *line = r->state + i * r->dv;
        for (int64_t j = 0; j < r->dv; j++)
            line[j] *= keep;
    }
}

/* sum += factor * (row of the state), for all rows: the state read with a vector. */
static void read_state(const recurrence *r, const float *factors, float *sum)
{
    memset(sum, 0, (size_t)r->dv * sizeof(*sum));
    for (int64_t i = 0; i < r->dk; i++)
        for (int64_t j = 0; j < r->dv; j++)
            sum[j] += factors[i] * r->state[i * r->dv + j];
}

/* v becomes beta * (v - S^T k). */
static void correct(const recurrence *r, int64_t row, int64_t head)
{
    const heed_tensor *beta = r->call->in[BETA];
    int64_t n = beta->dims[2];
    float rate;
    loop_load(beta, CLASS_F32, row * n + (n == 1 ? 0 : head), 1, &rate);
    read_state(r, r->k, r->out);
    for (int64_t j = 0; j < r->dv; j++)
        r->v[j] = rate * (r->v[j] - r->out[j]);
}

static void answer(const recurrence *r, int64_t row, int64_t head)
{
    const op_call *c = r->call;
    int64_t group = r->heads / r->kv_heads;
    for (int64_t h = head * group; h < (head + 1) * group; h++) {
        loop_load(c->in[Q], CLASS_F32, (row * r->heads + h) * r->dk, r->dk, r->q);
        read_state(r, r->q, r->out);
        for (int64_t j = 0; j < r->dv; j++)
            r->out[j] *= r->scale;
        loop_store(c->out[0], CLASS_F32, (row * r->heads + h) * r->dv, r->dv, r->out);
    }
}

static void step(const recurrence *r, int64_t row, int64_t head)
{
    const op_call *c = r->call;
    loop_load(c->in[K], CLASS_F32, (row * r->kv_heads + head) * r->dk, r->dk, r->k);
    loop_load(c->in[V], CLASS_F32, (row * r->kv_heads + head) * r->dv, r->dv, r->v);
    if (r->rule->gated)
        decay_state(r, row, head);
    if (r->rule->delta)
        correct(r, row, head);
    for (int64_t i = 0; i < r->dk; i++)
        for (int64_t j = 0; j < r->dv; j++)
            r->state[i * r->dv + j] += r->k[i] * r->v[j];
    if (call_out(c, 0))
        answer(r, row, head);
}

static void run_head(const recurrence *r, int64_t batch, int64_t head)
{
    const op_call *c = r->call;
    int64_t size = r->dk * r->dv, at = (batch * r->kv_heads + head) * size;
    memset(r->state, 0, (size_t)size * sizeof(*r->state));
    if (call_has(c, PAST))
        loop_load(c->in[PAST], CLASS_F32, at, size, r->state);
    for (int64_t t = 0; t < r->length; t++)
        step(r, batch * r->length + t, head);
    if (call_out(c, 1))
        loop_store(c->out[1], CLASS_F32, at, size, r->state);
}

static heed_status run_linear(op_call *c)
{
    const int64_t *dims = c->in[Q]->dims;
    recurrence r = {.call = c, .rule = linear_rule_of(c->node), .length = dims[1]};
    double scale = ir_attr_float(c->node, "scale", 0);
    r.heads = ir_attr_int(c->node, "q_num_heads", 1);
    r.kv_heads = ir_attr_int(c->node, "kv_num_heads", 1);
    r.dk = dims[2] / r.heads;
    r.dv = c->in[V]->dims[2] / r.kv_heads;
    r.scale = (float)(scale != 0 ? scale : 1 / sqrt((double)r.dk));
    r.state = call_scratch(c, (size_t)(r.dk * r.dv + 1) * sizeof(float));
    r.q = call_scratch(c, (size_t)(3 * r.dk + 2 * r.dv + 1) * sizeof(float));
    if (!r.state || !r.q)
        return HEED_NOMEM;
    r.k = r.q + r.dk;
    r.gate = r.k + r.dk;
    r.v = r.gate + r.dk + 1;
    r.out = r.v + r.dv;
    for (int64_t b = 0; b < dims[0]; b++)
        for (int64_t h = 0; h < r.kv_heads; h++)
            run_head(&r, b, h);
    return HEED_OK;
}

// clang-format off
static const op_def linear_attention = {
    .domain = "", .name = "LinearAttention", .since = 27, .flags = OP_ATTENTION,
    .signature = "query:T, key:T, value:T, past_state:S?, decay:T?, beta:T? -> "
                 "output:T, present_state:S?",
    .types = "T=float S=float",
    .attrs = "chunk_size:int=64 kv_num_heads:int! q_num_heads:int! scale:float=0 "
             "update_rule:string=gated_delta",
    .infer = infer_linear, .run = run_linear};

const op_def *const ops_linear_attention[] = {&linear_attention, NULL};
// clang-format on
