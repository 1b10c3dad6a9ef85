/* execute.c - see execute.h. In steady state a run of a graph without late nodes allocates its
 * results and nothing else. */
#include "run/execute.h"

#include <string.h>
#include <time.h>

#include "ops/concrete.h"
#include "ops/evaluate.h"
#include "run/late.h"

/* ---- Stopping ------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static heed_status check_stop(const run_call *r)
{
    if (r->cancel && atomic_load_explicit(&r->cancel->cancelled, memory_order_relaxed))
        return err_fail(HEED_CANCELLED, "the run was cancelled");
    if (r->deadline_ns && now_ns() > r->deadline_ns)
        return err_fail(HEED_DEADLINE, "the deadline of the run has passed");
    return HEED_OK;
}

/* ---- Entering a stretch --------------------------------------------------------------------- */

/* The result that steps write into: the caller's tensor, or a new one. */
static heed_status direct_output(plan_context *c, const plan_value *v, heed_tensor **out)
{
    uint32_t o = v->root;
    if (out[o]) {
        if (out[o]->kind == HEED_TENSOR && out[o]->dtype == v->dtype &&
            shape_equal(tensor_rank(out[o]), out[o]->dims, v->result_rank, v->result_dims))
            tensor_borrow(c->outputs[o], out[o]);
        else
            return err_fail(HEED_USAGE, "the tensor given for output %u has another type", o);
        return HEED_OK;
    }
    TRY(tensor_shape_set(c->outputs[o], v->dtype, v->result_rank, v->result_dims));
    return tensor_reserve(c->outputs[o]);
}

static heed_status place_value(plan_context *c, const plan_value *v, heed_tensor *t, char *memory,
                               heed_tensor **out)
{
    c->slots[v->local] = t;
    switch (v->storage) {
    case PLAN_ARENA:
        t->dl.data = memory + v->offset;
        return HEED_OK;
    case PLAN_CONTENT:
        c->slots[v->local] = v->content;
        return HEED_OK;
    case PLAN_ALIAS:
        t->dl.data = (char *)tensor_data(c->slots[v->root]) + v->offset;
        return HEED_OK;
    default:
        TRY(tensor_new_empty(&c->outputs[v->root]));
        TRY(direct_output(c, v, out));
        t->dl.data = tensor_data(c->outputs[v->root]);
        return HEED_OK;
    }
}

static heed_status enter(const run_call *r, plan_context *c, const plan_stretch *s,
                         plan_instance **instance, void **memory, heed_tensor **out)
{
    TRY(plans_instance(r->store, c, s, instance, memory));
    for (uint32_t i = 0; i < s->n_values; i++)
        TRY(place_value(c, &s->values[i], &(*instance)->tensors[i], *memory, out));
    for (uint32_t i = 0; i < s->n_operands; i++)
        (*instance)->operands[i] = s->operands[i] == PROGRAM_NONE ? NULL : c->slots[s->operands[i]];
    return HEED_OK;
}

/* ---- Steps ---------------------------------------------------------------------------------- */

/* A heed_tensor begins with its DLTensor, so a list of the one is a list of the other. */
static const DLTensor *const *as_dl(const heed_tensor *const *list)
{
    return (const DLTensor *const *)(const void *)list;
}

static heed_tensor *const *as_out(const heed_tensor *const *list)
{
    return (heed_tensor *const *)(uintptr_t)list;
}

static heed_status run_backend(const plan_step *step, const heed_tensor *const *operands,
                               char *memory)
{
    const ir_node *n = step->node;
    heed_call call = {
        .size = sizeof(call),
        .state = step->where->state,
        .device = step->where->backend->device,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = as_dl(operands),
        .out = (DLTensor *const *)(uintptr_t)(operands + n->n_in),
        .workspace = memory + step->workspace,
    };
    heed_status status = step->where->kernel->run(&call);
    return status ? place_error(step->where, n, status) : HEED_OK;
}

static heed_status run_reference(plan_context *c, const plan_step *step,
                                 const heed_tensor *const *operands)
{
    const ir_node *n = step->node;
    op_call call = {
        .node = n,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = operands,
        .out = as_out(operands + n->n_in),
        .scratch = &c->scratch,
    };
    heed_status status = call_run(&call);
    arena_reset(&c->scratch);
    return status;
}

static heed_status run_steps(const run_call *r, plan_context *c, const plan_stretch *s,
                             plan_instance *instance, char *memory)
{
    bool watched = r->cancel || r->deadline_ns;
    for (uint32_t i = 0; i < s->n_steps; i++) {
        const plan_step *step = &s->steps[i];
        const heed_tensor *const *operands = instance->operands + step->operands;
        if (watched)
            TRY(check_stop(r));
        heed_status status = step->where->kernel ? run_backend(step, operands, memory)
                                                 : run_reference(c, step, operands);
        if (status)
            return ir_node_error(step->node);
    }
    return HEED_OK;
}

/* ---- Late nodes ----------------------------------------------------------------------------- */

