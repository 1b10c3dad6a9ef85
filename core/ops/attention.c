/* attention.c - heed.Attention, the one meaning of attention that all other forms are written in.
 *
 *     scores = bound(cap(scale * Q K^T)) * factor;  Y = softmax(mask(scores + bias)) V
 *
 * Q is [B, Hq, Sq, D], K is [B, Hk, Skv, D], V is [B, Hv, Skv, Dv], and Hk and Hv divide Hq: query
 * head h reads key head h / (Hq / Hk) and value head h / (Hq / Hv). Inputs behind them:
 *
 *   bias     bool (true: attend) or float (added), broadcasts to [B, Hq, Sq, Skv], but has all
 * keys; with short_mask = 1 its last extent may be shorter than Skv, and keys behind it are
 *            invisible. With relative = 1 it is float and goes by distance:
 *            [.., 1, Sq + Skv - 1], entry Sq - 1 - i + j for query i, key j. It may have fewer
 *            sequences P than there are, where P divides B: sequence b reads that of b % P
 *   lengths  [B]: keys from lengths[b] on are invisible
 *   offsets  [B], or one for all: the position of query 0; 0 when left out
 *   sinks    [Hq]: a logit that joins the denominator only
 *   mask     bool (true: attend), broadcasts as bias does; beside a bias that is added
 *   factor   multiplies the scores key by key, broadcasts to [B, Hq, Sq, Skv]
 *   more     float, beside a float bias: bias + more is the bias. Each may broadcast along other
 *            axes, or repeat itself over sequences, and their sum is never made
 *
 * Before that, scores are brought between scores_min and scores_max.
 *
 * Query i stands at p = offset + i. Key j is visible when causal = 0 or j <= p, and when
 * p - left_window <= j <= p + right_window; a negative window is unbounded. An invisible key's
 * score becomes `fill`, to which the bias is added when fill_first = 1 (an infinite fill stays what
 * it is), or which is added to it when fill_added = 1; with both a finite fill and the bias are
 * added up, and their sum to the score; or which is added to 0 times the score when fill_zeroed = 1
 * (and the fill finite), so that a score that is infinite or no number shows. Rows without a
 * visible key give 0 (empty = zero) or what the arithmetic gives (empty = nan); this asks the mask,
 * not the scores. With empty = guard a row whose weights are not numbers, for whatever reason,
 * gives 0. With empty = share a sink takes its share of the weights that the keys have among
 * themselves: where all scores are -infinity these are no numbers, and the sink does not make them
 * 0. `scores` is the second output: 0 after the scale, 1 after softcap, 2 after bias and
 * mask, 3 after softmax. scale = 0 is 1 / sqrt(D). Layouts say how the axes lie in memory, "bshd"
 * for [B, S, H, D].
 *
 * The operators behind it mean the same, and say how it is computed: heed.MultiHeadAttention and
 * heed.GroupedQueryAttention with the scores in memory (Vaswani 2017; Shazeer 2019, Ainslie 2023),
 * heed.FlashAttention without (Dao 2022). */
#include <math.h>
#include <string.h>

#include "ops/heads.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, MORE };

/* Far beyond any position, far from overflow. */
#define WINDOW_MAX ((int64_t)1 << 40)

/* ---- Inference ------------------------------------------------------------------------------ */

/* Right-aligned with the scores' dims: 1 or equal, the last one equal, or shorter where it may be.
 * A graph may broadcast an extent of 1 that it says nothing of before a run: then it is refused
 * here, and the graph is run as it is. */
static heed_status check_bias(const op_infer *c, uint32_t input, const ir_dim *scores)
{
    int32_t rank = infer_rank(c, input);
    bool may_be_short = ir_attr_int(c->node, "short_mask", 0) != 0;
    if (rank > 4)
        return infer_error(c, "a bias of at most 4 dims", "%d", rank);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim have = infer_dim(c, input, i), want = scores[4 - rank + i];
        if (!dim_known(have) || !dim_known(want) || have == want)
            continue;
        if (i == 0 && rank == 4 && (input == BIAS || input == MORE) && have && want % have == 0)
            continue; /* sequences that repeat themselves */
        if (i < rank - 1 ? have != 1 : have > want || !may_be_short)
            return infer_error(c, "a bias that broadcasts to the scores",
                               "%lld for %lld on axis %d", (long long)have, (long long)want, i);
    }
    return HEED_OK;
}

