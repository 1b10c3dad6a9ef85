/* DFT and STFT against the sums that define them, for lengths of all kinds; windows; errors. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"
#include "ops/fft.h"

static const double pi = 3.14159265358979323846;

enum { MOST = 300 };

static heed_tensor *random_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = one_op_tensor(dtype, rank, dims, NULL);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = (double)one_op_between(-64, 64) / 16;
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance; }

/* Bin k of n elements. */
static loop_c128 bin(const loop_c128 *x, int64_t n, int64_t k, double sign)
{
    loop_c128 sum = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        double angle = sign * 2 * pi * (double)(i * k % n) / (double)n;
        sum.re += x[i].re * cos(angle) - x[i].im * sin(angle);
        sum.im += x[i].re * sin(angle) + x[i].im * cos(angle);
    }
    return sum;
}

/* Mixed radix, prime powers, and primes that need Bluestein's way. */
static void lengths(void **state)
{
    static loop_c128 x[MOST], y[MOST];
    (void)state;
    for (int64_t n = 1; n <= MOST; n++) {
        arena memory = {0};
        fft_plan plan;
        assert_int_equal(fft_prepare(&plan, &memory, n), HEED_OK);
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] = (loop_c128){(double)one_op_between(-9, 9), (double)one_op_between(-9, 9)};
        fft_run(&plan, y, false);
        for (int64_t k = 0; k<n; k += n> 64 ? 7 : 1) {
            loop_c128 expected = bin(x, n, k, -1);
            assert_true(near(y[k].re, expected.re, 1e-10 * (double)n));
            assert_true(near(y[k].im, expected.im, 1e-10 * (double)n));
        }
        fft_run(&plan, y, true);
        for (int64_t i = 0; i < n; i++)
            assert_true(near(y[i].re, x[i].re, 1e-11) && near(y[i].im, x[i].im, 1e-11));
        arena_free(&memory);
    }
}

/* A long prime: what comes back is what went in, and no energy is lost. */
static void long_prime(void **state)
{
    enum { LENGTH = 100003 };
    arena memory = {0};
    fft_plan plan;
    double before = 0, after = 0;
    (void)state;
    loop_c128 *x = arena_array(&memory, LENGTH, sizeof(*x));
    assert_non_null(x);
    assert_int_equal(fft_prepare(&plan, &memory, LENGTH), HEED_OK);
    for (int64_t i = 0; i < LENGTH; i++) {
        x[i].re = (double)(i % 17) - 8;
        before += x[i].re * x[i].re;
    }
    fft_run(&plan, x, false);
    for (int64_t i = 0; i < LENGTH; i++)
        after += x[i].re * x[i].re + x[i].im * x[i].im;
    assert_true(near(after / LENGTH, before, 1e-9 * before));
    fft_run(&plan, x, true);
    for (int64_t i = 0; i < LENGTH; i++)
        assert_true(near(x[i].re, (double)(i % 17) - 8, 1e-10) && near(x[i].im, 0, 1e-10));
    arena_free(&memory);
}

/* Line (o, j) along `axis` of a [2, 6, 5, parts] signal, cut or padded to n. */
static void line_of(const heed_tensor *t, int32_t axis, int64_t o, int64_t j, int64_t n,
                    loop_c128 *x)
{
    int64_t parts = t->dims[3], extent = t->dims[axis], inner = parts;
    for (int32_t k = axis + 1; k < 3; k++)
        inner *= t->dims[k];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = (o * extent + i) * inner + j * parts;
        x[i] = (loop_c128){0, 0};
        if (i < extent)
            x[i] =
                (loop_c128){tensor_get_float(t, at), parts == 2 ? tensor_get_float(t, at + 1) : 0};
    }
}

