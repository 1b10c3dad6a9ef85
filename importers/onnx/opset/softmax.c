/* softmax.c - Softmax, LogSoftmax and Hardmax before opset 13.
 *
 * They saw their input as a matrix: the axes before `axis` (default 1) and those from it on, over
 * which they normalised together. Since 13 one axis is normalised (default -1). Both mean the same
 * when the axis is the last one. Where that is not known, the matrix is spelled out; the passes
 * undo it once the rank is known. */
#include "opset/adapter.h"

static heed_status spell_out(onnx_node *n, int64_t axis)
{
    const char *shape = NULL, *flat, *soft;
    onnx_node flatten, reshape;
    TRY(onnx_raise_emit(n, "Shape", n->in[0], NULL, &shape));
    TRY(onnx_raise_name(n, &flat));
    TRY(onnx_raise_node(n, "Flatten", flat, &flatten));
    TRY(onnx_raise_set_in(&flatten, 0, n->in[0]));
    TRY(onnx_raise_set_int(&flatten, "axis", axis));
    TRY(onnx_node_emit(&flatten));
    TRY(onnx_raise_name(n, &soft));
    TRY(onnx_raise_node(n, "Reshape", n->out[0], &reshape));
    TRY(onnx_raise_set_in(&reshape, 0, soft));
    TRY(onnx_raise_set_in(&reshape, 1, shape));
    TRY(onnx_raise_set_int(&reshape, "allowzero", 1)); /* a shape with a zero means it */
    TRY(onnx_node_emit(&reshape));
    TRY(onnx_raise_set_in(n, 0, flat));
    n->out[0] = soft;
    return HEED_OK;
}

static heed_status raise_softmax(onnx_node *n, const adapter_def *def)
{
    int64_t axis = onnx_raise_int(n, "axis", 1);
    (void)def;
    if (!onnx_raise_has(n, 0) || !onnx_raise_reads(n, 0))
        return HEED_OK; /* the runtime says what is missing */
    int32_t rank = onnx_scope_claim(n->scope, n->in[0]).rank;
    int is_last = axis == -1 || (rank > 0 && axis == rank - 1);
    if (!is_last)
        TRY(spell_out(n, axis));
    return onnx_raise_set_int(n, "axis", -1);
}

const adapter_def adapters_softmax[] = {
    {"Softmax", 13, raise_softmax, NULL, 0},
    {"LogSoftmax", 13, raise_softmax, NULL, 0},
    {"Hardmax", 13, raise_softmax, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