/* One row for all distances that there are. */
static heed_status check_relative(const op_infer *c, const ir_dim *scores)
{
    int32_t rank = infer_rank(c, BIAS);
    ir_dim dims[4] = {scores[0], scores[1], 1, DIM_UNKNOWN};
    if (!ir_attr_int(c->node, "relative", 0) || rank < 0)
        return check_bias(c, BIAS, scores);
    ir_dim have = rank > 0 ? infer_dim(c, BIAS, rank - 1) : 1;
    if (!dtype_is_float(c->in[BIAS]->dtype))
        return infer_error(c, "a float bias of distances", "%u", c->in[BIAS]->dtype);
    if (dim_known(have) && dim_known(scores[2]) && dim_known(scores[3]))
        dims[3] = scores[2] + scores[3] - 1;
    if (dim_known(dims[3]) && have != dims[3])
        return infer_error(c, "a bias for each distance", "%lld for %lld", (long long)have,
                           (long long)dims[3]);
    return check_bias(c, BIAS, dims);
}

/* It has all keys. */
static heed_status check_whole(const op_infer *c, uint32_t input, const ir_dim *scores)
{
    int32_t rank = infer_rank(c, input);
    if (rank < 0)
        return HEED_OK;
    ir_dim have = rank > 0 ? infer_dim(c, input, rank - 1) : 1;
    if (dim_known(have) && dim_known(scores[3]) && have != scores[3])
        return infer_error(c, "a number for each key", "%lld for %lld in input %u", (long long)have,
                           (long long)scores[3], input);
    return check_bias(c, input, scores);
}

/* Two biases that are added up. */
static heed_status check_more(const op_infer *c, const ir_dim *scores)
{
    if (!infer_has(c, MORE))
        return HEED_OK;
    if (!infer_has(c, BIAS) || c->in[BIAS]->dtype == HEED_BOOL)
        return infer_error(c, "a bias that more is added to", "%s", "none");
    if (!ir_attr_int(c->node, "relative", 0))
        TRY(check_whole(c, BIAS, scores));
    return check_whole(c, MORE, scores);
}

static bool is_empty_rule(const char *rule)
{
    static const char *const rules[] = {"zero", "nan", "guard", "share"};
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (strcmp(rule, rules[i]) == 0)
            return true;
    return false;
}

static heed_status check_attrs(const op_infer *c)
{
    int64_t stage = ir_attr_int(c->node, "scores", 0);
    const char *empty = ir_attr_string(c->node, "empty", "zero");
    if (stage < 0 || stage > 3)
        return infer_error(c, "scores of stage 0 to 3", "%lld", (long long)stage);
    if (!is_empty_rule(empty))
        return infer_error(c, "empty rows as zero, nan, guard or share", "%s", empty);
    return HEED_OK;
}

/* Of q, k, v and y. */
static const char *read_layouts(const ir_node *n, heads_layout layouts[4])
{
    static const char *const attrs[] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    for (size_t i = 0; i < 4; i++)
        if (!heads_layout_read(n, attrs[i], &layouts[i]))
            return attrs[i];
    return NULL;
}

static heed_status infer_attention(op_infer *c)
{
    ir_dim scores[4];
    heads_layout layouts[4];
    const char *wrong = read_layouts(c->node, layouts);
    if (wrong)
        return infer_error(c, "a layout of the letters b, h, s, d", "%s", wrong);
    TRY(check_attrs(c));
    TRY(heads_infer_in(c, layouts, &layouts[3], false, scores));
    if (c->n_out > 1)
        TRY(infer_set(c, 1, 0, 4, scores));
    TRY(check_relative(c, scores));
    TRY(check_bias(c, MASK, scores));
    TRY(check_whole(c, FACTOR, scores));
    return check_more(c, scores);
}

