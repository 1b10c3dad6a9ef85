/* builder.c - names become values; see builder.h.
 *
 * Inputs, constants and nodes make values at once; what nodes and outputs read is connected in
 * finish, when everything is there, so elements may come in any order. */
#include "graph/builder.h"

#include <stdio.h>
#include <string.h>

#define MAX_NESTING 64
#define MAX_RANK    TENSOR_MAX_RANK

typedef struct pending_node {
    ir_node *node;
    const char **inputs;
} pending_node;

typedef struct pending_output {
    const char *name;
    ir_type type;
    heed_origin origin;
} pending_output;

typedef struct scope {
    ir_graph *graph;
    struct scope *parent;
    map names; /* name -> ir_value */
    pending_node *nodes;
    size_t n_nodes, nodes_capacity;
    pending_output *outputs;
    size_t n_outputs, outputs_capacity;
    ir_value **inputs;
    size_t n_inputs, inputs_capacity;
    int depth;
    bool owned; /* some node has it as attribute */
} scope;

struct ir_builder {
    heed_builder table;
    const ir_resolver *resolver;
    ir_model *model;
    scope **scopes;
    size_t n_scopes, scopes_capacity;
    ir_fact *facts;
    size_t n_facts, facts_capacity;
};

/* An importer that passes a failure of the host on (heed_source.external) gives no texts: what the
 * host said stays, and the element is added. */
static heed_status keep_error(heed_status status)
{
    const heed_error *e = err_get();
    char found[400];
    snprintf(found, sizeof(found), "%s%s%s", e->element, *e->element ? ": " : "",
             *e->found ? e->found : e->message);
    return err_expected(status, e->expected, found, e->hint);
}

static heed_status build_error(heed_builder *table, heed_status status, const heed_origin *origin,
                               const char *expected, const char *found, const char *hint)
{
    (void)table;
    if (expected || found || hint)
        err_expected(status, expected, found, hint);
    else
        keep_error(status);
    if (origin && origin->path)
        err_at(origin->offset, "%s", origin->path);
    return status;
}

static heed_status located(const heed_origin *origin, heed_status status)
{
    if (status && origin && origin->path)
        err_at(origin->offset, "%s", origin->path);
    return status;
}

static heed_status get_scope(ir_builder *b, uint64_t graph, scope **out)
{
    if (graph >= b->n_scopes)
        return err_fail(HEED_USAGE, "the importer named graph %llu, which it did not make",
                        (unsigned long long)graph);
    *out = b->scopes[graph];
    return HEED_OK;
}

static heed_status add_scope(ir_builder *b, ir_graph *graph, scope *parent)
{
    TRY(mem_grow(&b->scopes, &b->scopes_capacity, b->n_scopes, sizeof(scope *)));
    scope *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->graph = graph;
    s->parent = parent;
    s->depth = parent ? parent->depth + 1 : 0;
    b->scopes[b->n_scopes++] = s;
    return HEED_OK;
}

/* ---- Types ---------------------------------------------------------------------------------- */

static heed_status take_dims(ir_builder *b, const heed_type *type, ir_type *out)
{
    if (type->ndim < 0)
        return HEED_OK;
    if (type->ndim > MAX_RANK) {
        char found[64];
        snprintf(found, sizeof(found), "%d dimensions", type->ndim);
        return err_expected(HEED_UNSUPPORTED, "at most 16 dimensions", found, NULL);
    }
    out->rank = type->ndim;
    out->dims = arena_array(&b->model->memory, (size_t)type->ndim, sizeof(ir_dim));
    if (!out->dims)
        return HEED_NOMEM;
    for (int32_t i = 0; i < type->ndim; i++) {
        const char *name = type->symbols ? type->symbols[i] : NULL;
        if (type->dims[i] > TENSOR_MAX_DIM) {
            char found[64];
            snprintf(found, sizeof(found), "%lld", (long long)type->dims[i]);
            return err_expected(HEED_INVALID, "an extent of at most 2^40", found, NULL);
        }
        if (type->dims[i] >= 0)
            out->dims[i] = type->dims[i];
        else
            out->dims[i] =
                name && *name ? dims_parse(b->model->dims, name) : dims_fresh(b->model->dims);
        if (out->dims[i] == DIM_UNKNOWN)
            return HEED_NOMEM;
    }
    return HEED_OK;
}

