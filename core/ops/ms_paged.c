/* ms_paged.c - PagedAttention of com.microsoft: tokens of many sequences one after the other, and a
 * cache in blocks that a table assigns to sequences.
 *
 * Sequence b has the queries from sums[b] to sums[b + 1], behind past[b] tokens in the cache.
 * Position p of it lies in block table[b][p / size], row p % size. */
#include "ops/attend.h"
#include "ops/ms_cache.h"

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
    int64_t heads = ir_attr_int(c->node, "num_heads", 0);
    int64_t kv_heads = ir_attr_int(c->node, "kv_num_heads", 0);
    int64_t size = ir_attr_int(c->node, "v_head_size", 0);
    if (heads <= 0 || kv_heads <= 0 || heads > INT32_MAX || kv_heads > INT32_MAX)
        return infer_error(c, "positive numbers of heads", "%lld and %lld", (long long)heads,
                           (long long)kv_heads);
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

typedef struct paged {
    ir_value *q, *k, *v;             /* [T, heads, D] */
    ir_value *starts, *past, *fresh; /* of each sequence, int64 [B] */
    ir_value *which, *row; /* of each token: its sequence, and its place among the queries */
    ir_value *at;          /* its position */
} paged;

/* A token belongs to the sequence that as many sequences end before or at. */
static void place_tokens(op_body *b, paged *p)
{
    ir_value *sums = attend_list(b, body_in(b, SUMS));
    ir_value *ends = body_part(b, sums, 0, 1, INT64_MAX);
    ir_value *tokens = body_range(b, body_size(b, body_in(b, QUERY), 0));
    ir_value *behind = body_2(b, body_unsqueeze(b, tokens, "1"), ends, "GreaterOrEqual");
    p->starts = body_part(b, sums, 0, 0, -1);
    p->fresh = body_2(b, ends, p->starts, "Sub");
    p->past = attend_list(b, body_in(b, PAST));
    p->which = body_2(b, body_cast(b, behind, HEED_INT64), body_ints(b, 1, (int64_t[]){1}),
                      "ReduceSum keepdims=0");
    p->row = body_2(b, tokens, body_2(b, p->starts, p->which, "Gather"), "Sub");
    p->at = body_2(b, body_2(b, p->past, p->which, "Gather"), p->row, "Add");
}

static ir_value *apart(op_body *b, ir_value *x, int64_t heads)
{
    ir_value *count = body_ints(b, 1, &heads);
    ir_value *dims[] = {body_dim(b, x, 0), count, body_2(b, body_dim(b, x, 1), count, "Div")};
    return body_reshape_to(b, x, 3, dims);
}

static void project(op_body *b, paged *p)
{
    int64_t heads = attend_heads(b, "num_heads"), kv_heads = attend_heads(b, "kv_num_heads");
    ir_value *parts[] = {body_in(b, QUERY), body_in(b, KEY), body_in(b, VALUE)};
    if (!parts[1])
        attend_cut(b, parts[0], 1, heads, kv_heads, parts);
    p->q = apart(b, parts[0], heads);
    p->k = apart(b, parts[1], kv_heads);
    p->v = parts[2] ? apart(b, parts[2], kv_heads) : NULL;
}

static ir_value *normed(op_body *b, ir_value *x, ir_value *weight)
{
    return weight ? body_2(b, x, weight, "RMSNormalization axis=-1 epsilon=%.9g",
                           ir_attr_float(b->node, "qk_norm_epsilon", 1e-6))
                  : x;
}

/* Channels before rotary_offset, and behind what the tables turn, stay. */
static ir_value *turned(op_body *b, const paged *p, ir_value *x)
{
    int64_t first = ir_attr_int(b->node, "rotary_offset", 0);
    first = first > 0 ? first : 0;
    x = body_unsqueeze(b, body_transpose(b, x, "1,0,2"), "0"); /* [1, heads, T, D] */
    ir_value *y = attend_turn(b, body_part(b, x, 3, first, INT64_MAX), body_in(b, COSINES),
                              body_in(b, SINES), body_unsqueeze(b, p->at, "0"));
    if (first > 0)
        y = body_concat(b, body_part(b, x, 3, 0, first), y, 3);
    return body_transpose(b, attend_pick(b, y, 0), "1,0,2");
}

/* ---- The cache ------------------------------------------------------------------------------ */

/* Where each token is written: block * size + row, int64 [T]; negative for nowhere. */
static ir_value *slots(op_body *b, const paged *p, ir_value *size)
{
    if (body_in(b, SLOTS))
        return attend_list(b, body_in(b, SLOTS));
    ir_value *block = body_unsqueeze(b, body_2(b, p->at, size, "Div"), "1");
    ir_value *at = body_concat(b, body_unsqueeze(b, p->which, "1"), block, 1);
    block = body_2(b, body_cast(b, body_in(b, TABLE), HEED_INT64), at, "GatherND");
    return body_2(b, body_2(b, block, size, "Mul"), body_2(b, p->at, size, "Mod"), "Add");
}

