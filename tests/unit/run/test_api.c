/* The public interface, values in and out: names, dtypes, shapes, defaults, DLPack, the caller's
 * memory, strings, sequences, empty tensors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "heed/heed.h"
#include "onnx_text.h"

static onnx_message bytes;

static heed_session *open(const char *text)
{
    heed_session *s = onnx_text_session(text, NULL, &bytes);
    assert_non_null(s);
    return s;
}

static void close_session(heed_session *s)
{
    heed_session_free(s);
    onnx_write_free(&bytes);
}

static heed_tensor *floats(int32_t ndim, const int64_t *dims, const float *values)
{
    heed_tensor *t;
    assert_int_equal(heed_tensor_new(HEED_FLOAT32, ndim, dims, &t), HEED_OK);
    if (heed_tensor_get_bytes(t))
        memcpy(heed_tensor_get_mutable_data(t), values, heed_tensor_get_bytes(t));
    return t;
}

static const float *data(const heed_tensor *t) { return heed_tensor_get_data(t); }

static void check_floats(const heed_tensor *t, size_t n, const float *expected)
{
    assert_int_equal(heed_tensor_get_dtype(t), HEED_FLOAT32);
    assert_int_equal(heed_tensor_get_count(t), n);
    for (size_t i = 0; i < n; i++)
        assert_float_equal(data(t)[i], expected[i], 1e-6);
}

static void message_has(const char *what)
{
    if (!strstr(heed_error_get()->message, what))
        fail_msg("\"%s\" is not in \"%s\"", what, heed_error_get()->message);
}

/* ---- From file to numbers -------------------------------------------------------------------- */

static float first_number(const char *path)
{
    float result = -1;
    heed_session *session = NULL;
    heed_tensor *out = NULL;
    float x[2 * 3] = {1, 2, 3, 4, 5, 6};
    heed_tensor *in = heed_tensor_wrap(HEED_FLOAT32, 2, (int64_t[]){2, 3}, x);
    if (heed_session_open(path, NULL, &session) ||
        heed_session_run(session, NULL, 1, (const char *[]){"x"}, &in, 1, NULL, &out))
        fprintf(stderr, "%s\n", heed_error_get()->message);
    else
        result = ((const float *)heed_tensor_get_data(out))[0];
    heed_tensor_free(out);
    heed_tensor_free(in);
    heed_session_free(session);
    return result;
}

static void from_file_to_numbers(void **state)
{
    (void)state;
    char path[] = "/tmp/heed-api-XXXXXX";
    int file = mkstemp(path);
    onnx_message m = onnx_text_model("in x float32 [n, 3]\nout y float32 [n, 1]\n"
                                     "const w float32 [3, 1] 1 10 100\nMatMul(x, w) -> (y)\n");
    assert_int_equal(write(file, m.bytes, m.size), m.size);
    close(file);
    assert_float_equal(first_number(path), 321, 0);
    unlink(path);
    assert_float_equal(first_number(path), -1, 0);
    assert_int_equal(heed_error_get()->status, HEED_NOTFOUND);
    message_has("heed-api-");
    onnx_write_free(&m);
}

/* ---- DLPack ------------------------------------------------------------------------------------
 */

static void strided_dlpack_goes_in_and_dense_comes_out(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [n, m]\nout y float32 [n, m]\nNeg(x) -> (y)\n");
    float memory[] = {9, 1, 2, 3, 4, 5, 6};
    int64_t shape[] = {3, 2}, strides[] = {1, 3}; /* transposed */
    DLTensor view = {.data = memory,
                     .device = {kDLCPU, 0},
                     .ndim = 2,
                     .dtype = {kDLFloat, 32, 1},
                     .shape = shape,
                     .strides = strides,
                     .byte_offset = sizeof(float)};
    heed_tensor *in, *out = NULL;
    assert_int_equal(heed_tensor_from_dlpack(&view, &in), HEED_OK);
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out), HEED_OK);
    const DLTensor *dl = heed_tensor_get_dlpack(out);
    assert_int_equal(dl->ndim, 2);
    assert_int_equal(dl->shape[0], 3);
    assert_int_equal(dl->device.device_type, kDLCPU);
    assert_int_equal(dl->dtype.code, kDLFloat);
    assert_null(dl->strides);
    const float *y = (const float *)(const void *)((const char *)dl->data + dl->byte_offset);
    assert_memory_equal(y, ((float[]){-1, -4, -2, -5, -3, -6}), 6 * sizeof(float));
    heed_tensor_free(in);
    assert_null(heed_tensor_wrap(HEED_FLOAT32, 1, (int64_t[]){1}, (char *)memory + 1));
    message_has("multiple of its element's size");
    view.device.device_type = kDLCUDA;
    assert_int_equal(heed_tensor_from_dlpack(&view, &in), HEED_USAGE);
    assert_null(in);
    heed_tensor_free(out);
    close_session(s);
}

