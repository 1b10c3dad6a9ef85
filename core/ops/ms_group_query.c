/* ms_group_query.c - GroupQueryAttention of com.microsoft: queries in groups that share a head of
 * keys and values, with rotary embedding, and a cache that has more rows than are in use.
 *
 * seqlens_k[b] + 1 tokens are in the cache after the step. The new ones, S of each sequence (or
 * query_seqlens[b] of them), stand at its end; a first prompt that is padded on the right has fewer
 * than S. So the tokens before the step are max(seqlens_k[b] + 1 - S, 0). */
#include <math.h>

#include "ops/ms_cache.h"
#include "ops/ms_window_cache.h"

enum {
    QUERY,
    KEY,
    VALUE,
    PAST_KEY,
    PAST_VALUE,
    LENGTHS,
    TOTAL,
    COSINES,
    SINES,
    POSITIONS,
    ADDED,
    SINKS,
    KEY_SCALE,
    VALUE_SCALE,
    QUERY_NORM,
    KEY_NORM,
    QUERY_LENGTHS
};

/* ---- Inference ------------------------------------------------------------------------------ */

static ir_dim head_size(const op_infer *c)
{
    int64_t heads = ir_attr_int(c->node, "num_heads", 1);
    if (!infer_has(c, KEY))
        heads += 2 * ir_attr_int(c->node, "kv_num_heads", 1);
    return dims_floor_div(c->dims, infer_dim(c, QUERY, 2), heads);
}

static ir_dim total_rows(const op_infer *c)
{
    const ir_dim *total;
    int64_t n;
    if (infer_ints(c, TOTAL, &total, &n) && n == 1)
        return total[0];
    return c->dims ? dims_fresh(c->dims) : DIM_UNKNOWN;
}

static heed_status infer_cache(op_infer *c, uint32_t o)
{
    uint32_t past = o == 1 ? PAST_KEY : PAST_VALUE;
    if (o >= c->n_out)
        return HEED_OK;
    if (infer_has(c, past) && ir_attr_int(c->node, "sliding_window_cache", 0))
        return infer_set_like(c, o, past);
    if (infer_has(c, past) && infer_rank(c, past) != 4)
        return infer_error(c, "a cache of rank 4", "rank %d", infer_rank(c, past));
    ir_dim dims[4] = {infer_dim(c, QUERY, 0), ir_attr_int(c->node, "kv_num_heads", 1),
                      infer_dim(c, infer_has(c, KEY) ? KEY : QUERY, 1), head_size(c)};
    for (int32_t i = 0; infer_has(c, past) && i < 4; i++)
        dims[i] = infer_dim(c, past, i);
    if (infer_has(c, past))
        dims[2] = dims_max(c->dims, dims[2], total_rows(c));
    return infer_set(c, o, infer_has(c, past) ? 0 : c->in[QUERY]->dtype, 4, dims);
}

static heed_status infer_grouped(op_infer *c)
{
    int64_t heads, kv_heads;
    TRY(attend_infer_heads(c, "num_heads", &heads, &kv_heads));
    if (infer_rank(c, QUERY) >= 0 && infer_rank(c, QUERY) != 3)
        return infer_error(c, "a query of rank 3", "rank %d", infer_rank(c, QUERY));
    ir_dim dims[] = {infer_dim(c, QUERY, 0), infer_dim(c, QUERY, 1), infer_dim(c, QUERY, 2)};
    if (!infer_has(c, KEY))
        dims[2] = dims_mul(c->dims, heads, head_size(c));
    TRY(infer_set(c, 0, 0, 3, dims));
    TRY(infer_cache(c, 1));
    TRY(infer_cache(c, 2));
    ir_dim scores[] = {dims[0], heads, dims[1], c->n_out > 3 ? total_rows(c) : 0};
    return infer_set(c, 3, 0, 4, scores);
}

/* ---- Queries, keys and values --------------------------------------------------------------- */

typedef struct grouped {
    attend a;
    ir_value *before, *after; /* tokens of each sequence in the cache, int64 [B] */
    ir_value *total;          /* the most of them after the step, int64 [1] */
} grouped;

static ir_value *normed(op_body *b, ir_value *x, ir_value *weight, const char *attr)
{
    double epsilon = ir_attr_float(b->node, "qk_norm_epsilon", 1e-6);
    if (!weight)
        return x;
    return body_2(b, x, weight, "RMSNormalization axis=-1 epsilon=%.9g",
                  ir_attr_float(b->node, attr, epsilon));
}

