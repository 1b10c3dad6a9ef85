/* Tensors: limits, sharing, copying, sequences, strings, and what the public functions refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/tensor.h"

static const int64_t two_three[2] = {2, 3};

static void shapes(void **state)
{
    (void)state;
    int64_t count = -1;
    char text[64];
    assert_true(shape_count(0, NULL, &count));
    assert_int_equal(count, 1);
    assert_true(shape_count(3, (const int64_t[]){4, 0, INT64_MAX}, &count));
    assert_int_equal(count, 0);
    assert_false(shape_count(2, (const int64_t[]){4, -1}, &count));
    assert_false(shape_count(3, (const int64_t[]){INT64_MAX, 2, 2}, &count));
    assert_string_equal(shape_text(3, (const int64_t[]){2, -1, 4}, text, sizeof(text)), "2x?x4");
    assert_string_equal(shape_text(0, NULL, text, sizeof(text)), "scalar");
    char tiny[4];
    shape_text(3, (const int64_t[]){1000, 1000, 1000}, tiny, sizeof(tiny));
    assert_int_equal(strlen(tiny), 3);
    assert_true(shape_equal(2, two_three, 2, two_three));
    assert_false(shape_equal(2, two_three, 1, two_three));
}

static void limits(void **state)
{
    (void)state;
    heed_tensor *t = NULL;
    int64_t dims[20] = {0};
    assert_int_equal(tensor_new(HEED_FLOAT32, 17, dims, &t), HEED_INVALID);
    assert_null(t);
    assert_int_equal(tensor_new(HEED_FLOAT32, -1, dims, &t), HEED_INVALID);
    assert_int_equal(tensor_new(99, 1, dims, &t), HEED_INVALID);
    dims[0] = -2;
    assert_int_equal(tensor_new(HEED_FLOAT32, 1, dims, &t), HEED_INVALID);
    dims[0] = TENSOR_MAX_DIM + 1;
    assert_int_equal(tensor_new(HEED_FLOAT32, 1, dims, &t), HEED_INVALID);
    dims[0] = dims[1] = TENSOR_MAX_DIM;
    assert_int_equal(tensor_new(HEED_FLOAT32, 2, dims, &t), HEED_INVALID);
    dims[1] = 0;
    assert_int_equal(tensor_new(HEED_FLOAT32, 2, dims, &t), HEED_OK);
    assert_int_equal(tensor_bytes(t), 0);
    tensor_free(t);
}

static void sharing(void **state)
{
    (void)state;
    heed_tensor *a = NULL, *b = NULL;
    float memory[6] = {1, 2, 3, 4, 5, 6};
    assert_int_equal(tensor_new(HEED_FLOAT32, 2, two_three, &a), HEED_OK);
    assert_int_equal(tensor_new_empty(&b), HEED_OK);
    assert_int_equal(tensor_assign(b, a), HEED_OK);
    assert_ptr_equal(tensor_data(a), tensor_data(b)); /* owned: one buffer, two references */
    assert_ptr_equal(b->dl.shape, b->dims);
    tensor_free(a);
    ((float *)tensor_data(b))[5] = 1;
    heed_tensor *wrapped = heed_tensor_wrap(HEED_FLOAT32, 2, two_three, memory);
    assert_int_equal(tensor_assign(b, wrapped), HEED_OK);
    assert_ptr_not_equal(tensor_data(b), memory); /* borrowed: copied */
    memory[0] = 9;
    assert_true(tensor_get_float(b, 0) < 2);
    tensor_borrow(b, wrapped);
    assert_ptr_equal(tensor_data(b), memory);
    assert_null(b->owner);
    assert_int_equal(tensor_assign(b, b), HEED_OK);
    tensor_free(b);
    tensor_free(wrapped);
}

static void strings(void **state)
{
    (void)state;
    heed_tensor *a = NULL, *b = NULL;
    char text[] = "abc";
    assert_int_equal(tensor_new(HEED_STRING, 1, (const int64_t[]){2}, &a), HEED_OK);
    assert_int_equal(tensor_set_string(a, 0, text, 3), HEED_OK);
    assert_int_equal(tensor_set_string(a, 2, text, 3), HEED_USAGE);
    text[0] = 'x';
    assert_int_equal(tensor_new(HEED_STRING, 1, (const int64_t[]){2}, &b), HEED_OK);
    assert_int_equal(tensor_copy_content(b, a), HEED_OK);
    tensor_free(a);
    const heed_string *s = tensor_data(b);
    assert_int_equal(s[0].size, 3);
    assert_memory_equal(s[0].data, "abc", 3);
    assert_int_equal(s[1].size, 0);
    double value;
    assert_int_equal(heed_tensor_read_f64(b, 0, 1, &value), HEED_USAGE);
    tensor_free(b);
}

