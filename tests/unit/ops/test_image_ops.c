/* What reads images between their elements, or puts them together from parts, by what must hold of
 * any image: an identity map gives it back, a constant stays one, inverse operators undo each
 * other. And coordinates, regions and scores are data: any number may come. */
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

static const double strange[] = {NAN,    INFINITY, -INFINITY, 1e38,   -1e38, 1e300,
                                 -1e300, -0.0,     0x1p62,    0x1p63, 1e9,   -1073741824.5};

enum { STRANGE = sizeof(strange) / sizeof(strange[0]) };

static heed_tensor *random_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = one_op_tensor(dtype, rank, dims, NULL);
    for (int64_t i = 0; i < tensor_count(t); i++) {
        double value = (double)one_op_between(-8, 8);
        dtype_store_f64(dtype, tensor_data(t), i, 1, &value, true);
    }
    return t;
}

static heed_tensor *run(const char *op, const char *attrs, uint32_t n, heed_tensor *const *in)
{
    heed_tensor *out = NULL;
    heed_status status = one_op_run(op, attrs, n, in, 1, &out);
    if (status)
        print_error("%s %s: %s\n", op, attrs, err_get()->message);
    assert_int_equal(status, HEED_OK);
    return out;
}

static void check_equal(const heed_tensor *a, const heed_tensor *b, double slack)
{
    assert_true(shape_equal(tensor_rank(a), a->dims, tensor_rank(b), b->dims));
    assert_int_equal(a->dtype, b->dtype);
    for (int64_t i = 0; i < tensor_count(a); i++)
        assert_true(fabs(tensor_get_float(a, i) - tensor_get_float(b, i)) <= slack);
}

static void free_all(uint32_t n, heed_tensor *const *in)
{
    for (uint32_t i = 0; i < n; i++)
        tensor_free(in[i]);
}

/* ---- Grids ---------------------------------------------------------------------------------- */

/* The grid of the identity map over the image's extents. */
static heed_tensor *identity_grid(const heed_tensor *x, bool corners)
{
    const int64_t theta_dims[] = {x->dims[0], 2, 3}, four = 4;
    heed_tensor *in[] = {one_op_tensor(HEED_FLOAT64, 3, theta_dims, NULL),
                         one_op_tensor(HEED_INT64, 1, &four, NULL)};
    for (int64_t i = 0; i < x->dims[0]; i++) {
        ((double *)tensor_data(in[0]))[6 * i] = 1.0;
        ((double *)tensor_data(in[0]))[6 * i + 4] = 1.0;
    }
    memcpy(tensor_data(in[1]), x->dims, 4 * sizeof(int64_t));
    heed_tensor *grid = run("AffineGrid", corners ? "align_corners=1" : "", 2, in);
    free_all(2, in);
    return grid;
}

static void identity_grids(void **state)
{
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_FLOAT64, HEED_FLOAT16, HEED_BFLOAT16};
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    (void)state;
    for (int round = 0; round < 100; round++) {
        const int64_t dims[] = {one_op_between(0, 2), one_op_between(1, 3), one_op_between(2, 5),
                                one_op_between(2, 5)};
        bool corners = one_op_between(0, 1);
        heed_tensor *x = random_tensor(dtypes[round % 4], 4, dims);
        heed_tensor *in[] = {x, identity_grid(x, corners)};
        char attrs[100];
        snprintf(attrs, sizeof(attrs), "mode='%s' padding_mode='%s' align_corners=%d",
                 modes[one_op_between(0, 2)], paddings[one_op_between(0, 2)], corners);
        heed_tensor *y = run("GridSample", attrs, 2, in);
        check_equal(x, y, 1e-6);
        tensor_free(y);
        free_all(2, in);
    }
}

