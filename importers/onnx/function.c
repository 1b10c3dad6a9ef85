/* function.c - reads model-local functions and expands calls of them.
 *
 * A body is emitted into the caller's graph, node by node. Its inputs and outputs become the names
 * that the caller uses; every other name gets a suffix of this call. The calls that are open form
 * a chain, also through nested graphs, in which a function may stand once. */
#include "function.h"

#include <string.h>

#include "decode.h"
#include "model.h"
#include "onnx-ml.pb-c.h"

/* ---- Reading -------------------------------------------------------------------------------- */

/* "domain\nname\noverload": newlines keep the parts apart as names rarely have them, and a
 * collision only means that a function is reported as defined twice. */
static const char *make_key(onnx_arena *a, const char *domain, const char *name,
                            const char *overload, size_t *size)
{
    size_t d = strlen(domain), n = strlen(name), o = strlen(overload);
    char *key = onnx_arena_alloc(a, d + n + o + 3);
    if (!key)
        return NULL;
    memcpy(key, domain, d);
    key[d] = '\n';
    memcpy(key + d + 1, name, n);
    key[d + n + 1] = '\n';
    memcpy(key + d + n + 2, overload, o);
    *size = d + n + o + 2;
    return key;
}

static const char *keep_text(onnx_context *c, const char *text)
{
    return onnx_arena_text(&c->keep, text ? text : "", text ? strlen(text) : 0);
}

static const char **keep_texts(onnx_context *c, char **texts, size_t n)
{
    const char **copy = onnx_arena_array(&c->keep, n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = keep_text(c, texts[i]);
        if (!copy[i])
            return NULL;
    }
    return copy;
}

static int keep_function(onnx_context *c, const Onnx__FunctionProto *proto, onnx_function *f)
{
    f->domain = onnx_domain_normal(keep_text(c, proto->domain));
    f->name = keep_text(c, proto->name);
    f->overload = keep_text(c, proto->overload);
    f->inputs = keep_texts(c, proto->input, proto->n_input);
    f->outputs = keep_texts(c, proto->output, proto->n_output);
    f->n_inputs = proto->n_input;
    f->n_outputs = proto->n_output;
    return f->domain && f->name && f->overload && f->inputs && f->outputs;
}

static heed_status add_function(onnx_context *c, const onnx_function *f)
{
    size_t size = 0;
    const char *key = make_key(&c->keep, f->domain, f->name, f->overload, &size);
    if (!key)
        return onnx_report_no_memory(c, &f->at);
    if (onnx_table_get(&c->functions, key, size))
        return onnx_report(c, HEED_INVALID, &f->at,
                           "each function once for a domain, name and overload",
                           onnx_report_text(c, "\"%.80s\" again", f->name), NULL);
    if (!onnx_table_put(&c->functions, &c->keep, key, size, f))
        return onnx_report_no_memory(c, &f->at);
    return HEED_OK;
}

static heed_status read_function(onnx_context *c, onnx_range body, const onnx_place *at)
{
    onnx_function *f = onnx_arena_alloc(&c->keep, sizeof *f);
    const Onnx__FunctionProto *proto =
        onnx_decode(c, &onnx__function_proto__descriptor, &onnx_function_rules, body);
    if (!f || !proto)
        return onnx_report_no_memory(c, at);
    f->body = body;
    f->at = *at;
    if (!proto->name || !*proto->name)
        return onnx_report(c, HEED_INVALID, at, "a function with a name", "none", NULL);
    if (!keep_function(c, proto, f))
        return onnx_report_no_memory(c, at);
    TRY(onnx_opset_read(c, proto->opset_import, proto->n_opset_import, at, &f->opset));
    return add_function(c, f);
}

heed_status onnx_functions_read(onnx_context *c, onnx_range model)
{
    onnx_field field;
    for (int64_t i = 0; onnx_wire_find(&model, 25, &field); i++) {
        onnx_arena_mark mark = onnx_arena_save(&c->scratch);
        onnx_place at = onnx_place_at(c, NULL, "functions", i, field.body.at);
        TRY(read_function(c, field.body, &at));
        onnx_arena_restore(&c->scratch, mark);
    }
    return HEED_OK;
}

const onnx_function *onnx_function_find(const onnx_node *n)
{
    onnx_context *c = n->scope->c;
    size_t size = 0;
    if (!c->functions.count)
        return NULL;
    const char *key = make_key(&c->scratch, n->domain, n->op, n->overload, &size);
    return key ? onnx_table_get(&c->functions, key, size) : NULL;
}

/* ---- Names ---------------------------------------------------------------------------------- */

static size_t find_text(const char *const *texts, size_t n, const char *text)
{
    size_t i = 0;
    while (i < n && strcmp(texts[i], text) != 0)
        i++;
    return i;
}

static const char *inner_name(onnx_context *c, const onnx_call *call, const char *name)
{
    size_t n = strlen(name), m = strlen(call->suffix);
    char *text = onnx_arena_alloc(&c->scratch, n + m + 1);
    if (text) {
        memcpy(text, name, n);
        memcpy(text + n, call->suffix, m);
    }
    return text;
}

