/* scan.c - Scan of opset 8, which had a batch axis in front of every input and output.
 *
 * It becomes a Loop over the batch, whose body takes one sample of each input, runs today's Scan
 * on them, and gives one sample of each output; the Loop stacks these. With sequence_lens the Scan
 * sees the first elements of its sample only, and what it scanned is padded to the full length. */
#include <string.h>

#include "opset/adapter.h"

enum { FIRST = 1 }; /* input 0 was sequence_lens */

typedef struct batch {
    onnx_node *n; /* the old node */
    onnx_scope body;
    const char *index, *going;
    onnx_node inner; /* the new Scan, in the body */
    uint32_t states; /* inputs and outputs of the inner Scan that are not scanned */
    const char *zero, *length, *whole; /* [1] each: 0, of this sample, of all; NULL: no lengths */
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

/* ---- sequence_lens ---- */

/* How long this sample is. */
static heed_status take_length(batch *b, const onnx_node *in_body)
{
    const char *length = NULL;
    if (!onnx_raise_has(b->n, 0))
        return HEED_OK;
    TRY(onnx_raise_ints(in_body, (int64_t[]){0}, 1, &b->zero));
    TRY(onnx_raise_emit(in_body, "Gather", b->n->in[0], b->index, &length));
    return onnx_raise_emit(in_body, "Unsqueeze", length, b->zero, &b->length);
}

/* The first elements of a sample that is scanned. */
static heed_status cut(batch *b, const onnx_node *in_body, const char **sample)
{
    onnx_node shape, slice;
    const char *whole = *sample;
    TRY(onnx_raise_name(in_body, &b->whole));
    TRY(onnx_raise_node(in_body, "Shape", b->whole, &shape));
    TRY(onnx_raise_set_in(&shape, 0, whole));
    TRY(onnx_raise_set_int(&shape, "end", 1));
    TRY(onnx_node_emit(&shape));
    TRY(onnx_raise_name(in_body, sample));
    TRY(onnx_raise_node(in_body, "Slice", *sample, &slice));
    TRY(onnx_raise_set_in(&slice, 0, whole));
    TRY(onnx_raise_set_in(&slice, 1, b->zero));
    TRY(onnx_raise_set_in(&slice, 2, b->length));
    TRY(onnx_raise_set_in(&slice, 3, b->zero));
    return onnx_node_emit(&slice);
}

/* `out` is what was scanned, and zeros up to the full length. */
static heed_status pad(batch *b, const onnx_node *in_body, const char *scanned, const char *out)
{
    onnx_node concat, node;
    const char *missing = NULL, *pads;
    TRY(onnx_raise_emit(in_body, "Sub", b->whole, b->length, &missing));
    TRY(onnx_raise_name(in_body, &pads));
    TRY(onnx_raise_node(in_body, "Concat", pads, &concat));
    TRY(onnx_raise_set_in(&concat, 0, b->zero));
    TRY(onnx_raise_set_in(&concat, 1, missing));
    TRY(onnx_raise_set_int(&concat, "axis", 0));
    TRY(onnx_node_emit(&concat));
    TRY(onnx_raise_node(in_body, "Pad", out, &node));
    TRY(onnx_raise_set_in(&node, 0, scanned));
    TRY(onnx_raise_set_in(&node, 1, pads));
    TRY(onnx_raise_set_in(&node, 3, b->zero));
    return onnx_node_emit(&node);
}

/* ---- The body ---- */

/* The new Scan reads one sample of each input of the old one. */
static heed_status take_samples(batch *b, const onnx_node *in_body)
{
    TRY(take_length(b, in_body));
    for (uint32_t i = FIRST; i < b->n->n_in; i++) {
        const char *sample = NULL;
        TRY(onnx_raise_emit(in_body, "Gather", b->n->in[i], b->index, &sample));
        if (b->length && i - FIRST >= b->states)
            TRY(cut(b, in_body, &sample));
        TRY(onnx_raise_set_in(&b->inner, i - FIRST, sample));
    }
    return HEED_OK;
}

static heed_status give_samples(batch *b, const onnx_node *in_body)
{
    onnx_context *c = b->n->scope->c;
    uint32_t n = b->n->n_out;
    const char **out = onnx_arena_array(&c->scratch, n + 1, sizeof *out);
    const char *going = NULL;
    if (!out)
        return onnx_report_no_memory(c, &b->n->at);
    TRY(onnx_raise_emit(in_body, "Identity", b->going, NULL, &going));
    TRY(add_output(b, going));
    for (uint32_t i = 0; i < n; i++) {
        TRY(onnx_raise_name(b->n, &out[i]));
        TRY(add_output(b, out[i]));
    }
    b->inner.out = out;
    b->inner.n_out = b->inner.out_capacity = n;
    return HEED_OK;
}

/* The inner Scan, and behind it the padding of what it scanned. */
static heed_status emit_inner(batch *b, const onnx_node *in_body)
{
    const char **out = b->inner.out;
    uint32_t n = b->inner.n_out;
    if (!b->whole)
        return onnx_node_emit(&b->inner);
    b->inner.out = onnx_arena_array(&b->n->scope->c->scratch, n + 1, sizeof *out);
    if (!b->inner.out)
        return onnx_report_no_memory(b->n->scope->c, &b->n->at);
    for (uint32_t i = 0; i < n; i++) {
        b->inner.out[i] = out[i];
        if (i >= b->states)
            TRY(onnx_raise_name(b->n, &b->inner.out[i]));
    }
    TRY(onnx_node_emit(&b->inner));
    for (uint32_t i = b->states; i < n; i++)
        TRY(pad(b, in_body, b->inner.out[i], out[i]));
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
    int64_t scanned = onnx_raise_int(n, "num_scan_inputs", 0);
    batch b = {.n = n};
    (void)def;
    if (!onnx_raise_has(n, FIRST) || scanned < 1 || scanned > (int64_t)n->n_in - FIRST)
        return HEED_OK; /* the runtime says what is missing */
    b.states = n->n_in - FIRST - (uint32_t)scanned;
    TRY(open_body(&b));
    TRY(onnx_raise_node(n, "Scan", "", &b.inner));
    b.inner.scope = &b.body;
    onnx_node in_body = *n;
    in_body.scope = &b.body;
    TRY(take_samples(&b, &in_body));
    TRY(move_attributes(&b));
    TRY(give_samples(&b, &in_body));
    TRY(emit_inner(&b, &in_body));
    TRY(emit_loop(&b));
    n->done = 1;
    return HEED_OK;
}

const adapter_def adapters_scan[] = {
    {"Scan", 9, raise_scan, NULL, 0},
    {NULL, 0, NULL, NULL, 0},
};
