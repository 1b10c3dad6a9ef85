/* heed.FlashAttention's meaning in double precision, written out once more, score by score; and
 * cases of it that are drawn: random shapes that end anywhere in a tile, groups of heads, every
 * mask and rule for what it empties, layouts, types, and numbers that are none. */
#ifndef CPU_TEST_ATTENTION_CASE_H
#define CPU_TEST_ATTENTION_CASE_H

#include <stdbool.h>

#include "check.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, MORE };
enum { B, H, S, D };

static const char letters[] = "bhsd";

typedef struct attention_case {
    int64_t batch, group, kv_heads, queries, keys, d, dv;
    int64_t own[3]; /* heads of keys and of values, which may differ from kv_heads */
    heed_dtype type, bias_type;
    bool wild, relative; /* relative: the bias goes by distance */
    double scale, cap, fill;
    int causal, fill_first, sums; /* sums: the fill is added to the bias */
    int zeroes;                   /* ... or to 0 times the score */
    int64_t left, right;
    const char *empty;
    char layout[4][5];
    mini_node node;
} attention_case;

/* The only type of cases, if there is but one. */
static heed_dtype attention_only;

/* ---- Types ---------------------------------------------------------------------------------- */

static inline uint16_t half_of(float x)
{
    int e;
    if (isnan(x))
        return 0x7e00;
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    double m = frexp(fabs((double)x), &e);
    long n = isinf(x) ? 2048 : lrint(ldexp(m, 11));
    if (x != 0.0f && !isinf(x) && e < -13)
        return sign | (uint16_t)lrint(ldexp(fabs((double)x), 24));
    e += n == 2048 && !isinf(x);
    n = n == 2048 ? 1024 : n;
    if (isinf(x) || e > 16)
        return sign | 0x7c00;
    return x == 0.0f ? sign : (uint16_t)(sign | (e + 14) << 10 | (n & 1023));
}

static inline float float_of_half(uint16_t h)
{
    int e = h >> 10 & 31, n = h & 1023;
    double x = e == 31 ? (double)(n ? NAN : INFINITY) : ldexp(e ? 1024 + n : n, (e ? e : 1) - 25);
    return (float)(h & 0x8000 ? -x : x);
}

