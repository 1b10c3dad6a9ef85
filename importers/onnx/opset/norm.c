/* norm.c - BatchNormalization and GroupNormalization. */
#include "opset/adapter.h"

enum { X, SCALE, BIAS, MEAN, VAR };

/* Opset 7 could normalise each feature by itself (spatial = 0): mean, variance, scale and bias have
 * the shape of one sample, so the arithmetic is elementwise. */
static heed_status spell_out(onnx_node *n)
{
    const char *centred = NULL, *shifted = NULL, *deviation = NULL, *normal = NULL, *scaled = NULL;
    const char *epsilon;
    TRY(onnx_raise_scalar(n, onnx_raise_float(n, "epsilon", 1e-5), n->in[X], &epsilon));
    TRY(onnx_raise_emit(n, "Sub", n->in[X], n->in[MEAN], &centred));
    TRY(onnx_raise_emit(n, "Add", n->in[VAR], epsilon, &shifted));
    TRY(onnx_raise_emit(n, "Sqrt", shifted, NULL, &deviation));
    TRY(onnx_raise_emit(n, "Div", centred, deviation, &normal));
    TRY(onnx_raise_emit(n, "Mul", normal, n->in[SCALE], &scaled));
    TRY(onnx_raise_emit(n, "Add", scaled, n->in[BIAS], &n->out[0]));
    n->done = 1;
    return HEED_OK;
}

static int is_training(const onnx_node *n)
{
    int training = 0;
    for (uint32_t i = 1; i < n->n_out; i++)
        training |= onnx_raise_reads(n, i);
    return training;
}

static heed_status raise_spatial(onnx_node *n, const adapter_def *def)
{
    int64_t spatial = onnx_raise_int(n, "spatial", 1);
    (void)def;
    onnx_raise_drop(n, "spatial");
    if (spatial || n->n_in <= VAR || !onnx_raise_reads(n, 0))
        return HEED_OK;
    if (is_training(n))
        return onnx_raise_unsupported(n, "BatchNormalization of whole channels in training mode",
                                      "spatial = 0 with outputs for training");
    return spell_out(n);
}

/* Before opset 14 the mode followed from the outputs: with more than Y it was training. */
static heed_status raise_training(onnx_node *n, const adapter_def *def)
{
    (void)def;
    if (!is_training(n))
        return HEED_OK;
    if (onnx_raise_reads(n, 3) || onnx_raise_reads(n, 4))
        return onnx_raise_unsupported(n, "BatchNormalization with at most three outputs",
                                      "the saved mean or variance of training");
    n->n_out = n->n_out > 3 ? 3 : n->n_out;
    return onnx_raise_set_int(n, "training_mode", 1);
}

/* A value for each group becomes one for each channel of the group. */
static heed_status repeat_groups(onnx_node *n, uint32_t input, const char *sizes,
                                 const char *column)
{
    const char *tall = NULL, *wide = NULL, *flat = NULL, *all;
    TRY(onnx_raise_ints(n, (int64_t[]){-1}, 1, &all));
    TRY(onnx_raise_emit(n, "Reshape", n->in[input], column, &tall));
    TRY(onnx_raise_emit(n, "Expand", tall, sizes, &wide));
    TRY(onnx_raise_emit(n, "Reshape", wide, all, &flat));
    return onnx_raise_set_in(n, input, flat);
}

/* [groups, channels / groups] as a value. */
static heed_status group_sizes(onnx_node *n, const char *groups, const char **sizes)
{
    onnx_node shape, concat;
    const char *channels, *each = NULL;
    TRY(onnx_raise_name(n, &channels));
    TRY(onnx_raise_node(n, "Shape", channels, &shape));
    TRY(onnx_raise_set_in(&shape, 0, n->in[X]));
    TRY(onnx_raise_set_int(&shape, "start", 1));
    TRY(onnx_raise_set_int(&shape, "end", 2));
    TRY(onnx_node_emit(&shape));
    TRY(onnx_raise_emit(n, "Div", channels, groups, &each));
    TRY(onnx_raise_name(n, sizes));
    TRY(onnx_raise_node(n, "Concat", *sizes, &concat));
    TRY(onnx_raise_set_in(&concat, 0, groups));
    TRY(onnx_raise_set_in(&concat, 1, each));
    TRY(onnx_raise_set_int(&concat, "axis", 0));
    return onnx_node_emit(&concat);
}

/* Opset 18 had scale and bias for each group, since 21 they are for each channel. */
static heed_status raise_groups(onnx_node *n, const adapter_def *def)
{
    int64_t count = onnx_raise_int(n, "num_groups", 0);
    const char *groups, *column, *sizes;
    (void)def;
    if (count <= 0 || n->n_in <= BIAS)
        return HEED_OK; /* the runtime says what is missing */
    TRY(onnx_raise_ints(n, &count, 1, &groups));
    TRY(onnx_raise_ints(n, (int64_t[]){count, 1}, 2, &column));
    TRY(group_sizes(n, groups, &sizes));
    TRY(repeat_groups(n, SCALE, sizes, column));
    return repeat_groups(n, BIAS, sizes, column);
}

const adapter_def adapters_norm[] = {
    {"BatchNormalization", 9, raise_spatial, NULL, 0},
    {"BatchNormalization", 14, raise_training, NULL, 0},
    {"GroupNormalization", 21, raise_groups, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
