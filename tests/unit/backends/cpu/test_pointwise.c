/* heed.Pointwise: which elementwise nodes become one, and that one sweep over a drawn program gives
 * the bits that its operators give one by one. */
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

/* ---- Which nodes join ----------------------------------------------------------------------- */

/* The operators of a session, in the order of the graph: "Pointwise MatMul". */
static void list_operators(const char *model, char *text, size_t size)
{
    heed_session_options options = {.size = sizeof(options), .backends = "cpu,reference"};
    onnx_message bytes = {0};
    heed_session *session = onnx_text_session(model, &options, &bytes);
    assert_non_null(session);
    text[0] = '\0';
    for (size_t i = 0; i < heed_session_get_placement_count(session); i++) {
        heed_placement place = {.size = sizeof(place)};
        assert_int_equal(heed_session_get_placement(session, i, &place), HEED_OK);
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", used ? " " : "", place.op);
    }
    heed_session_free(session);
    onnx_write_free(&bytes);
}

#define X "in x float32 [n, 6]\nin b float32 [6]\nin m float32 [n, 1]\nout y float32\n"

static void test_who_joins(void **state)
{
    (void)state;
    static const struct {
        const char *model, *operators;
    } rows[] = {
        {X "Add(x, b) -> (a)\nSigmoid(a) -> (s)\nMul(a, s) -> (y)\n", "Pointwise"},
        {X "Neg(x) -> (y)\n", "Neg"},
        /* another reader of what lies between */
        {X "Exp(x) -> (a)\nReduceMax(a) -> (r)\nSub(a, r) -> (y)\n", "Exp ReduceMax Sub"},
        {X "out a float32\nExp(x) -> (a)\nNeg(a) -> (y)\n", "Exp Neg"},
        /* smaller than the result: computed once */
        {X "Exp(b) -> (e)\nNeg(m) -> (o)\nMul(x, e) -> (a)\nAdd(a, o) -> (y)\n",
         "Exp Neg Pointwise"},
        /* a choice, and numbers of another type */
        {X "Less(x, m) -> (c)\nTanh(x) -> (t)\nWhere(c, t, b) -> (y)\n", "Pointwise"},
        {X "Exp(x) -> (e)\nCast(e) -> (c) to=10\nNeg(c) -> (d)\nAbs(d) -> (f)\n"
           "Cast(f) -> (y) to=1\n",
         "Exp Cast Pointwise Cast"},
        /* two that share a part: it is computed once */
        {X "out z float32\nExp(x) -> (e)\nNeg(e) -> (a)\nAbs(a) -> (y)\nSqrt(e) -> (f)\n"
           "Tanh(f) -> (z)\n",
         "Exp Pointwise Pointwise"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[256];
        list_operators(rows[i].model, text, sizeof(text));
        assert_string_equal(text, rows[i].operators);
    }
}

/* ---- The same bits -------------------------------------------------------------------------- */

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const struct {
    const char *op;
    int n_in;
    char from, to; /* what it reads and gives: numbers (n) or truth values (b) */
} ops[] = {
    {"Add", 2, 'n', 'n'},  {"Sub", 2, 'n', 'n'},     {"Mul", 2, 'n', 'n'},
    {"Div", 2, 'n', 'n'},  {"Max", 2, 'n', 'n'},     {"Min", 2, 'n', 'n'},
    {"Tanh", 1, 'n', 'n'}, {"Sigmoid", 1, 'n', 'n'}, {"Neg", 1, 'n', 'n'},
    {"Abs", 1, 'n', 'n'},  {"Relu", 1, 'n', 'n'},    {"LeakyRelu", 1, 'n', 'n'},
    {"Gelu", 1, 'n', 'n'}, {"Exp", 1, 'n', 'n'},     {"Less", 2, 'n', 'b'},
    {"Not", 1, 'b', 'b'},  {"And", 2, 'b', 'b'},     {"Where", 3, 'b', 'n'},
};

typedef struct drawing {
    char text[2048];
    char kinds[32]; /* of the values so far */
    int n;
} drawing;

/* A value of a kind, the last ones more often; -1 when there is none. */
static int pick(const drawing *d, char kind)
{
    int seen = -1;
    for (int i = d->n; i-- > 0;)
        if (d->kinds[i] == kind && (seen < 0 || draw(3) == 0))
            seen = i;
    return seen;
}

static void add_step(drawing *d, bool last)
{
    for (;;) {
        size_t k = draw(sizeof(ops) / sizeof(*ops)), used = strlen(d->text);
        int first = pick(d, ops[k].from);
        if (first < 0 || (last && ops[k].to != 'n'))
            continue;
        int n = snprintf(d->text + used, sizeof(d->text) - used, "%s(v%d", ops[k].op, first);
        for (int i = 1; i < ops[k].n_in; i++)
            n += snprintf(d->text + used + n, sizeof(d->text) - used - (size_t)n, ", v%d",
                          pick(d, ops[k].op[0] == 'W' ? 'n' : ops[k].from));
        snprintf(d->text + used + n, sizeof(d->text) - used - (size_t)n, ") -> (v%d)%s\n", d->n,
                 ops[k].op[0] == 'L' && ops[k].n_in == 1 ? " alpha=0.3" : "");
        d->kinds[d->n++] = ops[k].to;
        return;
    }
}

#define INPUTS 4
static const int64_t shapes[INPUTS][3] = {{5, 7, 67}, {1, 1, 67}, {1, 7, 1}, {1, 1, 1}};

static void draw_model(drawing *d, const char *type)
{
    *d = (drawing){.n = INPUTS};
    memset(d->kinds, 'n', INPUTS);
    size_t used = 0;
    for (int i = 0; i < INPUTS; i++)
        used += (size_t)snprintf(d->text + used, sizeof(d->text) - used, "in v%d %s [%d, %d, %d]\n",
                                 i, type, (int)shapes[i][0], (int)shapes[i][1], (int)shapes[i][2]);
    int steps = 2 + (int)draw(11);
    snprintf(d->text + used, sizeof(d->text) - used, "out v%d %s\n", INPUTS + steps - 1, type);
    for (int i = 0; i < steps; i++)
        add_step(d, i + 1 == steps);
}

static heed_tensor *draw_tensor(heed_dtype type, const int64_t *dims)
{
    heed_tensor *wide = NULL, *out = NULL;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 3, dims, &wide), HEED_OK);
    float *x = heed_tensor_get_mutable_data(wide);
    for (int64_t i = 0; i < heed_tensor_get_count(wide); i++)
        x[i] = draw(40) ? (float)draw(4000) / 1000.0f - 2.0f : INFINITY;
    if (type == HEED_FLOAT32)
        return wide;
    assert_int_equal(heed_tensor_new(type, 3, dims, &out), HEED_OK);
    uint16_t *y = heed_tensor_get_mutable_data(out);
    for (int64_t i = 0; i < heed_tensor_get_count(wide); i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof(bits)); /* either type has a sign, and finite numbers here */
        y[i] = (uint16_t)(type == HEED_BFLOAT16 ? bits >> 16 : 0x3000 + draw(0x1000));
    }
    heed_tensor_free(wide);
    return out;
}