/* Elements of any dtype move; complex numbers are interpolated in both parts. */
static void grids_of_other_types(void **state)
{
    const int64_t dims[] = {1, 1, 1, 2}, grid_dims[] = {1, 1, 3, 2};
    const double places[] = {-0.5, 0, 0.5, 0, 9, 9}; /* first, second, outside */
    const double middle[] = {0, 0, -0.5, 0, 0.5, 0};
    heed_tensor *grid = one_op_tensor(HEED_FLOAT32, 4, grid_dims, places);
    heed_tensor *text = one_op_tensor(HEED_STRING, 4, dims, NULL);
    (void)state;
    tensor_set_string(text, 0, "left", 4);
    tensor_set_string(text, 1, "right", 5);
    heed_tensor *y = run("GridSample", "mode='nearest'", 2, (heed_tensor *[]){text, grid});
    const heed_string *words = tensor_data(y);
    assert_true(words[0].size == 4 && words[1].size == 5 && words[2].size == 0);
    tensor_free(y);
    heed_tensor *out;
    assert_int_equal(one_op_run("GridSample", "", 2, (heed_tensor *[]){text, grid}, 1, &out),
                     HEED_UNSUPPORTED);
    heed_tensor *z = one_op_tensor(HEED_COMPLEX64, 4, dims, NULL);
    memcpy(tensor_data(z), (const float[]){1, 2, 3, 6}, 4 * sizeof(float));
    tensor_free(grid);
    grid = one_op_tensor(HEED_FLOAT32, 4, grid_dims, middle);
    y = run("GridSample", "", 2, (heed_tensor *[]){z, grid});
    const float *parts = tensor_data(y);
    assert_true(parts[0] == 2.0f && parts[1] == 4.0f && parts[2] == 1.0f && parts[5] == 6.0f);
    free_all(4, (heed_tensor *[]){y, z, text, grid});
}

static void strange_grids(void **state)
{
    const int64_t dims[] = {1, 1, 3, 2}, grid_dims[] = {1, STRANGE, STRANGE, 2};
    heed_tensor *in[] = {random_tensor(HEED_FLOAT32, 4, dims),
                         one_op_tensor(HEED_FLOAT64, 4, grid_dims, NULL)};
    double *grid = tensor_data(in[1]);
    char attrs[100];
    (void)state;
    for (int i = 0; i < STRANGE * STRANGE; i++) {
        grid[2 * i] = strange[i / STRANGE];
        grid[2 * i + 1] = strange[i % STRANGE];
    }
    for (int k = 0; k < 18; k++) {
        snprintf(attrs, sizeof(attrs), "mode='%s' padding_mode='%s' align_corners=%d",
                 k % 3 == 0   ? "nearest"
                 : k % 3 == 1 ? "linear"
                              : "cubic",
                 k / 3 % 3 == 0   ? "zeros"
                 : k / 3 % 3 == 1 ? "border"
                                  : "reflection",
                 k / 9);
        heed_tensor *y = run("GridSample", attrs, 2, in);
        for (int i = 0; i < STRANGE * STRANGE; i++)
            assert_true(isfinite(tensor_get_float(y, i)));
        tensor_free(y);
    }
    free_all(2, in);
}

/* ---- Regions -------------------------------------------------------------------------------- */

static void strange_regions(void **state)
{
    enum { ROIS = STRANGE * STRANGE };
    const int64_t dims[] = {1, 2, 3, 4}, roi_dims[] = {ROIS, 4}, count = ROIS, two = 2;
    static const char *const attrs[] = {
        "output_height=2 output_width=2", "sampling_ratio=2 mode='max'",
        "coordinate_transformation_mode='output_half_pixel' sampling_ratio=3"};
    heed_tensor *x = random_tensor(HEED_FLOAT32, 4, dims);
    heed_tensor *rois = one_op_tensor(HEED_FLOAT32, 2, roi_dims, NULL);
    heed_tensor *batch = one_op_tensor(HEED_INT64, 1, &count, NULL);
    heed_tensor *batch32 = one_op_tensor(HEED_INT32, 1, &count, NULL);
    heed_tensor *size = one_op_tensor(HEED_INT32, 1, &two, (const double[]){2, 3}), *out;
    (void)state;
    for (int i = 0; i < ROIS * 4; i++)
        ((float *)tensor_data(rois))[i] = (float)strange[(i + i / 4 / STRANGE) % STRANGE];
    /* Regions of more elements than could be counted are refused; the others give numbers. */
    for (size_t k = 0; k < 3; k++) {
        heed_tensor *in[] = {x, rois, batch};
        heed_status status = one_op_run("RoiAlign", attrs[k], 3, in, 1, &out);
        assert_true(status == HEED_OK || (k == 0 && status == HEED_INVALID));
        if (status == HEED_OK)
            tensor_free(out);
    }
    heed_tensor *in[] = {x, rois, batch32, size};
    tensor_free(run("com.microsoft.CropAndResize", "", 4, in));
    tensor_free(run("com.microsoft.CropAndResize", "mode='nearest'", 4, in));
    free_all(5, (heed_tensor *[]){x, rois, batch, batch32, size});
}