static inline uint16_t brain_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return isnan(x) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float float_of_brain(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline void put(const DLTensor *t, heed_dtype type, size_t i, float x)
{
    if (type == HEED_FLOAT32)
        ((float *)mini_data(t))[i] = x;
    else
        ((uint16_t *)mini_data(t))[i] = type == HEED_FLOAT16 ? half_of(x) : brain_of(x);
}

static inline float get(const DLTensor *t, heed_dtype type, size_t i)
{
    if (type == HEED_FLOAT32)
        return ((const float *)mini_data(t))[i];
    uint16_t bits = ((const uint16_t *)mini_data(t))[i];
    return type == HEED_FLOAT16 ? float_of_half(bits) : float_of_brain(bits);
}

static inline double rounded(heed_dtype type, double x)
{
    float y = (float)x;
    return (double)(type == HEED_FLOAT32   ? y
                    : type == HEED_FLOAT16 ? float_of_half(half_of(y))
                                           : float_of_brain(brain_of(y)));
}

/* ---- The meaning ---------------------------------------------------------------------------- */

/* Element [b, h, s, d] of an operand in a layout. */
static inline size_t place(const DLTensor *t, const char *layout, const int64_t at[4])
{
    size_t i = 0;
    for (int a = 0; a < 4; a++)
        i = i * (size_t)t->shape[a] + (size_t)at[strchr(letters, layout[a]) - letters];
    return i;
}

static inline double operand(const attention_case *c, int input, int64_t b, int64_t h, int64_t s,
                             int64_t d)
{
    const DLTensor *t = c->node.in[input];
    h = input == Q ? h : h / (c->group * c->kv_heads / c->own[input]);
    return (double)get(t, c->type, place(t, c->layout[input], (int64_t[]){b, h, s, d}));
}

/* Flat index of the element of a mask for [b, h, i, j], or -1 behind its last extent. */
static inline int64_t cover_place(const DLTensor *t, const int64_t at[4])
{
    int64_t i = 0;
    for (int a = 0; a < t->ndim; a++) {
        int64_t want = at[4 - t->ndim + a];
        bool last = a == t->ndim - 1;
        if (last && want >= t->shape[a])
            return -1;
        i = i * t->shape[a] + (last ? want : want % t->shape[a]);
    }
    return i;
}

static inline bool bool_at(const DLTensor *t, const int64_t at[4])
{
    int64_t i = cover_place(t, at);
    return i >= 0 && ((const uint8_t *)mini_data(t))[i];
}

static inline int64_t number_at(const DLTensor *t, int64_t b, int64_t otherwise)
{
    if (!t)
        return otherwise;
    int64_t i = mini_count(t) == 1 ? 0 : b;
    return t->dtype.bits == 32 ? ((const int32_t *)mini_data(t))[i]
                               : ((const int64_t *)mini_data(t))[i];
}

static inline bool visible(const attention_case *c, const int64_t at[4])
{
    int64_t p = number_at(c->node.in[OFFSETS], at[0], 0) + at[2], j = at[3];
    const DLTensor *bias = c->node.in[BIAS];
    bool seen = j < number_at(c->node.in[LENGTHS], at[0], c->keys);
    seen &= c->left < 0 || j >= p - c->left;
    seen &= c->causal ? j <= p : (c->right < 0 || j <= p + c->right);
    seen &= !c->node.in[MASK] || bool_at(c->node.in[MASK], at);
    return seen && (!bias || c->bias_type != HEED_BOOL || bool_at(bias, at));
}

static inline double added(const attention_case *c, const int64_t at[4])
{
    int64_t by[4] = {at[0], at[1], 0, c->queries - 1 - at[2] + at[3]};
    const DLTensor *bias = c->node.in[BIAS], *more = c->node.in[MORE];
    int64_t i = cover_place(bias, c->relative ? by : at), k = more ? cover_place(more, at) : 0;
    double x = i < 0 ? -INFINITY : rounded(c->type, (double)get(bias, c->bias_type, (size_t)i));
    double y = more ? rounded(c->type, (double)get(more, c->type, (size_t)k)) : 0;
    return rounded(c->type, x + y);
}

/* The score after bias and mask. Keys behind a length are not looked at, not even for a NaN. */
static inline double score(const attention_case *c, const int64_t at[4], bool *seen)
{
    *seen = false;
    if (isinf(c->fill) && at[3] >= number_at(c->node.in[LENGTHS], at[0], c->keys))
        return -INFINITY;
    double sum = 0, scale = c->scale != 0 ? c->scale : 1 / sqrt((double)c->d);
    for (int64_t i = 0; i < c->d; i++)
        sum += (double)(float)scale * operand(c, Q, at[0], at[1], at[2], i) *
               operand(c, K, at[0], at[1], at[3], i);
    if (c->cap > 0)
        sum = c->cap * tanh(sum / c->cap);
    bool adds = c->node.in[BIAS] && c->bias_type != HEED_BOOL, shown = visible(c, at);
    const DLTensor *factor = c->node.in[FACTOR];
    if (factor)
        sum = rounded(c->type, sum * (double)get(factor, c->type, (size_t)cover_place(factor, at)));
    *seen = shown;
    if (c->sums) {
        double more = shown ? 0 : rounded(c->type, c->fill);
        return rounded(c->type, sum + rounded(c->type, more + (adds ? added(c, at) : 0)));
    }
    double hidden = rounded(c->type, c->fill) + (c->zeroes && !isinf(c->fill) ? 0 * sum : 0);
    if (adds && c->fill_first && !isinf(c->fill))
        return rounded(c->type, (shown ? sum : hidden) + added(c, at));
    if (adds) {
        double bias = isinf(c->fill) && !shown ? -INFINITY : added(c, at);
        *seen = isinf(c->fill) ? bias != -INFINITY : shown;
        sum = rounded(c->type, sum + bias);
    }
    return shown || (adds && isinf(c->fill)) ? sum : hidden;
}

/* exp(score - top) / sum in place; top and sum include the sink. */
static inline void softmax(double *w, int64_t n, const double *sink)
{
    double top = sink ? *sink : -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++)
        top = w[j] > top ? w[j] : top;
    for (int64_t j = 0; j < n; j++)
        sum += w[j] = exp(w[j] - top);
    sum += sink ? exp(*sink - top) : 0;
    for (int64_t j = 0; j < n; j++)
        w[j] /= sum;
}

