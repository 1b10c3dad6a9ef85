/* Elementwise operators on random shapes and every dtype, against element-by-element arithmetic
 * with broadcasting done by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

enum { MAX_RANK = 5, ROUNDS = 60 };

typedef double oracle(double a, double b);

static double add(double a, double b) { return a + b; }

static double sub(double a, double b) { return a - b; }

static double mul(double a, double b) { return a * b; }

static double least(double a, double b) { return a < b ? a : b; }

static double most(double a, double b) { return a > b ? a : b; }

static double less(double a, double b) { return a < b; }

static double equal(double a, double b) { return a >= b && a <= b; }

static double greater_equal(double a, double b) { return a >= b; }

typedef struct binary_case {
    const char *op;
    oracle *expected;
    bool compares;
} binary_case;

static const binary_case cases[] = {
    {"Add", add, false},    {"Sub", sub, false},
    {"Mul", mul, false},    {"Min", least, false},
    {"Max", most, false},   {"Less", less, true},
    {"Equal", equal, true}, {"GreaterOrEqual", greater_equal, true},
};

/* Two shapes that broadcast, each with axes of extent 1 or missing. */
static void random_shapes(int32_t *rank, int64_t (*dims)[MAX_RANK])
{
    int64_t extents[MAX_RANK];
    bool wide = one_op_between(0, 3) == 0;
    for (int i = 0; i < MAX_RANK; i++)
        extents[i] = one_op_between(0, 20) == 0 ? 0 : one_op_between(1, wide ? 8 : 4);
    for (int k = 0; k < 2; k++) {
        rank[k] = (int32_t)one_op_between(0, MAX_RANK);
        for (int32_t i = 0; i < rank[k]; i++)
            dims[k][i] = one_op_between(0, 2) == 0 ? 1 : extents[MAX_RANK - rank[k] + i];
    }
}

static heed_tensor *random_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = one_op_tensor(dtype, rank, dims, NULL);
    bool is_signed = dtype_is_float(dtype) || dtype_is_signed(dtype);
    assert_non_null(t);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = (double)one_op_between(is_signed ? -6 : 0, 6);
        value += dtype_is_float(dtype) ? (double)one_op_between(0, 7) / 8 : 0;
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

/* Element of t that stands at place i of the broadcast shape. */
static double element(const heed_tensor *t, int32_t rank, const int64_t *dims, int64_t i)
{
    int64_t place = 0, stride = 1;
    for (int32_t axis = rank - 1, own = tensor_rank(t) - 1; axis >= 0; axis--, own--) {
        int64_t at = i % dims[axis];
        i /= dims[axis];
        if (own >= 0) {
            place += t->dims[own] == 1 ? 0 : at * stride;
            stride *= t->dims[own];
        }
    }
    return tensor_get_float(t, place);
}

static double rounded(heed_dtype dtype, double value)
{
    uint64_t bits = 0;
    if (dtype_is_int(dtype)) {
        int64_t number = (int64_t)value;
        dtype_store_i64(dtype, &bits, 0, 1, &number);
    } else {
        dtype_store_f64(dtype, &bits, 0, 1, &value, false);
    }
    dtype_load_f64(dtype, &bits, 0, 1, &value);
    return value;
}

static void check_case(const binary_case *test, heed_dtype dtype)
{
    int32_t rank[2];
    int64_t dims[2][MAX_RANK];
    heed_tensor *in[2], *out;
    random_shapes(rank, dims);
    for (int k = 0; k < 2; k++)
        in[k] = random_tensor(dtype, rank[k], dims[k]);
    assert_int_equal(one_op_run(test->op, NULL, 2, in, 1, &out), HEED_OK);
    assert_int_equal(out->dtype, test->compares ? HEED_BOOL : dtype);
    int32_t out_rank = tensor_rank(out);
    assert_int_equal(out_rank, rank[0] > rank[1] ? rank[0] : rank[1]);
    for (int64_t i = 0; i < tensor_count(out); i++) {
        double a = element(in[0], out_rank, out->dims, i),
               b = element(in[1], out_rank, out->dims, i);
        double expected = test->expected(a, b);
        if (!test->compares)
            expected = rounded(dtype, expected);
        double found = tensor_get_float(out, i);
        bool both_nan = expected != expected && found != found;
        if (!both_nan && !(found >= expected && found <= expected))
            fail_msg("%s %s element %lld: %g and %g give %g, not %g", test->op, dtype_name(dtype),
                     (long long)i, a, b, found, expected);
    }
    for (int k = 0; k < 2; k++)
        tensor_free(in[k]);
    tensor_free(out);
}

static void every_dtype(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++)
        for (heed_dtype d = 1; d < HEED_DTYPE_COUNT; d++) {
            if (!dtype_is_float(d) && !dtype_is_int(d))
                continue;
            if (d == HEED_FLOAT8E8M0)
                continue; /* has no zero */
            for (int round = 0; round < ROUNDS; round++)
                check_case(&cases[k], d);
        }
}

