/* Maps: operators that make and read them, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

static heed_tensor *new_map(int64_t n, const double *keys, heed_dtype dtype, const double *values)
{
    heed_tensor *map;
    assert_int_equal(heed_tensor_new_map(one_op_vector(HEED_INT64, n, keys),
                                         one_op_vector(dtype, n, values), &map),
                     HEED_OK);
    return map;
}

static heed_tensor *cast(const char *attrs, heed_tensor *map)
{
    heed_tensor *out;
    assert_int_equal(one_op_run("ai.onnx.ml.CastMap", attrs, 1, &map, 1, &out), HEED_OK);
    return out;
}

static void a_dense_cast_is_in_order_of_the_keys(void **state)
{
    (void)state;
    heed_tensor *map = new_map(3, (double[]){7, -2, 5}, HEED_FLOAT32, (double[]){0.5, 1.75, -2});
    heed_tensor *floats = cast("", map), *ints = cast("cast_to='TO_INT64'", map);
    heed_tensor *texts = cast("cast_to='TO_STRING'", map);
    const double expected[] = {1.75, -2, 0.5};
    assert_int_equal(tensor_rank(floats), 2);
    assert_int_equal(floats->dims[0], 1);
    assert_int_equal(floats->dims[1], 3);
    for (int64_t i = 0; i < 3; i++) {
        assert_true(tensor_get_float(floats, i) == expected[i]);
        assert_int_equal(tensor_get_int(ints, i), (int64_t)expected[i]);
    }
    const heed_string *text = tensor_data(texts);
    assert_memory_equal(text[0].data, "1.75", text[0].size);
    tensor_free(floats);
    tensor_free(ints);
    tensor_free(texts);
    tensor_free(map);
}

static void a_sparse_cast_fills_with_zeros(void **state)
{
    (void)state;
    heed_tensor *map = new_map(2, (double[]){3, 1}, HEED_FLOAT32, (double[]){4, 9}), *out;
    heed_tensor *row = cast("map_form='SPARSE' max_map=5", map);
    const double expected[] = {0, 9, 0, 4, 0};
    assert_int_equal(row->dims[1], 5);
    for (int64_t i = 0; i < 5; i++)
        assert_true(tensor_get_float(row, i) == expected[i]);
    assert_int_equal(
        one_op_run("ai.onnx.ml.CastMap", "map_form='SPARSE' max_map=3", 1, &map, 1, &out),
        HEED_INVALID);
    assert_non_null(strstr(err_get()->message, "key 3"));
    tensor_free(row);
    tensor_free(map);
}

static void a_vocabulary_says_the_columns(void **state)
{
    (void)state;
    heed_tensor *map = new_map(2, (double[]){30, 10}, HEED_FLOAT64, (double[]){3, 1}), *out;
    assert_int_equal(
        one_op_run("ai.onnx.ml.DictVectorizer", "int64_vocabulary=[10,20,30]", 1, &map, 1, &out),
        HEED_OK);
    assert_int_equal(out->dims[1], 3);
    assert_true(tensor_get_float(out, 0) == 1);
    assert_true(tensor_get_float(out, 1) == 0);
    assert_true(tensor_get_float(out, 2) == 3);
    tensor_free(out);
    tensor_free(map);
}

static void scores_become_a_map_a_row(void **state)
{
    (void)state;
    const double values[] = {0.25, 0.75, 0.5, 0.5};
    heed_tensor *scores = one_op_tensor(HEED_FLOAT32, 2, (int64_t[]){2, 2}, values), *out;
    assert_int_equal(
        one_op_run("ai.onnx.ml.ZipMap", "classlabels_int64s=[4,8]", 1, &scores, 1, &out), HEED_OK);
    assert_int_equal(heed_tensor_get_kind(out), HEED_SEQUENCE);
    assert_int_equal(out->n_items, 2);
    const heed_tensor *map = heed_tensor_get_item(out, 0);
    assert_int_equal(heed_tensor_get_kind(map), HEED_MAP);
    assert_int_equal(tensor_get_int(heed_tensor_get_item(map, 0), 1), 8);
    assert_true(tensor_get_float(heed_tensor_get_item(map, 1), 1) == 0.75);
    tensor_free(out);
    assert_int_equal(
        one_op_run("ai.onnx.ml.ZipMap", "classlabels_int64s=[1,2,3]", 1, &scores, 1, &out),
        HEED_INVALID);
    tensor_free(scores);
}

static void what_is_no_map_is_refused(void **state)
{
    (void)state;
    heed_tensor *x = one_op_vector(HEED_FLOAT32, 2, NULL), *y = one_op_vector(HEED_INT64, 3, NULL);
    heed_tensor *out;
    assert_int_equal(one_op_run("ai.onnx.ml.CastMap", "", 1, &x, 1, &out), HEED_INVALID);
    assert_int_equal(heed_tensor_new_map(x, y, &out), HEED_USAGE); /* as many values as keys */
    assert_int_equal(heed_tensor_new_map(x, x, &out), HEED_USAGE); /* keys are no floats */
    tensor_free(x);
    tensor_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_cast_is_in_order_of_the_keys),
        cmocka_unit_test(a_sparse_cast_fills_with_zeros),
        cmocka_unit_test(a_vocabulary_says_the_columns),
        cmocka_unit_test(scores_become_a_map_a_row),
        cmocka_unit_test(what_is_no_map_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