static inline bool is_emptied(const attention_case *c, bool any_seen)
{
    const DLTensor *const *in = (const DLTensor *const *)c->node.in;
    bool single = in[BIAS] && in[BIAS]->ndim == 0 && c->bias_type != HEED_BOOL;
    bool masks = in[MASK] || in[LENGTHS] || c->left >= 0 || c->right >= 0 || c->causal;
    return !any_seen && !strcmp(c->empty, "zero") && !in[SINKS] && isinf(c->fill) &&
           (!single || masks);
}

/* The weights of a row; false where it is 0 whatever they are. */
static inline bool row_weights(const attention_case *c, int64_t b, int64_t h, int64_t i, double *w)
{
    bool any_seen = false, weighed = strcmp(c->empty, "share") != 0; /* a sink has a share of it */
    double sink = c->node.in[SINKS] ? (double)get(c->node.in[SINKS], c->type, (size_t)h) : 0;
    for (int64_t j = 0; j < c->keys; j++) {
        bool seen;
        w[j] = score(c, (int64_t[]){b, h, i, j}, &seen);
        any_seen |= seen, weighed |= w[j] != -INFINITY;
    }
    softmax(w, c->keys, c->node.in[SINKS] && weighed ? &sink : NULL);
    for (int64_t j = 0; j < c->keys && !strcmp(c->empty, "guard"); j++)
        w[j] = isnan(w[j]) ? 0 : w[j];
    return !is_emptied(c, any_seen);
}

/* Says what the case was: shapes, rules, and which inputs there are. */
static inline void fail_at(const attention_case *c, const int64_t at[4], double got, double want)
{
    char inputs[] = "----------";
    for (int i = 0; i <= MORE; i++)
        inputs[i] = c->node.in[i] ? "qkvblosmf+"[i] : '-';
    fail_msg("b %d, g %d, kv %d (%d, %d), %d x %d, d %d, dv %d, type %d, bias type %d of rank %d, "
             "wild %d, "
             "cap %g, fill %g, causal %d, window %d %d, %s, %s %s %s %s, %s: "
             "[%d, %d, %d, %d] is %.9g, not %.9g",
             (int)c->batch, (int)c->group, (int)c->kv_heads, (int)c->own[K], (int)c->own[V],
             (int)c->queries, (int)c->keys, (int)c->d, (int)c->dv, (int)c->type, (int)c->bias_type,
             c->node.in[BIAS] ? c->node.in[BIAS]->ndim : 0, c->wild, c->cap, c->fill, c->causal,
             (int)c->left, (int)c->right, c->empty, c->layout[0], c->layout[1], c->layout[2],
             c->layout[3], inputs, (int)at[0], (int)at[1], (int)at[2], (int)at[3], got, want);
}

static inline void check_row(const attention_case *c, int64_t b, int64_t h, int64_t i, double *w)
{
    bool filled = row_weights(c, b, h, i, w);
    bool adds = c->node.in[BIAS] && c->bias_type != HEED_BOOL; /* -1e4 leaves few digits */
    double slack = c->type == HEED_FLOAT16 ? 4e-3 : c->type == HEED_BFLOAT16 ? 3e-2 : 3e-5;
    slack = c->type == HEED_FLOAT32 && (adds || c->sums) ? 1e-3 : slack;
    const DLTensor *y = c->node.out[0];
    for (int64_t d = 0; d < c->dv; d++) {
        double want = 0;
        for (int64_t j = 0; j < c->keys && filled; j++)
            want += w[j] * operand(c, V, b, h, j, d);
        size_t at = place(y, c->layout[3], (int64_t[]){b, h, i, d});
        double got = (double)get(y, c->type, at);
        if (!close_to(got, want, slack, slack))
            fail_at(c, (int64_t[]){b, h, i, d}, got, want);
    }
}