static void check_lines(const heed_tensor *in, const heed_tensor *out, int32_t axis, int64_t n,
                        double sign, double tolerance)
{
    loop_c128 x[16], y[16];
    int64_t outer = 1, inner = 1;
    for (int32_t k = 0; k < 3; k++) {
        outer *= k < axis ? in->dims[k] : 1;
        inner *= k > axis ? in->dims[k] : 1;
    }
    for (int64_t o = 0; o < outer; o++)
        for (int64_t j = 0; j < inner; j++) {
            line_of(in, axis, o, j, n, x);
            line_of(out, axis, o, j, out->dims[axis], y);
            for (int64_t k = 0; k < out->dims[axis]; k++) {
                loop_c128 expected = bin(x, n, k, sign);
                double scale = sign > 0 ? 1 / (double)n : 1;
                assert_true(near(y[k].re, expected.re * scale, tolerance));
                assert_true(near(y[k].im, expected.im * scale, tolerance));
            }
        }
}

static void dft(void **state)
{
    static const struct {
        heed_dtype dtype;
        double tolerance;
    } kinds[] = {
        {HEED_FLOAT64, 1e-12}, {HEED_FLOAT32, 2e-5}, {HEED_FLOAT16, 0.1}, {HEED_BFLOAT16, 1}};
    (void)state;
    for (int round = 0; round < 120; round++) {
        int64_t dims[4] = {2, 6, 5, 1 + round % 2}, n = one_op_between(1, 13);
        int32_t axis = (int32_t)one_op_between(0, 2);
        bool inverse = one_op_between(0, 1) != 0, half = !inverse && one_op_between(0, 1);
        heed_tensor *in = random_tensor(kinds[round % 4].dtype, 4, dims), *out;
        heed_tensor *inputs[3] = {in, one_op_scalar(HEED_INT64, (double)n),
                                  one_op_scalar(HEED_INT64, axis - (round % 3 ? 0 : 4))};
        const char *attrs = inverse ? "inverse=1" : half ? "onesided=1" : "";
        assert_int_equal(one_op_run("DFT", attrs, 3, inputs, 1, &out), HEED_OK);
        assert_int_equal(out->dims[axis], half ? n / 2 + 1 : n);
        assert_int_equal(out->dims[3], 2);
        check_lines(in, out, axis, n, inverse ? 1 : -1, kinds[round % 4].tolerance);
        for (int i = 0; i < 3; i++)
            tensor_free(inputs[i]);
        tensor_free(out);
    }
}

/* A real signal survives the way through its half spectrum, of even and of odd length. */
static void real_round_trip(void **state)
{
    (void)state;
    for (int64_t n = 2; n < 40; n++) {
        int64_t dims[3] = {3, n, 1};
        heed_tensor *in = random_tensor(HEED_FLOAT64, 3, dims), *half, *back;
        heed_tensor *there[1] = {in};
        assert_int_equal(one_op_run("DFT", "onesided=1", 1, there, 1, &half), HEED_OK);
        heed_tensor *again[2] = {half, n % 2 ? one_op_scalar(HEED_INT32, (double)n) : NULL};
        assert_int_equal(one_op_run("DFT", "onesided=1 inverse=1", 2, again, 1, &back), HEED_OK);
        assert_int_equal(back->dims[1], n);
        assert_int_equal(back->dims[2], 1);
        for (int64_t i = 0; i < 3 * n; i++)
            assert_true(near(tensor_get_float(back, i), tensor_get_float(in, i), 1e-12));
        tensor_free(in);
        tensor_free(half);
        tensor_free(again[1]);
        tensor_free(back);
    }
}

