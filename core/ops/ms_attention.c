/* ms_attention.c - the attention operators of com.microsoft that hold the projection of their input
 * to queries, keys and values: Attention, DecoderMaskedSelfAttention, and QAttention, whose input
 * and weights are quantised. */
#include <math.h>

#include "ops/ms_mask.h"

/* Attention and DecoderMaskedSelfAttention. */
enum { INPUT, WEIGHTS, BIAS, MASK, PAST, ADDED, PAST_LENGTH, BEAM_WIDTH, INDIRECTION };

#define ROTARY_MAX 65536

/* What follows the projection. */
typedef struct projected {
    ir_value *qkv; /* [B, S, Q + K + V] */
    ir_value *mask, *past, *added, *past_length;
    ir_value *indirection; /* whose row each key was, [batch, beams, M] */
} projected;

/* ---- Inference ------------------------------------------------------------------------------ */

/* Width of the values: given, or a third of all. */
static ir_dim value_width(const op_infer *c, uint32_t weights)
{
    uint64_t n;
    const int64_t *sizes = ir_attr_ints(c->node, "qkv_hidden_sizes", &n);
    if (sizes && n == 3 && sizes[2] >= 0)
        return sizes[2];
    return dims_floor_div(c->dims, infer_dim(c, weights, 1), 3);
}

static heed_status infer_present(op_infer *c, uint32_t past, ir_dim width)
{
    int64_t heads = ir_attr_int(c->node, "num_heads", 1);
    ir_dim size = dims_floor_div(c->dims, width, heads);
    ir_dim dims[] = {2, infer_dim(c, 0, 0), heads, infer_dim(c, 0, 1), size};
    if (c->n_out < 2)
        return HEED_OK;
    if (infer_has(c, past) && ir_attr_int(c->node, "past_present_share_buffer", 0))
        return infer_set_like(c, 1, past);
    if (infer_has(c, past))
        dims[3] = dims_add(c->dims, infer_dim(c, past, 3), dims[3]);
    return infer_set(c, 1, 0, 5, dims);
}

static heed_status infer_with(op_infer *c, uint32_t past)
{
    if (ir_attr_int(c->node, "num_heads", 0) <= 0)
        return infer_error(c, "a positive num_heads", "%lld",
                           (long long)ir_attr_int(c->node, "num_heads", 0));
    for (uint32_t i = INPUT; i <= WEIGHTS; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 3 - (int32_t)i)
            return infer_error(c, "an input of rank 3 and weights of rank 2", "rank %d",
                               infer_rank(c, i));
    ir_dim width = value_width(c, WEIGHTS);
    ir_dim dims[] = {infer_dim(c, INPUT, 0), infer_dim(c, INPUT, 1), width};
    TRY(infer_set(c, 0, 0, 3, dims));
    return infer_present(c, past, width);
}

static heed_status infer_attention(op_infer *c) { return infer_with(c, PAST); }

static heed_status infer_quantised(op_infer *c) { return infer_with(c, 8); }

/* ---- Rotary --------------------------------------------------------------------------------- */

/* Positions are counted on from the past; angles are position / 10000^(2 i / size), for the two
 * halves of the first `size` channels. */
static void rotate(op_body *b, attend *a, ir_value *past)
{
    int64_t size = ir_attr_int(b->node, "rotary_embedding_dim", 0);
    if (size < 0 || size > ROTARY_MAX)
        body_fail(b, HEED_INVALID, "rotary_embedding_dim is %lld", (long long)size);
    ir_value *two = body_ints(b, 1, (int64_t[]){2});
    ir_value *width = size > 0 ? body_ints(b, 1, &size) : body_dim(b, a->q, 3);
    ir_value *half = body_2(b, width, two, "Div");
    ir_value *at = body_range(b, body_size(b, a->q, 2));
    at = body_cast(b, attend_add(b, at, past), HEED_FLOAT32);
    ir_value *steps = body_range(b, body_reshape(b, half, "%s", ""));
    steps = body_2(b, body_cast(b, steps, HEED_FLOAT32), body_cast(b, half, HEED_FLOAT32), "Div");
    steps = body_1(b, steps, "Neg");
    ir_value *rates = body_2(b, body_number(b, HEED_FLOAT32, 10000), steps, "Pow");
    ir_value *angles = body_2(b, body_unsqueeze(b, at, "0,2"), rates, "Mul"); /* [1, S, half] */
    ir_value *dims[] = {body_dim(b, a->q, 0), body_dim(b, a->q, 2), half};
    angles = body_2(b, angles, body_n(b, 3, dims, "Concat axis=0"), "Expand");
    if (b->status)
        return;
    ir_value *cosines = body_cast(b, body_1(b, angles, "Cos"), a->q->type.dtype);
    ir_value *sines = body_cast(b, body_1(b, angles, "Sin"), a->q->type.dtype);
    a->q = body_3(b, a->q, cosines, sines, "RotaryEmbedding rotary_embedding_dim=%lld",
                  (long long)size);
    a->k = body_3(b, a->k, cosines, sines, "RotaryEmbedding rotary_embedding_dim=%lld",
                  (long long)size);
}

/* ---- Bodies --------------------------------------------------------------------------------- */

/* Queries, keys and values lie one after the other in the last axis. */
static void cut(op_body *b, ir_value *qkv, attend *a)
{
    uint64_t n;
    ir_value *out[3], *in[] = {qkv, NULL};
    const int64_t *sizes = ir_attr_ints(b->node, "qkv_hidden_sizes", &n);
    int64_t heads = attend_heads(b, "num_heads");
    if (sizes && n == 3) {
        in[1] = body_ints(b, 3, sizes);
        body_nodes(b, 2, in, 3, out, "Split axis=2");
    } else {
        body_nodes(b, 1, in, 3, out, "Split axis=2 num_outputs=3");
    }
    a->q = attend_split(b, out[0], heads);
    a->k = attend_split(b, out[1], heads);
    a->v = attend_split(b, out[2], heads);
}

