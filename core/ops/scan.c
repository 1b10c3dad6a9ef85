/* scan.c - a nested graph for each slice of its inputs, with state: Scan.
 *
 * Inputs: N states, then M tensors that are scanned. Body: N states, M slices -> N states,
 * scanned outputs. */
#include <string.h>

#include "ops/control.h"
#include "ops/layout.h"

/* Entry i of an optional list attribute. */
static int64_t entry(const ir_node *n, const char *name, uint32_t i)
{
    uint64_t count;
    const int64_t *list = ir_attr_ints(n, name, &count);
    return list && i < count ? list[i] : 0;
}

/* ---- Inference ----------------------------------------------------------------------------- */

static heed_status check_counts(op_infer *c, const ir_graph *body, int64_t m)
{
    if (m < 1 || m > (int64_t)c->n_in)
        return infer_error(c, "num_scan_inputs from 1 to the number of inputs", "%lld",
                           (long long)m);
    uint32_t n = c->n_in - (uint32_t)m;
    if (!body || body->n_inputs != c->n_in || body->n_outputs < n || c->n_out > body->n_outputs)
        return infer_error(c, "a body with the inputs and outputs of the node",
                           "%u inputs and %u outputs", body ? body->n_inputs : 0,
                           body ? body->n_outputs : 0);
    for (uint32_t i = 0; i < c->n_in; i++)
        if (!infer_has(c, i))
            return infer_error(c, "every input", "input %u left out", i);
    return HEED_OK;
}

/* The type of a slice of input i, and the extent of the axis that is scanned. */
static heed_status slice_type(op_infer *c, uint32_t i, int64_t axis, ir_type *type, ir_dim *extent)
{
    ir_type slice = *c->in[i];
    ir_dim dims[TENSOR_MAX_RANK];
    int32_t at;
    *extent = DIM_UNKNOWN;
    if (slice.rank < 0)
        return control_keep_type(c, &slice, type);
    TRY(infer_axis(c, axis, slice.rank, &at));
    *extent = slice.dims[at];
    for (int32_t k = 0, to = 0; k < slice.rank; k++)
        if (k != at)
            dims[to++] = slice.dims[k];
    slice.rank--;
    slice.dims = dims;
    return control_keep_type(c, &slice, type);
}

static heed_status slice_types(op_infer *c, uint32_t n, ir_type *slices, const ir_type **types,
                               ir_dim *length)
{
    *length = DIM_UNKNOWN;
    for (uint32_t k = 0; k < c->n_in - n; k++) {
        ir_dim extent;
        TRY(slice_type(c, n + k, entry(c->node, "scan_input_axes", k), &slices[k], &extent));
        if (dim_known(extent) && dim_known(*length) && extent != *length)
            return infer_error(c, "scanned inputs of one length", "%lld and %lld",
                               (long long)*length, (long long)extent);
        if (dim_known(extent) || *length == DIM_UNKNOWN)
            *length = extent;
        types[n + k] = &slices[k];
    }
    return HEED_OK;
}

static heed_status infer_scan(op_infer *c)
{
    ir_graph *body = ir_attr_graph(c->node, "body");
    int64_t m = ir_attr_int(c->node, "num_scan_inputs", 0);
    ir_dim length;
    bool changed;
    if (!c->body)
        return infer_late(c);
    TRY(check_counts(c, body, m));
    uint32_t n = c->n_in - (uint32_t)m;
    control_state *states = arena_array(c->memory, n + 1, sizeof(*states));
    ir_type *slices = arena_array(c->memory, (size_t)m, sizeof(*slices));
    const ir_type **types = arena_array(c->memory, c->n_in, sizeof(*types));
    if (!states || !slices || !types)
        return err_get()->status;
    for (uint32_t k = 0; k < n; k++)
        TRY(control_keep_type(c, c->in[k], &states[k].type));
    TRY(slice_types(c, n, slices, types, &length));
    TRY(control_settle(c, body, c->n_in, types, n, 0, 0, states, &changed));
    for (uint32_t k = 0; k < n; k++)
        TRY(control_set_state(c, k, &states[k], &body->outputs[k]->type));
    for (uint32_t o = n; o < c->n_out; o++)
        TRY(control_set_stack(c, o, &body->outputs[o]->type,
                              entry(c->node, "scan_output_axes", o - n), length, changed));
    return HEED_OK;
}

/* ---- Running ------------------------------------------------------------------------------- */

typedef struct scan {
    op_call *call;
    ir_graph *body;
    uint32_t n, m, n_scans; /* states, scanned inputs, scanned outputs */
    int64_t length;
    const heed_tensor **in; /* of the body */
    heed_tensor **owned;    /* what of it must be freed */
    heed_tensor **results;
    control_list *scans;
} scan;

static int64_t input_axis(const scan *s, uint32_t k)
{
    int64_t axis = entry(s->call->node, "scan_input_axes", k);
    return axis < 0 ? axis + tensor_rank(s->call->in[s->n + k]) : axis;
}

