/* Random operators by their statistics. Seeds are fixed, so nothing here changes from run to run;
 * the bounds are those of theory: four standard errors, and Kolmogorov's 0.1 % point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "one_op.h"

enum { N = 40000 };

static double values[N];

static void run(const char *op, const char *attrs, heed_tensor *in)
{
    heed_tensor *out;
    assert_int_equal(one_op_run(op, attrs, in ? 1 : 0, &in, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), N);
    dtype_load_f64(out->dtype, tensor_data(out), 0, N, values);
    tensor_free(out);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean and variance, then the greatest distance between the empirical distribution and `cdf`. */
static void check(double mean, double variance, double fourth, double (*cdf)(double x))
{
    double sum = 0, squares = 0, worst = 0;
    for (int i = 0; i < N; i++)
        sum += values[i];
    for (int i = 0; i < N; i++)
        squares += (values[i] - mean) * (values[i] - mean);
    assert_true(fabs(sum / N - mean) < 4 * sqrt(variance / N));
    assert_true(fabs(squares / N - variance) < 4 * sqrt((fourth - variance * variance) / N));
    qsort(values, N, sizeof(values[0]), ascending);
    for (int i = 0; i < N; i++) {
        double expected = cdf(values[i]);
        worst = fmax(worst, fmax(expected - (double)i / N, (double)(i + 1) / N - expected));
    }
    assert_true(worst < 1.95 / sqrt(N));
}

/* Uniform on [-1, 3): variance w^2/12, fourth moment w^4/80. */
static double uniform_cdf(double x) { return (x + 1) / 4; }

/* Mean 2, deviation 3: fourth moment 3 sigma^4. */
static double normal_cdf(double x) { return 0.5 * erfc(-(x - 2) / 3 / sqrt(2)); }

static heed_tensor *filled(heed_dtype dtype, double value)
{
    for (int i = 0; i < N; i++)
        values[i] = value;
    return one_op_vector(dtype, N, values);
}

static void uniform(void **state)
{
    static const char *const attrs[] = {"low=-1.0 high=3.0 shape=[200,200] seed=7.0",
                                        "low=-1.0 high=3.0 dtype=11 seed=8.0"};
    (void)state;
    run("RandomUniform", attrs[0], NULL);
    check(1, 16.0 / 12, 256.0 / 80, uniform_cdf);
    heed_tensor *like = filled(HEED_INT8, 0);
    run("RandomUniformLike", attrs[1], like);
    check(1, 16.0 / 12, 256.0 / 80, uniform_cdf);
    tensor_free(like);
}

static void normal(void **state)
{
    (void)state;
    run("RandomNormal", "mean=2.0 scale=3.0 shape=[40000] seed=3.0", NULL);
    check(2, 9, 243, normal_cdf);
    heed_tensor *like = filled(HEED_FLOAT64, 0);
    run("RandomNormalLike", "mean=2.0 scale=3.0 seed=4.0", like);
    check(2, 9, 243, normal_cdf);
    tensor_free(like);
}

static void bernoulli(void **state)
{
    static const double chances[] = {0, 0.125, 0.5, 0.75, 1};
    (void)state;
    for (size_t k = 0; k < sizeof(chances) / sizeof(chances[0]); k++) {
        double p = chances[k], ones = 0;
        heed_tensor *in = filled(HEED_FLOAT32, p);
        run("Bernoulli", "seed=5.0 dtype=9", in);
        for (int i = 0; i < N; i++) {
            assert_true(values[i] >= 0 && values[i] <= 1);
            ones += values[i];
        }
        assert_true(fabs(ones / N - p) <= 4 * sqrt(p * (1 - p) / N));
        tensor_free(in);
    }
}

/* Chi square over four classes; the class without probability never comes. */
static void multinomial(void **state)
{
    const double logs[5] = {log(1), log(2), -(double)INFINITY, log(3), log(4)};
    const double share[5] = {0.1, 0.2, 0, 0.3, 0.4};
    const int64_t dims[2] = {1, 5};
    double chi = 0;
    int counts[5] = {0};
    (void)state;
    heed_tensor *in = one_op_tensor(HEED_FLOAT64, 2, dims, logs);
    run("Multinomial", "sample_size=40000 seed=11.0 dtype=7", in);
    for (int i = 0; i < N; i++)
        counts[(int)values[i]]++;
    assert_int_equal(counts[2], 0);
    for (int i = 0; i < 5; i++)
        if (share[i] > 0)
            chi += (counts[i] - N * share[i]) * (counts[i] - N * share[i]) / (N * share[i]);
    assert_true(chi < 16.27); /* 0.1 % point of three degrees of freedom */
    tensor_free(in);
}

