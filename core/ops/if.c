/* if.c - one of two nested graphs: If. */
#include "ops/control.h"

/* What both branches give: extents that differ are not known, nor is a rank that does. */
static heed_status merge(op_infer *c, uint32_t o, const ir_type *a, const ir_type *b)
{
    ir_dim dims[TENSOR_MAX_RANK];
    ir_type type = *a;
    if (a->kind != b->kind || (a->dtype && b->dtype && a->dtype != b->dtype))
        return infer_error(c, "branches that give one type", "%s and %s in output %u",
                           dtype_name(a->dtype), dtype_name(b->dtype), o);
    type.dtype = a->dtype ? a->dtype : b->dtype;
    type.optional_sequence = a->optional_sequence || b->optional_sequence;
    if (a->rank != b->rank)
        type.rank = -1;
    for (int32_t i = 0; i < type.rank; i++)
        dims[i] = a->dims[i] == b->dims[i] ? a->dims[i] : DIM_UNKNOWN;
    type.dims = dims;
    return control_set(c, o, &type);
}

/* Which branch the condition takes, if that is known. */
static bool decided(op_infer *c, bool *yes)
{
    const int64_t *condition;
    int64_t n;
    if (!infer_numbers(c, 0, &condition, &n) || n != 1)
        return false;
    *yes = condition[0] != 0;
    return true;
}

static heed_status check_branches(op_infer *c, const ir_graph *yes, const ir_graph *no)
{
    if (!yes || !no)
        return infer_error(c, "two branches", "one or none");
    if (yes->n_outputs < c->n_out || no->n_outputs != yes->n_outputs)
        return infer_error(c, "branches with the outputs of the node", "%u and %u for %u",
                           yes->n_outputs, no->n_outputs, c->n_out);
    if (yes->n_inputs || no->n_inputs)
        return infer_error(c, "branches without inputs", "%u and %u", yes->n_inputs, no->n_inputs);
    return HEED_OK;
}

/* Exporters guard what would be wrong for a shape with an If: the branch that does not fit is never
 * taken. So a branch may fail here as long as the other one does not; it fails again when a run
 * takes it. */
static heed_status infer_if(op_infer *c)
{
    ir_graph *branch[2] = {ir_attr_graph(c->node, "else_branch"),
                           ir_attr_graph(c->node, "then_branch")};
    bool yes = true;
    if (!c->body)
        return infer_late(c);
    TRY(check_branches(c, branch[1], branch[0]));
    bool known = decided(c, &yes);
    heed_status other = c->body(c, branch[!yes], 0, NULL);
    if (other && other != HEED_INVALID)
        return other;
    heed_status status = c->body(c, branch[yes], 0, NULL);
    if (status && (known || other || status != HEED_INVALID))
        return status;
    if (other || status)
        err_clear();
    const ir_graph *a = branch[status ? !yes : yes], *b = branch[known || other ? yes : !yes];
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(merge(c, o, &a->outputs[o]->type, &b->outputs[o]->type));
    return HEED_OK;
}

static heed_status run_if(op_call *c)
{
    heed_status status = HEED_OK;
    if (tensor_count(c->in[0]) != 1)
        return call_error(c, HEED_INVALID, "the condition is one element, not %lld",
                          (long long)tensor_count(c->in[0]));
    bool yes = tensor_get_int(c->in[0], 0) != 0;
    ir_graph *branch = ir_attr_graph(c->node, yes ? "then_branch" : "else_branch");
    heed_tensor **results = call_scratch(c, (branch->n_outputs + 1) * sizeof(heed_tensor *));
    if (!results)
        return err_get()->status;
    TRY(c->body(c, branch, 0, NULL, branch->n_outputs, results));
    for (uint32_t o = 0; o < branch->n_outputs; o++) {
        if (!status && o < c->n_out)
            status = call_forward(c, o, results[o]);
        tensor_free(results[o]);
    }
    return status;
}

// clang-format off
static const op_def if_op = {
    .domain = "", .name = "If", .since = 25, .flags = OP_CONTROL,
    .signature = "cond:bool -> outputs:V**", .types = "V=all",
    .attrs = "then_branch:graph! else_branch:graph!",
    .infer = infer_if, .run = run_if};
// clang-format on

const op_def *const ops_if[] = {&if_op, NULL};