static heed_tensor *run_with(const char *model, uint32_t flags, heed_tensor *const *in)
{
    static const char *const names[] = {"v0", "v1", "v2", "v3"};
    heed_session_options options = {
        .size = sizeof(options), .backends = "cpu,reference", .flags = flags};
    onnx_message bytes = {0};
    heed_tensor *out = NULL;
    heed_session *session = onnx_text_session(model, &options, &bytes);
    assert_non_null(session);
    assert_int_equal(heed_session_run(session, NULL, INPUTS, names, in, 1, NULL, &out), HEED_OK);
    heed_session_free(session);
    onnx_write_free(&bytes);
    return out;
}

static void test_same_bits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        heed_dtype type;
    } types[] = {{"float32", HEED_FLOAT32}, {"float16", HEED_FLOAT16}, {"bfloat16", HEED_BFLOAT16}};
    for (uint32_t i = 0; i < 240; i++) {
        drawing d;
        heed_tensor *in[INPUTS];
        seed = i;
        draw_model(&d, types[i % 3].name);
        for (int k = 0; k < INPUTS; k++)
            in[k] = draw_tensor(types[i % 3].type, shapes[k]);
        heed_tensor *got = run_with(d.text, 0, in);
        heed_tensor *want = run_with(d.text, HEED_SESSION_NO_OPTIMIZE, in);
        size_t bytes = (size_t)heed_tensor_get_count(want) * (i % 3 ? 2 : 4);
        if (memcmp(heed_tensor_get_data(got), heed_tensor_get_data(want), bytes))
            fail_msg("graph %u gives other bits:\n%s", i, d.text);
        for (int k = 0; k < INPUTS; k++)
            heed_tensor_free(in[k]);
        heed_tensor_free(got), heed_tensor_free(want);
    }
}

/* ---- Bad programs --------------------------------------------------------------------------- */

static void test_bad_programs(void **state)
{
    (void)state;
    static const char *const programs[] = {"",        "Neg",       "Neg 1",          "Neg 0;",
                                           "Neg 0 0", "Nothing 0", "Add 0 0; Neg 9", "Neg x"};
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
        char model[256];
        snprintf(model, sizeof(model),
                 "in x float32 [3]\nout y float32\nPointwise(x) -> (y) program='%s' heed\n",
                 programs[i]);
        heed_session_options options = {.size = sizeof(options), .backends = "cpu,reference"};
        onnx_message bytes = {0};
        assert_null(onnx_text_session(model, &options, &bytes));
        assert_non_null(strstr(heed_error_get()->message, "Pointwise"));
        onnx_write_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_who_joins),
                                       cmocka_unit_test(test_same_bits),
                                       cmocka_unit_test(test_bad_programs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
