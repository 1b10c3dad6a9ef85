/* Cast between any two dtypes, and to and from text; and integer content of shape arithmetic. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

static heed_tensor *cast(heed_tensor *in, heed_dtype to, const char *more)
{
    char attrs[80];
    heed_tensor *out = NULL;
    snprintf(attrs, sizeof(attrs), "to=%u %s", to, more);
    if (one_op_run("Cast", attrs, 1, &in, 1, &out) != HEED_OK)
        return NULL;
    assert_int_equal(out->dtype, to);
    return out;
}

/* 0 and 1 fit everywhere. Strings carry them as well. */
static void every_pair(void **state)
{
    (void)state;
    enum { N = 600 };
    double values[N];
    for (int i = 0; i < N; i++)
        values[i] = i % 3 == 1;
    for (heed_dtype from = 1; from < HEED_DTYPE_COUNT; from++)
        for (heed_dtype to = 1; to < HEED_DTYPE_COUNT; to++) {
            dtype_class a = dtype_get_class(from), b = dtype_get_class(to);
            if (a >= CLASS_C64 || b >= CLASS_C64 || from == HEED_STRING ||
                from == HEED_FLOAT8E8M0 || to == HEED_FLOAT8E8M0)
                continue;
            heed_tensor *in = one_op_vector(from, N, values);
            heed_tensor *out = cast(in, to, "");
            assert_non_null(out);
            heed_tensor *back = to == HEED_STRING ? cast(out, from, "") : NULL;
            for (int i = 0; i < N; i++)
                assert_int_equal(tensor_get_int(back ? back : out, i), (int64_t)values[i]);
            tensor_free(in);
            tensor_free(out);
            tensor_free(back);
        }
}

static void to_text(void **state)
{
    (void)state;
    const struct {
        heed_dtype dtype;
        double value;
        const char *text;
    } rows[] = {
        {HEED_FLOAT32, 0.1, "0.1"},
        {HEED_FLOAT64, 0.1, "0.1"},
        {HEED_FLOAT16, 0.1, "0.1"},
        {HEED_FLOAT32, 1, "1.0"},
        {HEED_FLOAT32, -0.0, "-0.0"},
        {HEED_FLOAT32, 1e-5, "1e-05"},
        {HEED_FLOAT32, 0.0001, "0.0001"},
        {HEED_FLOAT64, 1e16, "1e+16"},
        {HEED_FLOAT64, 123456789012345, "123456789012345.0"},
        {HEED_FLOAT32, 16777216, "16777216.0"},
        {HEED_FLOAT32, 314.15926, "314.15927"},
        {HEED_FLOAT32, (double)INFINITY, "inf"},
        {HEED_FLOAT32, (double)NAN, "nan"},
        {HEED_INT8, -7, "-7"},
        {HEED_UINT4, 15, "15"},
        {HEED_BOOL, 1, "True"},
        {HEED_BFLOAT16, 3.140625, "3.14"},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
        heed_tensor *in = one_op_vector(rows[k].dtype, 1, &rows[k].value);
        heed_tensor *out = cast(in, HEED_STRING, "");
        const heed_string *s = tensor_data(out);
        assert_string_equal(s->data, rows[k].text);
        tensor_free(in);
        tensor_free(out);
    }
}

