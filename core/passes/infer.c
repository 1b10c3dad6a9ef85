/* infer.c - pass: types, symbolic shapes and symbolic integer content of every value.
 *
 * before: y = Reshape(x [B, S, 12], Concat(Shape(x)[0], Shape(x)[1], [3, 4]))
 * after:  y has the type float32 [B, S, 3, 4]; the Concat has the content {B, S, 3, 4}. */
#include <string.h>

#include "passes/pass.h"

static heed_status infer_graph(pass_run *p, ir_graph *g);
static heed_status keep(ir_model *m, ir_value *v, const ir_type *type, const ir_dim *content,
                        int64_t n_content);

typedef struct frame {
    op_infer infer; /* first: op_infer.self leads back here */
    pass_run *run;
} frame;

/* Bodies of control flow: the inputs get the types that the operator's rule says, then the rule
 * reads the types of the body's outputs. */
static heed_status infer_body(op_infer *c, ir_graph *g, uint32_t n, const ir_type *const *types)
{
    frame *f = c->self;
    if (n > g->n_inputs)
        return infer_error(c, "a body with as many inputs as it is given", "%u inputs, %u given",
                           g->n_inputs, n);
    for (uint32_t i = 0; i < n; i++)
        if (types[i] && (types[i]->dtype || !g->inputs[i]->type.dtype))
            TRY(keep(f->run->model, g->inputs[i], types[i], NULL, 0));
    return infer_graph(f->run, g);
}

static heed_status alloc_arrays(op_infer *c, const ir_node *n)
{
    arena *a = c->memory;
    const ir_type **types = arena_array(a, n->n_in, sizeof(*types));
    const heed_tensor **tensors = arena_array(a, n->n_in, sizeof(*tensors));
    const ir_dim **content = arena_array(a, n->n_in, sizeof(*content));
    int64_t *n_content = arena_array(a, n->n_in, sizeof(*n_content));
    c->out = arena_array(a, n->n_out, sizeof(*c->out));
    c->out_content = arena_array(a, n->n_out, sizeof(ir_dim *));
    c->out_n_content = arena_array(a, n->n_out, sizeof(int64_t));
    if (!types || !tensors || !content || !n_content || !c->out || !c->out_content ||
        !c->out_n_content)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ir_value *v = n->in[i].value;
        types[i] = v ? &v->type : NULL;
        tensors[i] = pass_constant(v) ? v->constant : NULL;
        content[i] = v ? v->content : NULL;
        n_content[i] = v ? v->n_content : 0;
    }
    c->in = types;
    c->in_tensors = tensors;
    c->in_content = content;
    c->in_n_content = n_content;
    return HEED_OK;
}

/* The arrays live in scratch; what stays must be in the model's memory. */
static heed_status keep(ir_model *m, ir_value *v, const ir_type *type, const ir_dim *content,
                        int64_t n_content)
{
    v->type = *type;
    v->content = NULL;
    v->n_content = 0;
    if (type->rank >= 0) {
        v->type.dims = arena_array(&m->memory, (size_t)type->rank, sizeof(ir_dim));
        if (!v->type.dims)
            return HEED_NOMEM;
        if (type->rank)
            memcpy(v->type.dims, type->dims, (size_t)type->rank * sizeof(ir_dim));
    }
    if (content) {
        v->content = arena_array(&m->memory, (size_t)n_content, sizeof(ir_dim));
        if (!v->content)
            return HEED_NOMEM;
        if (n_content)
            memcpy(v->content, content, (size_t)n_content * sizeof(ir_dim));
        v->n_content = n_content;
    }
    return HEED_OK;
}

/* A branch that is never taken may hold shapes that cannot be (exporters leave such branches in),
 * so inside bodies a contradiction only means that nothing is known; planning says so if it runs.
 * Not for control flow, whose counts are checked here and nowhere else. */
static heed_status forgive(op_infer *c, heed_status status)
{
    const ir_node *n = c->node;
    if (!n->graph->parent || status != HEED_INVALID || (n->op->flags & OP_CONTROL))
        return status == HEED_NOMEM ? status : ir_node_error(n);
    err_clear();
    for (uint32_t i = 0; i < n->n_out; i++)
        c->out_content[i] = NULL;
    return op_bind_types(n, c->in, c->out);
}

heed_status pass_infer_node(pass_run *p, ir_node *n)
{
    frame f = {.run = p};
    op_infer *c = &f.infer;
    *c = (op_infer){
        .node = n,
        .op = n->op,
        .dims = p->model->dims,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .memory = p->scratch,
        .body = infer_body,
        .self = &f,
    };
    TRY(alloc_arrays(c, n));
    TRY(op_bind_types(n, c->in, c->out));
    err_clear();
    heed_status status = n->op->infer(c);
    if (status)
        TRY(forgive(c, status));
    else if (n->op->content)
        n->op->content(c);
    if (err_get()->status == HEED_NOMEM) /* symbols and contents fail silently */
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            TRY(keep(p->model, n->out[i], &c->out[i], c->out_content[i], c->out_n_content[i]));
    return HEED_OK;
}

static heed_status infer_graph(pass_run *p, ir_graph *g)
{
    for (ir_node *n = g->first; n; n = n->next)
        TRY(pass_infer_node(p, n));
    return HEED_OK;
}

static heed_status run(pass_run *p) { return infer_graph(p, p->model->main); }

const pass_def pass_infer = {
    .name = "infer",
    .purpose = "types, symbolic shapes and integer contents",
    .order = 0,
    .required = true,
    .run = run,
};
