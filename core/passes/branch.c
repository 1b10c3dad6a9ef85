/* branch.c - pass: an If whose condition is constant becomes the branch that it takes.
 *
 * before: y = If(true) {then: z = Add(x, 1); output z}      after: y = Add(x, 1) */
#include "passes/pass.h"

/* Moves the nodes of `body` before `n`, into its graph. Their values change graphs with them. */
static void splice(ir_node *n, ir_graph *body)
{
    ir_graph *g = n->graph;
    for (ir_node *next, *m = body->first; m; m = next) {
        next = m->next;
        for (uint32_t i = 0; i < m->n_out; i++)
            if (m->out[i])
                m->out[i]->graph = g;
        for (uint32_t a = 0; a < m->n_attrs; a++)
            if (m->attrs[a].graph)
                m->attrs[a].graph->parent = g;
        m->graph = g;
        m->previous = n->previous;
        m->next = n;
        *(n->previous ? &n->previous->next : &g->first) = m;
        n->previous = m;
        g->n_nodes++;
    }
    body->first = body->last = NULL;
    body->n_nodes = 0;
}

/* Constants of the branch are read by the moved nodes and by graphs inside them. */
static void adopt_inputs(const ir_graph *from, ir_graph *to, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && n->in[i].value->graph == from)
            n->in[i].value->graph = to;
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            for (const ir_node *m = n->attrs[a].graph->first; m; m = m->next)
                adopt_inputs(from, to, m);
}

/* ... or are its outputs, or those of graphs inside. */
static void adopt_outputs(const ir_graph *from, ir_graph *to, const ir_graph *g)
{
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (g->outputs[i]->graph == from)
            g->outputs[i]->graph = to;
    for (const ir_node *n = g->first; n; n = n->next)
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                adopt_outputs(from, to, n->attrs[a].graph);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    const ir_value *condition = pass_is(n, "If") ? ir_input(n, 0) : NULL;
    if (!pass_constant(condition) || tensor_count(condition->constant) != 1)
        return HEED_OK;
    bool taken = tensor_get_int(condition->constant, 0) != 0;
    ir_graph *body = ir_attr_graph(n, taken ? "then_branch" : "else_branch");
    if (!body || body->n_outputs < n->n_out)
        return HEED_OK;
    ir_node *first = body->first;
    adopt_outputs(body, n->graph, body);
    splice(n, body);
    for (const ir_node *m = first; m && m != n; m = m->next)
        adopt_inputs(body, n->graph, m);
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
