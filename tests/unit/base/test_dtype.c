/* Data types: facts, and every element of every small format against arithmetic by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/half.h"

static const heed_dtype small[] = {HEED_FLOAT8E4M3FN, HEED_FLOAT8E4M3FNUZ, HEED_FLOAT8E5M2,
                                   HEED_FLOAT8E5M2FNUZ, HEED_FLOAT4E2M1};

static bool same(double a, double b) { return (a >= b && a <= b) || (a != a && b != b); }

static void facts(void **state)
{
    (void)state;
    for (heed_dtype d = 1; d < HEED_DTYPE_COUNT; d++) {
        assert_true(dtype_valid(d));
        assert_int_not_equal(dtype_bits(d), 0);
        assert_int_equal(dtype_from_dl(dtype_to_dl(d)), d);
        assert_true(strlen(dtype_name(d)) > 3);
    }
    assert_false(dtype_valid(HEED_UNDEFINED));
    assert_false(dtype_valid(1000));
    assert_int_equal(dtype_bits(1000), 0);
    assert_string_equal(dtype_name(1000), "?");
    assert_int_equal(dtype_from_dl((DLDataType){kDLInt, 24, 1}), HEED_UNDEFINED);
}

static void bytes(void **state)
{
    (void)state;
    size_t n = 0;
    assert_true(dtype_bytes(HEED_INT4, 3, &n));
    assert_int_equal(n, 2);
    assert_true(dtype_bytes(HEED_UINT2, 5, &n));
    assert_int_equal(n, 2);
    assert_true(dtype_bytes(HEED_FLOAT64, 0, &n));
    assert_int_equal(n, 0);
    assert_false(dtype_bytes(HEED_FLOAT32, UINT64_MAX / 2, &n));
    assert_false(dtype_bytes(HEED_UINT8, UINT64_MAX, &n));
    assert_false(dtype_bytes(HEED_UNDEFINED, 1, &n));
}

/* What a code means, from sign, exponent and mantissa. */
static double meaning(uint32_t code, int exponent_bits, int mantissa_bits, int bias)
{
    double sign = code >> (exponent_bits + mantissa_bits) & 1 ? -1 : 1;
    int exponent = (int)(code >> mantissa_bits) & ((1 << exponent_bits) - 1);
    double mantissa = (double)(code & ((1u << mantissa_bits) - 1));
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp(mantissa + ldexp(1, mantissa_bits), exponent - bias - mantissa_bits);
}

static void halves(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x10000; code++) {
        float value = half_to_float((uint16_t)code);
        if ((code & 0x7c00) != 0x7c00)
            assert_true(same((double)value, meaning(code, 5, 10, 15)));
        if (value != value)
            assert_true((half_from_float(value) & 0x7c00) == 0x7c00);
        else
            assert_int_equal(half_from_float(value), code);
        value = bfloat_to_float((uint16_t)code);
        if (value == value) // NOLINT: NaN has many codes
            assert_int_equal(bfloat_from_float(value), code);
    }
    assert_int_equal(half_from_float(65519.0f), 0x7bff);
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(-1e30f), 0xfc00);
    assert_int_equal(half_from_float(0x1p-25f), 0);        /* a tie, to even */
    assert_int_equal(half_from_float(0x1.000002p-25f), 1); /* just above it */
    assert_int_equal(half_from_float(1.0f + 0x1p-11f), 0x3c00);
    assert_int_equal(half_from_float(1.0f + 0x3p-11f), 0x3c02);
    assert_int_equal(bfloat_from_float(1.0f + 0x1p-8f), 0x3f80);
    assert_int_equal(bfloat_from_float(1.0f + 0x3p-8f), 0x3f82);
}

/* Between neighbouring halves everything goes to the nearer one, ties to the even one. */
static void half_rounding(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x7bff; code++) {
        double low = meaning(code, 5, 10, 15), high = meaning(code + 1, 5, 10, 15);
        double middle = (low + high) / 2; /* fits into a float */
        uint16_t even = (uint16_t)(code & 1 ? code + 1 : code);
        assert_int_equal(half_from_float((float)middle), even);
        assert_int_equal(half_from_float(nextafterf((float)middle, 0)), code);
        assert_int_equal(half_from_float(nextafterf((float)middle, 1e9f)), code + 1);
    }
}

/* The nearest of all codes, ties to even, found by looking at each. */
static uint8_t nearest(heed_dtype dtype, uint32_t codes, double value)
{
    uint32_t best = 0;
    double distance = (double)INFINITY;
    for (uint32_t code = 0; code < codes / 2; code++) {
        double x = (double)small_to_float(dtype, (uint8_t)code);
        if (!isfinite(x))
            continue;
        double apart = fabs(x - fabs(value));
        if (apart < distance || (same(apart, distance) && code % 2 == 0)) {
            best = code;
            distance = apart;
        }
    }
    bool negative_zero =
        best == 0 && (dtype == HEED_FLOAT8E4M3FNUZ || dtype == HEED_FLOAT8E5M2FNUZ);
    return (uint8_t)(signbit(value) && !negative_zero ? best | codes / 2 : best);
}

