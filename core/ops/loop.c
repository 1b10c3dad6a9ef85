/* loop.c - a nested graph again and again, while a condition holds: Loop.
 *
 * Inputs: how often at most, the first condition, then the values that are carried from one
 * iteration to the next. Body: number, condition, values -> condition, values, scanned outputs. */
#include "ops/control.h"

#include <string.h>

#include "ops/content.h"

/* ---- Inference ----------------------------------------------------------------------------- */

/* The condition that the body hands on is the one it got, or true: only the count ends the loop. */
static bool never_stops(const op_infer *c, const ir_graph *body)
{
    const ir_value *v = body->outputs[0];
    while (v->producer && strcmp(v->producer->op->name, "Identity") == 0 && v->producer->n_in == 1)
        v = v->producer->in[0].value;
    bool is_true = v->constant && !v->is_input && v->constant->dtype == HEED_BOOL &&
                   tensor_count(v->constant) == 1 && tensor_get_int(v->constant, 0) != 0;
    const heed_tensor *first = infer_has(c, 1) ? c->in_tensors[1] : NULL;
    bool starts =
        !infer_has(c, 1) || (first && tensor_count(first) == 1 && tensor_get_int(first, 0));
    return starts && (is_true || (v->graph == body && v->is_input && v->slot == 1));
}

static ir_dim trip_count(op_infer *c, const ir_graph *body)
{
    content_entry limit;
    if (!infer_has(c, 0) || !never_stops(c, body) || !content_scalar(c, 0, 0, &limit))
        return DIM_UNKNOWN;
    if (limit.known)
        return limit.number > 0 ? limit.number : 0;
    return dims_nonnegative(c->dims, limit.dim) ? limit.dim : DIM_UNKNOWN;
}

static heed_status check_counts(op_infer *c, const ir_graph *body)
{
    uint32_t n = c->n_in > 2 ? c->n_in - 2 : 0;
    if (!body || body->n_inputs != n + 2 || body->n_outputs < n + 1)
        return infer_error(c,
                           "a body with the inputs number, condition and values, and the outputs "
                           "condition, values and scanned ones",
                           "%u inputs and %u outputs for %u values", body ? body->n_inputs : 0,
                           body ? body->n_outputs : 0, n);
    if (c->n_out > body->n_outputs - 1)
        return infer_error(c, "as many outputs as the body has without its condition", "%u for %u",
                           c->n_out, body->n_outputs - 1);
    for (uint32_t k = 0; k < n; k++)
        if (!infer_has(c, k + 2))
            return infer_error(c, "every carried value", "input %u left out", k + 2);
    return HEED_OK;
}

static heed_status infer_loop(op_infer *c)
{
    ir_graph *body = ir_attr_graph(c->node, "body");
    uint32_t n = c->n_in > 2 ? c->n_in - 2 : 0;
    static const ir_type number = {.dtype = HEED_INT64, .rank = 0};
    static const ir_type condition = {.dtype = HEED_BOOL, .rank = 0};
    bool changed;
    if (!c->body)
        return infer_late(c);
    TRY(check_counts(c, body));
    control_state *states = arena_array(c->memory, n + 1, sizeof(*states));
    const ir_type **types = arena_array(c->memory, n + 2, sizeof(*types));
    if (!states || !types)
        return err_get()->status;
    types[0] = &number;
    types[1] = infer_has(c, 1) ? c->in[1] : &condition;
    for (uint32_t k = 0; k < n; k++)
        TRY(control_keep_type(c, c->in[k + 2], &states[k].type));
    TRY(control_settle(c, body, n + 2, types, n, 2, 1, states, &changed));
    for (uint32_t k = 0; k < n; k++)
        TRY(control_set_state(c, k, &states[k], &body->outputs[k + 1]->type));
    ir_dim trips = trip_count(c, body);
    for (uint32_t o = n; o < c->n_out; o++)
        TRY(control_set_stack(c, o, &body->outputs[o + 1]->type, 0, trips, changed));
    return HEED_OK;
}

/* ---- Running ------------------------------------------------------------------------------- */

typedef struct loop {
    op_call *call;
    ir_graph *body;
    uint32_t n, n_scans;
    const heed_tensor **in; /* of the body: number, condition, values */
    heed_tensor **owned;    /* what of it this loop must free */
    heed_tensor **results;
    control_list *scans;
} loop;

