/* signal.c - DFT: the axis moved from an attribute (default 1) to an input (default -2). */
#include "opset/adapter.h"

static heed_status raise_dft(onnx_node *n, const adapter_def *def)
{
    const char *axis;
    (void)def;
    TRY(onnx_raise_index(n, onnx_raise_int(n, "axis", 1), &axis));
    onnx_raise_drop(n, "axis");
    return onnx_raise_set_in(n, 2, axis);
}

const adapter_def adapters_signal[] = {
    {"DFT", 20, raise_dft, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