/* Results where the queries were, as kernels allow it when both lie alike. */
static inline void check_in_place(const attention_case *c)
{
    mini_node node = c->node;
    const DLTensor *y = c->node.out[0], *q = c->node.in[Q];
    if (strcmp(c->layout[0], c->layout[3]) != 0 || c->d != c->dv)
        return;
    node.in[Q] = node.out[0] = tensor(c->type, 4, q->shape);
    memcpy(mini_data(node.in[Q]), mini_data(q), mini_bytes(q));
    run_node(&node);
    if (memcmp(mini_data(node.out[0]), mini_data(y), mini_bytes(y)) != 0)
        fail_at(c, (int64_t[4]){0}, 0, 0);
    assert_true(mini_free(node.in[Q]));
}

static inline void check_case(const attention_case *c)
{
    double *w = malloc((size_t)(c->keys + 1) * sizeof(*w));
    run_node(&c->node);
    for (int64_t b = 0; b < c->batch; b++)
        for (int64_t h = 0; h < c->group * c->kv_heads; h++)
            for (int64_t i = 0; i < c->queries; i++)
                check_row(c, b, h, i, w);
    check_in_place(c);
    free(w);
}

/* ---- Random cases --------------------------------------------------------------------------- */

static inline bool chance(uint32_t one_in) { return any(one_in) == 0; }

/* Numbers that all types hold. */
static inline float any_value(void) { return (float)((int)any(257) - 128) / 64.0f; }

static inline DLTensor *draw_operand(attention_case *c, int which, const int64_t dims[4])
{
    int64_t order[4], shape[4];
    for (int a = 0; a < 4; a++)
        order[a] = a;
    for (uint32_t a = 3; a > 0 && chance(2); a--) {
        uint32_t other = any(a + 1);
        int64_t kept = order[a];
        order[a] = order[other], order[other] = kept;
    }
    for (int a = 0; a < 4; a++) {
        c->layout[which][a] = letters[order[a]];
        shape[a] = dims[order[a]];
    }
    static const char *const names[4] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    mini_string(&c->node, names[which], c->layout[which]);
    DLTensor *t = tensor(c->type, 4, shape);
    for (size_t i = 0; i < mini_count(t); i++)
        put(t, c->type, i, any_value());
    return t;
}

/* Numbers that are none, at keys that have been written. */
static inline void make_wild(attention_case *c)
{
    static const float odd[3] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 2 && c->wild; k++) {
        int which = (int)any(3);
        int64_t heads = which ? c->own[which] : c->kv_heads * c->group;
        int64_t b = any((uint32_t)c->batch), most = which ? c->keys : c->queries;
        int64_t known = number_at(c->node.in[LENGTHS], b, most);
        most = which && known < most ? known : most;
        if (most <= 0)
            continue;
        int64_t at[4] = {b, any((uint32_t)heads), any((uint32_t)most),
                         any((uint32_t)(which == V ? c->dv : c->d))};
        put(c->node.in[which], c->type, place(c->node.in[which], c->layout[which], at),
            odd[any(3)]);
    }
}

static inline DLTensor *draw_cover(const attention_case *c, heed_dtype type)
{
    int64_t full[4] = {c->batch, c->group * c->kv_heads, c->queries, c->keys}, dims[4];
    int rank = (int)any(5);
    for (int a = 0; a < rank; a++)
        dims[a] = chance(2) ? 1 : full[4 - rank + a];
    if (rank)
        dims[rank - 1] = chance(4) ? any((uint32_t)c->keys + 1) : c->keys;
    if (rank == 4 && dims[0] == 4 && chance(2))
        dims[0] = 2;
    DLTensor *t = tensor(type, rank, dims);
    uint32_t rare = chance(3) ? 2 : 12, row = rank ? (uint32_t)dims[rank - 1] : 1;
    bool dead = false;
    for (size_t i = 0; i < mini_count(t); i++) {
        dead = row && i % row == 0 ? chance(6) : dead;
        bool hidden = dead || chance(rare);
        if (type == HEED_BOOL)
            ((uint8_t *)mini_data(t))[i] = !hidden;
        else
            put(t, type, i,
                !hidden                                ? any_value()
                : chance(2)                            ? -INFINITY
                : c->type == HEED_FLOAT32 && chance(2) ? -1e4f
                                                       : -3.4028235e38f);
    }
    return t;
}

