/* ms_paged.c - PagedAttention of com.microsoft: tokens of many sequences one after the other, and a
 * cache in blocks that a table assigns to sequences.
 *
 * How tokens and blocks belong to sequences is in paged.h. */
#include "ops/attend.h"
#include "ops/ms_cache.h"
#include "ops/paged.h"

#include <string.h>

enum {
    QUERY,
    KEY,
    VALUE,
    KEY_CACHE,
    VALUE_CACHE,
    SUMS,
    PAST,
    TABLE,
    COSINES,
    SINES,
    SLOTS,
    SINKS,
    QUERY_NORM,
    KEY_NORM,
    KEY_SCALE,
    VALUE_SCALE,
    METADATA
};

static bool is_latent(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "kv_cache_layout", "SEPARATE"), "LATENT") == 0;
}

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status infer_paged(op_infer *c)
{
    int64_t heads, kv_heads, size = ir_attr_int(c->node, "v_head_size", 0);
    TRY(attend_infer_heads(c, "num_heads", &heads, &kv_heads));
    if (infer_rank(c, QUERY) >= 0 && infer_rank(c, QUERY) != 2)
        return infer_error(c, "a query of rank 2", "rank %d", infer_rank(c, QUERY));
    ir_dim dims[] = {infer_dim(c, QUERY, 0), infer_dim(c, QUERY, 1)};
    if (is_latent(c->node) && size > 0 && size <= INT32_MAX)
        dims[1] = heads * size;
    else if (!infer_has(c, KEY))
        dims[1] = dims_mul(c->dims, heads, dims_floor_div(c->dims, dims[1], heads + 2 * kv_heads));
    TRY(infer_set(c, 0, 0, 2, dims));
    TRY(infer_set_like(c, 1, KEY_CACHE));
    return infer_has(c, VALUE_CACHE) ? infer_set_like(c, 2, VALUE_CACHE) : HEED_OK;
}

/* ---- Tokens --------------------------------------------------------------------------------- */

typedef struct parts {
    paged at;
    ir_value *q, *k, *v; /* [T, heads, D] */
} parts;

static ir_value *apart(op_body *b, ir_value *x, int64_t heads)
{
    ir_value *count = body_ints(b, 1, &heads);
    ir_value *dims[] = {body_dim(b, x, 0), count, body_2(b, body_dim(b, x, 1), count, "Div")};
    return body_reshape_to(b, x, 3, dims);
}

static void project(op_body *b, parts *p)
{
    int64_t heads = attend_heads(b, "num_heads"), kv_heads = attend_heads(b, "kv_num_heads");
    ir_value *in[] = {body_in(b, QUERY), body_in(b, KEY), body_in(b, VALUE)};
    if (!in[1])
        attend_cut(b, in[0], 1, heads, kv_heads, in);
    p->q = apart(b, in[0], heads);
    p->k = apart(b, in[1], kv_heads);
    p->v = in[2] ? apart(b, in[2], kv_heads) : NULL;
}

static ir_value *normed(op_body *b, ir_value *x, ir_value *weight)
{
    return weight ? body_2(b, x, weight, "RMSNormalization axis=-1 epsilon=%.9g",
                           ir_attr_float(b->node, "qk_norm_epsilon", 1e-6))
                  : x;
}

/* Channels before rotary_offset, and behind what the tables turn, stay. */
static ir_value *turned(op_body *b, const parts *p, ir_value *x)
{
    int64_t first = ir_attr_int(b->node, "rotary_offset", 0);
    first = first > 0 ? first : 0;
    x = body_unsqueeze(b, body_transpose(b, x, "1,0,2"), "0"); /* [1, heads, T, D] */
    ir_value *y = attend_turn(b, body_part(b, x, 3, first, INT64_MAX), body_in(b, COSINES),
                              body_in(b, SINES), body_unsqueeze(b, p->at.at, "0"));
    if (first > 0)
        y = body_concat(b, body_part(b, x, 3, 0, first), y, 3);
    return body_transpose(b, attend_pick(b, y, 0), "1,0,2");
}

/* ---- The cache ------------------------------------------------------------------------------ */

static ir_value *slots(op_body *b, const parts *p, ir_value *cache)
{
    return body_in(b, SLOTS) ? attend_list(b, body_in(b, SLOTS))
                             : paged_slots(b, &p->at, body_in(b, TABLE), body_dim(b, cache, 1));
}

