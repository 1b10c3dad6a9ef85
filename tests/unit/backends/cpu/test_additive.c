/* heed.AdditiveAttention on the cpu backend, in every kind of vector code: equal to the same model
 * with no pass at all on the reference kernels. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fused_case.h"

#define HEAD(b, s, t, d)                                                                           \
    "in q float32 [" b ", " s ", " d "]\nin k float32 [" b ", " t ", " d "]\nin v float32 [" b     \
    ", " t ", 5]\nout y\nconst w float32 [" d "] random\nconst i1 int64 [1] 1\n"                   \
    "const i2 int64 [1] 2\n"
#define SCORES                                                                                     \
    "Unsqueeze(q, i2) -> (q4)\nUnsqueeze(k, i1) -> (k4)\nAdd(q4, k4) -> (a)\nTanh(a) -> (e)\n"     \
    "MatMul(e, w) -> (x)\n"
/* Everything in a half type: 10 is float16, 16 bfloat16. */
#define HALF(type, b, s, t, d)                                                                     \
    "in q0 float32 [" b ", " s ", " d "]\nin k0 float32 [" b ", " t ", " d "]\nin v0 float32 [" b  \
    ", " t ", 5]\nin m bool [" s ", " t "]\nin b0 float32 [" t "]\nout y\nout p\n"                 \
    "const w0 float32 [" d "] random\nconst i1 int64 [1] 1\nconst i2 int64 [1] 2\n"                \
    "const f0 float32 [] -3\nCast(q0) -> (q) to=" type "\nCast(k0) -> (k) to=" type "\n"           \
    "Cast(v0) -> (v) to=" type "\nCast(b0) -> (b) to=" type "\nCast(w0) -> (w) to=" type "\n"      \
    "Cast(f0) -> (f) to=" type "\n"
#define VALUES "Softmax(z) -> (p) axis=-1\nMatMul(p, v) -> (y)\n"

static const char *const rows[] = {
    HEAD("2", "3", "7", "5") SCORES "Neg(x) -> (z)\n" VALUES,     /* an odd number of channels */
    HEAD("2", "1", "70", "36") SCORES "Neg(x) -> (z)\n" VALUES,   /* one query */
    HEAD("1", "41", "130", "24") SCORES "Neg(x) -> (z)\n" VALUES, /* blocks and tiles, ragged */
    HEAD("1", "64", "200", "64") SCORES "Neg(x) -> (z)\n" VALUES, /* several threads */
    HEAD("1", "1", "1500", "96") SCORES "Neg(x) -> (z)\n" VALUES, /* one query on several threads */
    HEAD("2", "9", "17", "8") "in m bool [2, 1, 17]\nconst f float32 [] -1e9\n" SCORES
                              "Where(m, x, f) -> (z)\n" VALUES,
    HEAD("2", "9", "17", "8") "in m float32 [9, 17]\nout p\n" SCORES "Add(x, m) -> (z)\n" VALUES,
    HEAD(
        "2", "9", "17",
        "8") "const h float32 [] 0.25\nin m bool [2, 9, 17]\n"
             "const f float32 [] -3\nin b float32 [17]\n" SCORES
             "Mul(x, h) -> (x1)\nWhere(m, x1, f) -> (x2)\nAdd(x2, b) -> (z)\n" VALUES, /* a weak
                                                                                          mask below
                                                                                          a bias */
};

static size_t run_on(const char *text, const char *backends, double size, heed_tensor **out)
{
    bool fused = strcmp(backends, "reference") != 0, found;
    fused_case c = {.text = text,
                    .backends = backends,
                    .flags = fused ? 0 : HEED_SESSION_NO_OPTIMIZE,
                    .op = "AdditiveAttention",
                    .size = size,
                    .others = 1};
    size_t n = fused_case_run(&c, &found, out);
    assert_int_equal(found, fused);
    return n;
}

static void check(const char *text, const char *backends, double size)
{
    /* the graph rounds each sum of a query and a key, and each tanh, to a half */
    double tolerance = strstr(text, "to=10") ? 4e-3 : strstr(text, "to=16") ? 3e-2 : 2e-5;
    heed_tensor *got[FUSED_MOST] = {NULL}, *want[FUSED_MOST] = {NULL};
    size_t n = run_on(text, backends, size, got);
    run_on(text, "reference", size, want);
    for (size_t o = 0; o < n; o++) {
        fused_case_compare(text, got[o], want[o], tolerance);
        heed_tensor_free(got[o]);
        heed_tensor_free(want[o]);
    }
}

/* The machine has this kind of vector code. */
static bool has(const char *backends)
{
    heed_session_options options = {.size = sizeof(options), .backends = backends};
    onnx_message bytes = {0};
    heed_model *model = onnx_text_load("in x float32 [1]\nout y\nNeg(x) -> (y)\n", &bytes);
    heed_session *session = NULL;
    bool good = !heed_session_new(model, &options, &session);
    heed_session_free(session);
    heed_model_free(model);
    onnx_write_free(&bytes);
    return good;
}

static void check_all(double size)
{
    static const char *const kinds[] = {"cpu:isa=base,reference", "cpu:isa=avx2,reference",
                                        "cpu:isa=avx512,reference"};
    int ran = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        if (!has(kinds[k]))
            continue;
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
            check(rows[i], kinds[k], size);
        ran++;
    }
    assert_true(ran > 0);
}

static void test_usual(void **state)
{
    (void)state;
    check_all(2);
}

/* Powers would overflow; sums that cancel must come out right. */
static void test_large(void **state)
{
    (void)state;
    check_all(200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_usual), cmocka_unit_test(test_large)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    return failed;
}
