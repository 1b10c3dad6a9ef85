/* axes.c - Squeeze, Unsqueeze and the reductions: the axes moved from an attribute to an input. An
 * empty list meant the same as none, as it does today with noop_with_empty_axes = 0. */
#include "opset/adapter.h"

// clang-format off
const adapter_def adapters_axes[] = {
    {"Squeeze", 13, onnx_raise_move, "axes", 1},
    {"Unsqueeze", 13, onnx_raise_move, "axes", 1},
    {"ReduceSum", 13, onnx_raise_move, "axes", 1},
    {"ReduceMean", 18, onnx_raise_move, "axes", 1},
    {"ReduceMax", 18, onnx_raise_move, "axes", 1},
    {"ReduceMin", 18, onnx_raise_move, "axes", 1},
    {"ReduceProd", 18, onnx_raise_move, "axes", 1},
    {"ReduceL1", 18, onnx_raise_move, "axes", 1},
    {"ReduceL2", 18, onnx_raise_move, "axes", 1},
    {"ReduceSumSquare", 18, onnx_raise_move, "axes", 1},
    {"ReduceLogSum", 18, onnx_raise_move, "axes", 1},
    {"ReduceLogSumExp", 18, onnx_raise_move, "axes", 1},
    {NULL, 0, NULL, NULL, 0},
};
// clang-format on