static void stft(void **state)
{
    enum { LENGTH = 23, FRAME = 7, STEP = 4, FRAMES = 5 };
    int64_t dims[3] = {2, LENGTH, 2}, frame = FRAME;
    loop_c128 x[FRAME];
    (void)state;
    heed_tensor *in[4] = {random_tensor(HEED_FLOAT64, 3, dims), one_op_scalar(HEED_INT64, STEP),
                          random_tensor(HEED_FLOAT64, 1, &frame), NULL};
    heed_tensor *out;
    assert_int_equal(one_op_run("STFT", "onesided=0", 4, in, 1, &out), HEED_OK);
    assert_int_equal(out->dims[1], FRAMES);
    assert_int_equal(out->dims[2], FRAME);
    for (int64_t b = 0; b < 2; b++)
        for (int64_t f = 0; f < FRAMES; f++) {
            for (int64_t i = 0; i < FRAME; i++) {
                int64_t at = (b * LENGTH + f * STEP + i) * 2;
                double w = tensor_get_float(in[2], i);
                x[i] = (loop_c128){w * tensor_get_float(in[0], at),
                                   w * tensor_get_float(in[0], at + 1)};
            }
            for (int64_t k = 0; k < FRAME; k++) {
                loop_c128 expected = bin(x, FRAME, k, -1);
                int64_t at = ((b * FRAMES + f) * FRAME + k) * 2;
                assert_true(near(tensor_get_float(out, at), expected.re, 1e-11));
                assert_true(near(tensor_get_float(out, at + 1), expected.im, 1e-11));
            }
        }
    for (int i = 0; i < 3; i++)
        tensor_free(in[i]);
    tensor_free(out);
}

/* A real signal with and without the axis of its one part. */
static void stft_without_parts(void **state)
{
    enum { LENGTH = 23, FRAME = 8, STEP = 5 };
    int64_t dims[3] = {2, LENGTH, 1}, frame = FRAME;
    heed_tensor *out[2];
    (void)state;
    heed_tensor *with = random_tensor(HEED_FLOAT32, 3, dims),
                *step = one_op_scalar(HEED_INT64, STEP);
    heed_tensor *without = one_op_tensor(HEED_FLOAT32, 2, dims, NULL);
    heed_tensor *window = random_tensor(HEED_FLOAT32, 1, &frame);
    memcpy(tensor_data(without), tensor_data(with), tensor_bytes(with));
    for (int i = 0; i < 2; i++) {
        heed_tensor *in[3] = {i ? without : with, step, window};
        assert_int_equal(one_op_run("STFT", "", 3, in, 1, &out[i]), HEED_OK);
    }
    assert_int_equal(tensor_bytes(out[1]), tensor_bytes(out[0]));
    assert_memory_equal(tensor_data(out[0]), tensor_data(out[1]), tensor_bytes(out[0]));
    heed_tensor *all[] = {with, without, step, window, out[0], out[1]};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        tensor_free(all[i]);
}

static void run_window(const char *op, const char *attrs, int64_t size, const double *expected)
{
    heed_tensor *in = one_op_scalar(HEED_INT64, (double)size), *out;
    assert_int_equal(one_op_run(op, attrs, 1, &in, 1, &out), HEED_OK);
    assert_int_equal(tensor_count(out), size);
    for (int64_t i = 0; i < size; i++)
        assert_true(near(tensor_get_float(out, i), expected[i], 1e-7));
    tensor_free(in);
    tensor_free(out);
}

static void windows(void **state)
{
    static const double periodic[] = {0, 0.5, 1, 0.5}, symmetric[] = {0, 0.5, 1, 0.5, 0};
    static const double whole[] = {0, 0, 1, 0, 0}, hamming[] = {4.0 / 46, 25.0 / 46, 1, 25.0 / 46};
    static const double blackman[] = {0, 0.34, 1, 0.34, 0}, peak[] = {1};
    (void)state;
    run_window("HannWindow", "", 4, periodic);
    run_window("HannWindow", "periodic=0 output_datatype=11", 5, symmetric);
    run_window("HannWindow", "periodic=0 output_datatype=6", 5, whole);
    run_window("HammingWindow", "", 4, hamming);
    run_window("BlackmanWindow", "periodic=0", 5, blackman);
    run_window("HannWindow", "periodic=0", 1, peak);
    run_window("HannWindow", "", 0, NULL);
}