/* ---- The caller's memory ------------------------------------------------------------------------
 */

static const char two_outputs[] = "in x float32 [n]\nout y float32 [n]\nout z float32 [n]\n"
                                  "Neg(x) -> (y)\nAbs(x) -> (z)\n";

static void results_in_the_callers_memory(void **state)
{
    (void)state;
    heed_session *s = open(two_outputs);
    float mine[] = {7, 7, 7};
    heed_tensor *in = floats(1, (int64_t[]){3}, (float[]){1, -2, 3});
    heed_tensor *bound = heed_tensor_wrap(HEED_FLOAT32, 1, (int64_t[]){3}, mine);
    heed_tensor *out[] = {NULL, bound};
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 2, NULL, out), HEED_OK);
    assert_ptr_equal(out[1], bound);
    assert_memory_equal(mine, ((float[]){1, 2, 3}), sizeof(mine));
    check_floats(out[0], 3, (float[]){-1, 2, -3});
    heed_tensor_free(out[0]);
    heed_tensor_free(in);
    heed_tensor_free(bound);
    close_session(s);
}

static void refused_output(heed_session *s, heed_tensor *in, heed_tensor *bound)
{
    heed_tensor *out[] = {NULL, bound};
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 2, NULL, out), HEED_USAGE);
    message_has("another type");
    assert_null(out[0]);
    assert_ptr_equal(out[1], bound);
    heed_tensor_free(bound);
}

static void callers_memory_of_another_type(void **state)
{
    (void)state;
    heed_session *s = open(two_outputs);
    heed_tensor *in = floats(1, (int64_t[]){3}, (float[]){1, -2, 3}), *t;
    refused_output(s, in, floats(1, (int64_t[]){4}, (float[]){0, 0, 0, 0}));
    refused_output(s, in, floats(2, (int64_t[]){3, 1}, (float[]){0, 0, 0}));
    assert_int_equal(heed_tensor_new(HEED_INT32, 1, (int64_t[]){3}, &t), HEED_OK);
    refused_output(s, in, t);
    assert_int_equal(heed_tensor_new_sequence(HEED_FLOAT32, 0, NULL, &t), HEED_OK);
    refused_output(s, in, t);
    heed_tensor_free(in);
    close_session(s);
}

/* A sequence has no dims, like a scalar; it is no memory for one. */
static void a_sequence_is_no_scalar(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 []\nout y float32 []\nNeg(x) -> (y)\n");
    float one = 1;
    heed_tensor *in = floats(0, NULL, &one), *out;
    assert_int_equal(heed_tensor_new_sequence(HEED_FLOAT32, 0, NULL, &out), HEED_OK);
    heed_tensor *bound = out;
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out), HEED_USAGE);
    assert_ptr_equal(out, bound);
    heed_tensor_free(out);
    heed_tensor_free(in);
    close_session(s);
}

