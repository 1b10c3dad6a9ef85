/* Raising: a node of an old opset, and what the builder is told instead. Every row is one adapter
 * in one form; `given` declares inputs with element type and rank ("x:1:4"), where the adapter
 * would do something else without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx_record.h"
#include "onnx_write.h"

typedef struct raising {
    int64_t opset;
    const char *given;
    const char *node;
    const char *told; /* lines; the last one without an end */
} raising;

// clang-format off
static const raising rows[] = {
    /* What has not changed passes. */
    {28, "", "Relu(x) -> (y)", "node 0 Relu(x) -> (y)"},
    {7, "", "Relu(x) -> (y)", "node 0 Relu(x) -> (y)"},
    {1, "", "Not(x) -> (y)", "node 0 Not(x) -> (y)"},
    {7, "", "Gemm(a, b, c) -> (y) alpha=2.0", "node 0 Gemm(a, b, c) -> (y) alpha=2"},
    {11, "", "Foo(x) -> (y) axes=[1] my.domain", "node 0 my.domain.Foo(x) -> (y) axes=1"},
    {11, "", "Squeeze(x) -> (y) axes=[1] my.domain", "node 0 my.domain.Squeeze(x) -> (y) axes=1"},
    {17, "", "SimplifiedLayerNormalization(x, s) -> (y) axis=-1",
     "node 0 com.microsoft.SimplifiedLayerNormalization(x, s) -> (y) axis=-1"},

    /* axes */
    {11, "", "Squeeze(x) -> (y) axes=[1,-2]",
     "tensor 0 y~1 int64[2] = 1 -2\nnode 0 Squeeze(x, y~1) -> (y)"},
    {11, "", "Squeeze(x) -> (y)", "node 0 Squeeze(x) -> (y)"},
    {13, "", "Squeeze(x, a) -> (y)", "node 0 Squeeze(x, a) -> (y)"},
    {7, "", "Unsqueeze(x) -> (y) axes=[0]",
     "tensor 0 y~1 int64[1] = 0\nnode 0 Unsqueeze(x, y~1) -> (y)"},
    {12, "", "ReduceSum(x) -> (y) axes=[1] keepdims=0",
     "tensor 0 y~1 int64[1] = 1\nnode 0 ReduceSum(x, y~1) -> (y) keepdims=0"},
    {13, "", "ReduceSum(x, a) -> (y) keepdims=0", "node 0 ReduceSum(x, a) -> (y) keepdims=0"},
    {17, "", "ReduceMean(x) -> (y) axes=[-1]",
     "tensor 0 y~1 int64[1] = -1\nnode 0 ReduceMean(x, y~1) -> (y)"},
    {17, "", "ReduceMean(x) -> (y)", "node 0 ReduceMean(x) -> (y)"},
    {18, "", "ReduceMean(x, a) -> (y) noop_with_empty_axes=1",
     "node 0 ReduceMean(x, a) -> (y) noop_with_empty_axes=1"},
    {13, "", "ReduceLogSumExp(x) -> (y) axes=[0]",
     "tensor 0 y~1 int64[1] = 0\nnode 0 ReduceLogSumExp(x, y~1) -> (y)"},

    /* layout */
    {11, "", "Split(x) -> (a, b) axis=1 split=[2,3]",
     "tensor 0 a~1 int64[2] = 2 3\nnode 0 Split(x, a~1) -> (a, b) axis=1"},
    {11, "", "Split(x) -> (a, b) axis=1", "node 0 Split(x) -> (a, b) axis=1 num_outputs=2"},
    {13, "", "Split(x) -> (a, b, c)", "node 0 Split(x) -> (a, b, c) num_outputs=3"},
    {13, "", "Split(x, s) -> (a, b)", "node 0 Split(x, s) -> (a, b)"},
    {18, "", "Split(x) -> (a, b) num_outputs=2", "node 0 Split(x) -> (a, b) num_outputs=2"},
    {9, "", "Slice(x) -> (y) axes=[1] starts=[0] ends=[5]",
     "tensor 0 y~1 int64[1] = 0\ntensor 0 y~2 int64[1] = 5\ntensor 0 y~3 int64[1] = 1\n"
     "node 0 Slice(x, y~1, y~2, y~3) -> (y)"},
    {9, "", "Slice(x) -> (y) starts=[0] ends=[5]",
     "tensor 0 y~1 int64[1] = 0\ntensor 0 y~2 int64[1] = 5\nnode 0 Slice(x, y~1, y~2) -> (y)"},
    {10, "", "Slice(x, s, e, , t) -> (y)", "node 0 Slice(x, s, e, , t) -> (y)"},
    {10, "", "Pad(x) -> (y) pads=[0,1,0,1] mode='reflect'",
     "tensor 0 y~1 int64[4] = 0 1 0 1\nnode 0 Pad(x, y~1) -> (y) mode='reflect'"},
    {10, "x:1:2", "Pad(x) -> (y) pads=[0,1,0,1] value=2.5",
     "tensor 0 y~1 int64[4] = 0 1 0 1\ntensor 0 y~2 float32[] = 2.5\n"
     "node 0 Pad(x, y~1, y~2) -> (y)"},
    {10, "x:11:2", "Pad(x) -> (y) pads=[0,1,0,1] value=2.5",
     "tensor 0 y~1 int64[4] = 0 1 0 1\ntensor 0 y~2 float64[] = 2.5\n"
     "node 0 Pad(x, y~1, y~2) -> (y)"},
    {10, "", "Pad(x) -> (y) pads=[0,1,0,1] value=2.5",
     "tensor 0 y~1 int64[4] = 0 1 0 1\ntensor 0 y~2 float32[] = 2.5\n"
     "node 0 CastLike(y~2, x) -> (y~3)\nnode 0 Pad(x, y~1, y~3) -> (y)"},
    {9, "", "TopK(x) -> (v, i) k=3 axis=0",
     "tensor 0 v~1 int64[1] = 3\nnode 0 TopK(x, v~1) -> (v, i) axis=0"},
    {10, "", "TopK(x, k) -> (v, i)", "node 0 TopK(x, k) -> (v, i)"},
    {9, "", "Scatter(x, i, u) -> (y) axis=1", "node 0 ScatterElements(x, i, u) -> (y) axis=1"},
    {11, "", "Scatter(x, i, u) -> (y)", "node 0 ScatterElements(x, i, u) -> (y)"},

    /* softmax */
    {12, "", "Softmax(x) -> (y) axis=-1", "node 0 Softmax(x) -> (y) axis=-1"},
    {11, "x:1:4", "Softmax(x) -> (y) axis=3", "node 0 Softmax(x) -> (y) axis=-1"},
    {11, "x:1:2", "LogSoftmax(x) -> (y)", "node 0 LogSoftmax(x) -> (y) axis=-1"},
    {13, "", "Softmax(x) -> (y)", "node 0 Softmax(x) -> (y)"},
    {11, "x:1:3", "Softmax(x) -> (y)",
     "node 0 Shape(x) -> (y~1)\nnode 0 Flatten(x) -> (y~2) axis=1\n"
     "node 0 Reshape(y~3, y~1) -> (y) allowzero=1\nnode 0 Softmax(y~2) -> (y~3) axis=-1"},
    {11, "", "Hardmax(x) -> (y) axis=0",
     "node 0 Shape(x) -> (y~1)\nnode 0 Flatten(x) -> (y~2) axis=0\n"
     "node 0 Reshape(y~3, y~1) -> (y) allowzero=1\nnode 0 Hardmax(y~2) -> (y~3) axis=-1"},

    /* unary */
    {10, "x:1:1", "Clip(x) -> (y) min=0.5 max=6.0",
     "tensor 0 y~1 float32[] = 0.5\ntensor 0 y~2 float32[] = 6\nnode 0 Clip(x, y~1, y~2) -> (y)"},
    {6 + 1, "x:1:1", "Clip(x) -> (y) max=6.0",
     "tensor 0 y~1 float32[] = 6\nnode 0 Clip(x, , y~1) -> (y)"},
    {10, "x:10:1", "Clip(x) -> (y) min=0.5",
     "tensor 0 y~1 float32[] = 0.5\nnode 0 CastLike(y~1, x) -> (y~2)\nnode 0 Clip(x, y~2) -> (y)"},
    {10, "", "Clip(x) -> (y)", "node 0 Clip(x) -> (y)"},
    {11, "", "Clip(x, , m) -> (y)", "node 0 Clip(x, , m) -> (y)"},
    {7, "", "Dropout(x) -> (y) ratio=0.3", "node 0 Dropout(x) -> (y)"},
    {10, "", "Dropout(x) -> (y, m) ratio=0.3", "node 0 Dropout(x) -> (y, m)"},
    {9, "", "Dropout(x) -> (y, m)",
     "node 0 CastLike(y~1, x) -> (m)\nnode 0 Dropout(x) -> (y, y~1)"},
    {12, "", "Dropout(x, r, t) -> (y) seed=3", "node 0 Dropout(x, r, t) -> (y) seed=3"},

    /* norm */
    {9, "", "BatchNormalization(x, s, b, m, v) -> (y) epsilon=0.5",
     "node 0 BatchNormalization(x, s, b, m, v) -> (y) epsilon=0.5"},
    {7, "", "BatchNormalization(x, s, b, m, v) -> (y) spatial=1",
     "node 0 BatchNormalization(x, s, b, m, v) -> (y)"},
    {7, "x:1:2", "BatchNormalization(x, s, b, m, v) -> (y) spatial=0 epsilon=0.5",
     "tensor 0 y~1 float32[] = 0.5\nnode 0 Sub(x, m) -> (y~2)\nnode 0 Add(v, y~1) -> (y~3)\n"
     "node 0 Sqrt(y~3) -> (y~4)\nnode 0 Div(y~2, y~4) -> (y~5)\nnode 0 Mul(y~5, s) -> (y~6)\n"
     "node 0 Add(y~6, b) -> (y)"},
    {9, "", "BatchNormalization(x, s, b, m, v) -> (y, rm, rv) momentum=0.5",
     "node 0 BatchNormalization(x, s, b, m, v) -> (y, rm, rv) momentum=0.5 training_mode=1"},
    {14, "", "BatchNormalization(x, s, b, m, v) -> (y, rm, rv) training_mode=1",
     "node 0 BatchNormalization(x, s, b, m, v) -> (y, rm, rv) training_mode=1"},
    {18, "", "GroupNormalization(x, s, b) -> (y) num_groups=2",
     "tensor 0 y~1 int64[1] = 2\ntensor 0 y~2 int64[2] = 2 1\n"
     "node 0 Shape(x) -> (y~3) start=1 end=2\nnode 0 Div(y~3, y~1) -> (y~4)\n"
     "node 0 Concat(y~1, y~4) -> (y~5) axis=0\n"
     "tensor 0 y~6 int64[1] = -1\nnode 0 Reshape(s, y~2) -> (y~7)\n"
     "node 0 Expand(y~7, y~5) -> (y~8)\nnode 0 Reshape(y~8, y~6) -> (y~9)\n"
     "tensor 0 y~10 int64[1] = -1\nnode 0 Reshape(b, y~2) -> (y~11)\n"
     "node 0 Expand(y~11, y~5) -> (y~12)\nnode 0 Reshape(y~12, y~10) -> (y~13)\n"
     "node 0 GroupNormalization(x, y~9, y~13) -> (y) num_groups=2"},
    {21, "", "GroupNormalization(x, s, b) -> (y) num_groups=2",
     "node 0 GroupNormalization(x, s, b) -> (y) num_groups=2"},

    /* image */
    {7, "", "Upsample(x) -> (y) mode='nearest' scales=[1.0,2.0]",
     "tensor 0 y~1 float32[2] = 1 2\nnode 0 Resize(x, , y~1) -> (y) mode='nearest' "
     "coordinate_transformation_mode='asymmetric' nearest_mode='heed_shrink_ceil'"},
    {9, "", "Upsample(x, s) -> (y) mode='linear'",
     "node 0 Resize(x, , s) -> (y) mode='linear' "
     "coordinate_transformation_mode='asymmetric' nearest_mode='heed_shrink_ceil'"},
    {10, "", "Resize(x, s) -> (y) mode='nearest'",
     "node 0 Resize(x, , s) -> (y) mode='nearest' "
     "coordinate_transformation_mode='asymmetric' nearest_mode='heed_shrink_ceil'"},
    {11, "", "Resize(x, r, s) -> (y) mode='nearest'",
     "node 0 Resize(x, r, s) -> (y) mode='nearest'"},
    {16, "", "GridSample(x, g) -> (y) mode='bicubic'", "node 0 GridSample(x, g) -> (y) mode='cubic'"},
    {16, "", "GridSample(x, g) -> (y) mode='bilinear'",
     "node 0 GridSample(x, g) -> (y) mode='linear'"},
    {16, "", "GridSample(x, g) -> (y) mode='nearest'",
     "node 0 GridSample(x, g) -> (y) mode='nearest'"},
    {10, "", "RoiAlign(x, r, b) -> (y)",
     "node 0 RoiAlign(x, r, b) -> (y) coordinate_transformation_mode='output_half_pixel'"},

    /* signal */
    {17, "", "DFT(x) -> (y)", "tensor 0 y~1 int64[] = 1\nnode 0 DFT(x, , y~1) -> (y)"},
    {17, "", "DFT(x, n) -> (y) axis=2",
     "tensor 0 y~1 int64[] = 2\nnode 0 DFT(x, n, y~1) -> (y)"},

    /* constants */
    {13, "", "Constant() -> (y) value_int=7", "tensor 0 y int64[] = 7"},
    {13, "", "Constant() -> (y) value_ints=[7,8]", "tensor 0 y int64[2] = 7 8"},
    {13, "", "Constant() -> (y) value_ints=[]", "tensor 0 y int64[0]"},
    {13, "", "Constant() -> (y) value_float=0.5", "tensor 0 y float32[] = 0.5"},
    {13, "", "Constant() -> (y) value_floats=[0.5,1.5]", "tensor 0 y float32[2] = 0.5 1.5"},
    {13, "", "Constant() -> (y) value_string='ab'", "tensor 0 y string[] = \"ab\""},

    /* A name that is taken already is not invented again. */
    {11, "", "Squeeze(y~1) -> (y) axes=[1]",
     "tensor 0 y~~1 int64[1] = 1\nnode 0 Squeeze(y~1, y~~1) -> (y)"},
};
// clang-format on