static inline DLTensor *draw_whole(const attention_case *c)
{
    int64_t full[4] = {c->batch, c->group * c->kv_heads, c->queries, c->keys}, dims[4];
    int rank = 1 + (int)any(4);
    for (int a = 0; a < rank; a++)
        dims[a] = a < rank - 1 && chance(2) ? 1 : full[4 - rank + a];
    DLTensor *t = tensor(c->type, rank, dims);
    for (size_t i = 0; i < mini_count(t); i++)
        put(t, c->type, i, any_value());
    return t;
}

static inline DLTensor *draw_numbers(int64_t n, int64_t low, int64_t high)
{
    DLTensor *t = tensor(chance(2) ? HEED_INT32 : HEED_INT64, 1, &n);
    for (int64_t i = 0; i < n; i++) {
        int64_t x = low + any((uint32_t)(high - low + 1));
        if (t->dtype.bits == 32)
            ((int32_t *)mini_data(t))[i] = (int32_t)x;
        else
            ((int64_t *)mini_data(t))[i] = x;
    }
    return t;
}

static inline void draw_order(attention_case *c, uint32_t rare)
{
    c->sums = !isinf(c->fill) && chance(3);
    c->fill_first = c->sums || chance(rare);
    c->zeroes = !c->sums && chance(rare);
    mini_int(&c->node, "fill_first", c->fill_first), mini_int(&c->node, "fill_added", c->sums);
    mini_int(&c->node, "fill_zeroed", c->zeroes);
}

static inline void draw_rules(attention_case *c)
{
    static const double fills[5] = {-INFINITY, -INFINITY, -1e4, -3.4028234663852886e38, -3};
    static const char *const empties[4] = {"zero", "nan", "guard", "share"};
    c->scale = chance(3) ? 0.25 : 0, c->cap = chance(5) ? 2.5 : 0;
    c->fill = fills[any(5)], c->causal = chance(3);
    c->left = chance(4) ? any((uint32_t)c->keys + 2) : -1;
    c->right = chance(5) ? any((uint32_t)c->keys + 2) : -1;
    c->empty = empties[any(4)];
    draw_order(c, 4);
    mini_float(&c->node, "scale", c->scale), mini_float(&c->node, "softcap", c->cap);
    mini_float(&c->node, "fill", c->fill), mini_int(&c->node, "causal", c->causal);
    mini_int(&c->node, "left_window", c->left), mini_int(&c->node, "right_window", c->right);
    mini_string(&c->node, "empty", c->empty);
}

static inline void draw_masks(attention_case *c)
{
    static const heed_dtype types[3] = {HEED_FLOAT32, HEED_FLOAT16, HEED_BFLOAT16};
    int64_t heads = c->group * c->kv_heads;
    c->bias_type = chance(2) ? HEED_BOOL : chance(3) ? types[any(3)] : c->type;
    if (chance(3))
        c->node.in[BIAS] = draw_cover(c, c->bias_type);
    const DLTensor *bias = c->node.in[BIAS];
    bool adds = bias && c->bias_type != HEED_BOOL;
    bool short_of_keys = adds && bias->ndim && bias->shape[bias->ndim - 1] != c->keys;
    if (chance(4))
        c->node.in[LENGTHS] = draw_numbers(c->batch, -1, c->keys + 1);
    if (chance(4))
        c->node.in[OFFSETS] = draw_numbers(chance(2) ? 1 : c->batch, -4, c->keys);
    if (chance(5))
        c->node.in[SINKS] = tensor(c->type, 1, &heads);
    for (size_t i = 0; c->node.in[SINKS] && i < (size_t)heads; i++)
        put(c->node.in[SINKS], c->type, i, chance(8) ? -INFINITY : 2 * any_value());
    if (chance(5))
        c->node.in[MASK] = draw_cover(c, HEED_BOOL);
    if (chance(6))
        c->node.in[FACTOR] = draw_whole(c);
    if (adds && c->node.in[BIAS]->ndim && !short_of_keys && chance(2))
        c->node.in[MORE] = draw_whole(c);
}