static heed_status take_type(ir_builder *b, const heed_type *type, ir_type *out)
{
    *out = (ir_type){.rank = -1};
    if (!type)
        return HEED_OK;
    out->kind = type->kind;
    const heed_type *leaf = type;
    for (int depth = 0; leaf->element && depth < 3; depth++)
        leaf = leaf->element;
    out->dtype = leaf->dtype;
    out->optional_sequence = type->kind == HEED_KIND_OPTIONAL && type->element &&
                             type->element->kind == HEED_KIND_SEQUENCE;
    for (const heed_type *t = type; t; t = t->element)
        if (t->kind == HEED_KIND_MAP)
            out->keys = t->dtype;
    return type->kind == HEED_KIND_TENSOR ? take_dims(b, type, out) : HEED_OK;
}

/* ---- Definitions ---------------------------------------------------------------------------- */

static heed_status already_defined(const char *name)
{
    char found[160];
    snprintf(found, sizeof(found), "a second definition of \"%.100s\"", name);
    return err_expected(HEED_INVALID, "each name defined once", found,
                        "rename one of the two values");
}

static heed_status define(scope *s, ir_value *v)
{
    if (!v)
        return HEED_NOMEM;
    if (map_get_string(&s->names, v->name))
        return already_defined(v->name);
    return map_put_string(&s->names, v->name, v);
}

static heed_status build_graph(heed_builder *table, uint64_t parent, const char *name,
                               const heed_origin *origin, uint64_t *graph)
{
    ir_builder *b = table->self;
    scope *outer = NULL;
    TRY(get_scope(b, parent, &outer));
    if (outer->depth + 1 >= MAX_NESTING) {
        err_expected(HEED_UNSUPPORTED, "at most 63 graphs inside each other", "one more", NULL);
        return located(origin, HEED_UNSUPPORTED);
    }
    ir_graph *g = ir_graph_new(b->model, outer->graph, name);
    if (!g)
        return HEED_NOMEM;
    *graph = b->n_scopes;
    return add_scope(b, g, outer);
}

static heed_status input_new(ir_builder *b, scope *s, const char *name, const heed_type *type,
                             const heed_origin *origin)
{
    ir_value *v = map_get_string(&s->names, name);
    if (v && (v->is_input || v->producer)) /* a constant of that name is the input's default */
        return already_defined(name);
    if (!v) {
        v = ir_value_new(s->graph, name);
        TRY(define(s, v));
    }
    TRY(take_type(b, type, &v->type));
    v->is_input = true;
    v->offset = origin ? origin->offset : ERR_NO_OFFSET;
    TRY(mem_grow(&s->inputs, &s->inputs_capacity, s->n_inputs, sizeof(ir_value *)));
    v->slot = (uint32_t)s->n_inputs;
    s->inputs[s->n_inputs++] = v;
    return HEED_OK;
}

static heed_status build_input(heed_builder *table, uint64_t graph, const char *name,
                               const heed_type *type, const heed_origin *origin)
{
    ir_builder *b = table->self;
    scope *s = NULL;
    TRY(get_scope(b, graph, &s));
    if (!name || !*name)
        return build_error(table, HEED_INVALID, origin, "an input with a name", "an empty name",
                           NULL);
    return located(origin, input_new(b, s, name, type, origin));
}

