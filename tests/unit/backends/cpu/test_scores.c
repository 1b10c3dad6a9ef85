/* heed.MultiHeadAttention and heed.GroupedQueryAttention, which have their scores in memory,
 * against the body that defines them: the same node on the cpu backend and on the reference, over
 * drawn shapes, layouts, masks, rules and types, with numbers that are none, and with scores or
 * weights as a second output. Tensors of 16 bits hold numbers that both types know, and the body
 * computes with them in float32. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_text.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, MORE, INPUTS };

static const char *const names[INPUTS] = {"q",       "k",     "v",    "bias",   "lengths",
                                          "offsets", "sinks", "mask", "factor", "more"};
static const char letters[] = "bhsd";

typedef struct drawn {
    int64_t batch, group, kv_heads, queries, keys, d, dv;
    int64_t own[3];        /* heads of keys and of values, which may differ from kv_heads */
    const char *op, *type; /* "" or the type of 16 bits */
    bool wild;
    int stage; /* -1: nobody reads the scores */
    double fill;
    char layout[4][5], attrs[600];
    heed_tensor *in[INPUTS];
} drawn;

static uint64_t seed = 88172645463325252u;

static uint32_t any(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 33) % below;
}

static bool chance(uint32_t one_in) { return any(one_in) == 0; }
static float any_value(void) { return (float)((int)any(257) - 128) / 64.0f; }

/* ---- Drawing -------------------------------------------------------------------------------- */

static heed_tensor *make(heed_dtype type, int rank, const int64_t *dims)
{
    heed_tensor *t = NULL;
    assert_int_equal(heed_tensor_new(type, rank, dims, &t), HEED_OK);
    float *x = heed_tensor_get_mutable_data(t);
    for (int64_t i = 0; type == HEED_FLOAT32 && i < heed_tensor_get_count(t); i++)
        x[i] = any_value();
    return t;
}

/* `text` printed behind what there is. */
static void also(drawn *c, const char *name, double value)
{
    size_t n = strlen(c->attrs);
    snprintf(c->attrs + n, sizeof(c->attrs) - n, " %s=%.6f", name, value);
}

static void also_int(drawn *c, const char *name, long long value)
{
    size_t n = strlen(c->attrs);
    snprintf(c->attrs + n, sizeof(c->attrs) - n, " %s=%lld", name, value);
}

static void also_text(drawn *c, const char *name, const char *value)
{
    size_t n = strlen(c->attrs);
    snprintf(c->attrs + n, sizeof(c->attrs) - n, " %s='%s'", name, value);
}

static void draw_layout(drawn *c, int which, const int64_t dims[4], int64_t shape[4])
{
    static const char *const attrs[4] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    char *layout = strcpy(c->layout[which], letters);
    for (uint32_t a = 3; a > 0 && !chance(3); a--) {
        uint32_t other = any(a + 1);
        char kept = layout[a];
        layout[a] = layout[other], layout[other] = kept;
    }
    for (int a = 0; a < 4; a++)
        shape[a] = dims[strchr(letters, layout[a]) - letters];
    also_text(c, attrs[which], layout);
}

static int64_t length_of(const drawn *c, int64_t b)
{
    const int64_t *n = c->in[LENGTHS] ? heed_tensor_get_data(c->in[LENGTHS]) : NULL;
    return n && n[b] < c->keys ? n[b] : c->keys;
}

/* Numbers that are none, at keys that somebody has written. The kernels never look behind a
 * length; the body does, and meets such a query there once more. */
static void make_wild(drawn *c)
{
    static const float odd[3] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 2 && c->wild; i++) {
        int which = (int)any(c->stage == 3 ? 2 : 3);
        int64_t b = any((uint32_t)c->batch), most = which ? length_of(c, b) : c->queries;
        int64_t heads = which ? c->own[which] : c->kv_heads * c->group;
        if (most <= 0 || (which == Q && c->in[LENGTHS]))
            continue;
        int64_t want[4] = {b, any((uint32_t)heads), any((uint32_t)most),
                           any((uint32_t)(which == V ? c->dv : c->d))};
        const int64_t *shape = heed_tensor_get_dims(c->in[which]);
        int64_t at = 0;
        for (int a = 0; a < 4; a++)
            at = at * shape[a] + want[strchr(letters, c->layout[which][a]) - letters];
        ((float *)heed_tensor_get_mutable_data(c->in[which]))[at] = odd[any(3)];
    }
}