static bool same_twice(const char *attrs)
{
    heed_tensor *a, *b;
    assert_int_equal(one_op_run("RandomNormal", attrs, 0, NULL, 1, &a), HEED_OK);
    assert_int_equal(one_op_run("RandomNormal", attrs, 0, NULL, 1, &b), HEED_OK);
    bool same = true;
    for (int64_t i = 0; i < tensor_count(a); i++)
        same = same && !(fabs(tensor_get_float(a, i) - tensor_get_float(b, i)) > 0);
    tensor_free(a);
    tensor_free(b);
    return same;
}

/* 256 bits of a fresh stream do not come twice. */
static void seeds(void **state)
{
    (void)state;
    assert_true(same_twice("shape=[16] seed=3.0"));
    assert_true(same_twice("shape=[16] seed=-3.0"));
    assert_false(same_twice("shape=[16]"));
    assert_false(same_twice("shape=[16] seed=1e300"));
}

/* The first numbers of NumPy's RandomState(0), which the standard's evaluator draws. */
static void known_stream(void **state)
{
    static const double expected[] = {1.764052345967664, 0.4001572083672233, 0.9787379841057392};
    heed_tensor *out;
    (void)state;
    assert_int_equal(one_op_run("RandomNormal", "shape=[3] dtype=11 seed=0.0", 0, NULL, 1, &out),
                     HEED_OK);
    for (int i = 0; i < 3; i++)
        assert_true(fabs(tensor_get_float(out, i) - expected[i]) < 1e-15);
    tensor_free(out);
}

static void refused(const char *op, const char *attrs, heed_tensor *in)
{
    heed_tensor *out;
    assert_int_equal(one_op_run(op, attrs, in ? 1 : 0, &in, 1, &out), HEED_INVALID);
    tensor_free(in);
}

static void errors(void **state)
{
    const int64_t dims[2] = {1, 2}, none[2] = {1, 0};
    const double low[2] = {-(double)INFINITY, -(double)INFINITY};
    (void)state;
    refused("RandomNormal", "shape=[-1]", NULL);
    refused("RandomNormal", "shape=[3] dtype=7", NULL);
    refused("RandomNormal", "shape=[1099511627776,1099511627776]", NULL);
    refused("Bernoulli", "", one_op_scalar(HEED_FLOAT32, 1.5));
    refused("Bernoulli", "", one_op_scalar(HEED_FLOAT32, (double)NAN));
    refused("Bernoulli", "dtype=8", one_op_scalar(HEED_FLOAT32, 0.5));
    refused("Multinomial", "sample_size=0", one_op_tensor(HEED_FLOAT32, 2, dims, NULL));
    refused("Multinomial", "dtype=1", one_op_tensor(HEED_FLOAT32, 2, dims, NULL));
    refused("Multinomial", "", one_op_tensor(HEED_FLOAT32, 2, dims, low));
    refused("Multinomial", "", one_op_tensor(HEED_FLOAT32, 2, none, NULL));
    refused("Multinomial", "", one_op_vector(HEED_FLOAT32, 2, low));
}

static void nothing(void **state)
{
    const int64_t dims[2] = {0, 3};
    heed_tensor *out, *in = one_op_tensor(HEED_FLOAT32, 2, dims, NULL);
    (void)state;
    assert_int_equal(one_op_run("RandomUniform", "shape=[0,4]", 0, NULL, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), 0);
    tensor_free(out);
    assert_int_equal(one_op_run("Multinomial", "sample_size=4", 1, &in, 1, &out), HEED_OK);
    assert_int_equal(out->dims[1], 4);
    tensor_free(out);
    tensor_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform),     cmocka_unit_test(normal),  cmocka_unit_test(bernoulli),
        cmocka_unit_test(multinomial), cmocka_unit_test(seeds),   cmocka_unit_test(known_stream),
        cmocka_unit_test(errors),      cmocka_unit_test(nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