static inline void draw_sizes(attention_case *c, uint32_t most_queries, uint32_t most_keys)
{
    c->batch = 1 + any(4), c->kv_heads = 1 + any(3), c->group = chance(2) ? 1 : 1 + any(9);
    c->queries = any(most_queries + 1), c->keys = any(most_keys + 1);
    c->d = 1 + any(chance(4) ? 256 : 80);
    c->dv = chance(2) ? c->d : 1 + any(chance(4) ? 256 : 80);
    while (c->batch * c->kv_heads * c->group * c->queries * c->keys * (c->d + c->dv) > 1000000) {
        if (c->batch * c->kv_heads * c->group > 1)
            c->batch = 1, c->kv_heads -= c->kv_heads > 1, c->group -= c->group > 1;
        else
            c->queries = c->queries / 2, c->d = (c->d + 1) / 2, c->dv = (c->dv + 1) / 2;
    }
}

static inline void random_case(uint32_t most_queries, uint32_t most_keys)
{
    static const heed_dtype types[5] = {HEED_FLOAT32, HEED_FLOAT32, HEED_FLOAT32, HEED_FLOAT16,
                                        HEED_BFLOAT16};
    attention_case c = {.type = attention_only ? attention_only : types[any(5)]};
    c.wild = chance(4);
    c.node = (mini_node){.op = "FlashAttention", .n_in = 10, .n_out = 1};
    draw_sizes(&c, most_queries, most_keys);
    int64_t heads = c.group * c.kv_heads;
    for (int i = K; i <= V; i++) /* as many keys as values, or not */
        c.own[i] = !chance(4) ? c.kv_heads : chance(2) ? 1 : chance(2) ? heads : c.group;
    c.node.in[Q] = draw_operand(&c, 0, (int64_t[]){c.batch, heads, c.queries, c.d});
    c.node.in[K] = draw_operand(&c, 1, (int64_t[]){c.batch, c.own[K], c.keys, c.d});
    c.node.in[V] = draw_operand(&c, 2, (int64_t[]){c.batch, c.own[V], c.keys, c.dv});
    c.node.out[0] = draw_operand(&c, 3, (int64_t[]){c.batch, heads, c.queries, c.dv});
    draw_rules(&c);
    draw_masks(&c);
    make_wild(&c);
    check_case(&c);
    drop(&c.node);
}

/* ---- Long masks: whole tiles of keys that a mask or a bias leaves nothing ------------------- */

/* Each row hides the keys before some place, or all; where the rows are one, all alike. */
static inline DLTensor *draw_padding(const attention_case *c, heed_dtype type, float hidden)
{
    int64_t heads = c->group * c->kv_heads;
    bool by_head = chance(3), by_row = chance(2);
    int64_t dims[4] = {chance(2) ? 1 : c->batch, by_head ? heads : 1, by_row ? c->queries : 1,
                       c->keys};
    DLTensor *t = tensor(type, 4, dims);
    size_t rows = mini_count(t) / (size_t)c->keys;
    for (size_t r = 0; r < rows; r++) {
        int64_t from = chance(6) ? c->keys : any((uint32_t)c->keys);
        for (int64_t j = 0; j < c->keys; j++) {
            size_t at = r * (size_t)c->keys + (size_t)j;
            if (type == HEED_BOOL)
                ((uint8_t *)mini_data(t))[at] = j >= from;
            else
                put(t, type, at, j < from ? hidden : chance(2) ? 0.0f : any_value());
        }
    }
    return t;
}

