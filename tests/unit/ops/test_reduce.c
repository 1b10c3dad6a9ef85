/* Reductions over random shapes and axes against sums written down directly. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

enum { MAX_RANK = 5, ROUNDS = 150 };

typedef struct reduce_case {
    const char *op;
    double start;
    double (*step)(double so_longest, double x);
    double (*finish)(double sum, double count);
} reduce_case;

static double add(double s, double x) { return s + x; }

static double multiply(double s, double x) { return s * x; }

static double add_abs(double s, double x) { return s + fabs(x); }

static double add_square(double s, double x) { return s + x * x; }

static double add_exp(double s, double x) { return s + exp(x); }

static double most(double s, double x) { return x > s ? x : s; }

static double least(double s, double x) { return x < s ? x : s; }

static double same(double sum, double count) { return count < 0 ? 0 : sum; }

static double mean(double sum, double count) { return sum / count; }

static double root(double sum, double count) { return same(sqrt(sum), count); }

static double logarithm(double sum, double count) { return same(log(sum), count); }

#define FAR 1e308
static const reduce_case cases[] = {
    {"ReduceSum", 0, add, same},         {"ReduceMean", 0, add, mean},
    {"ReduceProd", 1, multiply, same},   {"ReduceMax", -FAR, most, same},
    {"ReduceMin", FAR, least, same},     {"ReduceL1", 0, add_abs, same},
    {"ReduceL2", 0, add_square, root},   {"ReduceSumSquare", 0, add_square, same},
    {"ReduceLogSum", 0, add, logarithm}, {"ReduceLogSumExp", 0, add_exp, logarithm},
};

typedef struct problem {
    int32_t rank;
    int64_t dims[MAX_RANK];
    bool reduced[MAX_RANK];
    heed_tensor *data, *axes;
} problem;

static void make_problem(problem *p)
{
    double axes[MAX_RANK];
    int64_t n = 0;
    int32_t rank = p->rank = (int32_t)one_op_between(1, MAX_RANK);
    int32_t longest =
        (int32_t)one_op_between(0, 3) * MAX_RANK + (int32_t)one_op_between(0, rank - 1);
    for (int32_t i = 0; i < p->rank; i++) {
        p->dims[i] =
            i == longest ? one_op_between(500, 600) : one_op_between(1, 4); /* one at most */
        p->reduced[i] = one_op_between(0, 1);
        if (p->reduced[i]) /* from the front or from the back */
            axes[n++] = one_op_between(0, 1) ? i : i - p->rank;
    }
    if (n == 0) {
        p->reduced[0] = true;
        axes[n++] = 0;
    }
    p->axes = one_op_vector(HEED_INT64, n, axes);
    p->data = one_op_tensor(HEED_FLOAT32, p->rank, p->dims, NULL);
    for (int64_t i = 0; i < tensor_count(p->data); i++)
        ((float *)tensor_data(p->data))[i] = (float)one_op_between(1, 32) / 16.0f;
}

/* results[o] for o in row-major order of the kept axes. */
static int64_t reduce_directly(const problem *p, const reduce_case *test, double *results)
{
    int64_t kept = 1, count = 1;
    for (int32_t i = 0; i < p->rank; i++)
        *(p->reduced[i] ? &count : &kept) *= p->dims[i];
    for (int64_t o = 0; o < kept; o++)
        results[o] = test->start;
    for (int64_t i = 0; i < tensor_count(p->data); i++) {
        int64_t rest = i, o = 0, stride = 1;
        for (int32_t axis = p->rank - 1; axis >= 0; axis--) {
            if (!p->reduced[axis]) {
                o += rest % p->dims[axis] * stride;
                stride *= p->dims[axis];
            }
            rest /= p->dims[axis];
        }
        results[o] = test->step(results[o], tensor_get_float(p->data, i));
    }
    for (int64_t o = 0; o < kept; o++)
        results[o] = test->finish(results[o], (double)count);
    return kept;
}