static heed_status output_new(ir_builder *b, scope *s, const char *name, const heed_type *type,
                              const heed_origin *origin)
{
    TRY(mem_grow(&s->outputs, &s->outputs_capacity, s->n_outputs, sizeof(pending_output)));
    pending_output *o = &s->outputs[s->n_outputs];
    *o = (pending_output){.name = arena_string(&b->model->memory, name),
                          .origin = {NULL, ERR_NO_OFFSET}};
    TRY(take_type(b, type, &o->type));
    if (origin && origin->path)
        o->origin = (heed_origin){arena_string(&b->model->memory, origin->path), origin->offset};
    if (!o->name)
        return HEED_NOMEM;
    s->n_outputs++;
    return HEED_OK;
}

static heed_status build_output(heed_builder *table, uint64_t graph, const char *name,
                                const heed_type *type, const heed_origin *origin)
{
    ir_builder *b = table->self;
    scope *s = NULL;
    TRY(get_scope(b, graph, &s));
    return located(origin, output_new(b, s, name ? name : "", type, origin));
}

/* What a file says about inner values is not used: exporters get it wrong, and inference knows
 * better. Kept in the contract for formats that have nothing else. */
static heed_status build_value(heed_builder *table, uint64_t graph, const char *name,
                               const heed_type *type, const heed_origin *origin)
{
    (void)table, (void)graph, (void)name, (void)type, (void)origin;
    return HEED_OK;
}

/* A tensor on memory that the importer borrowed from a mapping, or a copy. */
static heed_status make_tensor(const DLTensor *from, uint32_t flags, heed_tensor **out)
{
    if (!(flags & HEED_TENSOR_BORROWED))
        return heed_tensor_from_dlpack(from, out);
    TRY(tensor_new_empty(out));
    heed_status status =
        tensor_shape_set(*out, dtype_from_dl(from->dtype), from->ndim, from->shape);
    if (status) {
        tensor_free(*out);
        *out = NULL;
        return status;
    }
    (*out)->dl.data = (char *)from->data + from->byte_offset;
    return HEED_OK;
}

static heed_status tensor_value(scope *s, const char *name, heed_tensor *t)
{
    ir_value *v = map_get_string(&s->names, name);
    if (!v) {
        v = ir_constant_new(s->graph, name, t);
        return v ? define(s, v) : HEED_NOMEM;
    }
    if (!v->is_input || v->constant) {
        tensor_free(t);
        return already_defined(name);
    }
    ir_value *holder = ir_constant_new(s->graph, NULL, t);
    if (!holder)
        return HEED_NOMEM;
    v->constant = t;
    return HEED_OK;
}

static heed_status build_tensor(heed_builder *table, uint64_t graph, const char *name,
                                const DLTensor *tensor, uint32_t flags, const heed_origin *origin)
{
    ir_builder *b = table->self;
    scope *s = NULL;
    heed_tensor *t = NULL;
    TRY(get_scope(b, graph, &s));
    TRY(located(origin, make_tensor(tensor, flags, &t)));
    return located(origin, tensor_value(s, name, t));
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

static heed_status unknown_operator(const heed_node_def *def)
{
    const char *domain = def->domain && *def->domain ? def->domain : "ai.onnx";
    err_fail(HEED_UNSUPPORTED, "operator %.80s.%.80s not supported", domain, def->op);
    return located(&def->origin, HEED_UNSUPPORTED);
}

static heed_status node_attrs(ir_builder *b, ir_node *n, const heed_node_def *def)
{
    for (uint32_t i = 0; i < def->n_attrs; i++) {
        const heed_attribute *a = def->attrs[i];
        ir_graph *nested = NULL;
        if (a->type == HEED_ATTR_GRAPH) {
            scope *s = NULL;
            TRY(get_scope(b, a->graph, &s));
            if (s->owned || s->parent == NULL || s->graph->parent != n->graph)
                return err_fail(HEED_USAGE, "attribute \"%s\" has a graph of another node",
                                a->name);
            s->owned = true;
            nested = s->graph;
        }
        if (ir_node_attr(n, a->name)) {
            char found[128];
            snprintf(found, sizeof(found), "\"%.80s\" twice", a->name);
            return err_expected(HEED_INVALID, "each attribute once", found, NULL);
        }
        TRY(ir_node_set_attr(n, a, nested));
    }
    return HEED_OK;
}

static heed_status node_outputs(scope *s, const heed_node_def *def, ir_value **out)
{
    for (uint32_t i = 0; i < def->n_out; i++) {
        const char *name = def->out[i];
        out[i] = NULL;
        if (!name || !*name)
            continue;
        out[i] = ir_value_new(s->graph, name);
        TRY(define(s, out[i]));
        out[i]->offset = def->origin.offset;
    }
    return HEED_OK;
}

static heed_status node_inputs(ir_builder *b, scope *s, ir_node *n, const heed_node_def *def)
{
    arena *memory = &b->model->memory;
    TRY(mem_grow(&s->nodes, &s->nodes_capacity, s->n_nodes, sizeof(pending_node)));
    pending_node *p = &s->nodes[s->n_nodes];
    *p = (pending_node){n, arena_array(memory, def->n_in, sizeof(char *))};
    if (!p->inputs)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < def->n_in; i++) {
        p->inputs[i] = arena_string(memory, def->in[i] ? def->in[i] : "");
        if (!p->inputs[i])
            return HEED_NOMEM;
    }
    s->n_nodes++;
    return HEED_OK;
}

