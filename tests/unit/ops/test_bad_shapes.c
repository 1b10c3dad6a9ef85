/* Nodes whose shapes, axes, counts or indices break a rule: each is refused with a message, none is
 * believed. Run under the sanitizers this is the proof that nothing is read out of bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "one_op.h"

/* "f2x3" a float32 tensor of zeros; "i:1,-1" an int64 vector; "s:4" an int64 scalar; "-" none. */
typedef struct bad_case {
    const char *op, *attrs, *inputs;
} bad_case;

// clang-format off
static const bad_case cases[] = {
    {"Reshape", "", "f2x3 i:4"},            {"Reshape", "", "f2x3 i:-1,-1"},
    {"Reshape", "", "f2x3 i:-1,4"},         {"Reshape", "", "f2x3 i:-2,3"},
    {"Reshape", "", "f2x3 i:2,3,0"},        {"Reshape", "allowzero=1", "f2x3 i:0,-1"},
    {"Reshape", "", "f2 i:1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2"},
    {"Reshape", "", "f2x3 i:4611686018427387904,4611686018427387904"},
    {"Flatten", "axis=3", "f2x3"},          {"Flatten", "axis=-3", "f2x3"},
    {"Squeeze", "", "f2x1 i:0"},            {"Squeeze", "", "f2x1 i:2"},
    {"Squeeze", "", "f1x1 i:0,0"},          {"Squeeze", "", "f1x1 i:1,-1"},
    {"Unsqueeze", "", "f2 i:3"},            {"Unsqueeze", "", "f2 i:0,0"},
    {"Unsqueeze", "", "f2 i:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"},
    {"Expand", "", "f2x3 i:2,4"},           {"Expand", "", "f2x3 i:-1,3"},
    {"Expand", "", "f1 i:1099511627776,1099511627776"},
    {"Tile", "", "f2x3 i:2"},               {"Tile", "", "f2x3 i:2,-1"},
    {"Tile", "", "f2x3 i:1099511627776,1099511627776"},
    {"Transpose", "perm=[0]", "f2x3"},      {"Transpose", "perm=[0,0]", "f2x3"},
    {"Transpose", "perm=[0,2]", "f2x3"},
    {"Concat", "axis=2", "f2x3 f2x3"},      {"Concat", "axis=0", "f2x3 f2x4"},
    {"Concat", "axis=0", "f2x3 f2"},        {"Concat", "axis=0", "f f"},
    {"Split", "axis=2", "f2x3"},            {"Split", "", "f4 i:3"},
    {"Split", "", "f4 i:2,2"},              {"Split", "", "f4 i:-4"},
    {"Split", "num_outputs=0", "f4"},
    {"Slice", "", "f4 i:0 i:2 i:1"},        {"Slice", "", "f4 i:0 i:2 i:0 i:0"},
    {"Slice", "", "f4 i:0,0 i:2,2"},        {"Slice", "", "f4x4 i:3,3 i:4,4 i:0,0"},
    {"Slice", "", "f4x4 i:3,3 i:4"},        {"Slice", "", "f4x4 i:3,3 i:4,4 i:"},
    {"Slice", "", "f4x4 i:3,3 i:4,4 i:0,1 i:"}, {"Slice", "", "f4 s:0 i:"},
    {"Unsqueeze", "", "f2 s:3"},            {"Squeeze", "", "f1 i:0,0,0"},
    {"Clip", "", "f2 f3"},                  {"Clip", "", "f2 - f0"},
    {"ai.onnx.ml.ZipMap", "", "f2"},
    {"Pad", "", "f4 i:1"},                  {"Pad", "", "f4 i:-3,-3"},
    {"Pad", "", "f4x4 i:1,1,1,1 - i:0,0"},  {"Pad", "", "f4x4 i:1,1 - i:2"},
    {"Pad", "mode='edge'", "f0 i:1,1"},     {"Pad", "mode='other'", "f4 i:1,1"},
    {"Pad", "", "f4 i:4611686018427387904,4611686018427387904"},
    {"Trilu", "", "f4"},
    {"DepthToSpace", "blocksize=2", "f1x3x2x2"}, {"DepthToSpace", "blocksize=0", "f1x4x2x2"},
    {"SpaceToDepth", "blocksize=2", "f1x1x3x2"}, {"SpaceToDepth", "blocksize=2", "f1x1x2"},
    {"DepthToSpace", "blocksize=4294967296", "f1x4x2x2"},
    {"DepthToSpace", "blocksize=2 mode='other'", "f1x4x2x2"},
    {"Gather", "", "f4 i:4"},               {"Gather", "", "f4 i:-5"},
    {"Gather", "", "f0 i:0"},               {"Gather", "axis=1", "f4 i:0"},
    {"Gather", "", "f i:0"},                {"Gather", "", "f4 i:9223372036854775807"},
    {"GatherElements", "", "f4 i:4"},       {"GatherElements", "", "f4x4 i:0"},
    {"GatherND", "", "f4 i:4"},             {"GatherND", "", "f4 i:0,0"},
    {"GatherND", "batch_dims=1", "f4 i:0"}, {"GatherND", "batch_dims=-1", "f4 i:0"},
    {"ScatterElements", "", "f4 i:4 f1"},   {"ScatterElements", "", "f4 i:0 f2"},
    {"ScatterElements", "axis=1", "f4 i:0 f1"}, {"ScatterElements", "", "f4x4 i:0 f1"},
    {"ScatterElements", "reduction='other'", "f4 i:0 f1"},
    {"ScatterND", "", "f4 i:4 f"},          {"ScatterND", "", "f4 i:0,0 f"},
    {"ScatterND", "", "f4x4 i:0 f2"},       {"ScatterND", "", "f4 s:0 f"},
    {"OneHot", "axis=3", "i:0 s:3 f2"},     {"OneHot", "", "i:0 s:-1 f2"},
    {"OneHot", "", "i:0 s:3 f3"},           {"OneHot", "", "i:0 i:3,3 f2"},
    {"OneHot", "", "i:0 s:9223372036854775807 f2"},
    {"ConstantOfShape", "", "i:-1"},        {"ConstantOfShape", "", "i:1099511627777"},
    {"ConstantOfShape", "", "i:1099511627776,1099511627776"},
    {"Range", "", "s:0 s:5 s:0"},           {"Range", "", "i:0,1 s:5 s:1"},
    {"Range", "", "s:-9223372036854775808 s:9223372036854775807 s:1"},
    {"Where", "", "f2 f2 f2"},
    {"MatMul", "", "f2x3 f2x3"},            {"MatMul", "", "f f2"},
    {"MatMul", "", "f2x2x3 f3x3x2"},        {"MatMul", "", "f3 f2"},
    {"Gemm", "", "f2x3 f2x3"},              {"Gemm", "", "f2x3 f3x2 f3"},
    {"Gemm", "", "f2x3 f3"},                {"Gemm", "", "f1x3 f3x2 f5x2"},
    {"Conv", "", "f1x2x4 f1x3x2"},          {"Conv", "group=2", "f1x2x4 f3x1x2"},
    {"Conv", "group=0", "f1x2x4 f1x2x2"},   {"Conv", "", "f1x2x4 f1x2x2x2"},
    {"Conv", "strides=[0]", "f1x2x4 f1x2x2"}, {"Conv", "pads=[1]", "f1x2x4 f1x2x2"},
    {"Conv", "dilations=[-1]", "f1x2x4 f1x2x2"}, {"Conv", "kernel_shape=[3]", "f1x2x4 f1x2x2"},
    {"Conv", "", "f1x2x4 f1x2x2 f2"},       {"Conv", "", "f1x2x1 f1x2x4"},
    {"Conv", "auto_pad='OTHER'", "f1x2x4 f1x2x2"}, {"Conv", "", "f2 f2"},
    {"Conv", "pads=[9223372036854775807,1]", "f1x2x4 f1x2x2"},
    {"ConvTranspose", "", "f1x2x4 f3x1x2"}, {"ConvTranspose", "group=3", "f1x2x4 f2x1x2"},
    {"ConvTranspose", "output_shape=[-1]", "f1x2x4 f2x1x2"},
    {"ConvTranspose", "output_padding=[1,1,1,1]", "f1x2x4 f2x1x2"},
    {"ConvTranspose", "pads=[9,9]", "f1x2x4 f2x1x2"},
    {"MaxPool", "kernel_shape=[0]", "f1x1x4"}, {"MaxPool", "kernel_shape=[2,2]", "f1x1x4"},
    {"MaxPool", "kernel_shape=[6]", "f1x1x4"}, {"MaxPool", "kernel_shape=[2]", "f1x4"},
    {"AveragePool", "kernel_shape=[2] strides=[-1]", "f1x1x4"},
    {"AveragePool", "kernel_shape=[1048576,1048576]", "f1x1x4x4"},
    {"GlobalMaxPool", "", "f4"},            {"Resize", "axes=[2]", "f2x3 - - i:1"},
    {"Resize", "axes=[0,0]", "f2x3 - - i:1,1"}, {"Resize", "", "f0x3 - - i:2,2"},
    {"Resize", "mode='other'", "f2x3 - - i:2,2"},
    {"Resize", "nearest_mode='other'", "f2x3 - - i:2,2"},
    {"GridSample", "", "f1x1x2x2 f1x2x2"},  {"GridSample", "", "f1x1x2x2 f1x1x1x3"},
    {"GridSample", "", "f1x1x2x2 f2x1x1x2"}, {"GridSample", "", "f1x1 f1x1"},
    {"GridSample", "mode='other'", "f1x1x2x2 f1x1x1x2"},
    {"GridSample", "padding_mode='other'", "f1x1x2x2 f1x1x1x2"},
    {"com.microsoft.GridSample", "mode='other'", "f1x1x2x2 f1x1x1x2"},
    {"AffineGrid", "", "f1x2x3 i:1,1,2"},   {"AffineGrid", "", "f1x2x3 i:1,1,2,2,2"},
    {"AffineGrid", "", "f1x2x3 i:1,1,-2,2"}, {"AffineGrid", "", "f2x2x3 i:1,1,2,2"},
    {"AffineGrid", "", "f2x3 i:1,1,2,2"},
    {"AffineGrid", "", "f1x2x3 i:1,1,1099511627776,1099511627776"},
    {"RoiAlign", "", "f1x1x4x4 f1x4 i:1"},  {"RoiAlign", "", "f1x1x4x4 f1x4 i:-1"},
    {"RoiAlign", "", "f1x1x4x4 f1x5 i:0"},  {"RoiAlign", "", "f1x1x4x4 f2x4 i:0"},
    {"RoiAlign", "output_height=0", "f1x1x4x4 f1x4 i:0"}, {"RoiAlign", "", "f1x4x4 f1x4 i:0"},
    {"RoiAlign", "mode='other'", "f1x1x4x4 f1x4 i:0"},
    {"RoiAlign", "coordinate_transformation_mode='other'", "f1x1x4x4 f1x4 i:0"},
    {"RoiAlign", "sampling_ratio=2000", "f1x1x4x4 f1x4 i:0"},
    {"MaxRoiPool", "pooled_shape=[2]", "f1x1x4x4 f1x5"}, {"MaxRoiPool", "pooled_shape=[0,2]", "f1x1x4x4 f1x5"},
    {"MaxRoiPool", "pooled_shape=[2,2]", "f1x1x4x4 f1x4"}, {"MaxRoiPool", "pooled_shape=[2,2]", "f0x1x4x4 f1x5"},
    {"DeformConv", "", "f1x2x4x4 f2x2x1x1 f1x3x4x4"}, {"DeformConv", "", "f1x2x4x4 f2x2x1x1 f1x2x3x4"},
    {"DeformConv", "", "f1x2x4x4 f2x1x1x1 f1x2x4x4"}, {"DeformConv", "group=0", "f1x2x4x4 f2x2x1x1 f1x2x4x4"},
    {"DeformConv", "offset_group=3", "f1x2x4x4 f2x2x1x1 f1x6x4x4"},
    {"DeformConv", "offset_group=9223372036854775807", "f1x2x4x4 f2x2x1x1 f1x6x4x4"},
    {"DeformConv", "", "f1x2x4x4 f2x2x1x1 f1x2x4x4 f3"}, {"DeformConv", "", "f1x2x4x4 f2x2x1 f1x2x4x4"},
    {"DeformConv", "", "f1x2x4x4 f2x2x1x1 f1x2x4x4 f2 f1x2x4x4"},
    {"CenterCropPad", "", "f4 i:-1"},       {"CenterCropPad", "", "f4 i:1,1"},
    {"CenterCropPad", "axes=[1]", "f4 i:1"}, {"CenterCropPad", "axes=[0,0]", "f4x4 i:1,1"},
    {"CenterCropPad", "", "f4x4 i:1099511627776,1099511627776"},
    {"Col2Im", "", "f1x4x4 i:3,3 i:2"},     {"Col2Im", "", "f1x3x4 i:3,3 i:2,2"},
    {"Col2Im", "", "f1x4x5 i:3,3 i:2,2"},   {"Col2Im", "", "f1x4x4 i:3,3 i:0,2"},
    {"Col2Im", "", "f4x4 i:3,3 i:2,2"},     {"Col2Im", "", "f1x4x4 i:-3,3 i:2,2"},
    {"Col2Im", "", "f1x4x4 i:1099511627776,1099511627776 i:2,2"},
    {"Col2Im", "strides=[0,1]", "f1x4x4 i:3,3 i:2,2"}, {"Col2Im", "", "f1x4x4 i:3,3 i:2097152,2097152"},
    {"NonMaxSuppression", "", "f1x2x4 f1x1x3"}, {"NonMaxSuppression", "", "f1x2x3 f1x1x2"},
    {"NonMaxSuppression", "", "f2x2x4 f1x1x2"}, {"NonMaxSuppression", "", "f1x2x4 f1x2"},
    {"MaxUnpool", "kernel_shape=[2]", "f1x1x4 i:0,1,2,3"}, {"MaxUnpool", "kernel_shape=[2]", "f4 i:0,1,2,3"},
    {"LpPool", "kernel_shape=[2] p=0", "f1x1x4"}, {"GlobalLpPool", "p=0", "f1x1x4"},
    {"LRN", "size=0", "f1x1x4"},            {"LRN", "size=3", "f4"},
    {"Det", "", "f2x3"},                    {"Det", "", "f2"},
    {"com.microsoft.MaxpoolWithMask", "kernel_shape=[2]", "f1x1x4 f1x1x4"},
};
// clang-format on

