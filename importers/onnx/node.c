/* node.c - reads a NodeProto, decides what becomes of it, and hands it to the builder. */
#include "node.h"

#include <stdio.h>
#include <string.h>

#include "decode.h"
#include "function.h"
#include "model.h"
#include "onnx-ml.pb-c.h"

/* Room for inputs and attributes that raising adds. */
enum { SPARE = 8 };

/* Operators that exporters write into a domain that does not define them. */
typedef struct home {
    const char *domain, *op, *real;
} home;
static const home homes[] = {
    {"", "SimplifiedLayerNormalization", "com.microsoft"},
};

static const char *real_domain(const char *domain, const char *op)
{
    domain = onnx_domain_normal(domain);
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++)
        if (strcmp(domain, homes[i].domain) == 0 && strcmp(op, homes[i].op) == 0)
            return homes[i].real;
    return domain;
}

/* ---- Reading -------------------------------------------------------------------------------- */

static const char **read_names(const onnx_scope *s, char **names, size_t n)
{
    const char **out = onnx_arena_array(&s->c->scratch, n + SPARE, sizeof *out);
    for (size_t i = 0; out && i < n; i++) {
        out[i] = onnx_scope_name(s, names[i]);
        if (!out[i])
            return NULL;
    }
    return out;
}

static const char *node_name(const onnx_scope *s, const char *name)
{
    if (!s->call || !*name)
        return name;
    const char *outer = s->call->node->name;
    size_t n = strlen(name), m = strlen(outer);
    char *text = onnx_arena_alloc(&s->c->scratch, n + m + 2);
    if (!text)
        return NULL;
    memcpy(text, outer, m);
    text[m] = '/';
    memcpy(text + m + 1, name, n);
    return text;
}

static heed_status read_header(onnx_node *n, onnx_range body, const onnx_place *at)
{
    onnx_scope *s = n->scope;
    const Onnx__NodeProto *proto =
        onnx_decode(s->c, &onnx__node_proto__descriptor, &onnx_node_rules, body);
    if (!proto)
        return onnx_report_no_memory(s->c, at);
    if (!proto->op_type || !*proto->op_type)
        return onnx_report(s->c, HEED_INVALID, at, "a node with an op_type", "none", NULL);
    n->op = proto->op_type;
    n->domain = real_domain(proto->domain, n->op);
    n->overload = proto->overload ? proto->overload : "";
    n->name = node_name(s, proto->name ? proto->name : "");
    n->n_in = (uint32_t)proto->n_input;
    n->n_out = (uint32_t)proto->n_output;
    n->in_capacity = n->n_in + SPARE;
    n->out_capacity = n->n_out + SPARE;
    n->in = read_names(s, proto->input, proto->n_input);
    n->out = read_names(s, proto->output, proto->n_output);
    return n->name && n->in && n->out ? HEED_OK : onnx_report_no_memory(s->c, at);
}

static heed_status check_twice(const onnx_node *n, const onnx_attr *attr)
{
    if (onnx_node_attr(n, attr->value.name) == attr)
        return HEED_OK;
    return onnx_report(n->scope->c, HEED_INVALID, &attr->at, "each attribute once",
                       onnx_report_text(n->scope->c, "\"%.80s\" twice", attr->value.name), NULL);
}

static heed_status read_attribute(onnx_node *n, onnx_range body, int64_t index)
{
    onnx_context *c = n->scope->c;
    onnx_place at = onnx_place_at(c, &n->at, "attribute", index, body.at);
    onnx_attr *attr = &n->attrs[n->n_attrs];
    int present;
    TRY(onnx_attribute_read(n->scope, body, &at, attr, &present));
    if (!present)
        return HEED_OK;
    n->n_attrs++;
    return check_twice(n, attr);
}

