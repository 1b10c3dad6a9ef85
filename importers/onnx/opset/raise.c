/* raise.c - walks the adapters of an operator, and the tools that adapters are written with. */
#include <stdio.h>
#include <string.h>

#include "opset/adapter.h"

extern const adapter_def *const adapter_table[]; /* written by the build */

/* ---- The walk ------------------------------------------------------------------------------- */

/* Stops when an adapter has replaced the node, or turned it into another operator, which is then
 * in its newest form. */
static heed_status raise_with(onnx_node *n, const adapter_def *rows, const char *op)
{
    for (const adapter_def *row = rows; row->op && !n->done && n->op == op; row++)
        if (n->scope->opset < row->until && strcmp(op, row->op) == 0)
            TRY(row->raise(n, row));
    return HEED_OK;
}

heed_status onnx_node_raise(onnx_node *n)
{
    const char *op = n->op;
    for (const adapter_def *const *rows = adapter_table; *rows && !n->done && n->op == op; rows++)
        TRY(raise_with(n, *rows, op));
    return HEED_OK;
}

/* ---- Reading attributes --------------------------------------------------------------------- */

static const heed_attribute *find(const onnx_node *n, const char *name, uint32_t type)
{
    const onnx_attr *attr = onnx_node_attr(n, name);
    return attr && attr->value.type == type ? &attr->value : NULL;
}

int64_t onnx_raise_int(const onnx_node *n, const char *attr, int64_t otherwise)
{
    const heed_attribute *a = find(n, attr, HEED_ATTR_INT);
    return a ? a->i : otherwise;
}

double onnx_raise_float(const onnx_node *n, const char *attr, double otherwise)
{
    const heed_attribute *a = find(n, attr, HEED_ATTR_FLOAT);
    return a ? a->f : otherwise;
}

int onnx_raise_is(const onnx_node *n, const char *attr, const char *text)
{
    const heed_attribute *a = find(n, attr, HEED_ATTR_STRING);
    size_t size = strlen(text);
    return a && a->s.size == size && memcmp(a->s.data, text, size) == 0;
}

int onnx_raise_has(const onnx_node *n, uint32_t i) { return i < n->n_in && *n->in[i]; }

int onnx_raise_reads(const onnx_node *n, uint32_t output)
{
    return output < n->n_out && *n->out[output];
}

/* ---- Changing a node ------------------------------------------------------------------------ */

void onnx_raise_drop(onnx_node *n, const char *attr)
{
    const onnx_attr *found = onnx_node_attr(n, attr);
    if (!found)
        return;
    uint32_t i = (uint32_t)(found - n->attrs);
    n->n_attrs--;
    memmove(&n->attrs[i], &n->attrs[i + 1], (n->n_attrs - i) * sizeof *n->attrs);
}

heed_status onnx_raise_set_int(onnx_node *n, const char *attr, int64_t value)
{
    onnx_raise_drop(n, attr);
    onnx_attr *a = onnx_node_add(n, attr, HEED_ATTR_INT);
    if (!a)
        return onnx_report_no_memory(n->scope->c, &n->at);
    a->value.i = value;
    return HEED_OK;
}

heed_status onnx_raise_set_text(onnx_node *n, const char *attr, const char *value)
{
    onnx_raise_drop(n, attr);
    onnx_attr *a = onnx_node_add(n, attr, HEED_ATTR_STRING);
    if (!a)
        return onnx_report_no_memory(n->scope->c, &n->at);
    a->value.s = (heed_string){value, strlen(value)};
    return HEED_OK;
}

static int grow_inputs(onnx_node *n, uint32_t count)
{
    if (count <= n->in_capacity)
        return 1;
    const char **in = onnx_arena_array(&n->scope->c->scratch, count, sizeof *in);
    if (!in)
        return 0;
    if (n->n_in)
        memcpy(in, n->in, n->n_in * sizeof *in);
    n->in = in;
    n->in_capacity = count;
    return 1;
}

heed_status onnx_raise_set_in(onnx_node *n, uint32_t i, const char *name)
{
    if (!grow_inputs(n, i + 1))
        return onnx_report_no_memory(n->scope->c, &n->at);
    while (n->n_in <= i)
        n->in[n->n_in++] = "";
    n->in[i] = name;
    return HEED_OK;
}