/* "x:1:4 z:10:-1": element type and rank. */
static void write_inputs(onnx_message *graph, const char *given)
{
    char name[32];
    int dtype, rank, used;
    while (sscanf(given, "%31[^:]:%d:%d%n", name, &dtype, &rank, &used) == 3) {
        onnx_message value = onnx_write_value(name, dtype, rank);
        onnx_write_part(graph, 11, &value);
        given += used + (given[used] == ' ');
    }
}

/* What was said about nodes and constants. */
static void keep_lines(const char *text, char *out)
{
    *out = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n = strcspn(line, "\n");
        if (strncmp(line, "node ", 5) == 0 || strncmp(line, "tensor ", 7) == 0)
            sprintf(out + strlen(out), "%s%.*s", *out ? "\n" : "", (int)n, line);
    }
}

static heed_status load(onnx_record *r, const char *given, const char *node, int64_t opset)
{
    onnx_message graph = {0}, part = onnx_write_node(node);
    onnx_write_part(&graph, 1, &part);
    write_inputs(&graph, given);
    onnx_message model = onnx_write_model(&graph, opset);
    onnx_record_open(r);
    heed_status status = onnx_record_load(r, model.bytes, model.size);
    onnx_write_free(&model);
    return status;
}

static void test_rows(void **state)
{
    char told[8192];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        onnx_record r;
        heed_status status = load(&r, rows[i].given, rows[i].node, rows[i].opset);
        if (status)
            fail_msg("row %zu, %s: %s", i, rows[i].node, r.error);
        keep_lines(r.text, told);
        assert_string_equal(told, rows[i].told);
        onnx_record_close(&r);
        assert_int_equal(onnx_record_live, 0);
    }
}