static void check(const reduce_case *test)
{
    problem p;
    heed_tensor *out;
    make_problem(&p);
    double *results = calloc((size_t)tensor_count(p.data) + 1, sizeof(*results));
    int64_t kept = reduce_directly(&p, test, results);
    for (int keep = 0; keep < 2; keep++) {
        heed_tensor *in[2] = {p.data, p.axes};
        assert_int_equal(one_op_run(test->op, keep ? "keepdims=1" : "keepdims=0", 2, in, 1, &out),
                         HEED_OK);
        assert_int_equal(tensor_count(out), kept);
        assert_int_equal(tensor_rank(out) == p.rank, keep);
        for (int64_t o = 0; o < kept; o++) {
            double found = tensor_get_float(out, o);
            double limit = fmin(fabs(results[o]), (double)__FLT_MAX__);
            bool beyond = isinf(found) && fabs(results[o]) > (double)__FLT_MAX__;
            if (!beyond && !(fabs(found - results[o]) <= 1e-6 * (1 + limit)))
                fail_msg("%s element %lld: %.9g, not %.9g", test->op, (long long)o, found,
                         results[o]);
        }
        tensor_free(out);
    }
    free(results);
    tensor_free(p.data);
    tensor_free(p.axes);
}

static void random_problems(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(*cases); k++)
        for (int round = 0; round < ROUNDS; round++)
            check(&cases[k]);
}

/* Without elements each result is what the operation starts with. */
static void empty_sets(void **state)
{
    (void)state;
    const int64_t dims[2] = {2, 0};
    const double axis = 1;
    const struct {
        const char *op;
        heed_dtype dtype;
        double expected;
    } rows[] = {
        {"ReduceSum", HEED_FLOAT32, 0},
        {"ReduceProd", HEED_INT32, 1},
        {"ReduceMax", HEED_FLOAT16, -(double)INFINITY},
        {"ReduceMin", HEED_BFLOAT16, (double)INFINITY},
        {"ReduceMax", HEED_INT32, INT32_MIN},
        {"ReduceMin", HEED_INT8, 127},
        {"ReduceMax", HEED_UINT8, 0},
        {"ReduceMin", HEED_UINT16, 65535},
        {"ReduceMax", HEED_BOOL, 0},
        {"ReduceMin", HEED_BOOL, 1},
        {"ReduceLogSumExp", HEED_FLOAT32, -(double)INFINITY},
    };
    for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
        heed_tensor *in[2] = {one_op_tensor(rows[k].dtype, 2, dims, NULL),
                              one_op_vector(HEED_INT64, 1, &axis)};
        heed_tensor *out;
        assert_int_equal(one_op_run(rows[k].op, "", 2, in, 1, &out), HEED_OK);
        assert_int_equal(tensor_count(out), 2);
        for (int64_t i = 0; i < 2; i++) {
            double found = tensor_get_float(out, i);
            assert_true(found >= rows[k].expected && found <= rows[k].expected);
        }
        tensor_free(out);
        tensor_free(in[0]);
        tensor_free(in[1]);
    }
}

static void large_exponents(void **state)
{
    (void)state;
    const double x[2] = {1000, 1000}, low[2] = {-(double)INFINITY, -(double)INFINITY};
    heed_tensor *in = one_op_vector(HEED_FLOAT32, 2, x), *out;
    assert_int_equal(one_op_run("ReduceLogSumExp", "keepdims=0", 1, &in, 1, &out), HEED_OK);
    assert_true(fabs(tensor_get_float(out, 0) - 1000.6931) < 1e-3);
    tensor_free(out);
    tensor_free(in);
    in = one_op_vector(HEED_FLOAT32, 2, low);
    assert_int_equal(one_op_run("ReduceLogSumExp", "keepdims=0", 1, &in, 1, &out), HEED_OK);
    assert_true(isinf(tensor_get_float(out, 0)));
    tensor_free(out);
    tensor_free(in);
}

static void axes_out_of_range(void **state)
{
    (void)state;
    const int64_t dims[2] = {2, 3};
    const double wrong = 2, none = 0;
    heed_tensor *in[2] = {one_op_tensor(HEED_FLOAT32, 2, dims, NULL),
                          one_op_vector(HEED_INT64, 1, &wrong)};
    heed_tensor *out;
    assert_int_equal(one_op_run("ReduceSum", "", 2, in, 1, &out), HEED_INVALID);
    tensor_free(in[1]);
    in[1] = one_op_vector(HEED_INT64, 0, &none);
    assert_int_equal(one_op_run("ReduceSum", "noop_with_empty_axes=1", 2, in, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), 6);
    tensor_free(out);
    assert_int_equal(one_op_run("ReduceSum", "", 2, in, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), 1);
    tensor_free(out);
    tensor_free(in[0]);
    tensor_free(in[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_problems),
        cmocka_unit_test(empty_sets),
        cmocka_unit_test(large_exponents),
        cmocka_unit_test(axes_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