const char *onnx_call_name(onnx_context *c, const onnx_call *call, const char *name)
{
    const onnx_function *f = call->function;
    const onnx_node *n = call->node;
    if (!*name)
        return name;
    size_t i = find_text(f->inputs, f->n_inputs, name);
    if (i < f->n_inputs)
        return i < n->n_in ? n->in[i] : "";
    i = find_text(f->outputs, f->n_outputs, name);
    if (i < f->n_outputs && i < n->n_out && *n->out[i])
        return n->out[i];
    return inner_name(c, call, name);
}

/* ---- Attributes ----------------------------------------------------------------------------- */

/* The default that the function gives for an attribute. */
static heed_status default_attr(onnx_scope *s, const char *ref, onnx_attr *out, int *present)
{
    const onnx_function *f = s->call->function;
    onnx_range rest = f->body;
    onnx_field field;
    *present = 0;
    for (int64_t i = 0; onnx_wire_find(&rest, 11, &field); i++) {
        onnx_field name;
        onnx_range inner = field.body;
        size_t size = strlen(ref);
        if (!onnx_wire_find(&inner, 1, &name) || onnx_wire_size(name.body) != size ||
            memcmp(name.body.at, ref, size) != 0)
            continue;
        onnx_place at = onnx_place_at(s->c, &f->at, "attribute_proto", i, field.body.at);
        inner = field.body;
        if (onnx_wire_find(&inner, 21, &name))
            return onnx_report(s->c, HEED_INVALID, &at, "a default value", "a reference", NULL);
        return onnx_attribute_read(s, field.body, &at, out, present);
    }
    return HEED_OK;
}

heed_status onnx_function_attr(onnx_scope *s, const char *ref, const char *name,
                               const onnx_place *at, onnx_attr *out, int *present)
{
    if (!s->call)
        return onnx_report(s->c, HEED_INVALID, at, "a value, as no function is around it",
                           onnx_report_text(s->c, "a reference to attribute \"%.80s\"", ref), NULL);
    const onnx_attr *given = onnx_node_attr(s->call->node, ref);
    if (given)
        *out = *given;
    else
        TRY(default_attr(s, ref, out, present));
    out->value.name = name;
    return HEED_OK;
}

/* ---- Expanding ------------------------------------------------------------------------------ */

static heed_status check_call(const onnx_node *n, const onnx_function *f)
{
    onnx_context *c = n->scope->c;
    for (const onnx_call *open = n->scope->call; open; open = open->outer)
        if (open->function == f)
            return onnx_report(
                c, HEED_INVALID, &n->at, "functions that do not call themselves",
                onnx_report_text(c, "a call of \"%.80s\" inside its own body", f->name), NULL);
    if (n->n_in > f->n_inputs || n->n_out > f->n_outputs)
        return onnx_report(
            c, HEED_INVALID, &n->at,
            onnx_report_text(c, "at most %zu inputs and %zu outputs", f->n_inputs, f->n_outputs),
            onnx_report_text(c, "%u and %u", n->n_in, n->n_out), NULL);
    return HEED_OK;
}

/* An output that is an input, or an earlier output again, has no node that makes it. */
static heed_status pass_through(onnx_scope *s, const onnx_call *call, size_t i)
{
    const onnx_function *f = call->function;
    const onnx_node *n = call->node;
    if (i >= n->n_out || !*n->out[i])
        return HEED_OK;
    if (find_text(f->inputs, f->n_inputs, f->outputs[i]) == f->n_inputs &&
        find_text(f->outputs, f->n_outputs, f->outputs[i]) == i)
        return HEED_OK;
    const char *source = onnx_call_name(s->c, call, f->outputs[i]);
    if (!source)
        return onnx_report_no_memory(s->c, &f->at);
    onnx_node copy = {.scope = s,
                      .at = n->at,
                      .domain = "",
                      .op = "Identity",
                      .name = "",
                      .in = &source,
                      .out = &n->out[i],
                      .n_in = 1,
                      .n_out = 1};
    return onnx_node_emit(&copy);
}

static heed_status expand_nodes(onnx_scope *s, const onnx_call *call)
{
    onnx_context *c = s->c;
    onnx_range rest = call->function->body;
    onnx_field field;
    for (int64_t i = 0; onnx_wire_find(&rest, 7, &field); i++) {
        onnx_place at = onnx_place_at(c, &call->function->at, "node", i, field.body.at);
        if (!c->nodes_left--)
            return onnx_report(c, HEED_UNSUPPORTED, &at,
                               "functions that expand to a graph in proportion to the file",
                               "more nodes than that", NULL);
        onnx_arena_mark mark = onnx_arena_save(&c->scratch);
        TRY(onnx_node_read(s, field.body, &at));
        onnx_arena_restore(&c->scratch, mark);
    }
    return HEED_OK;
}

heed_status onnx_function_expand(const onnx_node *n, const onnx_function *f)
{
    onnx_context *c = n->scope->c;
    TRY(check_call(n, f));
    TRY(onnx_context_enter(c, &n->at));
    onnx_call call = {f, n, n->scope->call, onnx_name_invent(c, "")};
    if (!call.suffix)
        return onnx_report_no_memory(c, &n->at);
    onnx_scope s = {
        .c = c, .outer = n->scope, .call = &call, .graph = n->scope->graph, .opset = f->opset};
    TRY(expand_nodes(&s, &call));
    for (size_t i = 0; i < f->n_outputs; i++)
        TRY(pass_through(&s, &call, i));
    c->depth--;
    return HEED_OK;
}