/* One value as two outputs, an input as an output, a constant as an output, a view of an input. */
static void outputs_that_share_a_value(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [4]\nout y float32 [4]\nout y float32 [4]\n"
                           "out x float32 [4]\nout k float32 [2]\nout v float32 [2, 2]\n"
                           "out u float32 [2, 2]\nconst k float32 [2] 5 6\n"
                           "const square int64 [2] 2 2\nNeg(x) -> (y)\n"
                           "Reshape(x, square) -> (v)\nReshape(y, square) -> (u)\n");
    heed_tensor *in = floats(1, (int64_t[]){4}, (float[]){1, 2, 3, 4});
    heed_tensor *out[6] = {0};
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 6, NULL, out), HEED_OK);
    float *x = heed_tensor_get_mutable_data(in);
    memset(x, 0, 4 * sizeof(float)); /* results do not share memory with inputs */
    float *y = heed_tensor_get_mutable_data(out[0]);
    for (int i = 1; i < 6; i++)
        assert_ptr_not_equal(heed_tensor_get_data(out[i]), y);
    memset(y, 0, 4 * sizeof(float)); /* nor with each other */
    check_floats(out[1], 4, (float[]){-1, -2, -3, -4});
    check_floats(out[2], 4, (float[]){1, 2, 3, 4});
    check_floats(out[3], 2, (float[]){5, 6});
    check_floats(out[4], 4, (float[]){1, 2, 3, 4});
    check_floats(out[5], 4, (float[]){-1, -2, -3, -4});
    assert_int_equal(heed_tensor_get_ndim(out[5]), 2);
    for (int i = 0; i < 6; i++)
        heed_tensor_free(out[i]);
    heed_tensor_free(in);
    close_session(s);
}

/* ---- What a caller gets wrong -------------------------------------------------------------------
 */

typedef struct mistake {
    size_t n_in;
    const char *names[3];
    heed_dtype dtype;
    int32_t ndim;
    int64_t dims[3];
    size_t n_out;
    const char *out_names[2];
    const char *says;
} mistake;

// clang-format off
static const mistake mistakes[] = {
    {1, {"x"}, HEED_FLOAT32, 2, {2, 3}, 1, {"q"}, "output \"q\""},
    {1, {"x"}, HEED_FLOAT32, 2, {2, 3}, 2, {"y", "y"}, "asked for twice"},
    {1, {"a"}, HEED_FLOAT32, 2, {2, 3}, 1, {"y"}, "input \"a\": expected an input of the model"},
    {2, {"x", "x"}, HEED_FLOAT32, 2, {2, 3}, 1, {"y"}, "input \"x\": expected one tensor, found two"},
    {0, {NULL}, HEED_FLOAT32, 2, {2, 3}, 1, {"y"}, "input \"x\": expected a tensor, found none"},
    {1, {"x"}, HEED_FLOAT64, 2, {2, 3}, 1, {"y"}, "input \"x\": expected float32, found float64"},
    {1, {"x"}, HEED_FLOAT32, 2, {2, 4}, 1, {"y"}, "input \"x\": expected [batch, 3], found 2x4"},
    {1, {"x"}, HEED_FLOAT32, 1, {3}, 1, {"y"}, "input \"x\": expected [batch, 3], found 3"},
    {1, {"x"}, HEED_FLOAT32, 3, {1, 2, 3}, 1, {"y"}, "expected [batch, 3], found 1x2x3"},
};
// clang-format on

static void mistakes_are_named(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [batch, 3]\nout y float32\nRelu(x) -> (y)\n");
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        const mistake *m = &mistakes[i];
        heed_tensor *in[3] = {0}, *out[2] = {0};
        assert_int_equal(heed_tensor_new(m->dtype, m->ndim, m->dims, &in[0]), HEED_OK);
        in[1] = in[0];
        assert_int_equal(
            heed_session_run(s, NULL, m->n_in, m->names, in, m->n_out, m->out_names, out),
            HEED_USAGE);
        message_has(m->says);
        assert_null(out[0]);
        heed_tensor_free(in[0]);
    }
    heed_tensor *none = NULL, *out = NULL;
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &none, 1, NULL, &out), HEED_USAGE);
    message_has("found NULL");
    close_session(s);
}