static void from_text(void **state)
{
    (void)state;
    static const char *const good[] = {"1.5", "-3", "1e3", "INF", "NaN", "-0.25"};
    static const char *const bad[] = {"", "x", "1.5x", "--1"};
    heed_tensor *in = one_op_vector(HEED_STRING, 6, NULL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(tensor_set_string(in, i, good[i], strlen(good[i])), HEED_OK);
    heed_tensor *out = cast(in, HEED_FLOAT32, "");
    const float *f = tensor_data(out);
    assert_true(f[0] > 1.4f && f[0] < 1.6f && f[2] > 999.0f && isinf(f[3]) && isnan(f[4]));
    tensor_free(out);
    tensor_free(in);
    for (int i = 0; i < 4; i++) {
        in = one_op_vector(HEED_STRING, 1, NULL);
        assert_int_equal(tensor_set_string(in, 0, bad[i], strlen(bad[i])), HEED_OK);
        assert_null(cast(in, HEED_FLOAT32, ""));
        assert_null(cast(in, HEED_INT32, ""));
        assert_non_null(strstr(heed_error_get()->message, "int32"));
        tensor_free(in);
    }
}

static void saturation(void **state)
{
    (void)state;
    const double big[2] = {1e6, -1e6}, five = 5;
    heed_tensor *in = one_op_vector(HEED_FLOAT32, 2, big);
    heed_tensor *kept = cast(in, HEED_FLOAT8E4M3FN, "saturate=1");
    heed_tensor *lost = cast(in, HEED_FLOAT8E4M3FN, "saturate=0");
    assert_int_equal((int)tensor_get_float(kept, 1), -448);
    assert_true(isnan(tensor_get_float(lost, 1)));
    tensor_free(kept);
    tensor_free(lost);
    tensor_free(in);
    in = one_op_vector(HEED_FLOAT32, 1, &five);
    heed_tensor *up = cast(in, HEED_FLOAT8E8M0, "round_mode='up'");
    heed_tensor *down = cast(in, HEED_FLOAT8E8M0, "round_mode='down'");
    assert_int_equal((int)tensor_get_float(up, 0), 8);
    assert_int_equal((int)tensor_get_float(down, 0), 4);
    tensor_free(up);
    tensor_free(down);
    assert_null(cast(in, 99, ""));
    assert_null(cast(in, HEED_COMPLEX64, ""));
    tensor_free(in);
}

/* ---- Content --------------------------------------------------------------------------------- */

static void text_is(const ir_dims *dims, ir_dim d, const char *expected)
{
    char text[80];
    assert_string_equal(dims_text(dims, d, text, sizeof(text)), expected);
}

static void symbols(void **state)
{
    (void)state;
    ir_dims *dims = dims_new();
    ir_dim past = dims_parse(dims, "past"), seq = dims_parse(dims, "seq");
    const ir_dim a[2] = {past, 6}, b[2] = {seq, 4}, two[1] = {2},
                 minus[1] = {dims_constant(dims, -7)};
    const ir_dim *ab[2] = {a, b}, *a2[2] = {a, two}, *m2[2] = {minus, two}, *aa[2] = {a, a};
    const int64_t both[2] = {2, 2}, scalar[2] = {2, 1}, ones[2] = {1, 1};
    ir_dim out[4];
    assert_int_equal(one_op_content(dims, "Add", "", 2, ab, both, out), 2);
    text_is(dims, out[0], "past + seq");
    assert_int_equal(out[1], 10);
    assert_int_equal(one_op_content(dims, "Mul", "", 2, a2, scalar, out), 2);
    assert_int_equal(out[0], dims_mul(dims, past, 2));
    assert_int_equal(one_op_content(dims, "Div", "", 2, a2, scalar, out), 2);
    assert_int_equal(out[0], dims_floor_div(dims, past, 2));
    assert_int_equal(out[1], 3);
    int64_t value;
    assert_int_equal(one_op_content(dims, "Div", "", 2, m2, ones, out), 1);
    assert_true(dims_value(dims, out[0], &value) && value == -3); /* to zero, not down */
    assert_int_equal(one_op_content(dims, "Sub", "", 2, aa, both, out), 2);
    assert_int_equal(out[0], 0);
    assert_int_equal(one_op_content(dims, "Equal", "", 2, aa, both, out), 2);
    assert_int_equal(out[0], 1);
    assert_int_equal(one_op_content(dims, "Equal", "", 2, ab, both, out), -1); /* past may be seq */
    assert_int_equal(one_op_content(dims, "Max", "", 2, a2, scalar, out), 2);
    assert_int_equal(out[1], 6);
    assert_int_equal(one_op_content(dims, "ReduceProd", "", 1, ab, both, out), 1);
    assert_int_equal(out[0], dims_mul(dims, past, 6));
    assert_int_equal(one_op_content(dims, "ReduceSum", "", 1, ab, both, out), 1);
    text_is(dims, out[0], "past + 6");
    assert_int_equal(one_op_content(dims, "Cast", "to=6", 1, ab, both, out), 2);
    assert_int_equal(out[0], past);
    assert_int_equal(one_op_content(dims, "Cast", "to=2", 1, ab, both, out), -1); /* may wrap */
    dims_free(dims);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair), cmocka_unit_test(to_text), cmocka_unit_test(from_text),
        cmocka_unit_test(saturation), cmocka_unit_test(symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