/* ---- Body: the products --------------------------------------------------------------------- */

/* What the functions below share. */
typedef struct attention {
    op_body *b;
    ir_value *q, *k, *v;
    ir_value *kept; /* the scores that output 1 wants */
} attention;

static void keep(attention *a, int64_t stage, ir_value *scores)
{
    if (ir_attr_int(a->b->node, "scores", 0) == stage)
        a->kept = scores;
}

/* Not below scores_min, not above scores_max. */
static ir_value *bounded(op_body *b, ir_value *scores)
{
    double least = ir_attr_float(b->node, "scores_min", -(double)INFINITY);
    double most = ir_attr_float(b->node, "scores_max", (double)INFINITY);
    if (b->status || (isinf(least) && isinf(most)))
        return scores;
    return body_3(b, scores, body_like(b, least, scores), body_like(b, most, scores), "Clip");
}

static ir_value *raw_scores(attention *a)
{
    op_body *b = a->b;
    double cap = ir_attr_float(b->node, "softcap", 0);
    ir_value *scores = heads_scores(b, a->q, a->k, ir_attr_float(b->node, "scale", 0));
    keep(a, 0, scores);
    if (cap > 0) {
        scores = body_2(b, scores, body_like(b, cap, scores), "Div");
        scores = body_2(b, body_1(b, scores, "Tanh"), body_like(b, cap, scores), "Mul");
    }
    keep(a, 1, scores);
    scores = bounded(b, scores);
    if (body_in(b, FACTOR))
        scores = body_2(b, scores, body_cast(b, body_in(b, FACTOR), scores->type.dtype), "Mul");
    return scores;
}

/* ---- Body: who is visible ------------------------------------------------------------------- */

static ir_value *both(op_body *b, ir_value *x, ir_value *y)
{
    return x && y ? body_2(b, x, y, "And") : (x ? x : y);
}

/* One number a sequence, as int64 [B or 1, 1, 1, 1]. */
static ir_value *per_sequence(op_body *b, ir_value *x)
{
    return body_reshape(b, body_cast(b, x, HEED_INT64), "-1,1,1,1");
}

static ir_value *shifted(op_body *b, ir_value *x, int64_t by)
{
    return by == 0 ? x : body_2(b, x, body_int(b, by), "Add");
}

/* Bounds by position: NULL when there are none. */
static ir_value *in_window(attention *a, ir_value *keys)
{
    op_body *b = a->b;
    int64_t left = ir_attr_int(b->node, "left_window", -1);
    int64_t right = ir_attr_int(b->node, "right_window", -1);
    if (ir_attr_int(b->node, "causal", 0))
        right = 0;
    if (left < 0 && right < 0)
        return NULL;
    ir_value *at = body_unsqueeze(b, body_range(b, body_size(b, a->q, 2)), "1");
    if (body_in(b, OFFSETS))
        at = body_2(b, per_sequence(b, body_in(b, OFFSETS)), at, "Add");
    ir_value *low = NULL, *high = NULL;
    if (left >= 0)
        low = body_2(b, keys, shifted(b, at, -(left < WINDOW_MAX ? left : WINDOW_MAX)),
                     "GreaterOrEqual");
    if (right >= 0)
        high =
            body_2(b, keys, shifted(b, at, right < WINDOW_MAX ? right : WINDOW_MAX), "LessOrEqual");
    return both(b, low, high);
}

/* A row of the mask may have no visible key. A causal bound alone leaves key 0 to all. */
static bool may_be_empty(const op_body *b)
{
    return body_in(b, BIAS) || body_in(b, MASK) || body_in(b, LENGTHS) || body_in(b, OFFSETS) ||
           ir_attr_int(b->node, "left_window", -1) >= 0;
}

