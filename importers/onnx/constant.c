/* constant.c - Constant nodes: each form of their value becomes a constant of the builder, so that
 * no graph has them as nodes. */
#include <string.h>

#include "node.h"

static onnx_tensor make(heed_dtype dtype, uint64_t n, int64_t *shape, const void *data)
{
    onnx_tensor t = {.name = "", .dtype = dtype, .count = n};
    t.dl = (DLTensor){.data = (void *)(uintptr_t)data,
                      .device = {kDLCPU, 0},
                      .ndim = shape ? 1 : 0,
                      .dtype = onnx_dtype_get(dtype)->dl,
                      .shape = shape};
    return t;
}

/* A list has one dim, a single value none. */
typedef struct values {
    const heed_attribute *a;
    float number; /* float32 of a single float */
    int64_t shape[1];
} values;

static onnx_tensor from_tensor(values *v)
{
    return (onnx_tensor){.name = "", .flags = (uint32_t)v->a->i, .dl = *v->a->tensor};
}

static onnx_tensor from_float(values *v)
{
    v->number = (float)v->a->f;
    return make(HEED_FLOAT32, 1, NULL, &v->number);
}

static onnx_tensor from_floats(values *v)
{
    return make(HEED_FLOAT32, v->a->n, v->shape, v->a->floats);
}

static onnx_tensor from_int(values *v) { return make(HEED_INT64, 1, NULL, &v->a->i); }

static onnx_tensor from_ints(values *v) { return make(HEED_INT64, v->a->n, v->shape, v->a->ints); }

static onnx_tensor from_string(values *v) { return make(HEED_STRING, 1, NULL, &v->a->s); }

static onnx_tensor from_strings(values *v)
{
    return make(HEED_STRING, v->a->n, v->shape, v->a->strings);
}

typedef struct form {
    const char *name;
    uint32_t type;
    onnx_tensor (*make)(values *v);
} form;

static const form forms[] = {
    {"value", HEED_ATTR_TENSOR, from_tensor},
    {"sparse_value", HEED_ATTR_TENSOR, from_tensor},
    {"value_float", HEED_ATTR_FLOAT, from_float},
    {"value_floats", HEED_ATTR_FLOATS, from_floats},
    {"value_int", HEED_ATTR_INT, from_int},
    {"value_ints", HEED_ATTR_INTS, from_ints},
    {"value_string", HEED_ATTR_STRING, from_string},
    {"value_strings", HEED_ATTR_STRINGS, from_strings},
};

static const form *find_form(const heed_attribute *a)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (strcmp(a->name, forms[i].name) == 0 && a->type == forms[i].type)
            return &forms[i];
    return NULL;
}

heed_status onnx_constant_tensor(onnx_scope *s, const char *name, const onnx_tensor *tensor,
                                 const onnx_place *at)
{
    heed_builder *b = s->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    return b->tensor(b, s->graph, name, &tensor->dl, tensor->flags, &origin);
}

heed_status onnx_constant_emit(onnx_node *n)
{
    onnx_context *c = n->scope->c;
    const form *f = n->n_attrs == 1 ? find_form(&n->attrs[0].value) : NULL;
    if (!f)
        return onnx_report(c, HEED_INVALID, &n->at,
                           "one attribute value, sparse_value, value_float(s), value_int(s) or "
                           "value_string(s) of its type",
                           onnx_report_text(c, "%u attributes, or another one", n->n_attrs), NULL);
    if (n->n_in || n->n_out != 1 || !*n->out[0])
        return onnx_report(c, HEED_INVALID, &n->at, "no input and one output",
                           onnx_report_text(c, "%u and %u", n->n_in, n->n_out), NULL);
    values v = {.a = &n->attrs[0].value, .shape = {(int64_t)n->attrs[0].value.n}};
    onnx_tensor t = f->make(&v);
    return onnx_constant_tensor(n->scope, n->out[0], &t, &n->at);
}
