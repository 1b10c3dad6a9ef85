/* ms_decoder_attention.c - DecoderAttention of com.microsoft: sequences first, [S, B, channels],
 * and flags as inputs that say where keys and values come from. Their shapes go by the flags, so
 * these must be constants. */
#include "ops/attend.h"

enum {
    QUERY,
    KEY,
    QUERY_WEIGHT,
    KV_WEIGHT,
    BIAS,
    MASK,
    KEY_CACHE,
    VALUE_CACHE,
    STATIC,
    USE_PAST,
    HAS_STATE,
    HAS_MASK
};

static heed_status infer_decoder(op_infer *c)
{
    int64_t heads = ir_attr_int(c->node, "num_heads", 0);
    if (heads <= 0)
        return infer_error(c, "a positive num_heads", "%lld", (long long)heads);
    if (infer_rank(c, QUERY) >= 0 && infer_rank(c, QUERY) != 3)
        return infer_error(c, "a query of rank 3", "rank %d", infer_rank(c, QUERY));
    ir_dim size = dims_floor_div(c->dims, infer_dim(c, QUERY, 2), heads);
    ir_dim cache[] = {infer_dim(c, QUERY, 1), heads, DIM_UNKNOWN, size};
    TRY(infer_set_like(c, 0, QUERY));
    TRY(infer_set(c, 1, 0, 4, cache));
    return infer_set(c, 2, 0, 4, cache);
}

static bool flag(op_body *b, uint32_t i)
{
    const ir_value *v = body_in(b, i);
    if (!b->status && (!v || !v->constant || v->is_input || tensor_count(v->constant) < 1))
        body_fail(b, HEED_UNSUPPORTED, "input %u of DecoderAttention that is no constant", i);
    return !b->status && tensor_get_int(v->constant, 0) != 0;
}

/* [S, B, channels] times weights, plus a part of the bias, as `count` tensors [B, heads, S, D]. */
static void project(op_body *b, ir_value *x, uint32_t weight, ir_value *bias, uint32_t count,
                    ir_value **out)
{
    int64_t heads = attend_heads(b, "num_heads");
    x = body_2(b, body_2(b, x, body_in(b, weight), "MatMul"), bias, "Add");
    x = body_transpose(b, x, "1,0,2");
    if (count == 1)
        out[0] = x;
    else
        body_nodes(b, 1, &x, count, out, "Split axis=2 num_outputs=%u", count);
    for (uint32_t i = 0; i < count; i++)
        out[i] = attend_split(b, out[i], heads);
}

/* Keys and values: of the query's tokens behind those of the cache, or of the key's, once. */
static void find_keys(op_body *b, attend *a, ir_value *bias)
{
    bool cross = flag(b, STATIC), cached = flag(b, USE_PAST) && flag(b, HAS_STATE);
    ir_value *out[2], *past[] = {body_in(b, KEY_CACHE), body_in(b, VALUE_CACHE)};
    if (cached && (!past[0] || !past[1]))
        body_fail(b, HEED_INVALID, "the caches are missing");
    a->k = past[0];
    a->v = past[1];
    if (b->status || (cross && cached))
        return;
    project(b, body_in(b, cross ? KEY : QUERY), KV_WEIGHT, bias, 2, out);
    a->k = attend_append(b, cached ? past[0] : NULL, out[0], NULL);
    a->v = attend_append(b, cached ? past[1] : NULL, out[1], NULL);
}

/* True in the mask is padding. */
static ir_value *hidden(op_body *b, const attend *a)
{
    ir_value *mask = body_unsqueeze(b, body_in(b, MASK), "1,2");
    double filter = ir_attr_float(b->node, "mask_filter_value", -10000);
    return b->status ? NULL
                     : body_3(b, mask, body_like(b, filter, a->q), body_like(b, 0, a->q), "Where");
}

static void decompose_decoder(op_body *b)
{
    attend a = {0};
    ir_value *size = body_dim(b, body_in(b, QUERY_WEIGHT), 1), *bias = body_in(b, BIAS);
    if (body_rank(b, body_in(b, QUERY)) != 3)
        return;
    project(b, body_in(b, QUERY), QUERY_WEIGHT, body_slice(b, bias, 0, NULL, size), 1, &a.q);
    find_keys(b, &a, body_slice(b, bias, 0, size, NULL));
    if (flag(b, HAS_MASK) && body_in(b, MASK))
        a.bias = hidden(b, &a);
    body_set(b, 0, body_transpose(b, heads_merge(b, attend_run(b, &a)), "1,0,2"));
    body_set(b, 1, a.k);
    body_set(b, 2, a.v);
}

// clang-format off
static const op_def decoder = {
    .domain = "com.microsoft", .name = "DecoderAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "query:T, key:T, q_weight:T, kv_weight:T, bias:T, key_padding_mask:B?, "
                 "key_cache:T?, value_cache:T?, static_kv:B, use_past:B, has_layer_state:B, "
                 "has_key_padding_mask:B -> output:T, new_key_cache:T?, new_value_cache:T?",
    .types = "T=float B=bool", .attrs = "num_heads:int! mask_filter_value:float=-10000",
    .infer = infer_decoder, .decompose = decompose_decoder};

const op_def *const ops_ms_decoder_attention[] = {&decoder, NULL};
// clang-format on
