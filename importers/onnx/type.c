/* type.c - TypeProto becomes heed_type: tensors with fixed and symbolic dims, sequences,
 * optionals, maps. */
#include "type.h"

#include <stdio.h>
#include <string.h>

#include "dtype.h"
#include "onnx-ml.pb-c.h"
#include "tensor.h"

/* Some exporters write -1 for a dim that is not known; that is taken as such. */
static heed_status read_dim(onnx_context *c, const Onnx__TensorShapeProto__Dimension *dim,
                            const onnx_place *at, int64_t *extent, const char **symbol)
{
    *extent = -1;
    if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
        *symbol = dim->dim_param && *dim->dim_param ? dim->dim_param : NULL;
    if (dim->value_case != ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
        return HEED_OK;
    if (dim->dim_value < -1 || dim->dim_value > TENSOR_DIM_MAX)
        return onnx_report(c, HEED_INVALID, at, "an extent from 0 to 2^40",
                           onnx_report_text(c, "%lld", (long long)dim->dim_value), NULL);
    *extent = dim->dim_value;
    return HEED_OK;
}

static heed_status read_shape(onnx_context *c, const Onnx__TensorShapeProto *shape,
                              const onnx_place *at, heed_type *out)
{
    if (shape->n_dim > TENSOR_RANK_MAX)
        return onnx_report(c, HEED_UNSUPPORTED, at, "at most 16 dims",
                           onnx_report_text(c, "%zu", shape->n_dim), NULL);
    int64_t *dims = onnx_arena_array(&c->scratch, shape->n_dim + 1, sizeof *dims);
    const char **symbols = onnx_arena_array(&c->scratch, shape->n_dim + 1, sizeof *symbols);
    if (!dims || !symbols)
        return onnx_report_no_memory(c, at);
    for (size_t i = 0; i < shape->n_dim; i++) {
        onnx_place element = {at, "dim", (int64_t)i, PLACE_BY_NAME};
        TRY(read_dim(c, shape->dim[i], &element, &dims[i], &symbols[i]));
    }
    out->ndim = (int32_t)shape->n_dim;
    out->dims = dims;
    out->symbols = symbols;
    return HEED_OK;
}

static heed_status read_dtype(onnx_context *c, int64_t number, const onnx_place *at,
                              heed_dtype *out)
{
    if (number && !onnx_dtype_get(number))
        return onnx_report(c, HEED_INVALID, at, "an elem_type from 1 to 26",
                           onnx_report_text(c, "%lld", (long long)number), NULL);
    *out = (heed_dtype)number;
    return HEED_OK;
}

static heed_status read_tensor(onnx_context *c, const Onnx__TypeProto *proto, const onnx_place *at,
                               heed_type *out)
{
    const Onnx__TypeProto__Tensor *tensor = proto->tensor_type;
    onnx_place element = {at, "tensor_type", PLACE_SINGLE, PLACE_BY_NAME};
    TRY(read_dtype(c, tensor->elem_type, &element, &out->dtype));
    if (!tensor->shape)
        return HEED_OK;
    onnx_place shape = {&element, "shape", PLACE_SINGLE, PLACE_BY_NAME};
    return read_shape(c, tensor->shape, &shape, out);
}

static heed_status read_item(onnx_context *c, const Onnx__TypeProto *item, const onnx_place *at,
                             const char *field, uint32_t kind, heed_type *out)
{
    onnx_place element = {at, field, PLACE_SINGLE, PLACE_BY_NAME};
    const char *name = kind == HEED_KIND_MAP ? "value_type" : "elem_type";
    onnx_place inner = {&element, name, PLACE_SINGLE, PLACE_BY_NAME};
    out->kind = kind;
    return onnx_type_read(c, item, &inner, &out->element);
}

static heed_status read_map(onnx_context *c, const Onnx__TypeProto *proto, const onnx_place *at,
                            heed_type *out)
{
    TRY(read_dtype(c, proto->map_type->key_type, at, &out->dtype));
    return read_item(c, proto->map_type->value_type, at, "map_type", HEED_KIND_MAP, out);
}

static heed_status read_kind(onnx_context *c, const Onnx__TypeProto *proto, const onnx_place *at,
                             heed_type *out)
{
    switch (proto->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        return read_tensor(c, proto, at, out);
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return read_item(c, proto->sequence_type->elem_type, at, "sequence_type",
                         HEED_KIND_SEQUENCE, out);
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return read_item(c, proto->optional_type->elem_type, at, "optional_type",
                         HEED_KIND_OPTIONAL, out);
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        return read_map(c, proto, at, out);
    default:
        return onnx_report(c, HEED_UNSUPPORTED, at, "a tensor, sequence, optional or map type",
                           "a sparse or opaque one", NULL);
    }
}

heed_status onnx_type_read(onnx_context *c, const Onnx__TypeProto *proto, const onnx_place *at,
                           const heed_type **out)
{
    *out = NULL;
    if (!proto || proto->value_case == ONNX__TYPE_PROTO__VALUE__NOT_SET)
        return HEED_OK;
    heed_type *type = onnx_arena_alloc(&c->scratch, sizeof *type);
    if (!type)
        return onnx_report_no_memory(c, at);
    type->size = sizeof *type;
    type->ndim = -1;
    TRY(read_kind(c, proto, at, type));
    *out = type;
    return HEED_OK;
}

const char *onnx_type_text(onnx_context *c, const heed_type *type)
{
    static const char *const words[] = {"tensor", "seq", "optional", "map"};
    char text[256] = "", close[16] = "";
    size_t used = 0, depth = 0;
    for (; type && depth < 8; type = type->element, depth++) {
        const onnx_dtype *dtype = onnx_dtype_get(type->dtype);
        int n = snprintf(text + used, sizeof text - used, "%s(%s%s", words[type->kind],
                         dtype ? dtype->name : "", type->kind == HEED_KIND_MAP ? "," : "");
        used += n > 0 ? (size_t)n : 0;
    }
    memset(close, ')', depth);
    memcpy(text + used, close, depth + 1);
    return onnx_arena_text(&c->scratch, text, used + depth);
}