static void inputs_with_defaults(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [2]\nin scale float32 [1]\nout y float32 [2]\n"
                           "const scale float32 [1] 10\nMul(x, scale) -> (y)\n");
    heed_model *m = heed_session_get_model(s);
    assert_int_equal(heed_model_get_input_count(m), 2);
    assert_int_equal(heed_model_get_input(m, 0)->optional, 0);
    assert_int_equal(heed_model_get_input(m, 1)->optional, 1);
    heed_tensor *in[] = {floats(1, (int64_t[]){2}, (float[]){1, 2}),
                         floats(1, (int64_t[]){1}, (float[]){3})};
    heed_tensor *out[2] = {0};
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, in, 1, NULL, &out[0]), HEED_OK);
    assert_int_equal(heed_session_run(s, NULL, 2, NULL, in, 1, NULL, &out[1]), HEED_OK);
    check_floats(out[0], 2, (float[]){10, 20});
    check_floats(out[1], 2, (float[]){3, 6});
    for (int i = 0; i < 2; i++) {
        heed_tensor_free(in[i]);
        heed_tensor_free(out[i]);
    }
    close_session(s);
}

/* ---- Shapes -------------------------------------------------------------------------------------
 */

/* The file says "n" twice and does not mean it. */
static void names_of_dims_that_contradict(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [n]\nin y float32 [n]\nout z float32\nout k int64\n"
                           "Concat(x, y) -> (z) axis=0\nShape(y) -> (k)\n");
    heed_tensor *in[] = {floats(1, (int64_t[]){2}, (float[]){1, 2}),
                         floats(1, (int64_t[]){3}, (float[]){3, 4, 5})};
    heed_tensor *same[] = {in[0], in[0]};
    for (int round = 0; round < 2; round++) {
        heed_tensor *out[2] = {0};
        assert_int_equal(heed_session_run(s, NULL, 2, NULL, in, 2, NULL, out), HEED_OK);
        check_floats(out[0], 5, (float[]){1, 2, 3, 4, 5});
        assert_int_equal(*(const int64_t *)heed_tensor_get_data(out[1]), 3);
        heed_tensor_free(out[0]);
        heed_tensor_free(out[1]);
        memset(out, 0, sizeof(out));
        assert_int_equal(heed_session_run(s, NULL, 2, NULL, same, 2, NULL, out), HEED_OK);
        check_floats(out[0], 4, (float[]){1, 2, 1, 2});
        heed_tensor_free(out[0]);
        heed_tensor_free(out[1]);
    }
    heed_tensor_free(in[0]);
    heed_tensor_free(in[1]);
    close_session(s);
}

/* Two extents are taken for the same, and a mask of one key is broadcast all the same. */
static void check_sum_of_two(const char *graph)
{
    heed_session *s = open(graph);
    heed_tensor *x = floats(1, (int64_t[]){2}, (float[]){1, 1});
    heed_tensor *masks[] = {floats(1, (int64_t[]){2}, (float[]){0, -1000}),
                            floats(1, (int64_t[]){1}, (float[]){-1000}),
                            floats(1, (int64_t[]){3}, (float[]){0, 0, 0})};
    const float expected[][2] = {{1, 0}, {0.5F, 0.5F}};
    for (int i = 0; i < 3; i++) {
        heed_tensor *in[] = {x, masks[i]}, *out = NULL;
        heed_status status = heed_session_run(s, NULL, 2, NULL, in, 1, NULL, &out);
        assert_int_equal(status, i < 2 ? HEED_OK : HEED_INVALID);
        if (i < 2)
            check_floats(out, 2, expected[i]);
        heed_tensor_free(out);
        heed_tensor_free(masks[i]);
    }
    heed_tensor_free(x);
    close_session(s);
}

/* A reshape that allows one extent only is asked for others. */
static void check_reshape_to_six(const char *graph)
{
    heed_session *s = open(graph);
    for (int64_t n = 1; n < 4; n++) {
        heed_tensor *in = floats(2, (int64_t[]){n, 3}, (float[9]){0}), *out = NULL;
        assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 1, NULL, &out),
                         n == 2 ? HEED_OK : HEED_INVALID);
        heed_tensor_free(out);
        heed_tensor_free(in);
    }
    close_session(s);
}