static heed_status take_results(plan_context *c, const plan_stretch *s, heed_tensor **results,
                                ir_type *types, const ir_type **list)
{
    heed_status status = HEED_OK;
    for (uint32_t o = 0; o < s->tail->n_out; o++) {
        heed_tensor *t = results[o];
        uint32_t local = program_local(s->program, s->tail->out[o]);
        if (!t)
            continue;
        if (status) {
            tensor_free(t);
            continue;
        }
        status = plans_own(c, t);
        if (status || local == PROGRAM_NONE)
            continue;
        c->slots[local] = t;
        types[o] = op_type_of(t);
        list[o] = &types[o];
    }
    return status;
}

static heed_status run_tail(const run_call *r, plan_context *c, const plan_stretch *s,
                            const plan_stretch **next)
{
    const ir_node *n = s->tail;
    const heed_tensor **in = arena_array(&c->scratch, n->n_in, sizeof(*in));
    heed_tensor **results = arena_array(&c->scratch, n->n_out, sizeof(*results));
    ir_type *types = arena_array(&c->scratch, n->n_out, sizeof(*types));
    const ir_type **list = arena_array(&c->scratch, n->n_out, sizeof(*list));
    TRY(check_stop(r));
    if (!in || !results || !types || !list)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_in; i++) {
        uint32_t local = program_local(s->program, n->in[i].value);
        in[i] = local == PROGRAM_NONE ? NULL : c->slots[local];
    }
    TRY(late_run(r, c, s->program, n, in, results));
    TRY(take_results(c, s, results, types, list));
    heed_status status = plans_next(r->store, c, s, list, n->n_out, next);
    arena_reset(&c->scratch);
    return status;
}

/* ---- Results
 * -------------------------------------------------------------------------------------------------
 */

static heed_status give_output(plan_context *c, const program *p, uint32_t o, heed_tensor **out)
{
    const heed_tensor *from = c->slots[p->outputs[o]];
    heed_tensor *result = c->outputs[o];
    if (out[o]) {
        if (result) /* written in place */
            return HEED_OK;
        if (from->dtype != out[o]->dtype || from->kind != out[o]->kind ||
            !shape_equal(tensor_rank(from), from->dims, tensor_rank(out[o]), out[o]->dims))
            return err_fail(HEED_USAGE, "the tensor given for output \"%.80s\" has another type",
                            p->graph->output_names[o]);
        return tensor_copy_content(out[o], from);
    }
    if (result) {
        out[o] = result;
        c->outputs[o] = NULL;
        return HEED_OK;
    }
    TRY(tensor_new_empty(&out[o]));
    heed_tensor view = {0}; /* borrowed, so that the text of strings is copied with them */
    bool strings = from->kind == HEED_TENSOR && from->dtype == HEED_STRING;
    if (strings)
        tensor_borrow(&view, from);
    heed_status status = tensor_assign(out[o], strings ? &view : from);
    if (status) {
        tensor_free(out[o]);
        out[o] = NULL;
    }
    return status;
}

/* Frees what this call made; what the caller gave stays. */
static void drop_outputs(const program *p, heed_tensor **out, const bool *given)
{
    for (uint32_t o = 0; o < p->graph->n_outputs; o++) {
        if (given[o])
            continue;
        tensor_free(out[o]);
        out[o] = NULL;
    }
}

static heed_status run_stretches(const run_call *r, plan_context *c, const program *p,
                                 heed_tensor **out)
{
    for (const plan_stretch *s = plans_first(c), *next = NULL; s; s = next, next = NULL) {
        plan_instance *instance;
        void *memory;
        TRY(enter(r, c, s, &instance, &memory, out));
        /* instances may move when a child is entered, so it is not kept beyond this round */
        TRY(run_steps(r, c, s, instance, memory));
        if (s->tail)
            TRY(run_tail(r, c, s, &next));
    }
    for (uint32_t o = 0; o < p->graph->n_outputs; o++)
        TRY(give_output(c, p, o, out));
    return HEED_OK;
}

heed_status execute_program(const run_call *r, const program *p, const heed_tensor *const *in,
                            heed_tensor **out)
{
    arena memory = {0};
    plan_context *c = NULL;
    uint32_t n_in = p->graph->n_inputs, n = n_in + p->n_captures;
    ir_type *types = arena_array(&memory, n, sizeof(*types));
    const ir_type **list = arena_array(&memory, n, sizeof(*list));
    bool *given = arena_array(&memory, p->graph->n_outputs, sizeof(*given));
    heed_status status = types && list && given ? HEED_OK : HEED_NOMEM;
    for (uint32_t o = 0; given && o < p->graph->n_outputs; o++)
        given[o] = out[o] != NULL; /* also before a failure: these are not this call's to free */
    for (uint32_t i = 0; !status && i < n; i++) {
        types[i] = op_type_of(in[i]);
        list[i] = &types[i];
    }
    if (!status) /* a body without steps would run for ever */
        status = check_stop(r);
    if (!status)
        status = plans_acquire(r->store, p, list, n, &c);
    if (!status) {
        for (uint32_t i = 0; i < n; i++)
            c->slots[i < n_in ? p->inputs[i] : p->capture_locals[i - n_in]] = in[i];
        status = run_stretches(r, c, p, out);
        plans_release(r->store, c);
    }
    if (status && given)
        drop_outputs(p, out, given);
    arena_free(&memory);
    return status;
}