static void regions_of_a_constant(void **state)
{
    const int64_t dims[] = {2, 1, 5, 6}, roi_dims[] = {1, 4}, pool_dims[] = {1, 5};
    const double roi[] = {1.2, 0.7, 4.1, 3.9}, pool[] = {1, 1, 0, 4, 3}, one = 1;
    heed_tensor *x = one_op_tensor(HEED_FLOAT32, 4, dims, NULL);
    (void)state;
    for (int64_t i = 30; i < 60; i++)
        ((float *)tensor_data(x))[i] = 2.5f; /* image 1 only */
    heed_tensor *in[] = {x, one_op_tensor(HEED_FLOAT32, 2, roi_dims, roi),
                         one_op_vector(HEED_INT64, 1, &one),
                         one_op_tensor(HEED_FLOAT32, 2, pool_dims, pool)};
    heed_tensor *y = run("RoiAlign", "output_height=3 output_width=2", 3, in);
    heed_tensor *z = run("MaxRoiPool", "pooled_shape=[2,2]", 2, (heed_tensor *[]){x, in[3]});
    assert_int_equal(tensor_count(y), 6);
    for (int64_t i = 0; i < 6; i++)
        assert_true(fabs(tensor_get_float(y, i) - 2.5) < 1e-6);
    for (int64_t i = 0; i < 4; i++)
        assert_true(tensor_get_float(z, i) == 2.5);
    free_all(2, (heed_tensor *[]){y, z});
    free_all(4, in);
}

/* ---- Boxes ---------------------------------------------------------------------------------- */

static void boxes(void **state)
{
    const int64_t box_dims[] = {1, 4, 4}, score_dims[] = {1, 1, 4};
    const double corners[] = {0, 0, 1, 1, 0, 0.1, 1, 1.1, 5, 5, 4, 4, NAN, 0, 1, INFINITY};
    const double scores[] = {0.5, 0.75, NAN, 0.25}, most = 9, iou = 0.5, low = 0.3;
    heed_tensor *in[] = {one_op_tensor(HEED_FLOAT32, 3, box_dims, corners),
                         one_op_tensor(HEED_FLOAT32, 3, score_dims, scores),
                         one_op_scalar(HEED_INT64, most), one_op_scalar(HEED_FLOAT32, iou),
                         one_op_scalar(HEED_FLOAT32, low)};
    (void)state;
    heed_tensor *y = run("NonMaxSuppression", "", 5, in); /* NaN is above nothing */
    assert_int_equal(y->dims[0], 1);
    assert_int_equal(tensor_get_int(y, 2), 1);
    tensor_free(y);
    y = run("NonMaxSuppression", "", 4, in);
    assert_int_equal(y->dims[0], 3);
    assert_int_equal(tensor_get_int(y, 8), 2); /* the one whose score is NaN comes last */
    tensor_free(y);
    y = run("NonMaxSuppression", "", 2, in);
    assert_true(y->dims[0] == 0 && y->dims[1] == 3);
    tensor_free(y);
    in[3]->dtype = HEED_FLOAT32;
    *(float *)tensor_data(in[3]) = 1.5f;
    assert_int_equal(one_op_run("NonMaxSuppression", "", 4, in, 1, &y), HEED_INVALID);
    free_all(5, in);
}

/* ---- Operators that are each other's inverse ------------------------------------------------ */

static void unmoved_taps_are_a_convolution(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        int64_t group = one_op_between(1, 2), parts = one_op_between(1, 2);
        const int64_t dims[] = {one_op_between(1, 2), 2 * group * parts, 5, 6};
        const int64_t weights[] = {3 * group, 2 * parts, 2, 3};
        const int64_t offsets[] = {dims[0], 2 * parts * 6, 5, 3}, maps = weights[0];
        char attrs[200];
        snprintf(attrs, sizeof(attrs), "group=%d pads=[0,1,1,1] strides=[1,2]", (int)group);
        heed_tensor *in[] = {random_tensor(HEED_FLOAT32, 4, dims),
                             random_tensor(HEED_FLOAT32, 4, weights),
                             random_tensor(HEED_FLOAT32, 1, &maps)};
        heed_tensor *offset = one_op_tensor(HEED_FLOAT32, 4, offsets, NULL);
        heed_tensor *y = run("Conv", attrs, 3, in);
        snprintf(attrs + strlen(attrs), 40, " offset_group=%d", (int)parts);
        heed_tensor *z =
            run("DeformConv", attrs, 4, (heed_tensor *[]){in[0], in[1], offset, in[2]});
        check_equal(y, z, 1e-5);
        free_all(3, (heed_tensor *[]){y, z, offset});
        free_all(3, in);
    }
}

static void strange_offsets(void **state)
{
    const int64_t dims[] = {1, 1, 1, STRANGE}, weights[] = {1, 1, 1, 1};
    const int64_t offsets[] = {1, 2, 1, STRANGE};
    heed_tensor *in[] = {random_tensor(HEED_FLOAT64, 4, dims),
                         random_tensor(HEED_FLOAT64, 4, weights),
                         one_op_tensor(HEED_FLOAT64, 4, offsets, NULL)};
    (void)state;
    memcpy(tensor_data(in[2]), strange, sizeof(strange));
    tensor_free(run("DeformConv", "", 3, in));
    free_all(3, in);
}

