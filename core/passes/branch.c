/* branch.c - pass: an If whose condition is constant becomes the branch that it takes.
 *
 * before: y = If(true) {then: z = Add(x, 1); output z}      after: y = Add(x, 1) */
#include "passes/pass.h"

static heed_status visit(pass_run *p, ir_node *n)
{
    const ir_value *condition = pass_is(n, "If") ? ir_input(n, 0) : NULL;
    if (!pass_constant(condition) || tensor_count(condition->constant) != 1)
        return HEED_OK;
    bool taken = tensor_get_int(condition->constant, 0) != 0;
    ir_graph *body = ir_attr_graph(n, taken ? "then_branch" : "else_branch");
    if (!body || body->n_outputs < n->n_out)
        return HEED_OK;
    ir_graph_splice(body, n);
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            ir_value_replace(n->out[i], body->outputs[i]);
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_branch = {
    .name = "branch",
    .purpose = "an If of a constant condition becomes its branch",
    .order = 15,
    .repeat = true,
    .run = run,
};
