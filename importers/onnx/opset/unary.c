/* unary.c - Clip and Dropout: their limits and their mode moved from attributes to inputs. */
#include "opset/adapter.h"

static heed_status move_limit(onnx_node *n, const char *attr, uint32_t input)
{
    const char *name;
    if (!onnx_node_attr(n, attr))
        return HEED_OK;
    TRY(onnx_raise_scalar(n, onnx_raise_float(n, attr, 0), n->in[0], &name));
    onnx_raise_drop(n, attr);
    return onnx_raise_set_in(n, input, name);
}

static heed_status raise_clip(onnx_node *n, const adapter_def *def)
{
    (void)def;
    if (!onnx_raise_has(n, 0))
        return HEED_OK;
    TRY(move_limit(n, "min", 1));
    return move_limit(n, "max", 2);
}

/* Before opset 10 the mask had the type of the data; since then it is bool. */
static heed_status raise_mask(onnx_node *n, const adapter_def *def)
{
    const char *mask;
    (void)def;
    if (!onnx_raise_has(n, 0) || !onnx_raise_reads(n, 1))
        return HEED_OK;
    TRY(onnx_raise_name(n, &mask));
    TRY(onnx_raise_emit(n, "CastLike", mask, n->in[0], &n->out[1]));
    n->out[1] = mask;
    return HEED_OK;
}

/* Before opset 12 it did nothing in inference, whatever the ratio; today that is the default. */
static heed_status raise_dropout(onnx_node *n, const adapter_def *def)
{
    (void)def;
    onnx_raise_drop(n, "ratio");
    return HEED_OK;
}

const adapter_def adapters_unary[] = {
    {"Clip", 11, raise_clip, NULL, 0},
    {"Dropout", 10, raise_mask, NULL, 0},
    {"Dropout", 12, raise_dropout, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