/* [blocks, size, heads, D] with the rows of x; one more row takes what is written nowhere. */
static ir_value *written(op_body *b, const paged *p, ir_value *cache, ir_value *x)
{
    ir_value *count = body_2(b, body_dim(b, cache, 0), body_dim(b, cache, 1), "Mul");
    ir_value *dims[] = {count, body_dim(b, cache, 2), body_dim(b, cache, 3)};
    ir_value *one[] = {body_ints(b, 1, (int64_t[]){1}), dims[1], dims[2]};
    ir_value *spare =
        body_2(b, body_like(b, 0, cache), body_n(b, 3, one, "Concat axis=0"), "Expand");
    ir_value *to = slots(b, p, body_dim(b, cache, 1));
    to = body_3(b, body_2(b, to, body_int(b, 0), "Less"), count, to, "Where");
    ir_value *rows = body_concat(b, body_reshape_to(b, cache, 3, dims), spare, 0);
    rows = body_3(b, rows, body_unsqueeze(b, to, "1"), x, "ScatterND");
    rows = body_slice(b, rows, 0, NULL, count);
    return body_2(b, rows, body_1(b, cache, "Shape"), "Reshape");
}

/* The rows of each sequence, [B, heads, blocks * size, D]. Blocks that the table does not use are
 * any. */
static ir_value *rows_of(op_body *b, ir_value *cache)
{
    ir_value *table = body_cast(b, body_in(b, TABLE), HEED_INT64);
    ir_value *last = body_2(b, body_size(b, cache, 0), body_int(b, 1), "Sub");
    table = body_3(b, table, body_int(b, 0), last, "Clip");
    ir_value *dims[] = {body_dim(b, table, 0),
                        body_2(b, body_dim(b, table, 1), body_dim(b, cache, 1), "Mul"),
                        body_dim(b, cache, 2), body_dim(b, cache, 3)};
    ir_value *rows = body_2(b, cache, table, "Gather axis=0");
    return body_transpose(b, body_reshape_to(b, rows, 4, dims), "0,2,1,3");
}

/* Writes tokens into a cache, sets its output, and gives what the attention reads. */
static ir_value *cached(op_body *b, const paged *p, ir_value *x, uint32_t o)
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
    ir_value *all = written(b, p, cache, ms_cache_store(b, x, cache->type.dtype, flat));
    body_set(b, o, all);
    return ms_cache_load(b, rows_of(b, all), x->type.dtype, scale);
}

/* ---- Body ----------------------------------------------------------------------------------- */

/* [T, heads, D] to [B, heads, S, D], S being the most queries of a sequence. */
static ir_value *padded(op_body *b, const paged *p, ir_value *x)
{
    ir_value *most = body_1(b, p->fresh, "ReduceMax keepdims=0");
    ir_value *last = body_2(b, body_size(b, x, 0), body_int(b, 1), "Sub");
    ir_value *from = body_2(b, body_unsqueeze(b, p->starts, "1"), body_range(b, most), "Add");
    x = body_2(b, x, body_2(b, from, last, "Min"), "Gather axis=0");
    return body_transpose(b, x, "0,2,1,3");
}

static ir_value *unpadded(op_body *b, const paged *p, ir_value *y)
{
    ir_value *at = body_2(b, p->which, body_dim(b, y, 2), "Mul");
    y = heads_merge(b, y);
    ir_value *dims[] = {body_2(b, body_dim(b, y, 0), body_dim(b, y, 1), "Mul"), body_dim(b, y, 2)};
    return body_2(b, body_reshape_to(b, y, 2, dims), body_2(b, at, p->row, "Add"), "Gather");
}

static void decompose_paged(op_body *b)
{
    paged p = {0};
    int64_t window = ir_attr_int(b->node, "local_window_size", -1);
    attend a = {.sinks = body_in(b, SINKS),
                .scale = ir_attr_float(b->node, "scale", 0),
                .softcap = ir_attr_float(b->node, "softcap", 0),
                .causal = ir_attr_int(b->node, "is_causal", 1) != 0,
                .left = window > 0 ? window : 0};
    if (body_rank(b, body_in(b, QUERY)) != 2)
        return;
    place_tokens(b, &p);
    project(b, &p);
    p.q = normed(b, p.q, body_in(b, QUERY_NORM));
    p.k = normed(b, p.k, body_in(b, KEY_NORM));
    if (ir_attr_int(b->node, "do_rotary", 0)) {
        p.q = turned(b, &p, p.q);
        p.k = turned(b, &p, p.k);
    }
    int64_t size = ir_attr_int(b->node, "v_head_size", 0);
    a.q = padded(b, &p, p.q);
    a.k = cached(b, &p, p.k, 1);
    if (is_latent(b->node))
        a.v = size > 0 ? body_part(b, a.k, 3, 0, size) : a.k;
    else
        a.v = cached(b, &p, p.v, 2);
    a.offsets = p.past;
    a.lengths = body_2(b, p.past, p.fresh, "Add");
    body_set(b, 0, unpadded(b, &p, attend_run(b, &a)));
}

// clang-format off
static const op_def paged_op = {
    .domain = "com.microsoft", .name = "PagedAttention", .since = 1,
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
