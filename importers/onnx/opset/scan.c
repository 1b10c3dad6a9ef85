/* scan.c - Scan of opset 8, which had a batch axis in front of every input and output.
 *
 * It becomes a Loop over the batch, whose body takes one sample of each input, runs today's Scan
 * on them, and gives one sample of each output; the Loop stacks these. */
#include <string.h>

#include "opset/adapter.h"

enum { FIRST = 1 }; /* input 0 was sequence_lens */

typedef struct batch {
    onnx_node *n; /* the old node */
    onnx_scope body;
    const char *index, *going;
    onnx_node inner; /* the new Scan, in the body */
} batch;

static heed_status add_scalar_input(batch *b, heed_dtype dtype, const char **name)
{
    heed_builder *builder = b->n->scope->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(&b->n->at, path), b->n->at.offset};
    heed_type type = {.size = sizeof type, .dtype = dtype};
    TRY(onnx_raise_name(b->n, name));
    return builder->input(builder, b->body.graph, *name, &type, &origin);
}

static heed_status add_output(batch *b, const char *name)
{
    heed_builder *builder = b->n->scope->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(&b->n->at, path), b->n->at.offset};
    return builder->output(builder, b->body.graph, name, NULL, &origin);
}

static heed_status open_body(batch *b)
{
    onnx_scope *s = b->n->scope;
    heed_builder *builder = s->c->builder;
    char path[PLACE_PATH_MAX];
    heed_origin origin = {onnx_place_path(&b->n->at, path), b->n->at.offset};
    b->body = *s;
    b->body.outer = s;
    b->body.body = (onnx_range){NULL, NULL}; /* no claims of its own */
    b->body.types = (onnx_table){0};
    TRY(builder->graph(builder, s->graph, "batch", &origin, &b->body.graph));
    TRY(add_scalar_input(b, HEED_INT64, &b->index));
    return add_scalar_input(b, HEED_BOOL, &b->going);
}

/* The new Scan reads one sample of each input of the old one. */
static heed_status take_samples(batch *b)
{
    onnx_node in_body = *b->n;
    in_body.scope = &b->body;
    for (uint32_t i = FIRST; i < b->n->n_in; i++) {
        const char *sample = NULL;
        TRY(onnx_raise_emit(&in_body, "Gather", b->n->in[i], b->index, &sample));
        TRY(onnx_raise_set_in(&b->inner, i - FIRST, sample));
    }
    return HEED_OK;
}

static heed_status give_samples(batch *b)
{
    onnx_context *c = b->n->scope->c;
    uint32_t n = b->n->n_out;
    const char **out = onnx_arena_array(&c->scratch, n + 1, sizeof *out);
    const char *going = NULL;
    if (!out)
        return onnx_report_no_memory(c, &b->n->at);
    onnx_node in_body = *b->n;
    in_body.scope = &b->body;
    TRY(onnx_raise_emit(&in_body, "Identity", b->going, NULL, &going));
    TRY(add_output(b, going));
    for (uint32_t i = 0; i < n; i++) {
        TRY(onnx_raise_name(b->n, &out[i]));
        TRY(add_output(b, out[i]));
    }
    b->inner.out = out;
    b->inner.n_out = b->inner.out_capacity = n;
    return HEED_OK;
}

/* body and num_scan_inputs stay, directions got another name. */
static heed_status move_attributes(batch *b)
{
    for (uint32_t i = 0; i < b->n->n_attrs; i++) {
        const onnx_attr *old = &b->n->attrs[i];
        const char *name = old->value.name;
        name = strcmp(name, "directions") == 0 ? "scan_input_directions" : name;
        onnx_attr *attr = onnx_node_add(&b->inner, name, old->value.type);
        if (!attr)
            return onnx_report_no_memory(b->n->scope->c, &b->n->at);
        *attr = *old;
        attr->value.name = name;
    }
    return HEED_OK;
}

static heed_status emit_loop(batch *b)
{
    const char *shape = NULL, *size = NULL, *zero;
    onnx_node *n = b->n;
    onnx_node loop;
    TRY(onnx_raise_index(n, 0, &zero));
    TRY(onnx_raise_emit(n, "Shape", n->in[FIRST], NULL, &shape));
    TRY(onnx_raise_emit(n, "Gather", shape, zero, &size));
    TRY(onnx_raise_node(n, "Loop", "", &loop));
    loop.name = n->name;
    loop.out = n->out;
    loop.n_out = n->n_out;
    TRY(onnx_raise_set_in(&loop, 0, size));
    TRY(onnx_raise_set_in(&loop, 1, ""));
    onnx_attr *attr = onnx_node_add(&loop, "body", HEED_ATTR_GRAPH);
    if (!attr)
        return onnx_report_no_memory(n->scope->c, &n->at);
    attr->value.graph = b->body.graph;
    return onnx_node_emit(&loop);
}

static heed_status raise_scan(onnx_node *n, const adapter_def *def)
{
    batch b = {.n = n};
    (void)def;
    if (onnx_raise_has(n, 0))
        return onnx_raise_unsupported(n, "Scan without sequence_lens", "sequence_lens");
    if (!onnx_raise_has(n, FIRST))
        return HEED_OK; /* the runtime says what is missing */
    TRY(open_body(&b));
    TRY(onnx_raise_node(n, "Scan", "", &b.inner));
    b.inner.scope = &b.body;
    TRY(take_samples(&b));
    TRY(move_attributes(&b));
    TRY(give_samples(&b));
    TRY(onnx_node_emit(&b.inner));
    TRY(emit_loop(&b));
    n->done = 1;
    return HEED_OK;
}

const adapter_def adapters_scan[] = {
    {"Scan", 9, raise_scan, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