static heed_status read_attributes(onnx_node *n, onnx_range body)
{
    onnx_context *c = n->scope->c;
    onnx_range rest = body;
    onnx_field field;
    uint32_t count = 0;
    while (onnx_wire_find(&rest, 5, &field))
        count++;
    if (count > NODE_ATTRS_MAX)
        return onnx_report(c, HEED_UNSUPPORTED, &n->at, "at most 1024 attributes",
                           onnx_report_text(c, "%u", count), NULL);
    n->attr_capacity = count + SPARE;
    n->attrs = onnx_arena_array(&c->scratch, n->attr_capacity, sizeof *n->attrs);
    if (!n->attrs)
        return onnx_report_no_memory(c, &n->at);
    for (int64_t i = 0; onnx_wire_find(&body, 5, &field); i++)
        TRY(read_attribute(n, field.body, i));
    return HEED_OK;
}

/* ---- What becomes of it --------------------------------------------------------------------- */

static int is_known(const onnx_node *n)
{
    heed_builder *b = n->scope->c->builder;
    return b->knows(b, n->domain, n->op) != 0;
}

static heed_status place_node(onnx_node *n)
{
    const onnx_function *f = onnx_function_find(n);
    if (f && !is_known(n))
        return onnx_function_expand(n, f);
    if (*n->domain)
        return onnx_node_emit(n);
    if (!n->scope->opset)
        return onnx_report(n->scope->c, HEED_INVALID, &n->at,
                           "an opset_import of ai.onnx, whose operator this is", "none", NULL);
    if (strcmp(n->op, "Constant") == 0)
        return onnx_constant_emit(n);
    TRY(onnx_node_raise(n));
    return n->done ? HEED_OK : onnx_node_emit(n);
}

heed_status onnx_node_read(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    onnx_node n = {.scope = s, .at = *at};
    TRY(read_header(&n, body, at));
    TRY(read_attributes(&n, body));
    return place_node(&n);
}

/* ---- Attributes ----------------------------------------------------------------------------- */

const onnx_attr *onnx_node_attr(const onnx_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].value.name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

static int grow_attrs(onnx_node *n)
{
    uint32_t capacity = n->attr_capacity + SPARE;
    onnx_attr *attrs = onnx_arena_array(&n->scope->c->scratch, capacity, sizeof *attrs);
    if (!attrs)
        return 0;
    if (n->n_attrs)
        memcpy(attrs, n->attrs, n->n_attrs * sizeof *attrs);
    n->attrs = attrs;
    n->attr_capacity = capacity;
    return 1;
}

onnx_attr *onnx_node_add(onnx_node *n, const char *name, uint32_t type)
{
    if (n->n_attrs == n->attr_capacity && !grow_attrs(n))
        return NULL;
    onnx_attr *attr = &n->attrs[n->n_attrs++];
    *attr =
        (onnx_attr){.value = {.size = sizeof attr->value, .type = type, .name = name}, .at = n->at};
    return attr;
}

/* ---- Emitting ------------------------------------------------------------------------------- */

static heed_status emit_graphs(onnx_node *n)
{
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        onnx_attr *a = &n->attrs[i];
        if (a->value.type == HEED_ATTR_GRAPH && a->owner)
            TRY(onnx_graph_read(a->owner, a->graph, &a->at, n->scope->graph, &a->value.graph));
    }
    return HEED_OK;
}

heed_status onnx_node_emit(onnx_node *n)
{
    onnx_context *c = n->scope->c;
    char path[PLACE_PATH_MAX];
    const heed_attribute **attrs = onnx_arena_array(&c->scratch, n->n_attrs + 1, sizeof *attrs);
    if (!attrs)
        return onnx_report_no_memory(c, &n->at);
    TRY(emit_graphs(n));
    for (uint32_t i = 0; i < n->n_attrs; i++)
        attrs[i] = &n->attrs[i].value;
    heed_node_def def = {
        .size = sizeof def,
        .domain = n->domain,
        .op = n->op,
        .name = n->name,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .n_attrs = n->n_attrs,
        .in = n->in,
        .out = n->out,
        .attrs = attrs,
        .origin = {onnx_place_path(&n->at, path), n->at.offset},
    };
    return c->builder->node(c->builder, n->scope->graph, &def);
}
