/* One session whose shapes depend on data, on other data: the nodes behind are planned again by the
 * same planner, which must have forgotten where the first plan's values died. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

/* `a` is read last by Reshape, but lives on in its view; nothing else dies there. */
static const char text[] = "in x float32 [8]\n"
                           "out y float32\n"
                           "const flat int64 [1] -1\n"
                           "const column int64 [2] -1 1\n"
                           "NonZero(x) -> (places)\n"
                           "Cast(places) -> (numbers) to=1\n"
                           "Exp(numbers) -> (a)\n"
                           "Reshape(a, flat) -> (b)\n"
                           "Neg(numbers) -> (c)\n"
                           "Reshape(c, flat) -> (d)\n"
                           "Add(b, d) -> (sum)\n"
                           "Reshape(sum, column) -> (e)\n"
                           "Exp(e) -> (y)\n";

static void run(heed_session *s, int n)
{
    const double values[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const int64_t dims[1] = {8};
    heed_tensor *in = NULL, *out = NULL;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, 1, dims, &in), HEED_OK);
    heed_tensor_write_f64(in, 0, n, values);
    if (heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out))
        fail_msg("%s", heed_error_get()->message);
    assert_int_equal(heed_tensor_get_dims(out)[0], n);
    heed_tensor_free(out);
    heed_tensor_free(in);
}

static void other_data(void **state)
{
    (void)state;
    onnx_message bytes;
    heed_session *s = onnx_text_session(text, NULL, &bytes);
    assert_non_null(s);
    for (int n = 1; n <= 8; n++)
        run(s, n);
    heed_session_free(s);
    onnx_write_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(other_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