static heed_tensor *read_numbers(const char *text, bool scalar)
{
    heed_tensor *t;
    int64_t n = 0, values[20];
    for (char *end = NULL; *text; text = *end ? end + 1 : end)
        values[n++] = strtoll(text, &end, 10);
    assert_int_equal(tensor_new(HEED_INT64, scalar ? 0 : 1, &n, &t), HEED_OK);
    memcpy(tensor_data(t), values, (size_t)n * sizeof(*values));
    return t;
}

static heed_tensor *read_input(const char *word)
{
    int64_t dims[8];
    int32_t rank = 0;
    if (strncmp(word, "i:", 2) == 0 || strncmp(word, "s:", 2) == 0)
        return read_numbers(word + 2, word[0] == 's');
    if (word[0] == '-')
        return NULL;
    for (const char *at = word + 1; *at; rank++) {
        char *end;
        dims[rank] = strtoll(at, &end, 10);
        at = *end ? end + 1 : end;
    }
    return one_op_tensor(HEED_FLOAT32, rank, dims, NULL);
}

static void every_case_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128], *rest = NULL;
        heed_tensor *in[5], *out[1] = {NULL};
        uint32_t n = 0;
        snprintf(text, sizeof(text), "%s", cases[i].inputs);
        for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
            in[n++] = read_input(w);
        heed_status status = one_op_run(cases[i].op, cases[i].attrs, n, in, 1, out);
        if (status != HEED_INVALID)
            print_error("%s(%s) %s: status %u\n", cases[i].op, cases[i].inputs, cases[i].attrs,
                        status);
        assert_int_equal(status, HEED_INVALID);
        assert_true(strlen(err_get()->message) > 10);
        assert_non_null(strstr(err_get()->element, "node"));
        while (n-- > 0)
            tensor_free(in[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