static void unpooling(void **state)
{
    const int64_t dims[] = {2, 2, 4, 6};
    heed_tensor *x = random_tensor(HEED_FLOAT32, 4, dims), *pooled[2];
    const char *attrs = "kernel_shape=[2,2] strides=[2,2]";
    (void)state;
    assert_int_equal(one_op_run("MaxPool", attrs, 1, &x, 2, pooled), HEED_OK);
    heed_tensor *y = run("MaxUnpool", attrs, 2, pooled), *again = run("MaxPool", attrs, 1, &y);
    assert_true(shape_equal(4, dims, tensor_rank(y), y->dims));
    for (int64_t i = 0; i < tensor_count(again); i++)
        assert_true(tensor_get_float(again, i) == fmax(tensor_get_float(pooled[0], i), 0.0));
    ((int64_t *)tensor_data(pooled[1]))[3] = 96;
    heed_tensor *out;
    assert_int_equal(one_op_run("MaxUnpool", attrs, 2, pooled, 1, &out), HEED_INVALID);
    ((int64_t *)tensor_data(pooled[1]))[3] = -1;
    assert_int_equal(one_op_run("MaxUnpool", attrs, 2, pooled, 1, &out), HEED_INVALID);
    free_all(5, (heed_tensor *[]){x, y, again, pooled[0], pooled[1]});
}

/* Columns of ones: each element counts the places of the block that cover it. */
static void columns(void **state)
{
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_INT8,    HEED_UINT64,
                                        HEED_BOOL,    HEED_FLOAT16, HEED_COMPLEX64};
    const int64_t dims[] = {1, 2 * 2, 4};
    const double image[] = {3, 3}, block[] = {2, 2}, covered[] = {1, 2, 1, 2, 4, 2, 1, 2, 1};
    (void)state;
    for (size_t k = 0; k < sizeof(dtypes) / sizeof(dtypes[0]); k++) {
        heed_tensor *in[] = {one_op_tensor(dtypes[k], 3, dims, NULL),
                             one_op_vector(HEED_INT64, 2, image),
                             one_op_vector(HEED_INT64, 2, block)};
        for (int64_t i = 0; i < 16; i++)
            if (dtypes[k] == HEED_COMPLEX64)
                ((float *)tensor_data(in[0]))[2 * i] = 1.0f;
            else
                dtype_store_f64(dtypes[k], tensor_data(in[0]), i, 1, &(double){1}, true);
        heed_tensor *y = run("Col2Im", "", 3, in);
        assert_true(shape_equal(4, (const int64_t[]){1, 1, 3, 3}, tensor_rank(y), y->dims));
        for (int64_t i = 0; i < 9; i++)
            assert_true(tensor_get_float(y, i) == (dtypes[k] == HEED_BOOL ? 1.0 : covered[i]));
        tensor_free(y);
        free_all(3, in);
    }
}

/* Cropping takes back what padding gave. */
static void crop_and_pad(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        const int64_t dims[] = {one_op_between(0, 5), one_op_between(1, 5)};
        const double more[] = {(double)(dims[0] + one_op_between(0, 4)),
                               (double)(dims[1] + one_op_between(0, 4))};
        const double back[] = {(double)dims[0], (double)dims[1]};
        heed_tensor *x = random_tensor(round % 2 ? HEED_INT4 : HEED_FLOAT64, 2, dims);
        heed_tensor *large = one_op_vector(HEED_INT64, 2, more);
        heed_tensor *small = one_op_vector(HEED_INT32, 2, back);
        heed_tensor *y = run("CenterCropPad", "", 2, (heed_tensor *[]){x, large});
        heed_tensor *z = run("CenterCropPad", "", 2, (heed_tensor *[]){y, small});
        check_equal(x, z, 0);
        free_all(5, (heed_tensor *[]){x, y, z, large, small});
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_grids),
        cmocka_unit_test(grids_of_other_types),
        cmocka_unit_test(strange_grids),
        cmocka_unit_test(strange_regions),
        cmocka_unit_test(regions_of_a_constant),
        cmocka_unit_test(boxes),
        cmocka_unit_test(unmoved_taps_are_a_convolution),
        cmocka_unit_test(strange_offsets),
        cmocka_unit_test(unpooling),
        cmocka_unit_test(columns),
        cmocka_unit_test(crop_and_pad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
