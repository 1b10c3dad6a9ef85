/* Operators along an axis: softmax, arg, TopK, running sums, normalisations; and the random
 * numbers of Dropout. */
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
#include "ops/order.h"
#include "ops/random.h"

static const int64_t shape[3] = {3, 70, 2};
enum { COUNT = 3 * 70 * 2 };

static heed_tensor *random_tensor(heed_dtype dtype)
{
    heed_tensor *t = one_op_tensor(dtype, 3, shape, NULL);
    assert_non_null(t);
    for (int64_t i = 0; i < COUNT; i++) {
        double value = (double)one_op_between(-20, 20) / (dtype_is_float(dtype) ? 8 : 1);
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance; }

/* Element k of line (o, j) along the middle axis. */
static int64_t place(int64_t o, int64_t k, int64_t j) { return (o * 70 + k) * 2 + j; }

static void softmax(void **state)
{
    (void)state;
    heed_tensor *in = random_tensor(HEED_FLOAT32), *out, *logs;
    assert_int_equal(one_op_run("Softmax", "axis=1", 1, &in, 1, &out), HEED_OK);
    assert_int_equal(one_op_run("LogSoftmax", "axis=-2", 1, &in, 1, &logs), HEED_OK);
    for (int64_t o = 0; o < 3; o++)
        for (int64_t j = 0; j < 2; j++) {
            double sum = 0;
            for (int64_t k = 0; k < 70; k++)
                sum += exp(tensor_get_float(in, place(o, k, j)));
            for (int64_t k = 0; k < 70; k++) {
                double expected = exp(tensor_get_float(in, place(o, k, j))) / sum;
                assert_true(near(tensor_get_float(out, place(o, k, j)), expected, 1e-7));
                assert_true(near(tensor_get_float(logs, place(o, k, j)), log(expected), 1e-5));
            }
        }
    tensor_free(out);
    tensor_free(logs);
    assert_int_equal(one_op_run("Softmax", "axis=3", 1, &in, 1, &out), HEED_INVALID);
    tensor_free(in);
}

/* A row of -inf alone has no softmax: NaN, as the arithmetic says. */
static void softmax_edges(void **state)
{
    (void)state;
    const double low[2] = {-(double)INFINITY, -(double)INFINITY}, high[2] = {3e38, 0};
    heed_tensor *in = one_op_vector(HEED_FLOAT32, 2, low), *out;
    assert_int_equal(one_op_run("Softmax", "", 1, &in, 1, &out), HEED_OK);
    assert_true(isnan(tensor_get_float(out, 0)));
    tensor_free(in);
    tensor_free(out);
    in = one_op_vector(HEED_FLOAT32, 2, high);
    assert_int_equal(one_op_run("Softmax", "", 1, &in, 1, &out), HEED_OK);
    assert_true(near(tensor_get_float(out, 0), 1, 0));
    tensor_free(in);
    tensor_free(out);
}

static void arg(void **state)
{
    (void)state;
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_INT8, HEED_FLOAT16, HEED_INT64};
    for (size_t d = 0; d < sizeof(dtypes) / sizeof(*dtypes); d++)
        for (int form = 0; form < 4; form++) {
            bool max = form & 1, last = form & 2;
            heed_tensor *in = random_tensor(dtypes[d]), *out;
            assert_int_equal(
                one_op_run(max ? "ArgMax" : "ArgMin",
                           last ? "axis=1 keepdims=0 select_last_index=1" : "axis=1 keepdims=0", 1,
                           &in, 1, &out),
                HEED_OK);
            assert_int_equal(tensor_rank(out), 2);
            for (int64_t o = 0; o < 3; o++)
                for (int64_t j = 0; j < 2; j++) {
                    int64_t best = 0;
                    for (int64_t k = 1; k < 70; k++) {
                        double x = tensor_get_float(in, place(o, k, j));
                        double b = tensor_get_float(in, place(o, best, j));
                        bool better = max ? x > b : x < b;
                        best = better || (last && x >= b && x <= b) ? k : best;
                    }
                    assert_int_equal(tensor_get_int(out, o * 2 + j), best);
                }
            tensor_free(in);
            tensor_free(out);
        }
}

