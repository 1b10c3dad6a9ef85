/* ms_multi_head.c - MultiHeadAttention and DecoderMaskedMultiHeadAttention of com.microsoft:
 * queries, keys and values come projected, apart or packed, and the cache is two tensors. */
#include "ops/ms_mask.h"

enum { QUERY, KEY, VALUE };

/* Where the two operators have the inputs that they share. */
typedef struct slots {
    uint32_t bias, mask, added, past_key, past_value, past_length, indirection;
} slots;

// clang-format off
static const slots multi_slots = {
    .bias = 3, .mask = 4, .added = 5, .past_key = 6, .past_value = 7, .past_length = 8,
    .indirection = 9};
static const slots decoder_slots = {
    .mask = 3, .added = 4, .past_key = 5, .past_value = 6, .past_length = 7, .indirection = 9,
    .bias = 10};
// clang-format on

static bool packed_in_three(const op_infer *c, const slots *s)
{
    return s == &decoder_slots && !infer_has(c, KEY) && infer_rank(c, QUERY) == 3;
}

/* ---- Inference ------------------------------------------------------------------------------ */

/* Channels of the queries of all heads. */
static ir_dim query_width(const op_infer *c, const slots *s)
{
    if (infer_rank(c, QUERY) == 5)
        return dims_mul(c->dims, infer_dim(c, QUERY, 2), infer_dim(c, QUERY, 4));
    ir_dim width = infer_dim(c, QUERY, 2);
    return packed_in_three(c, s) ? dims_floor_div(c->dims, width, 3) : width;
}

static ir_dim value_width(const op_infer *c, const slots *s)
{
    switch (infer_rank(c, VALUE)) {
    case 3:
        return infer_dim(c, VALUE, 2);
    case 4:
        return dims_mul(c->dims, infer_dim(c, VALUE, 1), infer_dim(c, VALUE, 3));
    default:
        return query_width(c, s);
    }
}

static ir_dim fresh_rows(const op_infer *c)
{
    int32_t rank = infer_rank(c, KEY);
    return rank < 0 ? infer_dim(c, QUERY, 1) : infer_dim(c, KEY, rank == 4 ? 2 : 1);
}

/* Rows of a cache afterwards; with a shared buffer its capacity. */
static heed_status infer_cache(op_infer *c, const slots *s, uint32_t o, ir_dim width)
{
    uint32_t past = o == 1 ? s->past_key : s->past_value;
    int64_t heads = ir_attr_int(c->node, "num_heads", 1);
    ir_dim rows = fresh_rows(c), size = dims_floor_div(c->dims, width, heads);
    if (infer_has(c, past) && infer_has(c, s->past_length))
        return infer_set_like(c, o, past);
    if (infer_has(c, past))
        rows = dims_add(c->dims, infer_dim(c, past, 2), rows);
    ir_dim dims[] = {infer_dim(c, QUERY, 0), heads, rows, size};
    return infer_set(c, o, 0, 4, dims);
}

static heed_status infer_multi(op_infer *c)
{
    const slots *s = c->op->data;
    int64_t heads = ir_attr_int(c->node, "num_heads", 0);
    int32_t rank = infer_rank(c, QUERY);
    if (heads <= 0 || (rank >= 0 && rank != 3 && rank != 5))
        return infer_error(c, "a query of rank 3 or 5 and a positive num_heads",
                           "rank %d and %lld heads", rank, (long long)heads);
    ir_dim out[] = {infer_dim(c, QUERY, 0), infer_dim(c, QUERY, 1), value_width(c, s)};
    TRY(infer_set(c, 0, 0, 3, out));
    if (c->n_out > 1)
        TRY(infer_cache(c, s, 1, query_width(c, s)));
    if (c->n_out > 2)
        TRY(infer_cache(c, s, 2, out[2]));
    if (c->n_out < 4)
        return HEED_OK;
    ir_dim keys = fresh_rows(c);
    if (infer_has(c, s->past_length))
        keys = c->dims ? dims_fresh(c->dims) : DIM_UNKNOWN;
    else if (infer_has(c, s->past_key))
        keys = dims_add(c->dims, infer_dim(c, s->past_key, 2), keys);
    ir_dim scores[] = {out[0], heads, out[1], keys};
    return infer_set(c, 3, 0, 4, scores);
}

/* ---- Queries, keys and values --------------------------------------------------------------- */

/* What is packed as [B, S, heads, count, D], unpacked as `count` tensors [B, heads, S, D]. */
static void unpack(op_body *b, ir_value *x, uint32_t count, ir_value **out)
{
    if (!b->status && body_extent(b, x, 3) >= 0 && body_extent(b, x, 3) != count)
        body_fail(b, HEED_INVALID, "%lld tensors are packed in an input of %s instead of %u",
                  (long long)body_extent(b, x, 3), b->node->op->name, count);
    x = body_transpose(b, x, "3,0,2,1,4");
    for (uint32_t i = 0; i < count; i++)
        out[i] = attend_pick(b, x, i);
}