/* The bias of all distances, spread over queries and keys. */
static ir_value *spread(attention *a, ir_value *bias)
{
    op_body *b = a->b;
    ir_value *query = body_unsqueeze(b, body_range(b, body_size(b, a->q, 2)), "1");
    ir_value *key = body_range(b, body_size(b, a->k, 2));
    ir_value *last = body_2(b, body_dim(b, a->q, 2), body_ints(b, 1, (int64_t[]){1}), "Sub");
    ir_value *at = body_2(b, body_2(b, key, last, "Add"), query, "Sub");
    int32_t rank = body_rank(b, bias);
    bias = body_2(b, bias, at, "Gather axis=-1");
    return rank < 2 ? bias : body_2(b, bias, body_ints(b, 1, (int64_t[]){-3}), "Squeeze");
}

/* Sequences that repeat themselves. */
static ir_value *each_sequence(attention *a, ir_value *bias)
{
    op_body *b = a->b;
    ir_value *one = body_ints(b, 1, (int64_t[]){1});
    if (b->status || bias->type.rank != 4 || bias->type.dims[0] == 1 ||
        bias->type.dims[0] == a->q->type.dims[0])
        return bias;
    ir_value *own = body_2(b, body_dim(b, bias, 0), one, "Max");
    ir_value *times[] = {body_2(b, body_dim(b, a->q, 0), own, "Div"), one, one, one};
    return body_2(b, bias, body_n(b, 4, times, "Concat axis=0"), "Tile");
}

/* The bias as long as there are keys: what is behind it is masked. */
static ir_value *full_bias(attention *a, uint32_t input)
{
    op_body *b = a->b;
    ir_value *bias = body_in(b, input);
    if (!bias)
        return NULL;
    if (bias->type.dtype != HEED_BOOL)
        bias = body_cast(b, bias, a->q->type.dtype);
    if (input == BIAS || input == MORE)
        bias = each_sequence(a, bias);
    if (input == BIAS && ir_attr_int(b->node, "relative", 0))
        return spread(a, bias);
    int32_t rank = body_rank(b, bias);
    if (b->status || rank == 0 || bias->type.dims[rank - 1] == a->k->type.dims[2])
        return bias;
    bool boolean = bias->type.dtype == HEED_BOOL;
    ir_value *pads[] = {body_ints(b, 1, (int64_t[]){0}),
                        body_2(b, body_dim(b, a->k, 2), body_dim(b, bias, -1), "Sub")};
    ir_value *in[] = {bias, body_n(b, 2, pads, "Concat axis=0"),
                      body_like(b, boolean ? 0 : -(double)INFINITY, bias),
                      body_ints(b, 1, (int64_t[]){-1})};
    return body_n(b, 4, in, "Pad");
}

/* ---- Body: the mask ------------------------------------------------------------------------- */

typedef struct mask {
    ir_value *visible; /* bool, or NULL: every key */
    ir_value *added;   /* float, or NULL: nothing; with fill -inf it says all */
    double fill;
    bool joined; /* `added` is what a mask leaves of a bias */
} mask;

/* The fill is added to the bias, and the sum to the scores. */
static bool sums_up(const op_body *b)
{
    return ir_attr_int(b->node, "fill_added", 0) && ir_attr_int(b->node, "fill_first", 0) &&
           !isinf(ir_attr_float(b->node, "fill", -(double)INFINITY));
}

static mask build_mask(attention *a)
{
    op_body *b = a->b;
    mask m = {.fill = ir_attr_float(b->node, "fill", -(double)INFINITY)};
    ir_value *bias = full_bias(a, BIAS);
    if (body_in(b, MORE))
        bias = body_2(b, bias, full_bias(a, MORE), "Add");
    ir_value *keys = body_range(b, body_size(b, a->k, 2));
    m.visible = in_window(a, keys);
    if (body_in(b, LENGTHS))
        m.visible =
            both(b, m.visible, body_2(b, keys, per_sequence(b, body_in(b, LENGTHS)), "Less"));
    if (body_in(b, MASK))
        m.visible = both(b, m.visible, full_bias(a, MASK));
    if (b->status)
        return m;
    if (bias && bias->type.dtype == HEED_BOOL)
        m.visible = both(b, m.visible, bias);
    else
        m.added = bias;
    if (ir_attr_int(b->node, "fill_added", 0) && m.visible && !m.added)
        m.added = body_number(b, a->q->type.dtype, 0);
    bool adds = isinf(m.fill) || ir_attr_int(b->node, "fill_added", 0);
    if (m.added && m.visible && adds) { /* the mask is smaller than the scores */
        ir_value *seen = sums_up(b) ? body_like(b, 0, m.added) : m.added;
        ir_value *hidden = body_3(b, m.visible, seen, body_like(b, m.fill, m.added), "Where");
        m.added = sums_up(b) ? body_2(b, m.added, hidden, "Add") : hidden;
        m.visible = NULL;
        m.joined = true;
    }
    return m;
}