/* Dims that broadcast to the scores, right-aligned; how many. */
static int draw_cover_dims(const drawn *c, bool whole, int64_t dims[4])
{
    int64_t full[4] = {c->batch, c->group * c->kv_heads, c->queries, c->keys};
    int rank = whole ? 1 + (int)any(4) : (int)any(5);
    for (int a = 0; a < rank; a++)
        dims[a] = a < rank - 1 && chance(2) ? 1 : full[4 - rank + a];
    if (rank && !whole && chance(4))
        dims[rank - 1] = 1 + any((uint32_t)c->keys);
    return rank;
}

static heed_tensor *draw_cover(const drawn *c, bool boolean, bool bias)
{
    int64_t dims[4];
    int rank = draw_cover_dims(c, false, dims);
    if (rank == 4 && dims[0] == 4 && bias)
        dims[0] = 2;
    heed_tensor *t = make(boolean ? HEED_BOOL : HEED_FLOAT32, rank, dims);
    void *data = heed_tensor_get_mutable_data(t);
    uint32_t rare = chance(3) ? 2 : 12;
    int64_t row = rank ? dims[rank - 1] : 1;
    bool dead = false;
    for (int64_t i = 0; i < heed_tensor_get_count(t); i++) {
        dead = i % row == 0 ? chance(6) : dead;
        bool hidden = dead || chance(rare);
        if (boolean)
            ((uint8_t *)data)[i] = !hidden;
        else if (hidden)
            ((float *)data)[i] = *c->type || chance(2) ? -INFINITY : -10000.0f;
    }
    return t;
}

static heed_tensor *draw_distances(drawn *c)
{
    int64_t n = c->queries + c->keys - 1, heads = c->group * c->kv_heads;
    int64_t dims[4] = {chance(2) ? c->batch : 1, chance(3) ? 1 : heads, 1, n};
    int rank = 1 + (int)any(4);
    also_int(c, "relative", 1);
    return make(HEED_FLOAT32, rank, dims + 4 - rank);
}

static heed_tensor *draw_numbers(int64_t n, int64_t low, int64_t high)
{
    heed_tensor *t = make(HEED_INT64, 1, &n);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)heed_tensor_get_mutable_data(t))[i] = low + any((uint32_t)(high - low + 1));
    return t;
}

static void draw_rules(drawn *c)
{
    static const double fills[3] = {-10000, -340282346638528859811704183484516925440.0, -3};
    static const char *const empties[4] = {"zero", "nan", "guard", "share"};
    c->fill = *c->type || chance(2) ? -(double)INFINITY : fills[any(3)];
    if (c->fill > -(double)INFINITY)
        also(c, "fill", c->fill);
    also_text(c, "empty", empties[any(4)]);
    also(c, "scale", chance(3) ? 0.25 : 0), also(c, "softcap", chance(5) ? 2.5 : 0);
    also_int(c, "causal", chance(3)), also_int(c, "fill_first", chance(4));
    bool added = chance(4);
    also_int(c, "fill_added", added), also_int(c, "fill_zeroed", !added && chance(4));
    also_int(c, "left_window", chance(4) ? (int)any((uint32_t)c->keys + 2) : -1);
    also_int(c, "right_window", chance(5) ? (int)any((uint32_t)c->keys + 2) : -1);
    if (chance(5))
        also(c, "scores_min", -1.5);
    if (chance(5))
        also(c, "scores_max", 0.75);
    if (c->stage >= 0)
        also_int(c, "scores", c->stage);
    also_int(c, "short_mask", 1);
}

/* For each key, or for each distance. */
static bool has_float_bias(const drawn *c)
{
    const heed_tensor *bias = c->in[BIAS];
    int rank = bias ? heed_tensor_get_ndim(bias) : 0;
    return rank && heed_tensor_get_dtype(bias) == HEED_FLOAT32 &&
           (strstr(c->attrs, "relative") || heed_tensor_get_dims(bias)[rank - 1] == c->keys);
}

