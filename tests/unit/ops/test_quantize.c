/* Quantised numbers where the conformance corpus says nothing: blocks that end early, the smallest
 * integers, numbers that are none, scales of one power of two, empty tensors, rows of zero points;
 * and what is refused. */
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
#include "onnx_text.h"
#include "passes/pass.h"
#include "run/model.h"

enum { MAX_IN = 6, MAX_VALUES = 24 };

/* ---- Tensors from text ---------------------------------------------------------------------- */

/* "int4 2x3: 1 2 3 4 5 6", "float32 : 0.5" (a scalar), "-" (left out). Values repeat; none are
 * zeros. */
static heed_tensor *read_tensor(const char *text)
{
    char dtype[24], shape[48] = "";
    double values[MAX_VALUES] = {0};
    int64_t dims[4], n_values = 0, count = 1;
    int32_t rank = 0;
    if (text[0] == '-')
        return NULL;
    const char *numbers = strchr(text, ':');
    assert_true(sscanf(text, "%23s %47[0-9x]", dtype, shape) >= 1);
    for (char *at = shape, *end; *at; at = *end ? end + 1 : end)
        count *= dims[rank++] = strtoll(at, &end, 10);
    assert_true(count <= MAX_VALUES);
    for (char *end; numbers && n_values < count; n_values++, numbers = end) {
        values[n_values] = strtod(numbers + (*numbers == ':'), &end);
        if (end == numbers + (*numbers == ':'))
            break;
    }
    for (int64_t i = n_values; n_values > 0 && i < count; i++)
        values[i] = values[i % n_values];
    for (heed_dtype d = 1; d < HEED_DTYPE_COUNT; d++)
        if (!strcmp(dtype_name(d), dtype))
            return one_op_tensor(d, rank, dims, values);
    fail_msg("no type in \"%s\"", text);
    return NULL;
}

typedef struct quant_case {
    const char *op, *attrs;
    const char *in[MAX_IN];
    const char *out; /* the first output; NULL: it is refused */
    uint32_t n_out;  /* 0: one */
} quant_case;

static heed_status run(const quant_case *c, heed_tensor **first)
{
    heed_tensor *in[MAX_IN], *out[3] = {NULL};
    uint32_t n = 0;
    for (; n < MAX_IN && c->in[n]; n++)
        in[n] = read_tensor(c->in[n]);
    heed_status status = one_op_run(c->op, c->attrs, n, in, c->n_out ? c->n_out : 1, out);
    *first = out[0];
    tensor_free(out[1]);
    tensor_free(out[2]);
    while (n-- > 0)
        tensor_free(in[n]);
    return status;
}

static bool same(const heed_tensor *a, const heed_tensor *b)
{
    if (a->dtype != b->dtype || !shape_equal(tensor_rank(a), a->dims, tensor_rank(b), b->dims))
        return false;
    for (int64_t i = 0; i < tensor_count(a); i++) {
        double x, y;
        dtype_load_f64(a->dtype, tensor_data(a), i, 1, &x);
        dtype_load_f64(b->dtype, tensor_data(b), i, 1, &y);
        if (x != y && !(isnan(x) && isnan(y)))
            return false;
    }
    return true;
}

/* ---- Results -------------------------------------------------------------------------------- */

