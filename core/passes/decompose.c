/* decompose.c - pass: function operators become the nodes that define them.
 *
 * before: y = FastGelu(x, bias)      after: y = Gelu(Add(x, bias), approximate = tanh)
 *
 * Not where a backend has a kernel for the operator. In a body of control flow a failure leaves the
 * node as it is: the branch may never run, and running it says what is missing. */
#include <string.h>

#include "ops/body.h"
#include "passes/pass.h"

/* A body broadcasts where its operator does not: what then has another shape than the operator's
 * own inference promised is refused. */
static heed_status check_shape(const op_body *b, uint32_t o)
{
    if (ir_shapes_may_agree(&b->node->out[o]->type, &b->out[o]->type))
        return HEED_OK;
    err_expected(HEED_INVALID, "inputs whose shapes fit each other",
                 "a body of another shape than the operator's", NULL);
    return ir_node_error(b->node);
}

/* The body must give what the operator's own inference promised. */
static heed_status check(const op_body *b)
{
    for (uint32_t o = 0; o < b->node->n_out; o++) {
        const ir_value *v = b->node->out[o];
        if (!v || !ir_value_used(v))
            continue;
        if (!b->out[o] || (v->type.dtype && b->out[o]->type.dtype != v->type.dtype)) {
            err_fail(HEED_INTERNAL, "the body of %s gives no output %u of type %s",
                     b->node->op->name, o, dtype_name(v->type.dtype));
            return ir_node_error(b->node);
        }
        TRY(check_shape(b, o));
    }
    return HEED_OK;
}

heed_status pass_decompose_node(pass_run *p, ir_node *n)
{
    op_body b = pass_body(p, n);
    b.out = arena_array(p->scratch, n->n_out, sizeof(*b.out));
    if (!b.out)
        return HEED_NOMEM;
    uint32_t n_values = p->model->n_values;
    n->op->decompose(&b);
    heed_status status = b.status ? b.status : check(&b);
    if (status) {
        if (status != HEED_INVALID || !n->graph->parent)
            return ir_node_error(n);
        pass_undo(&b);
        err_clear();
        return HEED_OK;
    }
    for (uint32_t o = 0; o < n->n_out; o++) {
        if (!n->out[o] || !b.out[o])
            continue;
        if (b.out[o]->id >= n_values) /* made by the body: it keeps its name, as Gradient wants */
            b.out[o]->name = n->out[o]->name;
        ir_value_replace(n->out[o], b.out[o]);
    }
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    bool taken = false;
    if (!n->op->decompose || n->op->run || strcmp(n->op->domain, "heed") == 0)
        return HEED_OK; /* what is ours is chosen first: select.c */
    TRY(pass_taken(p, n, &taken));
    return taken ? HEED_OK : pass_decompose_node(p, n);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_decompose = {
    .name = "decompose",
    .purpose = "function operators become the nodes that define them",
    .order = 5,
    .required = true,
    .run = run,
};