static heed_status loop_new(op_call *c, loop *l)
{
    l->call = c;
    l->body = ir_attr_graph(c->node, "body");
    l->n = c->n_in > 2 ? c->n_in - 2 : 0;
    l->n_scans = l->body->n_outputs - 1 - l->n;
    l->in = call_scratch(c, (l->n + 2) * sizeof(*l->in));
    l->owned = call_scratch(c, (l->n + 2) * sizeof(*l->owned));
    l->results = call_scratch(c, (l->body->n_outputs + 1) * sizeof(*l->results));
    l->scans = call_scratch(c, (l->n_scans + 1) * sizeof(*l->scans));
    if (!l->in || !l->owned || !l->results || !l->scans)
        return err_get()->status;
    for (uint32_t k = 0; k < l->n; k++)
        l->in[k + 2] = c->in[k + 2];
    return HEED_OK;
}

static void loop_free(loop *l)
{
    for (uint32_t i = 0; l->owned && i < l->n + 2; i++)
        tensor_free(l->owned[i]);
    for (uint32_t i = 0; l->scans && i < l->n_scans; i++)
        control_free(&l->scans[i]);
}

/* Input i of the body becomes `value`, which is taken. */
static void set_input(loop *l, uint32_t i, heed_tensor *value)
{
    tensor_free(l->owned[i]);
    l->owned[i] = value;
    l->in[i] = value;
}

static heed_status first_condition(loop *l, bool *go)
{
    op_call *c = l->call;
    heed_tensor *value;
    *go = true;
    if (call_has(c, 1)) {
        if (tensor_count(c->in[1]) != 1)
            return call_error(c, HEED_INVALID, "the condition is one element");
        *go = tensor_get_int(c->in[1], 0) != 0;
        l->in[1] = c->in[1];
        return HEED_OK;
    }
    TRY(tensor_new(HEED_BOOL, 0, NULL, &value));
    memset(tensor_data(value), 1, 1);
    set_input(l, 1, value);
    return HEED_OK;
}

/* Hands the results of an iteration on: condition and values to the next, the rest to the scans. */
static heed_status take_results(loop *l, bool *go)
{
    heed_status status = HEED_OK;
    if (tensor_count(l->results[0]) != 1)
        status = call_error(l->call, HEED_INVALID, "the condition of the body is one element");
    else
        *go = tensor_get_int(l->results[0], 0) != 0;
    for (uint32_t k = 0; k < l->n + 1; k++)
        set_input(l, k + 1, l->results[k]);
    for (uint32_t k = 0; k < l->n_scans; k++) {
        heed_status pushed = control_push(&l->scans[k], l->results[l->n + 1 + k]);
        status = status ? status : pushed;
    }
    return status;
}

static heed_status iterate(loop *l)
{
    op_call *c = l->call;
    int64_t limit = call_has(c, 0) ? tensor_get_int(c->in[0], 0) : INT64_MAX;
    bool go;
    TRY(first_condition(l, &go));
    for (int64_t i = 0; i < limit && go; i++) {
        heed_tensor *number;
        TRY(tensor_new(HEED_INT64, 0, NULL, &number));
        dtype_store_i64(HEED_INT64, tensor_data(number), 0, 1, &i);
        set_input(l, 0, number);
        TRY(c->body(c, l->body, l->n + 2, l->in, l->body->n_outputs, l->results));
        TRY(take_results(l, &go));
    }
    return HEED_OK;
}

static heed_status finish(loop *l)
{
    for (uint32_t k = 0; k < l->n; k++)
        TRY(call_forward(l->call, k, l->in[k + 2]));
    for (uint32_t k = 0; k < l->n_scans; k++)
        TRY(control_stack(l->call, l->n + k, &l->scans[k], 0, false,
                          &l->body->outputs[l->n + 1 + k]->type));
    return HEED_OK;
}

static heed_status run_loop(op_call *c)
{
    loop l = {0};
    if (call_has(c, 0) && tensor_count(c->in[0]) != 1)
        return call_error(c, HEED_INVALID, "the trip count is one element");
    heed_status status = loop_new(c, &l);
    status = status ? status : iterate(&l);
    status = status ? status : finish(&l);
    loop_free(&l);
    return status;
}

// clang-format off
static const op_def loop_op = {
    .domain = "", .name = "Loop", .since = 25, .flags = OP_CONTROL,
    .signature = "M:int64?, cond:bool?, v_initial:V**? -> v_final_and_scan_outputs:V**",
    .types = "V=all", .attrs = "body:graph!",
    .infer = infer_loop, .run = run_loop};
// clang-format on

const op_def *const ops_loop[] = {&loop_op, NULL};
