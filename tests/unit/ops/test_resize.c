/* Resize: what each mode must leave alone. A constant stays a constant in every mode, a ramp stays
 * a ramp under linear and cubic interpolation away from its ends (cubic: with
 * the coefficient -0.5), whole factors repeat elements. */
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

static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "asymmetric",
                                          "pytorch_half_pixel", "align_corners"};
static const char *const modes[] = {"nearest", "linear", "cubic"};

static heed_tensor *resize(heed_tensor *x, const char *attrs, const double *scales,
                           const double *sizes)
{
    int64_t n = tensor_rank(x);
    heed_tensor *in[] = {x, NULL, scales ? one_op_vector(HEED_FLOAT32, n, scales) : NULL,
                         sizes ? one_op_vector(HEED_INT64, n, sizes) : NULL};
    heed_tensor *out;
    assert_int_equal(one_op_run("Resize", attrs, sizes ? 4 : 3, in, 1, &out), HEED_OK);
    tensor_free(in[2]);
    tensor_free(in[3]);
    return out;
}

static void constants_stay(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        const int64_t dims[] = {1, one_op_between(1, 6), one_op_between(1, 9)};
        const double sizes[] = {1, (double)one_op_between(1, 9), (double)one_op_between(1, 9)};
        heed_tensor *x = one_op_tensor(HEED_FLOAT32, 3, dims, NULL);
        char attrs[160];
        for (int64_t i = 0; i < tensor_count(x); i++)
            ((float *)tensor_data(x))[i] = 2.5f;
        snprintf(attrs, sizeof(attrs),
                 "mode='%s' coordinate_transformation_mode='%s' antialias=%d exclude_outside=%d",
                 modes[one_op_between(0, 2)], coordinates[one_op_between(0, 4)],
                 (int)one_op_between(0, 1), (int)one_op_between(0, 1));
        heed_tensor *y = resize(x, attrs, NULL, sizes);
        assert_int_equal(tensor_count(y), (int64_t)(sizes[1] * sizes[2]));
        for (int64_t i = 0; i < tensor_count(y); i++)
            assert_true(fabsf(((float *)tensor_data(y))[i] - 2.5f) < 1e-5f);
        tensor_free(x);
        tensor_free(y);
    }
}

static void ramps_stay(void **state)
{
    const double sizes[] = {23};
    double ramp[12];
    (void)state;
    for (int i = 0; i < 12; i++)
        ramp[i] = i;
    for (int m = 1; m < 3; m++) {
        char attrs[64];
        heed_tensor *x = one_op_vector(HEED_FLOAT64, 12, ramp);
        snprintf(attrs, sizeof(attrs), "mode='%s' cubic_coeff_a=-0.5", modes[m]);
        heed_tensor *y = resize(x, attrs, NULL, sizes);
        for (int i = 4; i < 19; i++) { /* the filters reach two elements beyond */
            double at = (i + 0.5) * 12.0 / 23.0 - 0.5;
            assert_true(fabs(((double *)tensor_data(y))[i] - at) < 1e-9);
        }
        tensor_free(x);
        tensor_free(y);
    }
}

/* Any dtype: elements are moved, not computed. */
static void whole_factors_repeat(void **state)
{
    static const heed_dtype dtypes[] = {HEED_INT4, HEED_INT64, HEED_FLOAT16, HEED_BOOL};
    const double values[] = {1, 0, 1, 1, 0, 1}, scales[] = {2, 3};
    const int64_t dims[] = {2, 3};
    (void)state;
    for (size_t d = 0; d < sizeof(dtypes) / sizeof(dtypes[0]); d++) {
        heed_tensor *x = one_op_tensor(dtypes[d], 2, dims, values);
        heed_tensor *y = resize(
            x, "coordinate_transformation_mode='asymmetric' nearest_mode='floor'", scales, NULL);
        assert_int_equal(y->dims[0], 4);
        assert_int_equal(y->dims[1], 9);
        for (int64_t i = 0; i < 36; i++) {
            double value;
            dtype_load_f64(y->dtype, tensor_data(y), i, 1, &value);
            assert_true(value == values[i / 9 / 2 * 3 + i % 9 / 3]);
        }
        tensor_free(x);
        tensor_free(y);
    }
}

static void aspect_ratio_is_kept(void **state)
{
    static const int64_t dims[] = {4, 6}, larger[] = {8, 12}, smaller[] = {5, 8};
    const double sizes[] = {5, 12};
    heed_tensor *x = one_op_tensor(HEED_FLOAT32, 2, dims, NULL);
    heed_tensor *a = resize(x, "keep_aspect_ratio_policy='not_smaller'", NULL, sizes);
    heed_tensor *b = resize(x, "keep_aspect_ratio_policy='not_larger'", NULL, sizes);
    (void)state;
    assert_true(shape_equal(2, larger, 2, a->dims));
    assert_true(shape_equal(2, smaller, 2, b->dims));
    tensor_free(x);
    tensor_free(a);
    tensor_free(b);
}

static void integers_round_and_clip(void **state)
{
    const double values[] = {0, 255, 255, 0}, sizes[] = {9};
    heed_tensor *x = one_op_vector(HEED_UINT8, 4, values);
    heed_tensor *y = resize(x, "mode='cubic'", NULL, sizes);
    const uint8_t *out = tensor_data(y);
    (void)state;
    assert_int_equal(out[4], 255); /* the cubic overshoots between the two 255 */
    assert_true(out[1] < 128 && out[0] == 0);
    tensor_free(x);
    tensor_free(y);
}

static void bad_requests(void **state)
{
    const int64_t dims[] = {2, 3};
    const double one_scale[] = {2}, bad_scales[] = {1, -2}, bad_sizes[] = {1, -1};
    heed_tensor *x = one_op_tensor(HEED_FLOAT32, 2, dims, NULL), *out;
    heed_tensor *cases[][4] = {
        {x, NULL, NULL, NULL},
        {x, NULL, one_op_vector(HEED_FLOAT32, 1, one_scale), NULL},
        {x, NULL, one_op_vector(HEED_FLOAT32, 2, bad_scales), NULL},
        {x, NULL, NULL, one_op_vector(HEED_INT64, 2, bad_sizes)},
    };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(one_op_run("Resize", "", 4, cases[i], 1, &out), HEED_INVALID);
        tensor_free(cases[i][2]);
        tensor_free(cases[i][3]);
    }
    tensor_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_stay),          cmocka_unit_test(ramps_stay),
        cmocka_unit_test(whole_factors_repeat),    cmocka_unit_test(aspect_ratio_is_kept),
        cmocka_unit_test(integers_round_and_clip), cmocka_unit_test(bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
