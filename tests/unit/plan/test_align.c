/* Weights at odd addresses of their file reach kernels that do not take them there aligned: through
 * views and slices that are made while planning, and through bodies of control flow. Under
 * UndefinedBehaviorSanitizer a kernel that reads one elsewhere fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "onnx_text.h"

// clang-format off
#define RESHAPED(w)                                                                                \
    "in x float32 [n, m]\nout y float32\nconst " w " float32 [2, 2] 1 2 3 4\n"                     \
    "Shape(x) -> (s) start=1\nReshape(" w ", s) -> (v)\n"                                          \
    "RMSNormalization(x, v) -> (y) epsilon=0.0\n"
#define PICKED(w)                                                                                  \
    "in x float32 [n, m]\nout y float32\nconst " w " float32 [2, 4] 9 9 9 9 1 2 3 4\n"             \
    "Size(x) -> (s)\nconst c int64 [] 4\nDiv(s, c) -> (i)\nGather(" w ", i) -> (v)\n"              \
    "RMSNormalization(x, v) -> (y) epsilon=0.0\n"
#define CHOSEN(w)                                                                                  \
    "in x float32 [n, m]\nout y float32\nconst " w " float32 [4] 1 2 3 4\n"                        \
    "ReduceMax(x) -> (t) keepdims=0\nCast(t) -> (c) to=9\n"                                        \
    "If(c) -> (v)\n{ then_branch\nIdentity(" w ") -> (a)\nout a\n}\n"                              \
    "{ else_branch\nNeg(x) -> (b)\nout b\n}\nRMSNormalization(x, v) -> (y) epsilon=0.0\n"
/* By the length of its name a weight lies at different addresses modulo 4. */
#define SHIFTED(model) model("w"), model("ww"), model("www"), model("wwww")

static const char *const models[] = {SHIFTED(RESHAPED), SHIFTED(PICKED), SHIFTED(CHOSEN)};
// clang-format on

static void check(const char *text)
{
    float x[4] = {1, 1, 1, 1}, found[4];
    heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 2, (int64_t[]){1, 4}, x), *out = NULL;
    heed_session_options options = {.size = sizeof(options), .backends = "cpu,reference"};
    onnx_message bytes;
    heed_session *session = onnx_text_session(text, &options, &bytes);
    assert_non_null(session);
    assert_int_equal(heed_session_run(session, NULL, 1, NULL, &in, 1, NULL, &out), HEED_OK);
    assert_int_equal(heed_tensor_get_bytes(out), sizeof(found));
    const float *y = heed_tensor_get_data(out);
    for (int i = 0; i < 4; i++)
        assert_float_equal(y[i], i + 1, 1e-6);
    heed_tensor_free(out);
    heed_tensor_free(in);
    heed_session_free(session);
    onnx_write_free(&bytes);
}

static void kernels_see_aligned_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(models) / sizeof(*models); i++)
        check(models[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels_see_aligned_weights)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