static void sequences(void **state)
{
    (void)state;
    heed_tensor *items[2] = {NULL, NULL}, *sequence = NULL, *copy = NULL;
    int64_t numbers[1] = {7};
    assert_int_equal(tensor_new(HEED_INT64, 1, (const int64_t[]){1}, &items[0]), HEED_OK);
    items[1] = heed_tensor_wrap(HEED_INT64, 1, (const int64_t[]){1}, numbers);
    assert_int_equal(heed_tensor_new_sequence(HEED_FLOAT32, 2, items, &sequence), HEED_OK);
    assert_int_equal(heed_tensor_get_kind(sequence), HEED_SEQUENCE);
    assert_int_equal(heed_tensor_get_dtype(sequence), HEED_INT64);
    assert_int_equal(heed_tensor_get_item_count(sequence), 2);
    assert_null(heed_tensor_get_item(sequence, 2));
    assert_int_equal(tensor_count(sequence), 0);
    assert_int_equal(tensor_new_empty(&copy), HEED_OK);
    assert_int_equal(tensor_assign(copy, sequence), HEED_OK);
    numbers[0] = 8; /* the borrowed item was copied with the sequence */
    assert_int_equal(tensor_get_int(heed_tensor_get_item(copy, 1), 0), 7);
    heed_tensor *view = NULL;
    assert_int_equal(tensor_new_empty(&view), HEED_OK);
    tensor_borrow(view, copy);
    assert_int_equal(heed_tensor_get_item_count(view), 2);
    tensor_free(view);
    tensor_free(sequence);
    tensor_free(copy);
    assert_int_equal(heed_tensor_new_optional(NULL, &copy), HEED_OK);
    assert_int_equal(heed_tensor_get_item_count(copy), 0);
    tensor_free(copy);
}

static void dlpack(void **state)
{
    (void)state;
    float memory[7] = {0, 1, 2, 3, 4, 5, 6};
    int64_t shape[2] = {3, 2}, strides[2] = {1, 3}; /* a transposed view behind an offset */
    DLTensor view = {.data = memory, .device = {kDLCPU, 0}, .ndim = 2, .dtype = {kDLFloat, 32, 1}};
    view.shape = shape;
    view.strides = strides;
    view.byte_offset = 4;
    heed_tensor *t = NULL;
    assert_int_equal(heed_tensor_from_dlpack(&view, &t), HEED_OK);
    const double expected[6] = {1, 4, 2, 5, 3, 6};
    double found[6];
    assert_int_equal(heed_tensor_read_f64(t, 0, 6, found), HEED_OK);
    assert_memory_equal(found, expected, sizeof(found));
    assert_null(heed_tensor_get_dlpack(t)->strides);
    tensor_free(t);
    view.strides = NULL;
    assert_int_equal(heed_tensor_from_dlpack(&view, &t), HEED_OK);
    assert_true(tensor_get_float(t, 1) > 1.5 && tensor_get_float(t, 1) < 2.5);
    tensor_free(t);
    view.dtype.bits = 24;
    assert_int_equal(heed_tensor_from_dlpack(&view, &t), HEED_USAGE);
    assert_null(t);
    view.dtype.bits = 32;
    view.device.device_type = kDLCUDA;
    assert_int_equal(heed_tensor_from_dlpack(&view, &t), HEED_USAGE);
    assert_int_equal(heed_tensor_from_dlpack(NULL, &t), HEED_USAGE);
}

static void refusals(void **state)
{
    (void)state;
    heed_tensor *t = NULL;
    double values[4] = {1, 2, 3, 4};
    assert_int_equal(heed_tensor_new(HEED_INT8, 1, NULL, &t), HEED_USAGE);
    assert_int_equal(heed_tensor_new(HEED_INT8, 1, (const int64_t[]){-1}, &t), HEED_USAGE);
    assert_non_null(strstr(heed_error_get()->message, "-1"));
    assert_int_equal(heed_tensor_new(HEED_INT8, 1, (const int64_t[]){4}, NULL), HEED_USAGE);
    assert_null(heed_tensor_wrap(HEED_INT8, 1, (const int64_t[]){4}, NULL));
    assert_int_equal(heed_tensor_new(HEED_INT4, 1, (const int64_t[]){4}, &t), HEED_OK);
    assert_int_equal(heed_tensor_write_f64(t, 1, 3, values), HEED_OK);
    assert_int_equal(heed_tensor_write_f64(t, 2, 3, values), HEED_USAGE);
    assert_int_equal(heed_tensor_read_f64(t, -1, 1, values), HEED_USAGE);
    assert_int_equal(heed_tensor_read_f64(t, 0, 4, values), HEED_OK);
    assert_memory_equal(values, ((const double[4]){0, 1, 2, 3}), sizeof(values));
    assert_int_equal(heed_tensor_get_bytes(t), 2);
    assert_int_equal(heed_tensor_set_string(t, 0, "a", 1), HEED_USAGE);
    heed_tensor_free(t);
    heed_tensor_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),   cmocka_unit_test(limits),    cmocka_unit_test(sharing),
        cmocka_unit_test(strings),  cmocka_unit_test(sequences), cmocka_unit_test(dlpack),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