static void small_floats(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof(small) / sizeof(*small); k++) {
        heed_dtype dtype = small[k];
        uint32_t codes = dtype_bits(dtype) == 4 ? 16 : 256;
        for (uint32_t code = 0; code < codes; code++) {
            float value = small_to_float(dtype, (uint8_t)code);
            if (value == value) // NOLINT
                assert_int_equal(small_from_float(dtype, value, false), code);
            else
                assert_true(isnan(small_to_float(dtype, small_from_float(dtype, value, true))));
        }
        for (int i = -4000; i < 4000; i++) {
            float value = (float)i * 0.0137f * powf(2, (float)(i % 9));
            assert_int_equal(small_from_float(dtype, value, true),
                             nearest(dtype, codes, (double)value));
        }
    }
    assert_true(same((double)small_to_float(HEED_FLOAT8E4M3FN, 0x7e), 448));
    assert_true(same((double)small_to_float(HEED_FLOAT8E5M2, 0x7b), 57344));
    assert_true(same((double)small_to_float(HEED_FLOAT4E2M1, 7), 6));
    assert_true(
        isnan(small_to_float(HEED_FLOAT8E4M3FN, small_from_float(HEED_FLOAT8E4M3FN, 1e9f, false))));
    assert_true(
        isinf(small_to_float(HEED_FLOAT8E5M2, small_from_float(HEED_FLOAT8E5M2, 1e9f, false))));
}

static void scales(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 255; code++) {
        float value = scale_to_float((uint8_t)code);
        assert_true(same((double)value, ldexp(1, (int)code - 127)));
        assert_int_equal(scale_from_float(value, SCALE_NEAREST, false), code);
        assert_int_equal(scale_from_float(value, SCALE_UP, false), code);
        assert_int_equal(scale_from_float(value, SCALE_DOWN, false), code);
    }
    assert_int_equal(scale_from_float(5, SCALE_UP, true), 130);
    assert_int_equal(scale_from_float(5, SCALE_DOWN, true), 129);
    assert_int_equal(scale_from_float(5, SCALE_NEAREST, true), 129);
    assert_int_equal(scale_from_float(7, SCALE_NEAREST, true), 130);
    assert_int_equal(scale_from_float(-1, SCALE_UP, true), 255);
}

/* A double goes to a narrow float in one rounding: these are just beyond a tie of the half, but
 * would be on it after a rounding to float32. */
static void one_rounding(void **state)
{
    (void)state;
    double above = 1 + 0x1p-11 + 0x1p-40;
    uint16_t code = 0;
    dtype_store_f64(HEED_FLOAT16, &code, 0, 1, &above, false);
    assert_int_equal(code, 0x3c01);
    double below = 1 + 0x3p-11 - 0x1p-40;
    dtype_store_f64(HEED_FLOAT16, &code, 0, 1, &below, false);
    assert_int_equal(code, 0x3c01);
}

/* Small integers survive every numeric type that can hold them, at any place, in any block. */
static void through_every_dtype(void **state)
{
    (void)state;
    enum { N = 700 };
    static uint64_t memory[2 * N + 8];
    static double in[N], out[N];
    static int64_t ints[N];
    for (heed_dtype d = 1; d < HEED_DTYPE_COUNT; d++) {
        if (d == HEED_STRING || d == HEED_FLOAT8E8M0)
            continue;
        for (int64_t first = 0; first < 3; first++) {
            memset(memory, 0, sizeof(memory));
            for (int i = 0; i < N; i++)
                in[i] = i % 2;
            dtype_store_f64(d, memory, first, N, in, true);
            dtype_load_f64(d, memory, first, N, out);
            dtype_load_i64(d, memory, first, N, ints);
            for (int i = 0; i < N; i++) {
                assert_true(same(out[i], in[i]));
                assert_int_equal(ints[i], i % 2);
            }
            double before = 0;
            dtype_load_f64(d, memory, first ? first - 1 : N, 1, &before);
            assert_true(same(before, 0) || first == 0);
        }
    }
}

static void integers_wrap(void **state)
{
    (void)state;
    const int64_t in[4] = {300, -1, -130, 127};
    int64_t out[4];
    int8_t bytes_of[4];
    dtype_store_i64(HEED_INT8, bytes_of, 0, 4, in);
    dtype_load_i64(HEED_INT8, bytes_of, 0, 4, out);
    assert_int_equal(out[0], 44);
    assert_int_equal(out[1], -1);
    assert_int_equal(out[2], 126);
    assert_int_equal(out[3], 127);
    dtype_store_i64(HEED_INT4, bytes_of, 0, 4, in);
    dtype_load_i64(HEED_INT4, bytes_of, 0, 4, out);
    assert_int_equal(out[0], -4);
    assert_int_equal(out[1], -1);
    dtype_load_i64(HEED_UINT2, bytes_of, 0, 2, out);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[1], 3);
    const double odd[3] = {(double)NAN, 1e300, -2.9};
    dtype_store_f64(HEED_INT64, out, 0, 3, odd, false);
    assert_int_equal(out[0], INT64_MIN);
    assert_int_equal(out[1], INT64_MIN);
    assert_int_equal(out[2], -2);
}

static void unaligned_and_copies(void **state)
{
    (void)state;
    unsigned char memory[64] = {0};
    const float in[3] = {1.5f, -2.25f, 1e-3f};
    float out[3];
    dtype_store_f32(HEED_FLOAT32, memory + 1, 0, 3, in, false);
    dtype_load_f32(HEED_FLOAT32, memory + 1, 0, 3, out);
    assert_memory_equal(in, out, sizeof(in));
    const unsigned char packed[2] = {0x21, 0x43};
    unsigned char copy[3] = {0xff, 0xff, 0xff};
    dtype_copy(HEED_UINT4, copy, 1, packed, 1, 3); /* 2 3 4 to places 1 2 3 */
    assert_int_equal(copy[0], 0x2f);
    assert_int_equal(copy[1], 0x43);
    assert_int_equal(copy[2], 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),         cmocka_unit_test(bytes),
        cmocka_unit_test(halves),        cmocka_unit_test(half_rounding),
        cmocka_unit_test(small_floats),  cmocka_unit_test(scales),
        cmocka_unit_test(one_rounding),  cmocka_unit_test(through_every_dtype),
        cmocka_unit_test(integers_wrap), cmocka_unit_test(unaligned_and_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