/* More than one block, one operand a scalar, one a row, one a column. */
static void many_blocks(void **state)
{
    (void)state;
    const int64_t shapes[4][2] = {{1, 1}, {1, 777}, {5, 1}, {5, 777}};
    heed_tensor *big = one_op_tensor(HEED_INT32, 2, shapes[3], NULL), *out;
    for (int64_t i = 0; i < 5 * 777; i++)
        ((int32_t *)tensor_data(big))[i] = (int32_t)i;
    for (int k = 0; k < 4; k++) {
        heed_tensor *other = one_op_tensor(HEED_INT32, 2, shapes[k], NULL);
        for (int64_t i = 0; i < tensor_count(other); i++)
            ((int32_t *)tensor_data(other))[i] = (int32_t)(1000 * i);
        assert_int_equal(one_op_run("Add", NULL, 2, (heed_tensor *[]){other, big}, 1, &out),
                         HEED_OK);
        for (int64_t i = 0; i < 5 * 777; i++) {
            int64_t row = i / 777, column = i % 777;
            int64_t at =
                (shapes[k][0] > 1 ? row * shapes[k][1] : 0) + (shapes[k][1] > 1 ? column : 0);
            assert_int_equal(tensor_get_int(out, i), i + 1000 * at);
        }
        tensor_free(other);
        tensor_free(out);
    }
    tensor_free(big);
}

static void integer_division(void **state)
{
    (void)state;
    const double a[6] = {7, -7, 7, -7, 5, 0}, b[6] = {2, 2, -2, -2, 0, 0};
    const double quotient[6] = {3, -3, -3, 3, 0, 0}, floored[6] = {1, 1, -1, -1, 0, 0};
    const double cut[6] = {1, -1, 1, -1, 0, 0};
    heed_tensor *in[2] = {one_op_vector(HEED_INT16, 6, a), one_op_vector(HEED_INT16, 6, b)}, *out;
    const char *const ops[3][2] = {{"Div", ""}, {"Mod", ""}, {"Mod", "fmod=1"}};
    const double *const expected[3] = {quotient, floored, cut};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(one_op_run(ops[k][0], ops[k][1], 2, in, 1, &out), HEED_OK);
        for (int64_t i = 0; i < 6; i++)
            assert_int_equal(tensor_get_int(out, i), (int64_t)expected[k][i]);
        tensor_free(out);
    }
    tensor_free(in[0]);
    tensor_free(in[1]);
    int64_t lowest = INT64_MIN, one = -1;
    in[0] = heed_tensor_wrap(HEED_INT64, 0, NULL, &lowest);
    in[1] = heed_tensor_wrap(HEED_INT64, 0, NULL, &one);
    assert_int_equal(one_op_run("Div", "", 2, in, 1, &out), HEED_OK);
    assert_int_equal(tensor_get_int(out, 0), INT64_MIN);
    tensor_free(out);
    tensor_free(in[0]);
    tensor_free(in[1]);
}

static void nan_wins(void **state)
{
    (void)state;
    const double a[3] = {(double)NAN, 1, 2}, b[3] = {1, (double)NAN, 3};
    heed_tensor *in[2] = {one_op_vector(HEED_FLOAT16, 3, a), one_op_vector(HEED_FLOAT16, 3, b)},
                *out;
    assert_int_equal(one_op_run("Max", "", 2, in, 1, &out), HEED_OK);
    assert_true(isnan(tensor_get_float(out, 0)) && isnan(tensor_get_float(out, 1)));
    assert_int_equal((int)tensor_get_float(out, 2), 3);
    tensor_free(out);
    heed_tensor *left_out[2] = {in[0], NULL};
    assert_int_equal(one_op_run("Max", "", 2, left_out, 1, &out), HEED_INVALID);
    tensor_free(in[0]);
    tensor_free(in[1]);
}

static void clip_bounds(void **state)
{
    (void)state;
    const double x[4] = {-5, 0, 5, (double)NAN};
    heed_tensor *in[3] = {one_op_vector(HEED_BFLOAT16, 4, x), NULL,
                          one_op_scalar(HEED_BFLOAT16, 2)};
    heed_tensor *out;
    assert_int_equal(one_op_run("Clip", "", 3, in, 1, &out), HEED_OK); /* no lower bound */
    assert_int_equal((int)tensor_get_float(out, 0), -5);
    assert_int_equal((int)tensor_get_float(out, 2), 2);
    assert_true(isnan(tensor_get_float(out, 3)));
    tensor_free(out);
    tensor_free(in[2]);
    in[2] = one_op_vector(HEED_BFLOAT16, 2, x);
    assert_int_equal(one_op_run("Clip", "", 3, in, 1, &out), HEED_INVALID);
    tensor_free(in[0]);
    tensor_free(in[2]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype),      cmocka_unit_test(many_blocks),
        cmocka_unit_test(integer_division), cmocka_unit_test(nan_wins),
        cmocka_unit_test(clip_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