/* ---- New values and nodes ------------------------------------------------------------------- */

heed_status onnx_raise_name(const onnx_node *n, const char **name)
{
    *name = onnx_name_invent(n->scope->c, n->n_out ? n->out[0] : n->op);
    return *name ? HEED_OK : onnx_report_no_memory(n->scope->c, &n->at);
}

static heed_status constant(const onnx_node *n, heed_dtype dtype, const void *values, int64_t count,
                            int32_t rank, const char **name)
{
    int64_t shape[1] = {count};
    onnx_tensor t = {.name = "", .dtype = dtype};
    t.dl = (DLTensor){.data = (void *)(uintptr_t)values,
                      .device = {kDLCPU, 0},
                      .ndim = rank,
                      .dtype = onnx_dtype_get(dtype)->dl,
                      .shape = shape};
    TRY(onnx_raise_name(n, name));
    return onnx_constant_tensor(n->scope, *name, &t, &n->at);
}

heed_status onnx_raise_ints(const onnx_node *n, const int64_t *values, uint64_t count,
                            const char **name)
{
    return constant(n, HEED_INT64, values, (int64_t)count, 1, name);
}

heed_status onnx_raise_index(const onnx_node *n, int64_t value, const char **name)
{
    return constant(n, HEED_INT64, &value, 1, 0, name);
}

heed_status onnx_raise_floats(const onnx_node *n, const float *values, uint64_t count,
                              const char **name)
{
    return constant(n, HEED_FLOAT32, values, (int64_t)count, 1, name);
}

heed_status onnx_raise_scalar(const onnx_node *n, double value, const char *like, const char **name)
{
    heed_dtype dtype = onnx_scope_claim(n->scope, like).dtype;
    if (dtype == HEED_FLOAT64)
        return constant(n, HEED_FLOAT64, &value, 1, 0, name);
    float number = (float)value;
    const char *plain;
    TRY(constant(n, HEED_FLOAT32, &number, 1, 0, &plain));
    *name = dtype == HEED_FLOAT32 ? plain : NULL;
    return *name ? HEED_OK : onnx_raise_emit(n, "CastLike", plain, like, name);
}

heed_status onnx_raise_node(const onnx_node *from, const char *op, const char *out, onnx_node *node)
{
    *node = (onnx_node){
        .scope = from->scope, .at = from->at, .domain = "", .op = op, .name = "", .overload = ""};
    node->out = onnx_arena_array(&from->scope->c->scratch, 1, sizeof *node->out);
    if (!node->out)
        return onnx_report_no_memory(from->scope->c, &from->at);
    node->out[0] = out;
    node->n_out = node->out_capacity = 1;
    return HEED_OK;
}

heed_status onnx_raise_emit(const onnx_node *from, const char *op, const char *a, const char *b,
                            const char **out)
{
    onnx_node node;
    if (!*out)
        TRY(onnx_raise_name(from, out));
    TRY(onnx_raise_node(from, op, *out, &node));
    if (a)
        TRY(onnx_raise_set_in(&node, 0, a));
    if (b)
        TRY(onnx_raise_set_in(&node, 1, b));
    return onnx_node_emit(&node);
}

heed_status onnx_raise_unsupported(const onnx_node *n, const char *expected, const char *found)
{
    return onnx_report(n->scope->c, HEED_UNSUPPORTED, &n->at, expected, found,
                       "export the model again for a newer opset");
}

/* ---- The commonest change ------------------------------------------------------------------- */

heed_status onnx_raise_move(onnx_node *n, const adapter_def *def)
{
    const onnx_attr *attr = onnx_node_attr(n, def->attr);
    const char *name;
    if (!attr)
        return HEED_OK;
    const heed_attribute *a = &attr->value;
    if (a->type == HEED_ATTR_INT)
        TRY(onnx_raise_ints(n, &a->i, 1, &name));
    else if (a->type == HEED_ATTR_INTS && a->n)
        TRY(onnx_raise_ints(n, a->ints, a->n, &name));
    else if (a->type == HEED_ATTR_INTS)
        name = "";
    else
        return onnx_report(n->scope->c, HEED_INVALID, &attr->at, "an attribute of type INT or INTS",
                           "another type", NULL);
    onnx_raise_drop(n, def->attr);
    return onnx_raise_set_in(n, def->input, name);
}
