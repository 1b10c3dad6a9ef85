/* heed.FlashAttention from a file: the operator is found in its domain, stays whole because the
 * backend takes it, and gives what the reference gives, which takes it apart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_text.h"

#define MODEL                                                                                      \
    "in q float32 [2, 19, 4, 24]\nin k float32 [2, 2, 33, 24]\nin v float32 [2, 2, 33, 8]\n"       \
    "out y float32\nFlashAttention(q, k, v) -> (y) causal=1 q_layout='bshd' heed\n"

static heed_tensor *input(const int64_t dims[4], float seed)
{
    heed_tensor *t = NULL;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 4, dims, &t), HEED_OK);
    float *x = heed_tensor_get_mutable_data(t);
    for (int64_t i = 0; i < heed_tensor_get_count(t); i++)
        x[i] = sinf(seed * (float)i);
    return t;
}

/* The result of the model on these backends; `whole`: its one node was run by the first of them. */
static heed_tensor *run_on(const char *backends, bool *whole)
{
    static const char *const names[] = {"q", "k", "v"};
    heed_session_options options = {.size = sizeof(options), .backends = backends};
    onnx_message bytes = {0};
    heed_session *session = onnx_text_session(MODEL, &options, &bytes);
    assert_non_null(session);
    heed_tensor *out = NULL, *in[] = {input((int64_t[]){2, 19, 4, 24}, 0.7f),
                                      input((int64_t[]){2, 2, 33, 24}, 1.3f),
                                      input((int64_t[]){2, 2, 33, 8}, 2.1f)};
    assert_int_equal(heed_session_run(session, NULL, 3, names, in, 1, NULL, &out), HEED_OK);
    heed_placement first = {.size = sizeof(first)};
    assert_int_equal(heed_session_get_placement(session, 0, &first), HEED_OK);
    *whole = heed_session_get_placement_count(session) == 1 && !strcmp(first.backend, "cpu");
    for (int i = 0; i < 3; i++)
        heed_tensor_free(in[i]);
    heed_session_free(session);
    onnx_write_free(&bytes);
    return out;
}

static void test_from_a_file(void **state)
{
    (void)state;
    bool whole = false, apart = true;
    heed_tensor *got = run_on("cpu,reference", &whole), *want = run_on("reference", &apart);
    assert_true(whole);
    assert_false(apart);
    const float *x = heed_tensor_get_data(got), *y = heed_tensor_get_data(want);
    for (int i = 0; i < 2 * 4 * 19 * 8; i++)
        assert_true(fabsf(x[i] - y[i]) < 1e-5f);
    heed_tensor_free(got), heed_tensor_free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