static bool project(op_body *b, attend *a)
{
    if (body_rank(b, body_in(b, QUERY)) != 3 || !attend_read_grouped(b, a))
        return false;
    a->q = normed(b, a->q, body_in(b, QUERY_NORM), "q_norm_epsilon");
    a->k = normed(b, a->k, body_in(b, KEY_NORM), "k_norm_epsilon");
    return true;
}

/* ---- Positions ------------------------------------------------------------------------------ */

static void count_tokens(op_body *b, grouped *g)
{
    ir_value *fresh = body_in(b, QUERY_LENGTHS);
    g->total = attend_number(b, body_in(b, TOTAL));
    g->after = body_2(b, attend_list(b, body_in(b, LENGTHS)), body_int(b, 1), "Add");
    fresh = fresh ? attend_list(b, fresh) : body_dim(b, g->a.q, 2);
    g->before = body_2(b, body_2(b, g->after, fresh, "Sub"), body_int(b, 0), "Max");
}

/* [B, S]. Of the positions that are given for a first prompt, the first one counts. */
static ir_value *positions(op_body *b, const grouped *g)
{
    ir_value *given = body_in(b, POSITIONS), *rows = body_range(b, body_size(b, g->a.q, 2));
    if (!given)
        return body_2(b, body_unsqueeze(b, g->before, "1"), rows, "Add");
    given = body_cast(b, given, HEED_INT64);
    if (body_in(b, QUERY_LENGTHS))
        return given;
    ir_value *first = body_part(b, body_reshape(b, given, "-1"), 0, 0, 1);
    ir_value *is_first = body_2(b, g->total, body_dim(b, g->a.q, 2), "Equal");
    return body_3(b, is_first, body_2(b, first, rows, "Add"), given, "Where");
}

/* Padding may stand beyond the tables. */
static void rotate(op_body *b, grouped *g)
{
    ir_value *cosines = body_in(b, COSINES), *sines = body_in(b, SINES);
    if (!cosines)
        body_fail(b, HEED_INVALID, "do_rotary needs cos_cache and sin_cache");
    ir_value *last = body_2(b, body_size(b, cosines, 0), body_int(b, 1), "Sub");
    ir_value *at = body_2(b, positions(b, g), last, "Min");
    g->a.q = attend_turn(b, g->a.q, cosines, sines, at);
    if (b->status)
        return;
    if (g->a.k->type.dims[2] != g->a.q->type.dims[2]) /* none are new where layers share a cache */
        at = body_slice(b, at, 1, NULL, body_dim(b, g->a.k, 2));
    g->a.k = attend_turn(b, g->a.k, cosines, sines, at);
}

/* ---- The cache ------------------------------------------------------------------------------ */

/* A cache that has fewer rows than there are tokens grows to them, by as many as are new. */
static ir_value *grown(op_body *b, const grouped *g, ir_value *past, ir_value *fresh)
{
    ir_value *more = body_2(b, g->total, body_dim(b, past, 2), "Sub");
    more = body_3(b, more, body_int(b, 0), body_size(b, fresh, 2), "Clip");
    ir_value *dims[] = {body_dim(b, past, 0), body_dim(b, past, 1), more, body_dim(b, past, 3)};
    ir_value *rows =
        body_2(b, body_like(b, 0, past), body_n(b, 4, dims, "Concat axis=0"), "Expand");
    return body_concat(b, past, rows, 2);
}

/* One of the two caches: sets its output, and gives what the attention reads. */
static ir_value *cached(op_body *b, const grouped *g, const window_cache *w, ir_value *fresh,
                        uint32_t o)
{
    ir_value *past = body_in(b, PAST_KEY + o - 1), *scale = body_in(b, KEY_SCALE + o - 1);
    if (!past) {
        body_set(b, o, fresh);
        return fresh;
    }
    heed_dtype real = b->status ? HEED_UNDEFINED : fresh->type.dtype;
    fresh = ms_cache_store(b, fresh, past->type.dtype, scale);
    ir_value *all = w ? window_cache_join(b, w, past, fresh)
                      : attend_append(b, grown(b, g, past, fresh), fresh, g->before);
    body_set(b, o, w ? window_cache_trim(b, w, all) : all);
    if (!w && (g->a.bias || g->a.keep)) /* these are as wide as there are tokens */
        all = body_slice(b, all, 2, NULL, g->total);
    return ms_cache_load(b, all, real, scale);
}