static void top(void **state)
{
    (void)state;
    for (int64_t k = 0; k <= 70; k += 7)
        for (int smallest = 0; smallest < 2; smallest++) {
            heed_tensor *in[2] = {random_tensor(HEED_FLOAT32), one_op_vector(HEED_INT64, 1, NULL)};
            heed_tensor *out[2];
            ((int64_t *)tensor_data(in[1]))[0] = k;
            assert_int_equal(
                one_op_run("TopK", smallest ? "axis=1 largest=0" : "axis=1", 2, in, 2, out),
                HEED_OK);
            assert_int_equal(out[0]->dims[1], k);
            for (int64_t line = 0; line < 6; line++)
                for (int64_t i = 0; i < k; i++) {
                    int64_t o = line / 2, j = line % 2, at = (o * k + i) * 2 + j;
                    int64_t from = tensor_get_int(out[1], at);
                    double x = tensor_get_float(out[0], at);
                    int64_t before = 0; /* how many elements come before this one */
                    assert_true(near(x, tensor_get_float(in[0], place(o, from, j)), 0));
                    for (int64_t e = 0; e < 70; e++) {
                        double y = tensor_get_float(in[0], place(o, e, j));
                        before += (smallest ? y < x : y > x) || (near(x, y, 0) && e < from);
                    }
                    assert_int_equal(before, i);
                }
            for (int i = 0; i < 2; i++) {
                tensor_free(in[i]);
                tensor_free(out[i]);
            }
        }
}

static void top_refuses(void **state)
{
    (void)state;
    const double k = 71, nan[3] = {1, (double)NAN, -(double)INFINITY};
    const double three = 3;
    heed_tensor *in[2] = {random_tensor(HEED_FLOAT32), one_op_vector(HEED_INT64, 1, &k)}, *out[2];
    assert_int_equal(one_op_run("TopK", "axis=1", 2, in, 2, out), HEED_INVALID);
    tensor_free(in[0]);
    tensor_free(in[1]);
    in[0] = one_op_vector(HEED_FLOAT32, 3, nan);
    in[1] = one_op_vector(HEED_INT64, 1, &three);
    assert_int_equal(one_op_run("TopK", "", 2, in, 2, out), HEED_OK);
    assert_int_equal(tensor_get_int(out[1], 0), 1); /* NaN counts as the largest */
    assert_int_equal(tensor_get_int(out[1], 2), 2);
    for (int i = 0; i < 2; i++) {
        tensor_free(in[i]);
        tensor_free(out[i]);
    }
}

static void running_sums(void **state)
{
    (void)state;
    const double axis = 1;
    for (int form = 0; form < 4; form++) {
        bool exclusive = form & 1, reverse = form & 2;
        char attrs[40];
        heed_tensor *in[2] = {random_tensor(HEED_INT32), one_op_scalar(HEED_INT32, axis)}, *out;
        snprintf(attrs, sizeof(attrs), "exclusive=%d reverse=%d", exclusive, reverse);
        assert_int_equal(one_op_run("CumSum", attrs, 2, in, 1, &out), HEED_OK);
        for (int64_t line = 0; line < 6; line++)
            for (int64_t k = 0; k < 70; k++) {
                int64_t sum = 0;
                for (int64_t e = 0; e < 70; e++)
                    if (reverse ? e > k : e < k)
                        sum += tensor_get_int(in[0], place(line / 2, e, line % 2));
                if (!exclusive)
                    sum += tensor_get_int(in[0], place(line / 2, k, line % 2));
                assert_int_equal(tensor_get_int(out, place(line / 2, k, line % 2)), sum);
            }
        tensor_free(in[0]);
        tensor_free(in[1]);
        tensor_free(out);
    }
}

/* Rows longer than a block, far from zero: the variance must not cancel. */
static void layer_norm(void **state)
{
    (void)state;
    enum { N = 1500 };
    heed_tensor *in[3] = {one_op_tensor(HEED_FLOAT64, 2, (const int64_t[]){2, N}, NULL),
                          one_op_vector(HEED_FLOAT64, N, NULL),
                          one_op_vector(HEED_FLOAT64, N, NULL)};
    heed_tensor *out[3];
    double *x = tensor_data(in[0]), *scale = tensor_data(in[1]), *bias = tensor_data(in[2]);
    for (int i = 0; i < 2 * N; i++)
        x[i] = 1e6 + (double)one_op_between(-100, 100) / 64;
    for (int i = 0; i < N; i++) {
        scale[i] = i % 5;
        bias[i] = i % 3;
    }
    assert_int_equal(one_op_run("LayerNormalization", "epsilon=1e-9", 3, in, 3, out), HEED_OK);
    assert_int_equal(out[1]->dtype, HEED_FLOAT32);
    assert_int_equal(out[1]->dims[1], 1);
    for (int row = 0; row < 2; row++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N; i++)
            mean += (x[row * N + i] - 1e6) / N;
        for (int i = 0; i < N; i++)
            variance += pow(x[row * N + i] - 1e6 - mean, 2) / N;
        for (int i = 0; i < N; i++) {
            double expected = (x[row * N + i] - 1e6 - mean) / sqrt(variance + 1e-9);
            expected = expected * scale[i] + bias[i];
            assert_true(near(tensor_get_float(out[0], row * N + i), expected, 1e-7));
        }
        assert_true(near(tensor_get_float(out[2], row), 1 / sqrt(variance), 1e-5));
    }
    for (int i = 0; i < 3; i++) {
        tensor_free(in[i]);
        tensor_free(out[i]);
    }
}