/* The part of the bias that starts at `start` (NULL: at 0), added to x [B, heads, S, D]. */
static ir_value *biased(op_body *b, ir_value *x, ir_value *bias, ir_value **start)
{
    if (!bias || !x)
        return x;
    ir_value *size = body_2(b, body_dim(b, x, 1), body_dim(b, x, 3), "Mul");
    ir_value *end = *start ? body_2(b, *start, size, "Add") : size;
    ir_value *dims[] = {body_dim(b, x, 1), body_ints(b, 1, (int64_t[]){1}), body_dim(b, x, 3)};
    ir_value *part = body_slice(b, bias, 0, *start, end);
    *start = end;
    return body_2(b, x, body_reshape_to(b, part, 3, dims), "Add");
}

/* Values may have other head sizes than keys. */
static void project(op_body *b, const slots *s, attend *a)
{
    ir_value *query = body_in(b, QUERY), *key = body_in(b, KEY), *value = body_in(b, VALUE);
    ir_value *bias = body_in(b, s->bias), *start = NULL, *parts[3] = {query, key, value};
    int64_t heads = attend_heads(b, "num_heads");
    bool cross = key && body_rank(b, key) == 4;
    if (body_rank(b, query) == 5)
        unpack(b, query, 3, parts);
    else if (!key)
        body_nodes(b, 1, &query, 3, parts, "Split axis=2 num_outputs=3");
    else if (body_rank(b, key) == 5)
        unpack(b, key, 2, parts + 1);
    for (uint32_t i = 0; i < 3 && !b->status; i++) {
        if (!parts[i])
            body_fail(b, HEED_INVALID, "%s has no values", b->node->op->name);
        else if (body_rank(b, parts[i]) != 4)
            parts[i] = attend_split(b, parts[i], heads);
        if (i == 0 || !cross)
            parts[i] = biased(b, parts[i], bias, &start);
    }
    a->q = parts[0];
    a->k = parts[1];
    a->v = parts[2];
}

/* ---- Body ----------------------------------------------------------------------------------- */

static void append(op_body *b, const slots *s, attend *a, ms_mask *m)
{
    ir_value *length = body_in(b, s->past_length), *fresh = body_dim(b, a->k, 2);
    ir_value *past[] = {body_in(b, s->past_key), body_in(b, s->past_value)};
    m->total = fresh;
    if (past[0] && past[1]) {
        m->past = length ? attend_number(b, length) : body_dim(b, past[0], 2);
        m->total = body_2(b, m->past, fresh, "Add");
        a->k = attend_append(b, past[0], a->k, length ? m->past : NULL);
        a->v = attend_append(b, past[1], a->v, length ? m->past : NULL);
    } else if (past[0] || past[1]) {
        body_fail(b, HEED_INVALID, "past_key and past_value come together");
    }
    body_set(b, 1, a->k);
    body_set(b, 2, a->v);
    if (past[0] && length) {
        a->k = body_slice(b, a->k, 2, NULL, m->total);
        a->v = body_slice(b, a->v, 2, NULL, m->total);
    }
    if (past[0] && body_in(b, s->indirection)) {
        a->k = attend_follow(b, a->k, body_in(b, s->indirection), m->past);
        a->v = attend_follow(b, a->v, body_in(b, s->indirection), m->past);
    }
}

static void decompose_multi(op_body *b)
{
    const slots *s = b->node->op->data;
    attend a = {.bias = body_in(b, s->added),
                .scale = ir_attr_float(b->node, "scale", 0),
                .causal = ir_attr_int(b->node, "unidirectional", 0) != 0,
                .keep = body_wants(b, 3),
                .scores = 2};
    ms_mask m = {.mask = body_in(b, s->mask)};
    project(b, s, &a);
    append(b, s, &a, &m);
    ms_mask_apply(b, &m, &a);
    body_set(b, 0, heads_merge(b, attend_run(b, &a)));
    body_set(b, 3, a.kept);
}

// clang-format off
static const op_def multi = {
    .domain = "com.microsoft", .name = "MultiHeadAttention", .since = 1,
    .flags = OP_ATTENTION, .causal = "unidirectional", .data = &multi_slots,
    .signature = "query:T, key:T?, value:T?, bias:T?, key_padding_mask:M?, attention_bias:T?, "
                 "past_key:T?, past_value:T?, past_sequence_length:M?, cache_indirection:M? "
                 "-> output:T, present_key:T?, present_value:T?, qk:T?",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! mask_filter_value:float=-10000 scale:float=0 unidirectional:int=0",
    .infer = infer_multi, .decompose = decompose_multi};
static const op_def decoder = {
    .domain = "com.microsoft", .name = "DecoderMaskedMultiHeadAttention", .since = 1,
    .flags = OP_ATTENTION,
    .data = &decoder_slots,
    .signature = "query:T, key:T?, value:T?, mask_index:M?, attention_bias:T?, past_key:T?, "
                 "past_value:T?, past_sequence_length:M?, beam_width:M?, cache_indirection:M?, "
                 "bias:T? -> output:T, present_key:T?, present_value:T?, qk:T?",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! past_present_share_buffer:int=0 output_qk:int=0 "
             "mask_filter_value:float=-10000 scale:float=0",
    .infer = infer_multi, .decompose = decompose_multi};

const op_def *const ops_ms_multi_head[] = {&multi, &decoder, NULL};
// clang-format on