static const char *node_name(ir_builder *b, const scope *s, const heed_node_def *def)
{
    if (def->name && *def->name)
        return def->name;
    return arena_printf(&b->model->memory, "%s_%zu", def->op, s->n_nodes);
}

static heed_status node_new(ir_builder *b, scope *s, const heed_node_def *def)
{
    arena *memory = &b->model->memory;
    const struct op_def *op = b->resolver->find(def->domain ? def->domain : "", def->op);
    if (!op)
        return unknown_operator(def);
    ir_value **out = arena_array(memory, def->n_out, sizeof(*out));
    ir_value **in = arena_array(memory, def->n_in, sizeof(*in)); /* all left out, for now */
    const char *name = node_name(b, s, def);
    if (!out || !in || !name)
        return HEED_NOMEM;
    TRY(node_outputs(s, def, out));
    ir_node *n = ir_node_new(s->graph, NULL, op, name, def->n_in, in, def->n_out, out);
    if (!n)
        return HEED_NOMEM;
    n->offset = def->origin.offset;
    n->path = arena_string(memory, def->origin.path);
    TRY(node_attrs(b, n, def));
    return node_inputs(b, s, n, def);
}

static heed_status build_node(heed_builder *table, uint64_t graph, const heed_node_def *def)
{
    ir_builder *b = table->self;
    scope *s = NULL;
    TRY(get_scope(b, graph, &s));
    return located(&def->origin, node_new(b, s, def));
}

/* ---- Finish --------------------------------------------------------------------------------- */

static ir_value *lookup(const scope *s, const char *name)
{
    for (; s; s = s->parent) {
        ir_value *v = map_get_string(&s->names, name);
        if (v)
            return v;
    }
    return NULL;
}

static heed_status connect_node(scope *s, const pending_node *p)
{
    for (uint32_t i = 0; i < p->node->n_in; i++) {
        if (!*p->inputs[i])
            continue;
        ir_value *v = lookup(s, p->inputs[i]);
        if (!v) {
            char found[192];
            snprintf(found, sizeof(found), "input %u reads \"%.100s\", which nothing defines", i,
                     p->inputs[i]);
            err_expected(HEED_INVALID,
                         "inputs that a graph input, an initializer or a node "
                         "defines",
                         found, "check the name");
            return ir_node_error(p->node);
        }
        ir_node_set_input(p->node, i, v);
    }
    return HEED_OK;
}