static inline void padded_case(int64_t most_queries)
{
    static const float lows[5] = {-INFINITY, -3.4028235e38f, -1e30f, -10000.0f, -2000.0f};
    static const double fills[4] = {-INFINITY, -3.4028234663852886e38, -1e4, -1e30};
    attention_case c = {.type = chance(4) ? HEED_BFLOAT16 : HEED_FLOAT32, .wild = chance(4)};
    c.type = attention_only ? attention_only : c.type;
    c.batch = 1 + any(2), c.kv_heads = 1 + any(2), c.group = 1 + any(3);
    c.queries = 1 + any((uint32_t)most_queries), c.keys = 500 + any(400);
    c.own[K] = c.own[V] = c.kv_heads;
    c.d = 1 + any(24), c.dv = 1 + any(24);
    c.left = c.right = -1, c.causal = chance(3), c.empty = chance(2) ? "nan" : "zero";
    c.fill = chance(2) ? -INFINITY : fills[any(4)];
    c.node = (mini_node){.op = "FlashAttention", .n_in = 8, .n_out = 1};
    int64_t heads = c.group * c.kv_heads;
    c.node.in[Q] = draw_operand(&c, 0, (int64_t[]){c.batch, heads, c.queries, c.d});
    c.node.in[K] = draw_operand(&c, 1, (int64_t[]){c.batch, c.kv_heads, c.keys, c.d});
    c.node.in[V] = draw_operand(&c, 2, (int64_t[]){c.batch, c.kv_heads, c.keys, c.dv});
    c.node.out[0] = draw_operand(&c, 3, (int64_t[]){c.batch, heads, c.queries, c.dv});
    mini_float(&c.node, "fill", c.fill), mini_int(&c.node, "causal", c.causal);
    mini_string(&c.node, "empty", c.empty);
    draw_order(&c, 3);
    c.bias_type = chance(3) ? HEED_BOOL : c.type;
    if (!chance(4))
        c.node.in[BIAS] = draw_padding(&c, c.bias_type, lows[any(5)]);
    if (!c.node.in[BIAS] || chance(3))
        c.node.in[MASK] = draw_padding(&c, HEED_BOOL, 0);
    if (chance(2))
        c.node.in[OFFSETS] = draw_numbers(1, 0, c.keys);
    make_wild(&c);
    check_case(&c);
    drop(&c.node);
}

static inline void attention_cases(void)
{
    for (int i = 0; i < 40; i++)
        padded_case(i % 2 ? 40 : 4);
    for (int i = 0; i < 150; i++)
        random_case(300, 300);
    for (int i = 0; i < 60; i++) /* few queries: vectors along channels, pieces along keys */
        random_case(3, i % 3 ? 300 : 2500);
    for (int i = 0; i < 40; i++) /* tiny: every corner is near */
        random_case(5, 6);
}

/* ---- Threads -------------------------------------------------------------------------------- */

static inline void fill_node(mini_node *node, heed_dtype type, const int64_t dims[5])
{
    int64_t q[4] = {dims[0], dims[1], dims[3], 40}, k[4] = {dims[0], dims[2], dims[4], 40};
    *node = (mini_node){.op = "FlashAttention", .n_in = 3, .n_out = 1};
    for (int i = 0; i < 4; i++) {
        DLTensor *t = tensor(type, 4, i % 3 ? k : q);
        for (size_t j = 0; j < mini_count(t); j++)
            put(t, type, j, any_float());
        *(i < 3 ? &node->in[i] : &node->out[0]) = t;
    }
}

static inline void same_bits(const int64_t dims[5], int causal)
{
    const unsigned counts[4] = {1, 2, 5, 16};
    mini_node node;
    fill_node(&node, attention_only ? attention_only : HEED_FLOAT32, dims);
    mini_int(&node, "causal", causal);
    size_t bytes = mini_bytes(node.out[0]);
    void *first = malloc(bytes);
    for (int i = 0; i < 4; i++) {
        mini_threads(counts[i]);
        memset(mini_data(node.out[0]), 0x5a, bytes);
        run_node(&node);
        if (i == 0)
            memcpy(first, mini_data(node.out[0]), bytes);
        else if (memcmp(first, mini_data(node.out[0]), bytes))
            fail_msg("other bits on %u threads", counts[i]);
    }
    free(first);
    drop(&node);
}

static inline void same_bits_of_all(void)
{
    const int64_t shapes[4][5] = {
        {2, 3, 3, 250, 250}, {1, 8, 2, 1, 3000}, {1, 4, 1, 20, 1500}, {3, 2, 1, 7, 90}};
    for (int i = 0; i < 4; i++)
        for (int causal = 0; causal < 2; causal++)
            same_bits(shapes[i], causal);
}

#endif