static void extents_that_were_unified(void **state)
{
    (void)state;
    check_sum_of_two("in x float32 [keys]\nin m float32 [total]\nout y float32\n"
                     "Add(x, m) -> (a)\nSoftmax(a) -> (y)\n");
    check_sum_of_two("in x float32 [?]\nin m float32 [?]\nout y float32\n"
                     "Add(x, m) -> (a)\nSoftmax(a) -> (y)\n");
    check_reshape_to_six("in x float32 [n, 3]\nout y float32\nconst shape int64 [2] 3 2\n"
                         "Reshape(x, shape) -> (y)\n");
    check_reshape_to_six("in x float32 [?, 3]\nout y float32\nconst shape int64 [2] 3 2\n"
                         "Reshape(x, shape) -> (y)\n");
}

static void empty_tensors(void **state)
{
    (void)state;
    heed_session *s = open("in x float32 [n, 3]\nout y float32\nout sum float32\nout all float32\n"
                           "const w float32 [3, 2] 1\nMatMul(x, w) -> (m)\nSoftmax(m) -> (y)\n"
                           "ReduceSum(x) -> (sum)\nConcat(x, x) -> (all) axis=0\n");
    heed_tensor *in = floats(2, (int64_t[]){0, 3}, NULL);
    heed_tensor *out[3] = {0};
    assert_int_equal(heed_tensor_get_count(in), 0);
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 3, NULL, out), HEED_OK);
    assert_int_equal(heed_tensor_get_count(out[0]), 0);
    assert_int_equal(heed_tensor_get_dims(out[0])[1], 2);
    check_floats(out[1], 1, (float[]){0});
    assert_int_equal(heed_tensor_get_dims(out[2])[0], 0);
    for (int i = 0; i < 3; i++)
        heed_tensor_free(out[i]);
    heed_tensor_free(in);
    close_session(s);
}

/* ---- Strings and sequences ----------------------------------------------------------------------
 */

static void strings(void **state)
{
    (void)state;
    heed_session *s = open("in a string [n]\nout b string\nout picked string\n"
                           "const last int64 [1] -1\nConcat(a, a) -> (b) axis=0\n"
                           "Gather(a, last) -> (picked)\n");
    heed_tensor *in, *out[2] = {0};
    assert_int_equal(heed_tensor_new(HEED_STRING, 1, (int64_t[]){2}, &in), HEED_OK);
    assert_int_equal(heed_tensor_set_string(in, 0, "one", 3), HEED_OK);
    assert_int_equal(heed_tensor_set_string(in, 1, "t\0o", 3), HEED_OK);
    assert_int_not_equal(heed_tensor_set_string(in, 2, "x", 1), HEED_OK);
    assert_int_equal(heed_session_run(s, NULL, 1, NULL, &in, 2, NULL, out), HEED_OK);
    heed_tensor_free(in); /* results own their text */
    const heed_string *b = heed_tensor_get_data(out[0]), *p = heed_tensor_get_data(out[1]);
    assert_int_equal(heed_tensor_get_count(out[0]), 4);
    assert_int_equal(b[2].size, 3);
    assert_memory_equal(b[2].data, "one", 3);
    assert_int_equal(p->size, 3);
    assert_memory_equal(p->data, "t\0o", 3);
    heed_tensor_free(out[0]);
    heed_tensor_free(out[1]);
    close_session(s);
}

