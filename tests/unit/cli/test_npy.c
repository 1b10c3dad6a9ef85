/* Arrays there and back in every dtype, and broken files of every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "npy.h"

static heed_tensor *make(heed_dtype dtype)
{
    static const double values[6] = {0, 1, 2, 3, 1, 0};
    heed_tensor *tensor = NULL;
    assert_int_equal(heed_tensor_new(dtype, 2, (const int64_t[]){2, 3}, &tensor), HEED_OK);
    for (int64_t i = 0; i < 6 && dtype == HEED_STRING; i++)
        assert_int_equal(heed_tensor_set_string(tensor, i, "abc", (size_t)(i % 4)), HEED_OK);
    if (dtype != HEED_STRING)
        assert_int_equal(heed_tensor_write_f64(tensor, 0, 6, values), HEED_OK);
    return tensor;
}

static void assert_same_values(const heed_tensor *a, const heed_tensor *b)
{
    double x[6], y[6];
    assert_int_equal(heed_tensor_read_f64(a, 0, 6, x), HEED_OK);
    assert_int_equal(heed_tensor_read_f64(b, 0, 6, y), HEED_OK);
    assert_memory_equal(x, y, sizeof x);
}

static void assert_same_strings(const heed_tensor *a, const heed_tensor *b)
{
    const heed_string *x = heed_tensor_get_data(a), *y = heed_tensor_get_data(b);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(x[i].size, y[i].size);
        if (x[i].size)
            assert_memory_equal(x[i].data, y[i].data, x[i].size);
    }
}

static void every_dtype_comes_back(void **state)
{
    (void)state;
    for (heed_dtype dtype = 1; dtype < HEED_DTYPE_COUNT; dtype++) {
        if (dtype == HEED_FLOAT8E8M0)
            continue; /* has no zero */
        char why[NPY_WHY];
        file_bytes bytes = {0};
        heed_tensor *tensor = make(dtype);
        assert_true(npy_encode(tensor, &bytes, why));
        heed_tensor *back = npy_decode(bytes.data, bytes.size, why);
        if (!back)
            fail_msg("%s: %s", heed_dtype_name(dtype), why);
        assert_int_equal(heed_tensor_get_ndim(back), 2);
        assert_int_equal(heed_tensor_get_dims(back)[1], 3);
        if (dtype == HEED_STRING)
            assert_same_strings(tensor, back);
        else
            assert_same_values(tensor, back);
        heed_tensor_free(back);
        heed_tensor_free(tensor);
        files_free(&bytes);
    }
}

static void narrow_types_are_widened(void **state)
{
    static const heed_dtype pairs[][2] = {{HEED_BFLOAT16, HEED_FLOAT32},
                                          {HEED_FLOAT16, HEED_FLOAT16},
                                          {HEED_FLOAT8E5M2, HEED_FLOAT32},
                                          {HEED_INT4, HEED_INT8},
                                          {HEED_UINT2, HEED_UINT8}};
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char why[NPY_WHY];
        file_bytes bytes = {0};
        heed_tensor *tensor = make(pairs[i][0]);
        assert_true(npy_encode(tensor, &bytes, why));
        heed_tensor *back = npy_decode(bytes.data, bytes.size, why);
        assert_int_equal(heed_tensor_get_dtype(back), pairs[i][1]);
        heed_tensor_free(back);
        heed_tensor_free(tensor);
        files_free(&bytes);
    }
}

/* Each prefix lies in a block of its own size, so that a sanitizer sees any step past it. */
static void no_prefix_is_taken(void **state)
{
    (void)state;
    char why[NPY_WHY];
    file_bytes bytes = {0};
    heed_tensor *tensor = make(HEED_INT32);
    assert_true(npy_encode(tensor, &bytes, why));
    for (size_t n = 0; n < bytes.size; n++) {
        unsigned char *cut = malloc(n ? n : 1);
        memcpy(cut, bytes.data, n);
        assert_null(npy_decode(cut, n, why));
        assert_true(*why);
        free(cut);
    }
    heed_tensor_free(tensor);
    files_free(&bytes);
}

static void no_changed_byte_of_the_header_breaks_it(void **state)
{
    (void)state;
    char why[NPY_WHY];
    file_bytes bytes = {0};
    heed_tensor *tensor = make(HEED_FLOAT32);
    assert_true(npy_encode(tensor, &bytes, why));
    for (size_t at = 0; at < 128; at++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char old = bytes.data[at];
            bytes.data[at] = (unsigned char)value;
            heed_tensor_free(npy_decode(bytes.data, bytes.size, why));
            bytes.data[at] = old;
        }
    heed_tensor_free(tensor);
    files_free(&bytes);
}

static void archives_hold_members_by_name(void **state)
{
    (void)state;
    char why[NPY_WHY];
    const unsigned char *data;
    size_t size;
    npz_writer writer = {0};
    heed_tensor *a = make(HEED_FLOAT32), *b = make(HEED_INT64);
    assert_true(npz_add(&writer, "a", a, why) && npz_add(&writer, "dir/b", b, why));
    char path[] = "/tmp/heed-npz-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && npz_save(&writer, path));
    file_bytes archive;
    assert_true(files_read(path, &archive));
    assert_true(npz_find(&archive, "dir/b", &data, &size, why));
    heed_tensor *back = npy_decode(data, size, why);
    assert_int_equal(heed_tensor_get_dtype(back), HEED_INT64);
    assert_same_values(b, back);
    assert_false(npz_find(&archive, "b", &data, &size, why));
    for (size_t n = 0; n < archive.size; n++) {
        file_bytes cut = {.data = malloc(n ? n : 1), .size = n};
        memcpy(cut.data, archive.data, n);
        assert_false(npz_find(&cut, "a", &data, &size, why));
        free(cut.data);
    }
    remove(path);
    heed_tensor_free(back);
    heed_tensor_free(a);
    heed_tensor_free(b);
    files_free(&archive);
    npz_free(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype_comes_back),
        cmocka_unit_test(narrow_types_are_widened),
        cmocka_unit_test(no_prefix_is_taken),
        cmocka_unit_test(no_changed_byte_of_the_header_breaks_it),
        cmocka_unit_test(archives_hold_members_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
