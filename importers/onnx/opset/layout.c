/* layout.c - Split, Slice, Pad, TopK, Scatter: sizes and positions moved from attributes to inputs,
 * Scatter got another name. */
#include "model.h"
#include "opset/adapter.h"

/* Without sizes, the number of outputs says into how many parts to split; since 18 it has to be
 * said in an attribute. */
static heed_status raise_split(onnx_node *n, const adapter_def *def)
{
    (void)def;
    if (onnx_raise_has(n, 1) || onnx_node_attr(n, "num_outputs"))
        return HEED_OK;
    return onnx_raise_set_int(n, "num_outputs", n->n_out);
}

static heed_status raise_pad(onnx_node *n, const adapter_def *def)
{
    double value = onnx_raise_float(n, "value", 0);
    const char *name;
    TRY(onnx_raise_move(n, def));
    onnx_raise_drop(n, "value");
    if (value == 0) /* the default; NaN is not */
        return HEED_OK;
    TRY(onnx_raise_scalar(n, value, n->in[0], &name));
    return onnx_raise_set_in(n, 2, name);
}

static heed_status raise_scatter(onnx_node *n, const adapter_def *def)
{
    (void)def;
    n->op = "ScatterElements";
    return HEED_OK;
}

// clang-format off
const adapter_def adapters_layout[] = {
    {"Split", 13, onnx_raise_move, "split", 1},
    {"Split", 18, raise_split, NULL, 0},
    {"Slice", 10, onnx_raise_move, "starts", 1},
    {"Slice", 10, onnx_raise_move, "ends", 2},
    {"Slice", 10, onnx_raise_move, "axes", 3},
    {"Pad", 11, raise_pad, "pads", 1},
    {"TopK", 10, onnx_raise_move, "k", 1},
    {"Scatter", OPSET_MAX + 1, raise_scatter, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
// clang-format on
