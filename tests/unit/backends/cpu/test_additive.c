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

#include "onnx_text.h"

enum { MOST = 8 };

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

static heed_tensor *make_input(const heed_value_info *info, double seed, double size)
{
    heed_tensor *t = NULL;
    assert_int_equal(heed_tensor_new(info->dtype, info->ndim, info->dims, &t), HEED_OK);
    for (int64_t i = 0; i < heed_tensor_get_count(t); i++) {
        double value = size * sin(seed * (double)(i + 1));
        value = info->dtype == HEED_BOOL ? value > 0 || i % 17 == 0 : value;
        assert_int_equal(heed_tensor_write_f64(t, i, 1, &value), HEED_OK);
    }
    return t;
}

static bool runs_fused(const heed_session *session)
{
    heed_placement at = {.size = sizeof(at)};
    for (size_t i = 0; i < heed_session_get_placement_count(session); i++) {
        assert_int_equal(heed_session_get_placement(session, i, &at), HEED_OK);
        if (!strcmp(at.op, "AdditiveAttention") && !strcmp(at.backend, "cpu"))
            return true;
    }
    return false;
}

static size_t run_on(const char *text, const char *backends, double size, heed_tensor **out)
{
    bool fused = strcmp(backends, "reference") != 0;
    heed_session_options options = {.size = sizeof(options),
                                    .backends = backends,
                                    .flags = fused ? 0 : HEED_SESSION_NO_OPTIMIZE};
    onnx_message bytes = {0};
    const char *names[MOST];
    heed_tensor *in[MOST];
    heed_session *session = onnx_text_session(text, &options, &bytes);
    assert_non_null(session);
    const heed_model *model = heed_session_get_model(session);
    size_t n_in = heed_model_get_input_count(model), n_out = heed_model_get_output_count(model);
    for (size_t i = 0; i < n_in; i++) {
        const heed_value_info *info = heed_model_get_input(model, i);
        names[i] = info->name;
        in[i] = make_input(info, 0.7 + 0.6 * (double)i, i < 2 ? size : 1);
    }
    assert_int_equal(runs_fused(session), fused);
    if (heed_session_run(session, NULL, n_in, names, in, n_out, NULL, out))
        fail_msg("%s\n%s", text, heed_error_get()->message);
    for (size_t i = 0; i < n_in; i++)
        heed_tensor_free(in[i]);
    heed_session_free(session);
    onnx_write_free(&bytes);
    return n_out;
}

static void check(const char *text, const char *backends, double size)
{
    /* the graph rounds each sum of a query and a key, and each tanh, to a half */
    double tolerance = strstr(text, "to=10") ? 4e-3 : strstr(text, "to=16") ? 3e-2 : 2e-5;
    heed_tensor *got[MOST] = {NULL}, *want[MOST] = {NULL};
    size_t n = run_on(text, backends, size, got);
    run_on(text, "reference", size, want);
    for (size_t o = 0; o < n; o++) {
        assert_int_equal(heed_tensor_get_count(got[o]), heed_tensor_get_count(want[o]));
        for (int64_t i = 0; i < heed_tensor_get_count(got[o]); i++) {
            double x, y;
            assert_int_equal(heed_tensor_read_f64(got[o], i, 1, &x), HEED_OK);
            assert_int_equal(heed_tensor_read_f64(want[o], i, 1, &y), HEED_OK);
            if (!(fabs(x - y) <= tolerance * (1 + fabs(y))))
                fail_msg("%s\nelement %d is %.9g, not %.9g", text, (int)i, x, y);
        }
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