/* Opset, node, and a part of the message. */
static const raising refused[] = {
    {6, "", "Add(x, z) -> (y)", "expected Add of opset 7 or newer, found opset 6"},
    {9, "", "BatchNormalization(x, s, b, m, v) -> (y, a, c, d, e)", "at most three outputs"},
    {11, "", "Squeeze(x) -> (y) axes='a'", "expected an attribute of type INT or INTS"},
    {29, "", "Relu(x) -> (y)", "expected an opset of ai.onnx from 7 to 28, found 29"},
    {13, "", "Constant() -> (y) other=1", "one attribute value"},
    {13, "", "Constant() -> (y) value_int=1.5", "one attribute value"},
    {13, "", "Constant() -> (y, z) value_int=1", "no input and one output"},
    {13, "", "Relu(x) -> (y) a=@b", "a reference to attribute \"b\""},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        onnx_record r;
        assert_int_not_equal(load(&r, "", refused[i].node, refused[i].opset), HEED_OK);
        if (!strstr(r.error, refused[i].told))
            fail_msg("%s: %s", refused[i].node, r.error);
        onnx_record_close(&r);
        assert_int_equal(onnx_record_live, 0);
    }
}

/* Scan of opset 8 becomes a Loop over its batch. */
static void test_scan_8(void **state)
{
    onnx_record r;
    onnx_message graph = {0}, body = {0}, part = onnx_write_node("Add(s, x) -> (t)"), attr = {0};
    (void)state;
    onnx_write_part(&body, 1, &part);
    onnx_message node = onnx_write_node("Scan(, s0, xs) -> (last, all) num_scan_inputs=1 "
                                        "directions=[1]");
    onnx_write_text(&attr, 1, "body");
    onnx_write_part(&attr, 6, &body);
    onnx_write_int(&attr, 20, 5);
    onnx_write_part(&node, 5, &attr);
    onnx_write_part(&graph, 1, &node);
    onnx_message model = onnx_write_model(&graph, 8);
    onnx_record_open(&r);
    assert_int_equal(onnx_record_load(&r, model.bytes, model.size), HEED_OK);
    const char *const lines[] = {
        "graph 1 in 0 'batch'",
        "input 1 last~1 tensor(7)",
        "input 1 last~2 tensor(9)",
        "node 1 Gather(s0, last~1) -> (last~3)",
        "node 1 Gather(xs, last~1) -> (last~4)",
        "graph 2 in 1 ''",
        "node 2 Add(s, x) -> (t)",
        "node 1 Identity(last~2) -> (last~5)",
        "node 1 Scan(last~3, last~4) -> (last~6, last~7) num_scan_inputs=1 "
        "scan_input_directions=1 body=graph 2",
        "output 1 last~5 any()",
        "output 1 last~6 any()",
        "output 1 last~7 any()",
        "node 0 Shape(s0) -> (last~9)",
        "node 0 Gather(last~9, last~8) -> (last~10)",
        "node 0 Loop(last~10, ) -> (last, all) body=graph 1",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!onnx_record_has(&r, lines[i]))
            fail_msg("missing: %s\nin:%s", lines[i], r.text);
    onnx_record_close(&r);
    onnx_write_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_scan_8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
