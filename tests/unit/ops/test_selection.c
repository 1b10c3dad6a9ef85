/* Operators that pick, order or turn elements: Unique, Compress, ReverseSequence; and Shrink,
 * SwiGLU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"
#include "ops/sort.h"
#include "value_text.h"

// clang-format off
#define UNIQUE(type, attrs)                                                                        \
    "in x " type "\nout y\nout first int64\nout of int64\nout count int64\n"                       \
    "Unique(x) -> (y, first, of, count) " attrs "\n"

static const value_text_case uniques[] = {
    {"sorted", UNIQUE("float32 [n]", ""), "[2 1 1 3 4 3]",
     "[1 2 3 4]; [1 0 3 4]; [1 0 0 2 3 2]; [2 1 2 1]"},
    {"as they come", UNIQUE("float32 [n]", "sorted=0"), "[2 1 1 3 4 3]",
     "[2 1 3 4]; [0 1 3 4]; [0 1 1 2 3 2]; [1 2 2 1]"},
    {"of a matrix", UNIQUE("int64 [n, m]", ""), "[[1 3][2 3]]",
     "[1 2 3]; [0 2 1]; [0 2 1 2]; [1 1 2]"},
    {"rows", UNIQUE("float32 [n, m]", "axis=0"), "[[1 0 0][1 0 0][2 3 4]]",
     "[[1 0 0][2 3 4]]; [0 2]; [0 0 1]; [2 1]"},
    {"rows in their order", UNIQUE("float32 [n, m]", "axis=0 sorted=0"), "[[2 3][1 0][2 3][1 1]]",
     "[[2 3][1 0][1 1]]; [0 1 3]; [0 1 0 2]; [2 1 1]"},
    {"columns", UNIQUE("float32 [n, m]", "axis=-1"), "[[2 1 2][4 3 4]]",
     "[[1 2][3 4]]; [1 0]; [1 0 1]; [1 2]"},
    {"slices of three axes", UNIQUE("int64 [a, b, c]", "axis=1"),
     "[[[1 1][0 1][1 1]][[2 1][0 1][2 1]]]",
     "[[[0 1][1 1]][[0 1][2 1]]]; [1 0]; [1 0 1]; [1 2]"},
    {"negative before positive", UNIQUE("float32 [n]", ""), "[1 -2 0 -2 -0]",
     "[-2 0 1]; [1 2 0]; [2 0 1 0 1]; [2 2 1]"},
    {"unsigned beyond int64", UNIQUE("uint64 [n]", ""), "[9223372036854775808 1]",
     "[1 9.22337e+18]; [1 0]; [1 0]; [1 1]"},
    {"truths", UNIQUE("bool [n]", ""), "[1 0 1]", "[0 1]; [1 0]; [1 0 1]; [1 2]"},
    {"not a number is one value", UNIQUE("float32 [n]", ""), "[nan 1 nan inf]",
     "[1 inf nan]; [1 3 0]; [2 0 2 1]; [1 1 2]"},
    {"text", UNIQUE("string [n]", ""), "[b ab a b abc]",
     "[a ab abc b]; [2 1 4 0]; [3 1 0 3 2]; [1 1 1 2]"},
    {"text in its order", UNIQUE("string [n]", "sorted=0"), "[b ab b]",
     "[b ab]; [0 1]; [0 1 0]; [2 1]"},
    {"rows of text", UNIQUE("string [n, m]", "axis=0"), "[[b a][a c][b a]]",
     "[[a c][b a]]; [1 0]; [1 0 1]; [1 2]"},
    {"columns of text", UNIQUE("string [n, m]", "axis=1"), "[[b a b][c d c]]",
     "[[a b][d c]]; [1 0]; [1 0 1]; [1 2]"},
    {"of nothing", UNIQUE("float32 [n]", ""), "[]", "[]; []; []; []"},
    {"of a scalar", UNIQUE("float32", ""), "3", "[3]; [0]; [0]; [1]"},
    {"one output", "in x float32 [n]\nout y float32\nUnique(x) -> (y)\n", "[3 1 3]", "[1 3]"},
    {"the last output", "in x float32 [n]\nout c int64\nUnique(x) -> (y, , , c)\n", "[3 1 3]",
     "[1 2]"},
    {"no such axis", UNIQUE("float32 [n]", "axis=1"), "[1]", "! an axis in [-1, 1)"},
};

#define COMPRESS(attrs)                                                                            \
    "in x float32 [n, m]\nin c bool [k]\nout y float32\nCompress(x, c) -> (y) " attrs "\n"

static const value_text_case compressed[] = {
    {"rows", COMPRESS("axis=0"), "[[1 2][3 4][5 6]]; [0 1 1]", "[[3 4][5 6]]"},
    {"columns", COMPRESS("axis=-1"), "[[1 2][3 4][5 6]]; [0 1]", "[[2][4][6]]"},
    {"elements", COMPRESS(""), "[[1 2][3 4][5 6]]; [0 1 0 0 1]", "[2 5]"},
    {"fewer truths than rows", COMPRESS("axis=0"), "[[1 2][3 4][5 6]]; [1]", "[[1 2]]"},
    {"more truths than rows", COMPRESS("axis=0"), "[[1 2]]; [1 1 1]", "[[1 2]]"},
    {"no truths", COMPRESS(""), "[[1 2]]; []", "[]"},
    {"nothing is true", COMPRESS("axis=1"), "[[1 2][3 4]]; [0 0]", "[[][]]"},
    {"text", "in x string [n]\nin c bool [k]\nout y string\nCompress(x, c) -> (y)\n",
     "[a b c]; [1 0 1]",
     "[a c]"},
    {"no such axis", COMPRESS("axis=2"), "[[1]]; [1]", "! an axis in [-2, 2)"},
    {"a condition of two axes", 
     "in x float32 [n]\nin c bool [k, l]\nout y float32\nCompress(x, c) -> (y)\n",
     "[1]; [[1]]", "! a condition of one dimension"},
};

#define REVERSE(attrs)                                                                             \
    "in x float32 [n, m]\nin l int64 [k]\nout y float32\nReverseSequence(x, l) -> (y) " attrs "\n"

static const value_text_case reversed[] = {
    {"time first", REVERSE(""), "[[0 4 8][1 5 9][2 6 10][3 7 11]]; [4 3 1]",
     "[[3 6 8][2 5 9][1 4 10][0 7 11]]"},
    {"batch first", REVERSE("time_axis=1 batch_axis=0"), "[[0 1 2][4 5 6]]; [3 2]",
     "[[2 1 0][5 4 6]]"},
    {"deeper",
     "in x float32 [n, m, d]\nin l int64 [k]\nout y float32\nReverseSequence(x, l) -> (y)\n",
     "[[[1 2]][[3 4]]]; [2]", "[[[3 4]][[1 2]]]"},
    {"length 0", REVERSE(""), "[[1][2]]; [0]", "[[1][2]]"},
    {"too long", REVERSE(""), "[[1][2]]; [3]", "! sequence 0 has length 3 of 2"},
    {"negative", REVERSE(""), "[[1][2]]; [-1]", "! sequence 0 has length -1"},
    {"too few lengths", REVERSE(""), "[[1 2][3 4]]; [1]", "! a length for each sequence"},
    {"one axis twice", REVERSE("time_axis=1"), "[[1]]; [1]",
     "! time_axis and batch_axis to be 0 and 1"},
    {"far axes", REVERSE("time_axis=-9223372036854775808 batch_axis=5"), "[[1]]; [1]",
     "! time_axis and batch_axis"},
    {"a vector", "in x float32 [n]\nin l int64 [k]\nout y float32\nReverseSequence(x, l) -> (y)\n",
     "[1]; [1]", "! an input of at least two dimensions"},
};

#define SHRINK(type, attrs) "in x " type " [n]\nout y\nShrink(x) -> (y) " attrs "\n"
#define SWIGLU(attrs)                                                                              \
    "in a float32 [n]\nin b float32 [m]\nout y float32\nSwiGLU(a, b) -> (y) " attrs "\n"

static const value_text_case functions[] = {
    {"hard", SHRINK("float32", "lambd=1.5"), "[-2 -1.5 0 1 2]", "[-2 0 0 0 2]"},
    {"soft", SHRINK("float64", "lambd=1.5 bias=1.5"), "[-2 -1.5 0 1 2]", "[-0.5 0 0 0 0.5]"},
    {"halves", SHRINK("float16", ""), "[-0.5 0.75]", "[0 0.75]"},
    {"integers", SHRINK("int32", "lambd=1.5 bias=0.5"), "[-3 -1 1 3]", "[-2 0 0 2]"},
    {"unsigned", SHRINK("uint8", "lambd=1.5 bias=1.0"), "[0 1 2 255]", "[0 0 1 254]"},
    {"beyond every integer", SHRINK("int64", "lambd=0.5 bias=-1.0e30"), "[1 -1]",
     "[9.22337e+18 -9.22337e+18]"},
    {"nan", SHRINK("float32", ""), "[nan inf]", "[0 inf]"},
    {"gated", SWIGLU(""), "[0 1 -1]; [5 2 2]", "[0 1.46212 -0.537883]"},
    {"gated, steeper", SWIGLU("alpha=2.0"), "[1]; [2]", "[1.76159]"},
    {"gates do not broadcast", 
     "in a float32 [2]\nin b float32 [1]\nout y float32\nSwiGLU(a, b) -> (y)\n", "[1 2]; [1]",
     "! inputs of one shape"},
};
// clang-format on

static void tables_hold(void **state)
{
    (void)state;
#define COUNT(list) (sizeof(list) / sizeof(*(list)))
    int failures = value_text_failures(uniques, COUNT(uniques));
    failures += value_text_failures(compressed, COUNT(compressed));
    failures += value_text_failures(reversed, COUNT(reversed));
    failures += value_text_failures(functions, COUNT(functions));
    assert_int_equal(failures, 0);
}

/* Whatever the data: Y[inverse] is X, X[indices] is Y, counts add up, and Y ascends. */
static void unique_can_be_undone(void **state)
{
    static const heed_dtype dtypes[] = {HEED_FLOAT32, HEED_INT8, HEED_BFLOAT16, HEED_UINT4};
    (void)state;
    for (int round = 0; round < 40; round++) {
        heed_tensor *in, *out[4];
        heed_dtype dtype = dtypes[round % 4];
        int64_t n = one_op_between(0, 300), sum = 0;
        in = one_op_vector(dtype, n, NULL);
        for (int64_t i = 0; i < n; i++) {
            double value = (double)one_op_between(dtype == HEED_UINT4 ? 0 : -9, 9);
            dtype_store_f64(dtype, tensor_data(in), i, 1, &value, true);
        }
        assert_int_equal(one_op_run("Unique", round % 3 ? "" : "sorted=0", 1, &in, 4, out),
                         HEED_OK);
        int64_t found = tensor_count(out[0]);
        for (int64_t i = 0; i < n; i++) {
            int64_t at = tensor_get_int(out[2], i);
            assert_true(at >= 0 && at < found);
            assert_true(tensor_get_float(out[0], at) == tensor_get_float(in, i));
        }
        for (int64_t i = 0; i < found; i++) {
            int64_t first = tensor_get_int(out[1], i);
            assert_true(tensor_get_float(in, first) == tensor_get_float(out[0], i));
            sum += tensor_get_int(out[3], i);
            if (i && round % 3)
                assert_true(tensor_get_float(out[0], i - 1) < tensor_get_float(out[0], i));
            if (i && round % 3 == 0)
                assert_true(tensor_get_int(out[1], i - 1) < first);
        }
        assert_int_equal(sum, n);
        tensor_free(in);
        for (int o = 0; o < 4; o++)
            tensor_free(out[o]);
    }
}

static int by_tens(const void *context, int64_t a, int64_t b)
{
    const int64_t *values = context;
    return (values[a] / 10 > values[b] / 10) - (values[a] / 10 < values[b] / 10);
}

static void sorting_is_stable(void **state)
{
    int64_t values[100], order[100], spare[100];
    (void)state;
    for (int64_t n = 0; n <= 100; n++) {
        for (int64_t i = 0; i < n; i++)
            values[i] = one_op_between(0, 99);
        sort_indices(n, by_tens, values, order, spare);
        for (int64_t i = 1; i < n; i++) {
            int order_now = by_tens(values, order[i - 1], order[i]);
            assert_true(order_now < 0 || (order_now == 0 && order[i - 1] < order[i]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_hold),
        cmocka_unit_test(unique_can_be_undone),
        cmocka_unit_test(sorting_is_stable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