static void use_caches(op_body *b, grouped *g)
{
    int64_t window = ir_attr_int(b->node, "local_window_size", -1);
    ir_value *past = body_in(b, PAST_KEY);
    bool windowed = past && ir_attr_int(b->node, "sliding_window_cache", 0) != 0;
    window_cache w = {0};
    if (!past != !body_in(b, PAST_VALUE))
        body_fail(b, HEED_INVALID, "past_key and past_value come together");
    g->a.lengths = g->after;
    g->a.offsets = g->before;
    if (windowed) {
        w = window_cache_of(b, past, window, g->before, g->after);
        g->a.lengths = body_2(b, g->after, w.first, "Sub");
        g->a.offsets = w.kept;
    }
    g->a.k = cached(b, g, windowed ? &w : NULL, g->a.k, 1);
    g->a.v = cached(b, g, windowed ? &w : NULL, g->a.v, 2);
    if (windowed && g->a.bias)
        g->a.bias = window_cache_bias(b, &w, g->a.bias, g->a.k);
}

/* ---- Body ----------------------------------------------------------------------------------- */

static ir_value *sinks(op_body *b)
{
    ir_value *given = body_in(b, SINKS);
    if (given || ir_attr_int(b->node, "smooth_softmax", -1) != 1)
        return given;
    ir_value *heads = body_ints(b, 1, (int64_t[]){attend_heads(b, "num_heads")});
    return body_2(b, body_like(b, 0, body_in(b, QUERY)), heads, "Expand");
}

/* The scores that are asked for; before the softmax, those of invisible keys are 0. */
static void set_scores(op_body *b, attend *a)
{
    ir_value *scores = a->kept;
    if (a->keep && a->scores == 2)
        scores = body_3(b, body_2(b, scores, body_like(b, -HUGE_VAL, scores), "Equal"),
                        body_like(b, 0, scores), scores, "Where");
    body_set(b, 3, scores);
}

static void decompose_grouped(op_body *b)
{
    int64_t window = ir_attr_int(b->node, "local_window_size", -1);
    grouped g = {.a = {.bias = body_in(b, ADDED),
                       .scale = ir_attr_float(b->node, "scale", 0),
                       .softcap = ir_attr_float(b->node, "softcap", 0),
                       .causal = ir_attr_int(b->node, "causal", 1) != 0,
                       .left = window > 0 ? window : 0,
                       .keep = body_wants(b, 3),
                       .scores = ir_attr_int(b->node, "qk_output", 0) == 2 ? 3 : 2}};
    if (!project(b, &g.a))
        return;
    g.a.sinks = sinks(b);
    count_tokens(b, &g);
    if (ir_attr_int(b->node, "do_rotary", 0))
        rotate(b, &g);
    use_caches(b, &g);
    body_set(b, 0, heads_merge(b, attend_run(b, &g.a)));
    set_scores(b, &g.a);
}

// clang-format off
static const op_def grouped_op = {
    .domain = "com.microsoft", .name = "GroupQueryAttention", .since = 1,
    .flags = OP_ATTENTION, .causal = "causal",
    .signature = "query:T, key:T?, value:T?, past_key:C?, past_value:C?, seqlens_k:M, "
                 "total_sequence_length:M, cos_cache:T?, sin_cache:T?, position_ids:P?, "
                 "attention_bias:T?, head_sink:T?, k_scale:S?, v_scale:S?, q_norm_weight:T?, "
                 "k_norm_weight:T?, query_seqlens:M? "
                 "-> output:T, present_key:C?, present_value:C?, output_qk:T?",
    .types = "T=float C=float|uint8|int8 S=float M=int32|int64 P=int32|int64",
    .attrs = "num_heads:int! kv_num_heads:int! causal:int=1 scale:float=0 softcap:float=0 "
             "local_window_size:int=-1 sliding_window_cache:int=0 do_rotary:int=0 "
             "rotary_interleaved:int=0 smooth_softmax:int=-1 qk_output:int=0 "
             "k_quant_type:string=NONE v_quant_type:string=NONE kv_cache_bit_width:int=0 "
             "qk_norm_epsilon:float=0.000001 q_norm_epsilon:float k_norm_epsilon:float",
    .infer = infer_grouped, .decompose = decompose_grouped};

const op_def *const ops_ms_group_query[] = {&grouped_op, NULL};
// clang-format on