static heed_status scan_new(op_call *c, scan *s)
{
    s->call = c;
    s->body = ir_attr_graph(c->node, "body");
    s->m = (uint32_t)ir_attr_int(c->node, "num_scan_inputs", 0);
    s->n = c->n_in - s->m;
    s->n_scans = s->body->n_outputs - s->n;
    s->in = call_scratch(c, (c->n_in + 1) * sizeof(*s->in));
    s->owned = call_scratch(c, (c->n_in + 1) * sizeof(*s->owned));
    s->results = call_scratch(c, (s->body->n_outputs + 1) * sizeof(*s->results));
    s->scans = call_scratch(c, (s->n_scans + 1) * sizeof(*s->scans));
    if (!s->in || !s->owned || !s->results || !s->scans)
        return err_get()->status;
    for (uint32_t k = 0; k < s->n; k++)
        s->in[k] = c->in[k];
    for (uint32_t k = 0; k < s->m; k++) {
        const heed_tensor *t = c->in[s->n + k];
        int64_t axis = input_axis(s, k);
        if (axis < 0 || axis >= tensor_rank(t))
            return call_error(c, HEED_INVALID, "scanned input %u has no axis %lld", k,
                              (long long)axis);
        if (k > 0 && t->dims[axis] != s->length)
            return call_error(c, HEED_INVALID, "scanned inputs have lengths %lld and %lld",
                              (long long)s->length, (long long)t->dims[axis]);
        s->length = t->dims[axis];
    }
    return HEED_OK;
}

static void scan_free(scan *s)
{
    for (uint32_t i = 0; s->owned && i < s->n + s->m; i++)
        tensor_free(s->owned[i]);
    for (uint32_t i = 0; s->scans && i < s->n_scans; i++)
        control_free(&s->scans[i]);
}

static void set_input(scan *s, uint32_t i, heed_tensor *value)
{
    tensor_free(s->owned[i]);
    s->owned[i] = value;
    s->in[i] = value;
}

/* Slice `at` of scanned input k becomes an input of the body. */
static heed_status set_slice(scan *s, uint32_t k, int64_t at)
{
    const heed_tensor *t = s->call->in[s->n + k];
    int64_t axis = input_axis(s, k), strides[TENSOR_MAX_RANK];
    layout_box box = {.rank = 0};
    heed_tensor *slice;
    if (entry(s->call->node, "scan_input_directions", k) != 0)
        at = s->length - 1 - at;
    layout_strides(tensor_rank(t), t->dims, strides);
    for (int32_t i = 0; i < tensor_rank(t); i++) {
        if (i == axis)
            continue;
        box.dims[box.rank] = t->dims[i];
        box.src[box.rank++] = strides[i];
    }
    layout_strides(box.rank, box.dims, box.dst);
    TRY(tensor_new(t->dtype, box.rank, box.dims, &slice));
    layout_copy(t->dtype, &box, tensor_data(slice), 0, tensor_data(t), at * strides[axis]);
    set_input(s, s->n + k, slice);
    return HEED_OK;
}

static heed_status iterate(scan *s)
{
    op_call *c = s->call;
    for (int64_t i = 0; i < s->length; i++) {
        heed_status status = HEED_OK;
        for (uint32_t k = 0; k < s->m; k++)
            TRY(set_slice(s, k, i));
        TRY(c->body(c, s->body, c->n_in, s->in, s->body->n_outputs, s->results));
        for (uint32_t k = 0; k < s->n; k++)
            set_input(s, k, s->results[k]);
        for (uint32_t k = 0; k < s->n_scans; k++) {
            heed_status pushed = control_push(&s->scans[k], s->results[s->n + k]);
            status = status ? status : pushed;
        }
        TRY(status);
    }
    return HEED_OK;
}

static heed_status finish(scan *s)
{
    const ir_node *node = s->call->node;
    for (uint32_t k = 0; k < s->n; k++)
        TRY(call_forward(s->call, k, s->in[k]));
    for (uint32_t k = 0; k < s->n_scans; k++)
        TRY(control_stack(s->call, s->n + k, &s->scans[k], entry(node, "scan_output_axes", k),
                          entry(node, "scan_output_directions", k) != 0,
                          &s->body->outputs[s->n + k]->type));
    return HEED_OK;
}

static heed_status run_scan(op_call *c)
{
    scan s = {0};
    heed_status status = scan_new(c, &s);
    status = status ? status : iterate(&s);
    status = status ? status : finish(&s);
    scan_free(&s);
    return status;
}

// clang-format off
static const op_def scan_op = {
    .domain = "", .name = "Scan", .since = 25, .flags = OP_CONTROL,
    .signature = "initial_state_and_scan_inputs:V** -> final_state_and_scan_outputs:V**",
    .types = "V=any",
    .attrs = "body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints "
             "scan_output_axes:ints scan_output_directions:ints",
    .infer = infer_scan, .run = run_scan};
// clang-format on

const op_def *const ops_scan[] = {&scan_op, NULL};