static heed_status connect_outputs(scope *s)
{
    ir_graph *g = s->graph;
    arena *memory = &g->model->memory;
    g->outputs = arena_array(memory, s->n_outputs, sizeof(*g->outputs));
    g->output_names = arena_array(memory, s->n_outputs, sizeof(*g->output_names));
    g->output_types = arena_array(memory, s->n_outputs, sizeof(*g->output_types));
    if (!g->outputs || !g->output_names || !g->output_types)
        return HEED_NOMEM;
    for (size_t i = 0; i < s->n_outputs; i++) {
        const pending_output *o = &s->outputs[i];
        ir_value *v = lookup(s, o->name);
        if (!v) {
            char found[160];
            snprintf(found, sizeof(found), "\"%.100s\", which nothing defines", o->name);
            err_expected(HEED_INVALID, "an output that a node or an initializer defines", found,
                         "check the name");
            return located(&o->origin, HEED_INVALID);
        }
        v->n_outputs++;
        g->outputs[i] = v;
        g->output_names[i] = o->name;
        g->output_types[i] = o->type;
        g->n_outputs++;
    }
    return HEED_OK;
}

static heed_status connect_scope(scope *s)
{
    ir_graph *g = s->graph;
    g->inputs = arena_array(&g->model->memory, s->n_inputs, sizeof(*g->inputs));
    if (!g->inputs)
        return HEED_NOMEM;
    if (s->n_inputs)
        memcpy(g->inputs, s->inputs, s->n_inputs * sizeof(*g->inputs));
    g->n_inputs = (uint32_t)s->n_inputs;
    for (size_t i = 0; i < s->n_nodes; i++)
        TRY(connect_node(s, &s->nodes[i]));
    return connect_outputs(s);
}

heed_status ir_builder_finish(ir_builder *b, ir_model **out)
{
    *out = NULL;
    for (size_t i = 0; i < b->n_scopes; i++)
        TRY(connect_scope(b->scopes[i]));
    for (size_t i = 0; i < b->n_scopes; i++) {
        TRY(ir_sort(b->scopes[i]->graph));
        for (ir_node *n = b->scopes[i]->graph->first; n; n = n->next)
            TRY(b->resolver->check(n));
    }
    *out = b->model;
    b->model = NULL;
    return HEED_OK;
}

/* ---- Facts, life ---------------------------------------------------------------------------- */

static heed_status build_fact(heed_builder *table, const char *key, const char *value)
{
    ir_builder *b = table->self;
    TRY(mem_grow(&b->facts, &b->facts_capacity, b->n_facts, sizeof(ir_fact)));
    ir_fact *f = &b->facts[b->n_facts];
    f->key = arena_string(&b->model->memory, key);
    f->value = arena_string(&b->model->memory, value ? value : "");
    if (!f->key || !f->value)
        return HEED_NOMEM;
    b->n_facts++;
    return HEED_OK;
}

size_t ir_builder_facts(const ir_builder *b, const ir_fact **out)
{
    *out = b->facts;
    return b->n_facts;
}

static uint32_t build_knows(heed_builder *table, const char *domain, const char *op)
{
    ir_builder *b = table->self;
    return b->resolver->find(domain ? domain : "", op) != NULL;
}

heed_builder *ir_builder_table(ir_builder *b) { return &b->table; }

ir_builder *ir_builder_new(const ir_resolver *resolver)
{
    ir_builder *b = mem_zero(sizeof(*b));
    if (!b)
        return NULL;
    b->table = (heed_builder){
        .size = sizeof(b->table),
        .self = b,
        .error = build_error,
        .fact = build_fact,
        .knows = build_knows,
        .graph = build_graph,
        .input = build_input,
        .output = build_output,
        .value = build_value,
        .tensor = build_tensor,
        .node = build_node,
    };
    b->resolver = resolver;
    b->model = ir_model_new();
    if (!b->model || add_scope(b, b->model->main, NULL)) {
        ir_builder_free(b);
        return NULL;
    }
    return b;
}

void ir_builder_free(ir_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->n_scopes; i++) {
        map_free(&b->scopes[i]->names);
        mem_free(b->scopes[i]->nodes);
        mem_free(b->scopes[i]->outputs);
        mem_free(b->scopes[i]->inputs);
        mem_free(b->scopes[i]);
    }
    mem_free(b->scopes);
    mem_free(b->facts);
    ir_model_free(b->model);
    mem_free(b);
}