// clang-format off
static const quant_case results[] = {
    /* A block that ends early; the zero points of each block. */
    {"QuantizeLinear", "axis=1 block_size=2",
     {"float32 1x3: 1 2 9", "float32 1x2: 1 2", "int4 1x2: 1 -1"}, "int4 1x3: 2 3 3", 0},
    {"DequantizeLinear", "axis=0 block_size=2",
     {"uint2 3x1: 3 2 1", "float32 2x1: 0.5 4"}, "float32 3x1: 1.5 1 4", 0},
    /* To even, then the zero point, then the range. */
    {"QuantizeLinear", "", {"float32 6: 0.5 1.5 2.5 -0.5 9 -9", "float32 : 1", "int2 : 0"},
     "int2 6: 0 1 1 0 1 -2", 0},
    {"QuantizeLinear", "output_dtype=21", {"float32 2: 3 99", "float32 : 1"}, "uint4 2: 3 15", 0},
    {"QuantizeLinear", "", {"float32 2: nan inf", "float32 : 1"}, "uint8 2: 0 255", 0},
    {"QuantizeLinear", "", {"int32 2: 7 -7", "float32 : 2"}, "uint8 2: 4 0", 0},
    /* Floats of 8 bits saturate, or not. */
    {"QuantizeLinear", "output_dtype=17", {"float32 1: 1000", "float32 : 1"},
     "float8e4m3fn 1: 448", 0},
    {"QuantizeLinear", "output_dtype=19 saturate=0", {"float32 1: 1e9", "float32 : 1"},
     "float8e5m2 1: inf", 0},
    /* The quotient is rounded in the scale's type, or in the one that is named. */
    {"QuantizeLinear", "output_dtype=4", {"float32 1: 4097", "bfloat16 : 1"}, "uint16 1: 4096", 0},
    {"QuantizeLinear", "output_dtype=4 precision=1", {"float32 1: 4097", "bfloat16 : 1"},
     "uint16 1: 4097", 0},
    /* An axis needs no name in a vector. */
    {"QuantizeLinear", "", {"float32 2: 8 8", "float32 2: 1 2"}, "uint8 2: 8 4", 0},
    {"DequantizeLinear", "output_dtype=16", {"int8 2: 3 -3", "float8e8m0 : 4"},
     "bfloat16 2: 12 -12", 0},
    {"DequantizeLinear", "", {"int32 1: 16777217", "float32 : 1"}, "float32 1: 16777216", 0},
    {"DequantizeLinear", "", {"uint8 0x3:", "float32 : 1"}, "float32 0x3:", 0},
    {"com.microsoft.DequantizeLinear", "axis=0", {"uint16 2: 9 9", "float32 2: 1 2",
     "uint16 2: 8 7"}, "float32 2: 1 4", 0},

    {"DynamicQuantizeLinear", "", {"float32 3: 0 0 0"}, "uint8 3: 0", 3},
    {"DynamicQuantizeLinear", "", {"float32 0x2:"}, "uint8 0x2:", 3},
    {"DynamicQuantizeLinear", "", {"float32 3: -255 0 0"}, "uint8 3: 0 255 255", 3},

    /* A zero point for each row, and for each column. */
    {"MatMulInteger", "", {"uint8 2x1: 5 5", "int8 1x2: 3 3", "uint8 2: 4 3", "int8 2: 2 1"},
     "int32 2x2: 1 2 2 4", 0},
    {"MatMulInteger", "", {"uint8 2x1x1: 5 5", "int8 1x1: 2", "uint8 2x1x1: 4 3"},
     "int32 2x1x1: 2 4", 0},
    {"MatMulInteger", "", {"uint8 0:", "int8 0x2:"}, "int32 2: 0", 0},
    {"com.microsoft.MatMulInteger16", "", {"uint16 1: 65535", "uint16 1: 65535"},
     "uint32 : 4294836225", 0},
    /* What padding adds is no number less the zero point. */
    {"ConvInteger", "pads=[1,1]", {"uint8 1x1x1: 5", "uint8 1x1x1: 1", "uint8 : 3"},
     "int32 1x1x3: 0 2 0", 0},
    {"ConvInteger", "", {"uint8 1x1x1: 5", "int8 2x1x1: 1 1", "-", "int8 2: 0 -1"},
     "int32 1x2x1: 5 10", 0},

    {"com.microsoft.MatMulNBits", "N=1 K=3 block_size=16 bits=4",
     {"float32 1x3: 1 1 1", "uint8 1x1x8: 169 203 0 0 0 0 0 0", "float32 1x1: 2"},
     "float32 1x1: 12", 0},
    {"com.microsoft.MatMulNBits", "N=2 K=3 block_size=16",
     {"float32 2x3: 1", "uint8 0x1x8:", "float32 0:", "-", "-", "float32 2: 4 5"},
     "float32 2x2: 4 5", 0},
    {"com.microsoft.GatherBlockQuantized", "block_size=16",
     {"int4 2x2: 1 2 3 4", "int64 3: 1 -1 9", "float32 2x1: 1 10"},
     "float32 3x2: 30 40 30 40 0 0", 0},
};