static void set_present(op_body *b, ir_value *k, ir_value *v)
{
    if (body_wants(b, 1))
        body_set(b, 1, body_concat(b, body_unsqueeze(b, k, "0"), body_unsqueeze(b, v, "0"), 0));
}

static void attend_projected(op_body *b, const projected *p)
{
    bool shared = ir_attr_int(b->node, "past_present_share_buffer", 0) != 0 && p->past_length;
    attend a = {.bias = p->added, .scale = ir_attr_float(b->node, "scale", 0)};
    cut(b, p->qkv, &a);
    a.causal = ir_attr_int(b->node, "unidirectional", 0) != 0;
    ms_mask m = {.mask = p->mask};
    if (p->past)
        m.past = shared ? attend_number(b, p->past_length) : body_dim(b, p->past, 3);
    if (ir_attr_int(b->node, "do_rotary", 0))
        rotate(b, &a, m.past);
    ir_value *fresh = body_dim(b, a.k, 2);
    m.total = m.past ? body_2(b, m.past, fresh, "Add") : fresh;
    if (p->past) {
        a.k = attend_append(b, attend_pick(b, p->past, 0), a.k, shared ? m.past : NULL);
        a.v = attend_append(b, attend_pick(b, p->past, 1), a.v, shared ? m.past : NULL);
    }
    set_present(b, a.k, a.v);
    if (shared) {
        a.k = body_slice(b, a.k, 2, NULL, m.total);
        a.v = body_slice(b, a.v, 2, NULL, m.total);
    }
    if (p->indirection && p->past) {
        a.k = attend_follow(b, a.k, p->indirection, m.past);
        a.v = attend_follow(b, a.v, p->indirection, m.past);
    }
    ms_mask_apply(b, &m, &a);
    body_set(b, 0, heads_merge(b, attend_run(b, &a)));
}

static void decompose_attention(op_body *b)
{
    ir_value *qkv = body_2(b, body_in(b, INPUT), body_in(b, WEIGHTS), "MatMul");
    projected p = {.qkv = attend_add(b, qkv, body_in(b, BIAS)),
                   .mask = body_in(b, MASK),
                   .past = body_in(b, PAST),
                   .added = body_in(b, ADDED),
                   .past_length = body_in(b, PAST_LENGTH),
                   .indirection = body_in(b, INDIRECTION)};
    attend_projected(b, &p);
}

/* input, weight, bias, input_scale, weight_scale, mask, input_zero, weight_zero, past. */
static void decompose_quantised(op_body *b)
{
    ir_value *in[] = {body_in(b, 0), body_in(b, 1), body_in(b, 6), body_in(b, 7)};
    ir_value *bias = body_in(b, 2);
    if (!bias)
        return;
    ir_value *sum = body_cast(b, body_n(b, 4, in, "MatMulInteger"), HEED_FLOAT32);
    ir_value *scale = body_2(b, body_cast(b, body_in(b, 3), HEED_FLOAT32),
                             body_cast(b, body_in(b, 4), HEED_FLOAT32), "Mul");
    ir_value *qkv = body_cast(b, body_2(b, sum, scale, "Mul"), bias->type.dtype);
    projected p = {.qkv = attend_add(b, qkv, bias), .mask = body_in(b, 5), .past = body_in(b, 8)};
    attend_projected(b, &p);
}

// clang-format off
static const op_def attention = {
    .domain = "com.microsoft", .name = "Attention", .since = 1,
    .flags = OP_ATTENTION, .causal = "unidirectional",
    .signature = "input:T, weights:T, bias:T?, mask_index:M?, past:T?, attention_bias:T?, "
                 "past_sequence_length:M? -> output:T, present:T?",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! unidirectional:int=0 qkv_hidden_sizes:ints "
             "past_present_share_buffer:int=0 do_rotary:int=0 rotary_embedding_dim:int=0 "
             "mask_filter_value:float=-10000 scale:float=0",
    .infer = infer_attention, .decompose = decompose_attention};
static const op_def decoder = {
    .domain = "com.microsoft", .name = "DecoderMaskedSelfAttention", .since = 1,
    .flags = OP_ATTENTION,
    .signature = "input:T, weights:T, bias:T, mask_index:M?, past:T, attention_bias:T?, "
                 "past_sequence_length:M, beam_width:M?, cache_indirection:M? "
                 "-> output:T, present:T?",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! past_present_share_buffer:int=0 scale:float=0 "
             "mask_filter_value:float=-10000 do_rotary:int=0",
    .infer = infer_attention, .decompose = decompose_attention};
static const op_def quantised = {
    .domain = "com.microsoft", .name = "QAttention", .since = 1,
    .flags = OP_ATTENTION, .causal = "unidirectional",
    .signature = "input:A, weight:W, bias:T, input_scale:T, weight_scale:T, mask_index:M?, "
                 "input_zero_point:A?, weight_zero_point:W?, past:T? -> output:T, present:T?",
    .types = "A=int8|uint8 W=int8|uint8 T=float M=int32|int64",
    .attrs = "num_heads:int! unidirectional:int=0 past_present_share_buffer:int=0 do_rotary:int=0 "
             "mask_filter_value:float=-10000 scale:float=0",
    .infer = infer_quantised, .decompose = decompose_quantised};

const op_def *const ops_ms_attention[] = {&attention, &decoder, &quantised, NULL};
// clang-format on