/* Writes tokens into a cache, sets its output, and gives what the attention reads. */
static ir_value *cached(op_body *b, const parts *p, ir_value *x, uint32_t o)
{
    ir_value *cache = body_in(b, KEY_CACHE + o - 1), *scale = body_in(b, KEY_SCALE + o - 1);
    ir_value *flat = scale;
    if (!cache || !x || b->status) {
        body_fail(b, HEED_INVALID, "a cache without tokens for it");
        return NULL;
    }
    if (strcmp(ir_attr_string(b->node, o == 1 ? "k_cache_dtype" : "v_cache_dtype", ""),
               "float4e2m1") == 0)
        body_fail(b, HEED_UNSUPPORTED, "pages of float4e2m1");
    if (scale && body_rank(b, scale) == 3) /* [heads, 1, D] */
        flat = body_2(b, scale, body_ints(b, 1, (int64_t[]){1}), "Squeeze");
    x = ms_cache_store(b, x, cache->type.dtype, flat);
    ir_value *all = paged_write(b, cache, slots(b, p, cache), x);
    body_set(b, o, all);
    return ms_cache_load(b, paged_read(b, all, body_in(b, TABLE)), p->q->type.dtype, scale);
}

/* ---- Body ----------------------------------------------------------------------------------- */

static void decompose_paged(op_body *b)
{
    parts p = {0};
    int64_t window = ir_attr_int(b->node, "local_window_size", -1);
    attend a = {.sinks = body_in(b, SINKS),
                .scale = ir_attr_float(b->node, "scale", 0),
                .softcap = ir_attr_float(b->node, "softcap", 0),
                .causal = ir_attr_int(b->node, "is_causal", 1) != 0,
                .left = window > 0 ? window : 0};
    if (body_rank(b, body_in(b, QUERY)) != 2)
        return;
    ir_value *tokens = body_size(b, body_in(b, QUERY), 0);
    p.at = paged_place(b, tokens, body_in(b, SUMS), body_in(b, PAST));
    project(b, &p);
    p.q = normed(b, p.q, body_in(b, QUERY_NORM));
    p.k = normed(b, p.k, body_in(b, KEY_NORM));
    if (ir_attr_int(b->node, "do_rotary", 0)) {
        p.q = turned(b, &p, p.q);
        p.k = turned(b, &p, p.k);
    }
    int64_t size = ir_attr_int(b->node, "v_head_size", 0);
    a.q = paged_pad(b, &p.at, p.q);
    a.k = cached(b, &p, p.k, 1);
    if (is_latent(b->node))
        a.v = size > 0 ? body_part(b, a.k, 3, 0, size) : a.k;
    else
        a.v = cached(b, &p, p.v, 2);
    a.offsets = p.at.past;
    a.lengths = body_2(b, p.at.past, p.at.fresh, "Add");
    body_set(b, 0, paged_unpad(b, &p.at, attend_run(b, &a)));
}

// clang-format off
static const op_def paged_op = {
    .domain = "com.microsoft", .name = "PagedAttention", .since = 1,
    .flags = OP_ATTENTION, .causal = "is_causal",
    .signature = "query:T, key:T?, value:T?, key_cache:C, value_cache:C?, "
                 "cumulative_sequence_length:S, past_seqlens:S, block_table:S, cos_cache:T?, "
                 "sin_cache:T?, slot_mapping:S?, head_sink:T?, q_norm_weight:T?, k_norm_weight:T?, "
                 "k_scale:K?, v_scale:K?, attention_metadata:S? "
                 "-> output:T, key_cache_out:C?, value_cache_out:C?",
    .types = "T=float C=float|int8|uint8 K=float S=int32|int64",
    .attrs = "num_heads:int! kv_num_heads:int! scale:float=0 softcap:float=0 "
             "local_window_size:int=-1 is_causal:int=1 do_rotary:int=0 rotary_interleaved:int=0 "
             "qk_norm_epsilon:float=0.000001 k_quant_type:string=NONE v_quant_type:string=NONE "
             "k_cache_dtype:string v_cache_dtype:string kv_cache_layout:string=SEPARATE "
             "v_head_size:int=0 rotary_offset:int=0",
    .infer = infer_paged, .decompose = decompose_paged};

const op_def *const ops_ms_paged[] = {&paged_op, NULL};
// clang-format on
