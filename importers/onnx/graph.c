/* graph.c - GraphProto: walks its lists and hands each element to the builder.
 *
 * Elements are decoded one at a time: scratch goes back to where it was after each, so memory
 * follows the largest element and not the file. */
#include <string.h>

#include "decode.h"
#include "node.h"
#include "onnx-ml.pb-c.h"
#include "type.h"

enum { DEPTH_MAX = 100 };

heed_status onnx_context_enter(onnx_context *c, const onnx_place *at)
{
    if (++c->depth <= DEPTH_MAX)
        return HEED_OK;
    return onnx_report(c, HEED_UNSUPPORTED, at,
                       "at most 100 graphs and function calls inside each other", "one more",
                       "flatten the nested graphs or functions");
}

/* ---- Inputs, outputs, types ----------------------------------------------------------------- */

/* A ValueInfoProto in names of the builder. */
typedef struct value {
    const char *name;
    const heed_type *type;
} value;

static heed_status read_value(onnx_scope *s, onnx_range body, const onnx_place *at, value *out)
{
    onnx_context *c = s->c;
    const Onnx__ValueInfoProto *proto =
        onnx_decode(c, &onnx__value_info_proto__descriptor, &onnx_value_rules, body);
    if (!proto)
        return onnx_report_no_memory(c, at);
    if (!proto->name || !*proto->name)
        return onnx_report(c, HEED_INVALID, at, "a value with a name", "none", NULL);
    onnx_place type_at = {at, "type", PLACE_SINGLE, PLACE_BY_NAME};
    TRY(onnx_type_read(c, proto->type, &type_at, &out->type));
    out->name = onnx_scope_name(s, proto->name);
    return out->name ? HEED_OK : onnx_report_no_memory(c, at);
}

static heed_status read_input(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    heed_builder *b = s->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    value v;
    TRY(read_value(s, body, at, &v));
    /* Before IR 4 every initializer had to be listed as an input too. Such an input is a constant
     * to everybody; as an input with a default it could not be folded. */
    if (s->c->ir_version < 4 && onnx_scope_is_initializer(s, v.name))
        return HEED_OK;
    return b->input(b, s->graph, v.name, v.type, &origin);
}

static heed_status read_output(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    heed_builder *b = s->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    value v;
    TRY(read_value(s, body, at, &v));
    return b->output(b, s->graph, v.name, v.type, &origin);
}

static heed_status read_inner(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    heed_builder *b = s->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    value v;
    TRY(read_value(s, body, at, &v));
    return v.type ? b->value(b, s->graph, v.name, v.type, &origin) : HEED_OK;
}

/* ---- Initializers --------------------------------------------------------------------------- */

static heed_status add_initializer(onnx_scope *s, const onnx_tensor *tensor, const onnx_place *at)
{
    if (!*tensor->name)
        return onnx_report(s->c, HEED_INVALID, at, "an initializer with a name", "none", NULL);
    const char *name = onnx_scope_name(s, tensor->name);
    if (!name)
        return onnx_report_no_memory(s->c, at);
    return onnx_constant_tensor(s, name, tensor, at);
}

static heed_status read_initializer(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    onnx_tensor tensor;
    TRY(onnx_tensor_read(s->c, body, at, &tensor));
    return add_initializer(s, &tensor, at);
}

static heed_status read_sparse(onnx_scope *s, onnx_range body, const onnx_place *at)
{
    onnx_tensor tensor;
    TRY(onnx_sparse_read(s->c, body, at, &tensor));
    return add_initializer(s, &tensor, at);
}

/* ---- The graph ------------------------------------------------------------------------------ */

/* The lists of GraphProto, in the order in which the builder gets them. */
typedef struct list {
    uint32_t number;
    const char *name;
    heed_status (*read)(onnx_scope *s, onnx_range body, const onnx_place *at);
} list;

static const list lists[] = {
    {11, "input", read_input},
    {5, "initializer", read_initializer},
    {15, "sparse_initializer", read_sparse},
    {1, "node", onnx_node_read},
    {13, "value_info", read_inner},
    {12, "output", read_output},
};

static heed_status read_list(onnx_scope *s, const list *l, const onnx_place *at)
{
    onnx_context *c = s->c;
    onnx_range rest = s->body;
    onnx_field field;
    for (int64_t i = 0; onnx_wire_find(&rest, l->number, &field); i++) {
        onnx_arena_mark mark = onnx_arena_save(&c->scratch);
        onnx_place element = onnx_place_at(c, at, l->name, i, field.body.at);
        TRY(l->read(s, field.body, &element));
        onnx_arena_restore(&c->scratch, mark);
    }
    return HEED_OK;
}

heed_status onnx_graph_fill(onnx_scope *s, const onnx_place *at)
{
    TRY(onnx_context_enter(s->c, at));
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        TRY(read_list(s, &lists[i], at));
    s->c->depth--;
    return HEED_OK;
}

/* The name of a graph; an empty one for none. */
static const char *graph_name(onnx_context *c, onnx_range body)
{
    onnx_field field;
    if (!onnx_wire_find(&body, 2, &field))
        return "";
    return onnx_arena_text(&c->scratch, (const char *)field.body.at, onnx_wire_size(field.body));
}

heed_status onnx_graph_read(onnx_scope *outer, onnx_range body, const onnx_place *at,
                            uint64_t parent, uint64_t *graph)
{
    onnx_context *c = outer->c;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(at, path), at->offset};
    const char *name = graph_name(c, body);
    if (!name)
        return onnx_report_no_memory(c, at);
    TRY(c->builder->graph(c->builder, parent, name, &origin, graph));
    onnx_scope s = {.c = c,
                    .outer = outer,
                    .call = outer->call,
                    .graph = *graph,
                    .opset = outer->opset,
                    .body = body};
    return onnx_graph_fill(&s, at);
}
