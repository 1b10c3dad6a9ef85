/* sequence_map.c - a nested graph for each item of a sequence: SequenceMap.
 *
 * The body gets item i of every sequence, and tensors whole; output k of the node is the sequence
 * of what the body's output k was. */
#include "ops/items.h"

/* ---- Inference ------------------------------------------------------------------------------- */

static heed_status check_counts(op_infer *c, const ir_graph *body)
{
    if (!body || body->n_inputs != c->n_in || body->n_outputs < c->n_out)
        return infer_error(c, "a body with the inputs and outputs of the node",
                           "%u inputs and %u outputs for %u and %u", body ? body->n_inputs : 0,
                           body ? body->n_outputs : 0, c->n_in, c->n_out);
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!infer_has(c, i))
            return infer_error(c, "every input", "input %u left out", i);
    return items_infer_sequence(c, 0);
}

static heed_status infer_map(op_infer *c)
{
    ir_graph *body = ir_attr_graph(c->node, "body");
    if (!c->body)
        return infer_late(c);
    TRY(check_counts(c, body));
    ir_type *own = arena_array(c->memory, c->n_in, sizeof(*own));
    const ir_type **types = arena_array(c->memory, c->n_in, sizeof(*types));
    if (!own || !types)
        return err_get()->status;
    for (uint32_t i = 0; i < c->n_in; i++) {
        TRY(control_keep_type(c, c->in[i], &own[i]));
        if (c->in[i]->kind == HEED_KIND_SEQUENCE)
            own[i] = (ir_type){.kind = HEED_KIND_TENSOR, .dtype = c->in[i]->dtype, .rank = -1};
        types[i] = &own[i];
    }
    TRY(c->body(c, body, c->n_in, types));
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(items_infer(c, o, HEED_KIND_SEQUENCE, body->outputs[o]->type.dtype, false));
    return HEED_OK;
}

/* ---- Running --------------------------------------------------------------------------------- */

typedef struct mapping {
    op_call *call;
    ir_graph *body;
    size_t length;
    const heed_tensor **in; /* of the body */
    heed_tensor **results;
    control_list *lists; /* a list for each output */
} mapping;

static heed_status map_new(op_call *c, mapping *m)
{
    m->call = c;
    m->body = ir_attr_graph(c->node, "body");
    m->in = call_scratch(c, (c->n_in + 1) * sizeof(*m->in));
    m->results = call_scratch(c, (m->body->n_outputs + 1) * sizeof(*m->results));
    m->lists = call_scratch(c, (m->body->n_outputs + 1) * sizeof(*m->lists));
    if (!m->in || !m->results || !m->lists)
        return err_get()->status;
    TRY(items_sequence(c, 0, &m->in[0]));
    m->length = m->in[0]->n_items;
    for (uint32_t i = 1; i < c->n_in; i++)
        if (c->in[i]->kind == HEED_SEQUENCE && c->in[i]->n_items != m->length)
            return call_error(c, HEED_INVALID, "sequences of %zu and %zu items", m->length,
                              c->in[i]->n_items);
    return HEED_OK;
}

/* Every result is pushed, even after a failure, because pushing is what frees it. */
static heed_status take_results(mapping *m)
{
    heed_status status = HEED_OK;
    for (uint32_t o = 0; o < m->body->n_outputs; o++) {
        if (m->results[o]->kind != HEED_TENSOR && !status)
            status = call_error(m->call, HEED_INVALID, "output %u of the body is no tensor", o);
        heed_status pushed = control_push(&m->lists[o], m->results[o]);
        status = status ? status : pushed;
    }
    return status;
}

static heed_status iterate(mapping *m)
{
    op_call *c = m->call;
    for (size_t at = 0; at < m->length; at++) {
        for (uint32_t i = 0; i < c->n_in; i++)
            m->in[i] = c->in[i]->kind == HEED_SEQUENCE ? c->in[i]->items[at] : c->in[i];
        TRY(c->body(c, m->body, c->n_in, m->in, m->body->n_outputs, m->results));
        TRY(take_results(m));
    }
    return HEED_OK;
}

static heed_status finish(mapping *m)
{
    op_call *c = m->call;
    for (uint32_t o = 0; o < c->n_out; o++) {
        control_list *list = &m->lists[o];
        heed_dtype dtype = list->n ? list->items[0]->dtype : m->body->outputs[o]->type.dtype;
        TRY(items_give(c, o, HEED_SEQUENCE, dtype, list));
    }
    return HEED_OK;
}

static heed_status run_map(op_call *c)
{
    mapping m = {0};
    heed_status status = map_new(c, &m);
    status = status ? status : iterate(&m);
    status = status ? status : finish(&m);
    for (uint32_t o = 0; m.lists && o < m.body->n_outputs; o++)
        control_free(&m.lists[o]);
    return status;
}

// clang-format off
static const op_def map_op = {
    .domain = "", .name = "SequenceMap", .since = 17, .flags = OP_CONTROL,
    .signature = "input_sequence:S, additional_inputs:V**? -> out_sequence:W**",
    .types = "S=sequence V=all W=sequence", .attrs = "body:graph!",
    .infer = infer_map, .run = run_map};
// clang-format on

const op_def *const ops_sequence_map[] = {&map_op, NULL};