/* The normalised value is rounded to float16 before it meets the scale. */
static void rms_norm_rounds(void **state)
{
    (void)state;
    const double x[3] = {1, 2, 3.5}, scale[3] = {3, 7, 11};
    heed_tensor *in[2] = {one_op_vector(HEED_FLOAT16, 3, x), one_op_vector(HEED_FLOAT16, 3, scale)},
                *out;
    assert_int_equal(one_op_run("RMSNormalization", "", 2, in, 1, &out), HEED_OK);
    for (int i = 0; i < 3; i++) {
        float factor = (float)(1 / sqrt((1 + 4 + 12.25) / 3 + 1e-5));
        float step = half_to_float(half_from_float((float)x[i] * factor)) * (float)scale[i];
        assert_true(
            near(tensor_get_float(out, i), (double)half_to_float(half_from_float(step)), 0));
    }
    tensor_free(in[0]);
    tensor_free(in[1]);
    tensor_free(out);
}

static void wrong_channels(void **state)
{
    (void)state;
    heed_tensor *x = random_tensor(HEED_FLOAT32), *few = one_op_vector(HEED_FLOAT32, 3, NULL), *out;
    heed_tensor *in[5] = {x, few, few, few, few};
    assert_int_equal(one_op_run("InstanceNormalization", "", 3, in, 1, &out), HEED_INVALID);
    assert_int_equal(one_op_run("GroupNormalization", "num_groups=2", 3, in, 1, &out),
                     HEED_INVALID);
    assert_int_equal(one_op_run("BatchNormalization", "", 5, in, 1, &out), HEED_INVALID);
    assert_int_equal(one_op_run("LayerNormalization", "", 2, in, 1, &out), HEED_INVALID);
    tensor_free(few);
    few = one_op_vector(HEED_FLOAT32, 70, NULL);
    in[1] = in[2] = few;
    assert_int_equal(one_op_run("GroupNormalization", "num_groups=3", 3, in, 1, &out),
                     HEED_INVALID);
    assert_int_equal(one_op_run("GroupNormalization", "num_groups=0", 3, in, 1, &out),
                     HEED_INVALID);
    tensor_free(few);
    tensor_free(x);
}

/* The numbers that the C++ standard gives for this generator. */
static void twister(void **state)
{
    (void)state;
    random_state r;
    random_seed(&r, 5489);
    assert_int_equal(random_word(&r), 3499211612u);
    for (int i = 1; i < 9999; i++)
        random_word(&r);
    assert_int_equal(random_word(&r), 4123659995u);
}

static void dropout(void **state)
{
    (void)state;
    heed_tensor *yes = one_op_scalar(HEED_BOOL, 1), *ratio = one_op_scalar(HEED_FLOAT32, 0.25);
    heed_tensor *in[3] = {random_tensor(HEED_FLOAT32), ratio, yes}, *out[2];
    assert_int_equal(one_op_run("Dropout", "seed=3", 3, in, 2, out), HEED_OK);
    int64_t kept = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        bool keep = tensor_get_int(out[1], i) != 0;
        double x = tensor_get_float(in[0], i);
        kept += keep;
        assert_true(near(tensor_get_float(out[0], i), keep ? x / 0.75 : 0, 1e-6));
    }
    assert_true(kept > COUNT / 2 && kept < COUNT);
    tensor_free(out[0]);
    tensor_free(out[1]);
    assert_int_equal(one_op_run("Dropout", "seed=3", 1, in, 2, out), HEED_OK); /* inference */
    assert_memory_equal(tensor_data(out[0]), tensor_data(in[0]), tensor_bytes(in[0]));
    for (int64_t i = 0; i < COUNT; i++)
        assert_int_equal(tensor_get_int(out[1], i), 1);
    for (int i = 0; i < 3; i++)
        tensor_free(in[i]);
    tensor_free(out[0]);
    tensor_free(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax),
        cmocka_unit_test(softmax_edges),
        cmocka_unit_test(arg),
        cmocka_unit_test(top),
        cmocka_unit_test(top_refuses),
        cmocka_unit_test(running_sums),
        cmocka_unit_test(layer_norm),
        cmocka_unit_test(rms_norm_rounds),
        cmocka_unit_test(wrong_channels),
        cmocka_unit_test(twister),
        cmocka_unit_test(dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