static const quant_case refused[] = {
    {"QuantizeLinear", "axis=2", {"float32 2x2: 1", "float32 2: 1"}, NULL, 1},
    {"QuantizeLinear", "axis=0", {"float32 2x2: 1", "float32 3: 1"}, NULL, 1},
    {"QuantizeLinear", "", {"float32 2x2: 1", "float32 2x2: 1"}, NULL, 1},
    {"QuantizeLinear", "block_size=-1", {"float32 2x2: 1", "float32 : 1"}, NULL, 1},
    {"QuantizeLinear", "block_size=2", {"float32 2x3: 1", "float32 2x3: 1"}, NULL, 1},
    {"QuantizeLinear", "output_dtype=3", {"float32 2: 1", "float32 : 1", "uint8 : 0"}, NULL, 1},
    {"QuantizeLinear", "output_dtype=1", {"float32 2: 1", "float32 : 1"}, NULL, 1},
    {"QuantizeLinear", "output_dtype=9999", {"float32 2: 1", "float32 : 1"}, NULL, 1},
    {"QuantizeLinear", "precision=2", {"float32 2: 1", "float32 : 1"}, NULL, 1},
    {"DequantizeLinear", "output_dtype=2", {"uint8 2: 1", "float32 : 1"}, NULL, 1},
    {"DequantizeLinear", "", {"uint8 2: 1", "float32 : 1", "int8 : 1"}, NULL, 1},
    {"MatMulInteger", "", {"uint8 2x2: 1", "uint8 2x2: 1", "uint8 3: 1"}, NULL, 1},
    {"MatMulInteger", "", {"uint8 2x2: 1", "uint8 3x2: 1"}, NULL, 1},
    {"ConvInteger", "", {"uint8 1x1x1: 1", "uint8 2x1x1: 1", "uint8 2: 1"}, NULL, 1},
    {"ConvInteger", "", {"uint8 1x1x1: 1", "uint8 2x1x1: 1", "-", "uint8 3: 1"}, NULL, 1},
    {"com.microsoft.MatMulNBits", "N=1 K=3 block_size=8",
     {"float32 1x3: 1", "uint8 1x1x4: 0", "float32 1x1: 1"}, NULL, 1},
    {"com.microsoft.MatMulNBits", "N=1 K=3 block_size=16",
     {"float32 1x3: 1", "uint8 1x1x7: 0", "float32 1x1: 1"}, NULL, 1},
    {"com.microsoft.MatMulNBits", "N=1 K=3 block_size=16",
     {"float32 1x3: 1", "uint8 1x1x8: 0", "float32 1x1: 1", "-", "int32 3: 0 1 0"}, NULL, 1},
    {"com.microsoft.MatMulNBits", "N=1 K=-3 block_size=16",
     {"float32 1x3: 1", "uint8 1x1x8: 0", "float32 1x1: 1"}, NULL, 1},
    {"com.microsoft.MatMulBnb4", "N=1 K=2 block_size=16 quant_type=2",
     {"float32 1x2: 1", "uint8 1: 0", "float32 1: 1"}, NULL, 1},
    {"com.microsoft.GatherBlockQuantized", "bits=3",
     {"uint8 2x2: 1", "int64 1: 0", "float32 2x1: 1"}, NULL, 1},
    {"com.microsoft.GatherBlockQuantized", "gather_axis=1",
     {"uint8 2x2: 1", "int64 1: 0", "float32 2x1: 1"}, NULL, 1},
    {"com.microsoft.MoE", "k=3",
     {"float32 1x2: 1", "float32 1x2: 1", "float32 2x2x2: 1", "-", "float32 2x2x2: 1"}, NULL, 1},
    {"com.microsoft.MoE", "",
     {"float32 1x2: 1", "float32 1x2: 1", "float32 2x3x2: 1", "-", "float32 2x2x2: 1"}, NULL, 1},
    {"com.microsoft.MoE", "activation_type='swiglu'",
     {"float32 1x2: 1", "float32 1x2: 1", "float32 2x2x2: 1", "-", "float32 2x2x1: 1"}, NULL, 1},
};
// clang-format on

static void numbers_are_as_the_text_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
        heed_tensor *out = NULL, *expected = read_tensor(results[i].out);
        heed_status status = run(&results[i], &out);
        if (status != HEED_OK || !same(out, expected))
            fail_msg("%s %s: status %u %s, not %s", results[i].op, results[i].attrs, status,
                     status ? err_get()->message : "", results[i].out);
        tensor_free(out);
        tensor_free(expected);
    }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        heed_tensor *out = NULL;
        heed_status status = run(&refused[i], &out);
        if (status != HEED_INVALID)
            fail_msg("case %zu, %s %s: status %u", i, refused[i].op, refused[i].attrs, status);
        assert_true(strlen(err_get()->message) > 10);
    }
}

/* ---- Symbols -------------------------------------------------------------------------------- */

typedef struct symbol_case {
    const char *text, *shape;
} symbol_case;

static const symbol_case symbols[] = {
    {"in x float32 [b, s]\nout y\nDynamicQuantizeLinear(x) -> (y, a, z)\n", "b, s"},
    {"in x uint8 [b, s, 4]\nconst w uint8 [4, 8]\nout y\nMatMulInteger(x, w) -> (y)\n", "b, s, 8"},
    {"in x uint8 [b, s, 4]\nconst w int8 [4, 8]\nconst a float32 [] 1\nconst z uint8 [] 0\n"
     "const v int8 [] 0\nout y\nQLinearMatMul(x, a, z, w, a, v, a, z) -> (y)\n",
     "b, s, 8"},
    {"in x uint8 [b, 2, l]\nconst w int8 [6, 2, 3]\nconst a float32 [] 1\nconst z uint8 [] 0\n"
     "const v int8 [] 0\nout y\nQLinearConv(x, a, z, w, a, v, a, z) -> (y) pads=[1,1]\n",
     "b, 6, l"},
};

static void shapes_keep_their_symbols(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
        onnx_message bytes;
        ir_model *m = NULL;
        const char *const *report;
        size_t n_report;
        char found[128] = "";
        heed_model *model = onnx_text_load(symbols[i].text, &bytes);
        assert_non_null(model);
        assert_int_equal(ir_model_copy(model->ir, &m), HEED_OK);
        assert_int_equal(pass_pipeline(m, &(pass_options){.check = true}, &report, &n_report),
                         HEED_OK);
        const ir_type *type = &m->main->outputs[0]->type;
        for (int32_t k = 0; k < type->rank; k++) {
            char dim[64];
            size_t at = strlen(found);
            snprintf(found + at, sizeof(found) - at, "%s%s", k ? ", " : "",
                     dims_text(m->dims, type->dims[k], dim, sizeof(dim)));
        }
        assert_string_equal(found, symbols[i].shape);
        ir_model_free(m);
        heed_model_free(model);
        onnx_write_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_as_the_text_says),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(shapes_keep_their_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