/* What hidden scores become, before biases that are added to it. */
static ir_value *hidden_scores(op_body *b, const mask *m, ir_value *scores)
{
    ir_value *fill = body_like(b, m->fill, scores);
    if (!ir_attr_int(b->node, "fill_zeroed", 0) || isinf(m->fill))
        return fill;
    return body_2(b, body_2(b, scores, body_like(b, 0, scores), "Mul"), fill, "Add");
}

static ir_value *apply_mask(op_body *b, const mask *m, ir_value *scores)
{
    bool late = ir_attr_int(b->node, "fill_first", 0) && !isinf(m->fill) && !sums_up(b);
    ir_value *hidden = m->visible ? hidden_scores(b, m, scores) : NULL;
    if (m->added && !late)
        scores = body_2(b, scores, m->added, "Add");
    if (m->visible)
        scores = body_3(b, m->visible, scores, hidden, "Where");
    return m->added && late ? body_2(b, scores, m->added, "Add") : scores;
}

/* The largest of each row; one number is that of all rows. */
static ir_value *any_of_row(op_body *b, ir_value *x)
{
    if (b->status || x->type.rank == 0)
        return x;
    return body_2(b, x, body_ints(b, 1, (int64_t[]){-1}), "ReduceMax");
}

/* Which rows [..., Sq, 1] have no visible key: NULL when there cannot be any, or when they give
 * what the arithmetic gives. A sink leaves a row a denominator. */
static ir_value *empty_rows(op_body *b, const mask *m)
{
    const char *empty = ir_attr_string(b->node, "empty", "zero");
    if (strcmp(empty, "zero") != 0 || !may_be_empty(b) || body_in(b, SINKS) || !isinf(m->fill))
        return NULL;
    if (m->visible)
        return body_1(b, any_of_row(b, m->visible), "Not");
    if (!m->added || (m->added->type.rank == 0 && !m->joined))
        return NULL;
    return body_2(b, any_of_row(b, m->added), body_like(b, -(double)INFINITY, m->added), "Equal");
}

/* ---- Body ----------------------------------------------------------------------------------- */

/* 0 in each row of numbers, no number where the largest score is infinite. */
static ir_value *zero_of_row(op_body *b, ir_value *scores)
{
    ir_value *top = any_of_row(b, scores);
    return body_2(b, top, top, "Sub");
}

/* The sink is one more key, whose weight is dropped. */
static ir_value *softmax_with_sinks(attention *a, ir_value *scores)
{
    op_body *b = a->b;
    ir_value *dims[] = {body_dim(b, scores, 0), body_dim(b, scores, 1), body_dim(b, scores, 2),
                        body_ints(b, 1, (int64_t[]){1})};
    ir_value *sinks =
        body_reshape(b, body_cast(b, body_in(b, SINKS), scores->type.dtype), "1,-1,1,1");
    sinks = body_2(b, sinks, body_n(b, 4, dims, "Concat axis=0"), "Expand");
    if (strcmp(ir_attr_string(b->node, "empty", "zero"), "share") == 0)
        sinks = body_2(b, sinks, zero_of_row(b, scores), "Add");
    ir_value *all = body_1(b, body_concat(b, scores, sinks, -1), "Softmax axis=-1");
    return body_part(b, all, -1, 0, -1);
}