static void refused(const char *op, const char *attrs, uint32_t n_in, heed_tensor **in)
{
    heed_tensor *out;
    assert_int_equal(one_op_run(op, attrs, n_in, in, 1, &out), HEED_INVALID);
    for (uint32_t i = 0; i < n_in; i++)
        tensor_free(in[i]);
}

static heed_tensor *signal_of(int64_t length, int64_t parts)
{
    const int64_t dims[3] = {1, length, parts};
    return one_op_tensor(HEED_FLOAT32, 3, dims, NULL);
}

static heed_tensor *number(double value) { return one_op_scalar(HEED_INT64, value); }

static void errors(void **state)
{
    heed_tensor *none = NULL;
    (void)state;
    refused("DFT", "", 1, (heed_tensor *[]){signal_of(4, 3)});
    refused("DFT", "", 3, (heed_tensor *[]){signal_of(4, 1), none, number(-1)});
    refused("DFT", "", 3, (heed_tensor *[]){signal_of(4, 1), none, number(2)});
    refused("DFT", "", 3, (heed_tensor *[]){signal_of(4, 1), none, number(-4)});
    refused("DFT", "", 2, (heed_tensor *[]){signal_of(4, 1), number(0)});
    refused("DFT", "", 2, (heed_tensor *[]){signal_of(4, 1), number(-3)});
    refused("DFT", "", 2, (heed_tensor *[]){signal_of(4, 1), number(0x1p62)});
    refused("DFT", "", 1, (heed_tensor *[]){signal_of(0, 1)});
    refused("DFT", "inverse=1 onesided=1", 1, (heed_tensor *[]){signal_of(1, 2)});
    refused("STFT", "", 2, (heed_tensor *[]){signal_of(8, 1), number(0)});
    refused("STFT", "", 2, (heed_tensor *[]){number(8), number(2)});
    refused("STFT", "", 4, (heed_tensor *[]){signal_of(8, 1), number(2), none, number(9)});
    refused("STFT", "", 4,
            (heed_tensor *[]){signal_of(8, 1), number(2),
                              one_op_vector(HEED_FLOAT32, 2, (double[]){1, 1}), number(3)});
    refused("HannWindow", "", 1, (heed_tensor *[]){number(-1)});
    refused("HannWindow", "output_datatype=8", 1, (heed_tensor *[]){number(4)});
    refused("HannWindow", "", 1, (heed_tensor *[]){number(0x1p62)});
}

static void run_mel(double rate, double low, double high, heed_status status)
{
    heed_tensor *out,
        *in[5] = {number(4), number(8), number(rate), one_op_scalar(HEED_FLOAT32, low),
                  one_op_scalar(HEED_FLOAT32, high)};
    assert_int_equal(one_op_run("MelWeightMatrix", "", 5, in, 1, &out), status);
    if (status == HEED_OK) {
        assert_int_equal(out->dims[0], 5);
        assert_int_equal(out->dims[1], 4);
        tensor_free(out);
    }
    for (int i = 0; i < 5; i++)
        tensor_free(in[i]);
}

static void mel(void **state)
{
    (void)state;
    run_mel(8192, 0, 4096, HEED_OK);
    run_mel(8192, 0, 8192, HEED_OK);
    run_mel(1, 0, 1, HEED_OK);
    run_mel(0, 0, 1, HEED_INVALID);
    run_mel(8192, -1, 4096, HEED_INVALID);
    run_mel(8192, 9, 8, HEED_INVALID);
    run_mel(8192, (double)NAN, 8, HEED_INVALID);
    run_mel(8192, 0, (double)INFINITY, HEED_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths), cmocka_unit_test(long_prime),
        cmocka_unit_test(dft),     cmocka_unit_test(real_round_trip),
        cmocka_unit_test(stft),    cmocka_unit_test(windows),
        cmocka_unit_test(errors),  cmocka_unit_test(stft_without_parts),
        cmocka_unit_test(mel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
