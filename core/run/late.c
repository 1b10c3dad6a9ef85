/* late.c - see late.h. Inference is asked once more, now that every input has content; what it then
 * knows is allocated, and the node's own kernel runs, a backend's too. */
#include "run/late.h"

#include "ops/concrete.h"
#include "ops/evaluate.h"

typedef struct late_node {
    const run_call *run;
    plan_context *context;
    const program *program;
} late_node;

/* ---- Nested graphs -------------------------------------------------------------------------- */

static const program *find_program(const run_call *r, const ir_graph *g)
{
    for (uint32_t i = 0; i < r->n_programs; i++)
        if (r->programs[i]->graph == g)
            return r->programs[i];
    return NULL;
}

/* The callback of op_call: inputs from the operator, captures from the slots around it. */
static heed_status run_body(op_call *call, ir_graph *graph, uint32_t n_in,
                            const heed_tensor *const *in, uint32_t n_out, heed_tensor **out)
{
    const late_node *l = call->self;
    const program *body = find_program(l->run, graph);
    if (!body || n_in != graph->n_inputs || n_out != graph->n_outputs)
        return call_error(call, HEED_INVALID,
                          "the body of the node has %u inputs and %u outputs, "
                          "the operator gives it %u and wants %u",
                          graph->n_inputs, graph->n_outputs, n_in, n_out);
    const heed_tensor **all = mem_array(n_in + body->n_captures, sizeof(*all));
    if (!all)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n_in; i++)
        all[i] = in[i];
    for (uint32_t i = 0; i < body->n_captures; i++)
        all[n_in + i] = l->context->slots[program_local(l->program, body->captures[i])];
    for (uint32_t i = 0; i < n_out; i++)
        out[i] = NULL;
    heed_status status = execute_program(l->run, body, all, out);
    mem_free(all);
    return status;
}

static heed_status run_control(late_node *l, const ir_node *n, const heed_tensor *const *in,
                               heed_tensor **out)
{
    arena scratch = {0}; /* of its own: bodies reset the context's */
    heed_status status = HEED_OK;
    for (uint32_t o = 0; o < n->n_out && !status; o++) {
        if (!n->out[o])
            continue;
        status = tensor_new_empty(&out[o]);
        if (!status)
            out[o]->dtype = n->out[o]->type.dtype;
    }
    op_call call = {
        .node = n,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = in,
        .out = out,
        .scratch = &scratch,
        .owned = true,
        .body = run_body,
        .self = l,
    };
    if (!status)
        status = call_run(&call);
    arena_free(&scratch);
    return status;
}

/* ---- Ordinary nodes ------------------------------------------------------------------------- */

static heed_status infer(plan_context *c, const ir_node *n, const heed_tensor *const *in,
                         op_concrete *k)
{
    arena *a = &c->scratch;
    ir_type *types = arena_array(a, n->n_in, sizeof(*types));
    const ir_type **list = arena_array(a, n->n_in, sizeof(*list));
    k->out = arena_array(a, n->n_out, sizeof(ir_type));
    k->out_content = arena_array(a, n->n_out, sizeof(ir_dim *));
    k->out_n_content = arena_array(a, n->n_out, sizeof(int64_t));
    if (!types || !list || !k->out || !k->out_content || !k->out_n_content)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (!in[i])
            continue;
        types[i] = op_type_of(in[i]);
        list[i] = &types[i];
    }
    k->in = list;
    k->in_tensors = in;
    return op_infer_concrete(n, a, k);
}

static heed_status run_backend(const place *where, const ir_node *n, const heed_tensor *const *in,
                               heed_tensor **out)
{
    uint64_t bytes = 0;
    heed_call call = {
        .size = sizeof(call),
        .state = where->state,
        .device = where->backend->device,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = (const DLTensor *const *)(const void *)in,
        .out = (DLTensor *const *)(void *)out,
    };
    heed_status status = HEED_OK;
    if (HEED_HAS(where->kernel, measure))
        status = where->kernel->measure(where->backend->device, where->state, &call, &bytes);
    if (status)
        return place_error(where, n, status);
    call.workspace = bytes ? mem_alloc(bytes) : NULL;
    if (bytes && !call.workspace)
        return HEED_NOMEM;
    status = where->kernel->run(&call);
    mem_free(call.workspace);
    return status ? place_error(where, n, status) : HEED_OK;
}

static heed_status on_backend(const place *where, const ir_node *n, const ir_type *types,
                              const heed_tensor *const *in, heed_tensor **out)
{
    int64_t dims[TENSOR_MAX_RANK];
    heed_status status = HEED_OK;
    for (uint32_t o = 0; o < n->n_out && !status; o++)
        if (n->out[o] && op_known_shape(&types[o], dims))
            status = tensor_new(types[o].dtype, types[o].rank, dims, &out[o]);
    return status ? status : run_backend(where, n, in, out);
}

static bool tensors_only(const ir_node *n, const heed_tensor *const *in)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (in[i] && in[i]->kind != HEED_TENSOR)
            return false;
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] && n->out[o]->type.kind != HEED_KIND_TENSOR)
            return false;
    return true;
}

/* Sequences and optionals: the kernel makes its outputs from nothing. */
static heed_status run_owned(plan_context *c, const ir_node *n, const heed_tensor *const *in,
                             heed_tensor **out)
{
    ir_type *types = arena_array(&c->scratch, n->n_out, sizeof(*types));
    if (!types)
        return HEED_NOMEM;
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            types[o] =
                (ir_type){.rank = -1, .kind = n->out[o]->type.kind, .dtype = n->out[o]->type.dtype};
    return op_evaluate(n, in, types, &c->scratch, out);
}

static heed_status run_node(plan_context *c, const program *p, const ir_node *n,
                            const heed_tensor *const *in, heed_tensor **out)
{
    op_concrete k = {0};
    const place *where = &p->places->by_node[n->id];
    if (!tensors_only(n, in))
        return run_owned(c, n, in, out);
    TRY(infer(c, n, in, &k));
    if (where->kernel && !k.late)
        return on_backend(where, n, k.out, in, out);
    return op_evaluate(n, in, k.out, &c->scratch, out);
}

heed_status late_run(const run_call *r, plan_context *c, const program *p, const ir_node *n,
                     const heed_tensor *const *in, heed_tensor **out)
{
    late_node l = {r, c, p};
    heed_status status =
        n->op->flags & OP_CONTROL ? run_control(&l, n, in, out) : run_node(c, p, n, in, out);
    if (!status)
        return HEED_OK;
    for (uint32_t o = 0; o < n->n_out; o++) {
        tensor_free(out[o]);
        out[o] = NULL;
    }
    return ir_node_error(n);
}