static ir_value *weights(attention *a, ir_value *scores)
{
    op_body *b = a->b;
    heed_dtype type = a->q->type.dtype;
    heed_dtype inner = (heed_dtype)ir_attr_int(b->node, "softmax_precision", 0);
    if (b->status)
        return NULL;
    scores = body_cast(b, scores, inner ? inner : type);
    if (b->status)
        return NULL;
    scores =
        body_in(b, SINKS) ? softmax_with_sinks(a, scores) : body_1(b, scores, "Softmax axis=-1");
    return b->status ? NULL : body_cast(b, scores, type);
}

/* Weights that are no numbers become 0, in the row of any. */
static ir_value *guarded(op_body *b, ir_value *p)
{
    if (strcmp(ir_attr_string(b->node, "empty", "zero"), "guard") != 0)
        return p;
    return body_3(b, body_1(b, p, "IsNaN"), body_like(b, 0, p), p, "Where");
}

static ir_value *zero_where(op_body *b, ir_value *rows, ir_value *x)
{
    return rows ? body_3(b, rows, body_like(b, 0, x), x, "Where") : x;
}

static void decompose_attention(op_body *b)
{
    heads_layout layouts[4];
    for (uint32_t i = Q; i <= V; i++)
        if (body_rank(b, body_in(b, i)) != 4)
            return;
    read_layouts(b->node, layouts); /* inference has checked them */
    attention a = {.b = b,
                   .q = heads_from(b, body_in(b, Q), &layouts[Q]),
                   .k = heads_from(b, body_in(b, K), &layouts[K]),
                   .v = heads_from(b, body_in(b, V), &layouts[V])};
    ir_value *scores = raw_scores(&a);
    mask m = build_mask(&a);
    scores = apply_mask(b, &m, scores);
    keep(&a, 2, scores);
    ir_value *empty = empty_rows(b, &m), *p = guarded(b, weights(&a, scores));
    if (body_wants(b, 1) && ir_attr_int(b->node, "scores", 0) == 3) {
        p = zero_where(b, empty, p); /* then the product is 0 as well */
        empty = NULL;
    }
    keep(&a, 3, p);
    ir_value *y = zero_where(b, empty, heads_weigh(b, p, a.q, a.v));
    body_set(b, 0, heads_to(b, y, &layouts[3]));
    if (body_wants(b, 1))
        body_set(b, 1, a.kept);
}

// clang-format off
/* One meaning, and one body, whoever computes it. */
#define ATTENTION(ident, called)                                                                   \
    static const op_def ident = {                                                                  \
        .domain = "heed", .name = called, .since = 1,                                              \
        .flags = OP_ATTENTION, .causal = "causal",                                                 \
        .signature = "Q:T, K:T, V:T, bias:B?, lengths:I?, offsets:I?, sinks:T?, mask:bool?, "      \
                     "factor:T?, more:F? -> Y:T, scores:T?",                                                \
        .types = "T=float B=bool|real F=float I=int32|int64",                                              \
        .attrs = "scale:float=0 softcap:float=0 causal:int=0 left_window:int=-1 "                  \
                 "right_window:int=-1 scores:int=0 softmax_precision:int=0 fill:float=-inf "       \
                 "fill_first:int=0 fill_added:int=0 fill_zeroed:int=0 "                            \
                 "scores_min:float=-inf scores_max:float=inf "                                     \
                 "relative:int=0 short_mask:int=0 proof:string mask_kinds:string "                 \
                 "empty:string=zero q_layout:string=bhsd k_layout:string=bhsd "                    \
                 "v_layout:string=bhsd y_layout:string=bhsd",                                      \
        .infer = infer_attention, .decompose = decompose_attention}

ATTENTION(attention_op, "Attention");
ATTENTION(multi_head, "MultiHeadAttention");
ATTENTION(grouped_query, "GroupedQueryAttention");
ATTENTION(flash, "FlashAttention");

const op_def *const ops_attention[] = {&attention_op, &multi_head, &grouped_query, &flash, NULL};
// clang-format on