static void sequences(void **state)
{
    (void)state;
    heed_session *s = open("in s seq float32\nin c bool []\nout t seq float32\n"
                           "out u seq float32\nIdentity(s) -> (t)\nIf(c) -> (u)\n"
                           "{ then_branch\nIdentity(s) -> (a)\nout a\n}\n"
                           "{ else_branch\nIdentity(t) -> (b)\nout b\n}\n");
    bool yes = true;
    heed_tensor *items[] = {floats(1, (int64_t[]){2}, (float[]){8, 9}),
                            floats(1, (int64_t[]){1}, (float[]){4})};
    float *first = heed_tensor_get_mutable_data(items[0]);
    heed_tensor *in[2] = {0}, *out[2] = {0};
    assert_int_equal(heed_tensor_new_sequence(0, 2, items, &in[0]), HEED_OK);
    in[1] = heed_tensor_wrap(HEED_BOOL, 0, NULL, &yes);
    if (heed_session_run(s, NULL, 2, NULL, in, 2, NULL, out))
        fail_msg("%s", heed_error_get()->message);
    first[0] = 0; /* not shared with the results */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(heed_tensor_get_kind(out[i]), HEED_SEQUENCE);
        assert_int_equal(heed_tensor_get_item_count(out[i]), 2);
        check_floats(heed_tensor_get_item(out[i], 0), 2, (float[]){8, 9});
        check_floats(heed_tensor_get_item(out[i], 1), 1, (float[]){4});
        assert_null(heed_tensor_get_item(out[i], 2));
        heed_tensor_free(out[i]);
        out[i] = NULL;
    }
    heed_tensor *wrong[] = {in[1], in[1]};
    assert_int_equal(heed_session_run(s, NULL, 2, NULL, wrong, 2, NULL, out), HEED_USAGE);
    message_has("expected a sequence, found a tensor");
    heed_tensor_free(in[0]);
    heed_tensor_free(in[1]);
    close_session(s);
}

/* ---- Facts about a model ------------------------------------------------------------------------
 */

static void models_describe_themselves(void **state)
{
    (void)state;
    const char *value = NULL;
    const heed_op_count *ops;
    const heed_weight_count *weights;
    onnx_message m;
    heed_model *model = onnx_text_load("in x float32 [batch, 2]\nout y float32\nout y2 float32\n"
                                       "const w float32 [2, 2] 1\nAdd(x, w) -> (y)\n"
                                       "Add(y, w) -> (y2)\n",
                                       &m);
    const heed_value_info *in = heed_model_get_input(model, 0);
    assert_string_equal(in->name, "x");
    assert_int_equal(in->dims[0], -1);
    assert_string_equal(in->symbols[0], "batch");
    assert_null(in->symbols[1]);
    assert_null(heed_model_get_input(model, 1));
    assert_string_equal(heed_model_get_output(model, 1)->name, "y2");
    assert_int_equal(heed_model_get_op_counts(model, &ops), 1);
    assert_string_equal(ops[0].op, "Add");
    assert_int_equal(ops[0].nodes, 2);
    assert_int_equal(heed_model_get_weight_counts(model, &weights), 1);
    assert_int_equal(weights[0].bytes, 16);
    int found = 0;
    for (size_t i = 0; heed_model_get_fact(model, i, &value); i++)
        found += !strcmp(value, "21");
    assert_int_equal(found, 1);
    heed_model *again = heed_model_ref(model);
    heed_model_free(model);
    assert_string_equal(heed_model_get_input(again, 0)->name, "x");
    heed_model_free(again);
    onnx_write_free(&m);
}

static void nothing_is_freed_without_complaint(void **state)
{
    (void)state;
    heed_tensor_free(NULL);
    heed_model_free(NULL);
    heed_session_free(NULL);
    heed_cancel_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_file_to_numbers),
        cmocka_unit_test(strided_dlpack_goes_in_and_dense_comes_out),
        cmocka_unit_test(results_in_the_callers_memory),
        cmocka_unit_test(callers_memory_of_another_type),
        cmocka_unit_test(a_sequence_is_no_scalar),
        cmocka_unit_test(outputs_that_share_a_value),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(inputs_with_defaults),
        cmocka_unit_test(names_of_dims_that_contradict),
        cmocka_unit_test(extents_that_were_unified),
        cmocka_unit_test(empty_tensors),
        cmocka_unit_test(strings),
        cmocka_unit_test(sequences),
        cmocka_unit_test(models_describe_themselves),
        cmocka_unit_test(nothing_is_freed_without_complaint),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heed_shutdown();
    heed_memory_use use = {.size = sizeof(use)};
    heed_memory_get(&use, 0);
    if (use.bytes)
        fprintf(stderr, "%llu bytes were not given back\n", (unsigned long long)use.bytes);
    return failed || use.bytes;
}