static void draw_masks(drawn *c)
{
    int64_t heads = c->group * c->kv_heads, dims[4];
    if (chance(2))
        c->in[BIAS] = draw_cover(c, chance(2), true);
    else if (chance(2) && c->queries && c->keys)
        c->in[BIAS] = draw_distances(c);
    if (chance(4))
        c->in[LENGTHS] = draw_numbers(c->batch, -1, c->keys + 1);
    if (chance(4))
        c->in[OFFSETS] = draw_numbers(chance(2) ? 1 : c->batch, -4, c->keys);
    if (chance(5))
        c->in[SINKS] = make(HEED_FLOAT32, 1, &heads);
    if (c->in[SINKS] && chance(3))
        ((float *)heed_tensor_get_mutable_data(c->in[SINKS]))[0] = -INFINITY;
    if (chance(5))
        c->in[MASK] = draw_cover(c, true, false);
    if (chance(6)) {
        int rank = draw_cover_dims(c, true, dims);
        c->in[FACTOR] = make(HEED_FLOAT32, rank, dims);
    }
    if (has_float_bias(c) && chance(2)) {
        int rank = draw_cover_dims(c, true, dims);
        c->in[MORE] = make(HEED_FLOAT32, rank, dims);
    }
}

static void draw(drawn *c, uint32_t most_queries, uint32_t most_keys)
{
    static const char *const types[5] = {"", "", "", "10", "16"};
    int64_t shape[4];
    memset(c, 0, sizeof(*c));
    c->op = chance(2) ? "MultiHeadAttention" : "GroupedQueryAttention";
    c->type = types[any(5)], c->wild = chance(4), c->stage = chance(2) ? (int)any(4) : -1;
    c->batch = 1 + any(4), c->kv_heads = 1 + any(3), c->group = chance(3) ? 1 : 1 + any(5);
    c->queries = 1 + any(most_queries), c->keys = 1 + any(most_keys);
    c->d = chance(3) ? 64 : 1 + any(100), c->dv = chance(2) ? c->d : 1 + any(70);
    draw_layout(c, 0, (int64_t[]){c->batch, c->group * c->kv_heads, c->queries, c->d}, shape);
    c->in[Q] = make(HEED_FLOAT32, 4, shape);
    for (int i = K; i <= V; i++)
        c->own[i] = !chance(4) ? c->kv_heads : chance(2) ? 1 : c->group;
    draw_layout(c, 1, (int64_t[]){c->batch, c->own[K], c->keys, c->d}, shape);
    c->in[K] = make(HEED_FLOAT32, 4, shape);
    draw_layout(c, 2, (int64_t[]){c->batch, c->own[V], c->keys, c->dv}, shape);
    c->in[V] = make(HEED_FLOAT32, 4, shape);
    draw_layout(c, 3, (int64_t[]){1, 1, 1, 1}, shape);
    draw_rules(c);
    draw_masks(c);
    make_wild(c);
}

/* ---- Running -------------------------------------------------------------------------------- */

static bool is_cast(const drawn *c, int input)
{
    return *c->type && c->in[input] && heed_tensor_get_dtype(c->in[input]) == HEED_FLOAT32;
}

/* The node of this operator in a model, its operands cast to the type of 16 bits if `narrow`. */
static void write_model(const drawn *c, bool narrow, char *text, size_t size)
{
    size_t n = 0;
    for (int i = 0; i < INPUTS; i++) {
        if (!c->in[i])
            continue;
        n += (size_t)snprintf(text + n, size - n, "in %s %s [", names[i],
                              heed_dtype_name(heed_tensor_get_dtype(c->in[i])));
        for (int a = 0; a < heed_tensor_get_ndim(c->in[i]); a++)
            n += (size_t)snprintf(text + n, size - n, "%s%lld", a ? ", " : "",
                                  (long long)heed_tensor_get_dims(c->in[i])[a]);
        n += (size_t)snprintf(text + n, size - n, "]\n");
        if (narrow && is_cast(c, i))
            n += (size_t)snprintf(text + n, size - n, "Cast(%s) -> (%s_) to=%s\n", names[i],
                                  names[i], c->type);
    }
    bool two = c->stage >= 0, casts = narrow && *c->type;
    n += (size_t)snprintf(text + n, size - n, "out y float32\n%s%s(", two ? "out s float32\n" : "",
                          c->op);
    int last = INPUTS - 1;
    while (!c->in[last])
        last--;
    for (int i = 0; i <= last; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s%s", i ? ", " : "", c->in[i] ? names[i] : "",
                              narrow && is_cast(c, i) ? "_" : "");
    n += (size_t)snprintf(text + n, size - n, ") -> (%s%s)%s heed\n", casts ? "y_" : "y",
                          !two ? "" : (casts ? ", s_" : ", s"), c->attrs);
    if (casts)
        n += (size_t)snprintf(text + n, size - n, "Cast(y_) -> (y) to=1\n%s",
                              two ? "Cast(s_) -> (s) to=1\n" : "");
    assert_true(n < size);
}

