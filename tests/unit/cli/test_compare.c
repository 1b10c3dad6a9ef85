/* The tolerance rules, what must be equal, and what a difference is called. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compare.h"

static heed_tensor *make(heed_dtype dtype, double a, double b)
{
    heed_tensor *tensor = NULL;
    assert_int_equal(heed_tensor_new(dtype, 1, (const int64_t[]){2}, &tensor), HEED_OK);
    assert_int_equal(heed_tensor_write_f64(tensor, 0, 2, (const double[]){a, b}), HEED_OK);
    return tensor;
}

static bool close_enough(heed_dtype dtype, double got, double want, const compare_rules *rules)
{
    compare_result result = {0};
    heed_tensor *a = make(dtype, 1, got), *b = make(dtype, 1, want);
    bool same = compare_tensors("y", a, b, rules, &result);
    assert_true(same == !*result.why);
    heed_tensor_free(a);
    heed_tensor_free(b);
    return same;
}

static void tolerance_goes_by_the_rule(void **state)
{
    (void)state;
    const compare_rules *node = &compare_node_rules, *model = &compare_model_rules;
    assert_true(close_enough(HEED_FLOAT32, 1000.9, 1000, node));
    assert_false(close_enough(HEED_FLOAT32, 1001.1, 1000, node));
    assert_false(close_enough(HEED_FLOAT32, 1e-6, 0, node));
    assert_true(close_enough(HEED_FLOAT32, 9e-4, 0, model));
    assert_false(close_enough(HEED_FLOAT32, 2e-3, 0, model));
    assert_true(close_enough(HEED_FLOAT16, 1.01, 1, model));
    assert_false(close_enough(HEED_FLOAT32, 1.01, 1, model));
    assert_true(close_enough(HEED_FLOAT32, 1.01, 1, &compare_narrow_rules));
}

static void numbers_that_are_not_finite(void **state)
{
    (void)state;
    const compare_rules *rules = &compare_model_rules;
    double nan_value = (double)NAN, infinity = (double)INFINITY;
    assert_true(close_enough(HEED_FLOAT32, nan_value, nan_value, rules));
    assert_true(close_enough(HEED_FLOAT64, -infinity, -infinity, rules));
    assert_false(close_enough(HEED_FLOAT32, nan_value, 0, rules));
    assert_false(close_enough(HEED_FLOAT32, 0, nan_value, rules));
    assert_false(close_enough(HEED_FLOAT32, infinity, -infinity, rules));
    assert_false(close_enough(HEED_FLOAT32, 3e38, infinity, rules));
}

static void whole_numbers_must_be_equal(void **state)
{
    static const heed_dtype types[] = {HEED_INT8, HEED_INT64, HEED_UINT4, HEED_INT4, HEED_BOOL};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_true(close_enough(types[i], 1, 1, &compare_narrow_rules));
        assert_false(close_enough(types[i], 1, 0, &compare_narrow_rules));
    }
}

static void sequences_go_item_by_item(void **state)
{
    (void)state;
    compare_result result = {0};
    heed_tensor *a = NULL, *b = NULL, *empty = NULL;
    heed_tensor *left[] = {make(HEED_FLOAT32, 1, 2), make(HEED_FLOAT32, 3, 4)};
    heed_tensor *right[] = {make(HEED_FLOAT32, 1, 2), make(HEED_FLOAT32, 3, 5)};
    assert_int_equal(heed_tensor_new_sequence(HEED_FLOAT32, 2, left, &a), HEED_OK);
    assert_int_equal(heed_tensor_new_sequence(HEED_FLOAT32, 2, right, &b), HEED_OK);
    assert_int_equal(heed_tensor_new_optional(NULL, &empty), HEED_OK);
    assert_true(compare_tensors("y", a, a, &compare_node_rules, &result));
    assert_false(compare_tensors("y", a, b, &compare_node_rules, &result));
    assert_non_null(strstr(result.why, "\"y[1]\" element [1] of 2: expected 5, got 4"));
    assert_false(compare_tensors("y", a, empty, &compare_node_rules, &result));
    assert_true(compare_tensors("y", empty, empty, &compare_node_rules, &result));
    heed_tensor_free(a);
    heed_tensor_free(b);
    heed_tensor_free(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tolerance_goes_by_the_rule),
        cmocka_unit_test(numbers_that_are_not_finite),
        cmocka_unit_test(whole_numbers_must_be_equal),
        cmocka_unit_test(sequences_go_item_by_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
