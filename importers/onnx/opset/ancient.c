/* ancient.c - opsets 1 to 6. Operators that have kept their meaning since then are taken as they
 * are (the standard's own test models use them); those that changed up to opset 7, mostly by
 * getting today's broadcasting, are refused: no exporter in use writes them. */
#include "opset/adapter.h"

static heed_status refuse(onnx_node *n, const adapter_def *def)
{
    onnx_context *c = n->scope->c;
    return onnx_raise_unsupported(
        n, onnx_report_text(c, "%s of opset %d or newer", def->op, (int)def->until),
        onnx_report_text(c, "opset %d", (int)n->scope->opset));
}

// clang-format off
const adapter_def adapters_ancient[] = {
    {"Abs", 6, refuse, NULL, 0},
    {"Add", 7, refuse, NULL, 0},
    {"And", 7, refuse, NULL, 0},
    {"AveragePool", 7, refuse, NULL, 0},
    {"BatchNormalization", 7, refuse, NULL, 0},
    {"Cast", 6, refuse, NULL, 0},
    {"Ceil", 6, refuse, NULL, 0},
    {"Clip", 6, refuse, NULL, 0},
    {"Concat", 4, refuse, NULL, 0},
    {"Div", 7, refuse, NULL, 0},
    {"Dropout", 7, refuse, NULL, 0},
    {"Elu", 6, refuse, NULL, 0},
    {"Equal", 7, refuse, NULL, 0},
    {"Exp", 6, refuse, NULL, 0},
    {"Floor", 6, refuse, NULL, 0},
    {"GRU", 7, refuse, NULL, 0},
    {"Gemm", 7, refuse, NULL, 0},
    {"GlobalLpPool", 2, refuse, NULL, 0},
    {"Greater", 7, refuse, NULL, 0},
    {"HardSigmoid", 6, refuse, NULL, 0},
    {"InstanceNormalization", 6, refuse, NULL, 0},
    {"LSTM", 7, refuse, NULL, 0},
    {"LeakyRelu", 6, refuse, NULL, 0},
    {"Less", 7, refuse, NULL, 0},
    {"Log", 6, refuse, NULL, 0},
    {"LpPool", 2, refuse, NULL, 0},
    {"Max", 6, refuse, NULL, 0},
    {"Mean", 6, refuse, NULL, 0},
    {"Min", 6, refuse, NULL, 0},
    {"Mul", 7, refuse, NULL, 0},
    {"Neg", 6, refuse, NULL, 0},
    {"Or", 7, refuse, NULL, 0},
    {"PRelu", 7, refuse, NULL, 0},
    {"Pad", 2, refuse, NULL, 0},
    {"Pow", 7, refuse, NULL, 0},
    {"RNN", 7, refuse, NULL, 0},
    {"Reciprocal", 6, refuse, NULL, 0},
    {"Relu", 6, refuse, NULL, 0},
    {"Reshape", 5, refuse, NULL, 0},
    {"Selu", 6, refuse, NULL, 0},
    {"Sigmoid", 6, refuse, NULL, 0},
    {"Split", 2, refuse, NULL, 0},
    {"Sqrt", 6, refuse, NULL, 0},
    {"Sub", 7, refuse, NULL, 0},
    {"Sum", 6, refuse, NULL, 0},
    {"Tanh", 6, refuse, NULL, 0},
    {"Tile", 6, refuse, NULL, 0},
    {"Upsample", 7, refuse, NULL, 0},
    {"Xor", 7, refuse, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
// clang-format on
