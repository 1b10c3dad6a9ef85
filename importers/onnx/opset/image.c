/* image.c - Upsample, Resize, GridSample, RoiAlign: coordinates had fewer modes, or other names and
 * defaults. */
#include "model.h"
#include "opset/adapter.h"

/* Upsample, and Resize of opset 10, map coordinates by the scale alone; where an axis grows they
 * are rounded down, where it shrinks up. The scales were an attribute in opset 7, and input 1 from
 * 9 on; now they are input 2. */
static heed_status raise_upsample(onnx_node *n, const adapter_def *def)
{
    const onnx_attr *attr = onnx_node_attr(n, "scales");
    const char *scales = onnx_raise_has(n, 1) ? n->in[1] : "";
    (void)def;
    if (attr && attr->value.type == HEED_ATTR_FLOATS)
        TRY(onnx_raise_floats(n, attr->value.floats, attr->value.n, &scales));
    onnx_raise_drop(n, "scales");
    TRY(onnx_raise_set_in(n, 1, ""));
    TRY(onnx_raise_set_in(n, 2, scales));
    TRY(onnx_raise_set_text(n, "coordinate_transformation_mode", "asymmetric"));
    TRY(onnx_raise_set_text(n, "nearest_mode", "heed_shrink_ceil"));
    n->op = "Resize";
    return HEED_OK;
}

static heed_status raise_grid(onnx_node *n, const adapter_def *def)
{
    (void)def;
    if (onnx_raise_is(n, "mode", "bilinear"))
        return onnx_raise_set_text(n, "mode", "linear");
    if (onnx_raise_is(n, "mode", "bicubic"))
        return onnx_raise_set_text(n, "mode", "cubic");
    return HEED_OK;
}

static heed_status raise_roi(onnx_node *n, const adapter_def *def)
{
    (void)def;
    return onnx_raise_set_text(n, "coordinate_transformation_mode", "output_half_pixel");
}

// clang-format off
const adapter_def adapters_image[] = {
    {"Upsample", OPSET_MAX + 1, raise_upsample, NULL, 0},
    {"Resize", 11, raise_upsample, NULL, 0},
    {"GridSample", 20, raise_grid, NULL, 0},
    {"RoiAlign", 16, raise_roi, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
// clang-format on
