/* splice.c - the nodes of a nested graph move into the graph around it. */
#include "graph/ir.h"

/* The values that the nodes make, and the graphs that they own. */
static void adopt_node(ir_node *n, ir_graph *to)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            n->out[i]->graph = to;
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            n->attrs[a].graph->parent = to;
    n->graph = to;
}

/* Constants of the nested graph are read by the moved nodes and by graphs inside them. */
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

static void link_after(ir_graph *g, ir_node *after, ir_node *n)
{
    n->previous = after;
    n->next = after->next;
    *(n->next ? &n->next->previous : &g->last) = n;
    after->next = n;
    g->n_nodes++;
}

void ir_graph_splice(ir_graph *body, ir_node *after)
{
    ir_graph *to = after->graph;
    adopt_outputs(body, to, body);
    for (ir_node *next, *n = body->first, *last = after; n; last = n, n = next) {
        next = n->next;
        adopt_node(n, to);
        adopt_inputs(body, to, n);
        link_after(to, last, n);
    }
    body->first = body->last = NULL;
    body->n_nodes = 0;
}
