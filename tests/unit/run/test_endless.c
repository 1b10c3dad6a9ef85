/* A loop without end whose body has no steps: the deadline and the flag end it nevertheless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

static const char text[] = "in x float32 [1]\n"
                           "out y float32\n"
                           "const yes bool [] 1\n"
                           "Loop(, yes, x) -> (y)\n"
                           "{ body\n"
                           "  in i int64 []\n"
                           "  in c bool []\n"
                           "  in v float32 [1]\n"
                           "  out c\n"
                           "  out v\n"
                           "}\n";

static heed_status run(const heed_run_options *options)
{
    onnx_message bytes;
    const int64_t dims[1] = {1};
    heed_tensor *in = NULL, *out = NULL;
    heed_session *s = onnx_text_session(text, NULL, &bytes);
    assert_non_null(s);
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 1, dims, &in), HEED_OK);
    heed_status status = heed_session_run(s, options, 1, NULL, &in, 1, NULL, &out);
    assert_null(out);
    heed_tensor_free(in);
    heed_session_free(s);
    onnx_write_free(&bytes);
    return status;
}

static void deadline(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    heed_run_options options = {.size = sizeof(options)};
    options.deadline_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + 50000000u;
    assert_int_equal(run(&options), HEED_DEADLINE);
}

static void cancelled(void **state)
{
    (void)state;
    heed_run_options options = {.size = sizeof(options)};
    assert_int_equal(heed_cancel_new(&options.cancel), HEED_OK);
    heed_cancel_set(options.cancel, 1);
    assert_int_equal(run(&options), HEED_CANCELLED);
    heed_cancel_free(options.cancel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(deadline), cmocka_unit_test(cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