static bool is_whole(const heed_session *session, const char *op)
{
    for (size_t i = 0; i < heed_session_get_placement_count(session); i++) {
        heed_placement p = {.size = sizeof(p)};
        assert_int_equal(heed_session_get_placement(session, i, &p), HEED_OK);
        if (strcmp(p.op, op) == 0 && strcmp(p.backend, "cpu") == 0)
            return true;
    }
    return false;
}

static void run(const drawn *c, const char *backends, bool narrow, heed_tensor *out[2])
{
    heed_session_options options = {
        .size = sizeof(options), .backends = backends, .flags = HEED_SESSION_NO_OPTIMIZE};
    char text[4000];
    const char *given[INPUTS];
    heed_tensor *in[INPUTS];
    size_t n = 0;
    onnx_message bytes = {0};
    write_model(c, narrow, text, sizeof(text));
    for (int i = 0; i < INPUTS; i++)
        if (c->in[i])
            given[n] = names[i], in[n++] = c->in[i];
    heed_session *session = onnx_text_session(text, &options, &bytes);
    if (!session)
        fail_msg("no session for\n%s", text);
    if (is_whole(session, c->op) != (strncmp(backends, "cpu", 3) == 0))
        fail_msg("on %s, not as one node:\n%s", backends, text);
    if (heed_session_run(session, NULL, n, given, in, c->stage < 0 ? 1 : 2, NULL, out))
        fail_msg("%s\n%s", heed_error_get()->message, text);
    heed_session_free(session);
    onnx_write_free(&bytes);
}

static bool close_to(double got, double want, double slack)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return (got < 0) == (want < 0) && (isinf(got) || fabs(got) > 1e38) &&
               (isinf(want) || fabs(want) > 1e38);
    return fabs(got - want) <= slack * (1 + fabs(want));
}

static void compare(const drawn *c, const char *backends, const heed_tensor *got,
                    const heed_tensor *want, const char *what)
{
    double slack = !strcmp(c->type, "10") ? 1e-2 : *c->type ? 6e-2 : 3e-5;
    const float *x = heed_tensor_get_data(got), *y = heed_tensor_get_data(want);
    char text[4000];
    /* -1e4 leaves few digits */
    if (!*c->type && (c->in[BIAS] || c->fill > -(double)INFINITY))
        slack = 2e-3;
    for (int64_t i = 0; i < heed_tensor_get_count(want); i++) {
        if (close_to((double)x[i], (double)y[i], slack))
            continue;
        write_model(c, true, text, sizeof(text));
        fail_msg("%s: %s[%lld] is %.9g, not %.9g, wild %d:\n%s", backends, what, (long long)i,
                 (double)x[i], (double)y[i], c->wild, text);
    }
}

static void check(drawn *c, const char *backends)
{
    heed_tensor *got[2] = {NULL}, *want[2] = {NULL};
    run(c, backends, true, got);
    run(c, "reference", false, want);
    compare(c, backends, got[0], want[0], "y");
    if (c->stage >= 0)
        compare(c, backends, got[1], want[1], "scores");
    for (int i = 0; i < 2; i++)
        heed_tensor_free(got[i]), heed_tensor_free(want[i]);
    for (int i = 0; i < INPUTS; i++)
        heed_tensor_free(c->in[i]);
}

static void check_all(const char *backends)
{
    drawn c;
    for (int i = 0; i < 500; i++) {
        draw(&c, 24, 60);
        check(&c, backends);
    }
    for (int i = 0; i < 150; i++) { /* more keys than are masked at once; few queries */
        draw(&c, 3, i % 3 ? 90 : 700);
        check(&c, backends);
    }
    for (int i = 0; i < 250; i++) { /* tiny: every corner is near */
        draw(&c, 4, 5);
        check(&c, backends);
    }
}

static void test_against_the_body(void **state)
{
    static const char *const kinds[] = {"cpu:isa=base,reference", "cpu:isa=avx2,reference",
                                        "cpu:isa=avx512,reference"};
    int ran = 0;
    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        heed_session_options options = {.size = sizeof(options), .backends = kinds[i]};
        onnx_message bytes = {0};
        heed_model *model = onnx_text_load("in x float32 [1]\nout y\nNeg(x) -> (y)\n", &bytes);
        heed_session *session = NULL;
        bool has = !heed_session_new(model, &options, &session);
        heed_session_free(session);
        heed_model_free(model);
        onnx_write_free(&bytes);
        heed_set_threads(i % 2 ? 3 : 1);
        if (has)
            check_all(kinds[i]);
        ran += has;
    }
    assert_true(ran > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_the_body)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
