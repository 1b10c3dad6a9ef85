/* sort.c - topological order of a graph's nodes, and the message that names a cycle.
 *
 * Separate because it is the only graph algorithm that must be iterative on hostile input: Kahn's
 * algorithm over arrays, which leaves a graph alone that is in order. A node with nested graphs
 * also waits for what the nodes inside them read and for what their outputs are. */
#include <stdio.h>

#include "graph/ir.h"

/* The node of graph `g` that encloses `n`, or NULL when `n` is not inside g. */
static ir_node *enclosing(const ir_graph *g, ir_node *n)
{
    while (n && n->graph != g)
        n = n->graph->owner;
    return n;
}

/* What an output of a nested graph reads, an edge that no ir_use stands for. */
typedef struct edge {
    uint32_t to, next; /* places; next: index + 1 in the list of the same producer */
} edge;

/* Nodes of `g` by index of their place; waits[i] counts edges that are not satisfied yet. */
typedef struct sorter {
    ir_graph *g;
    ir_node **nodes;
    uint32_t *place; /* node id -> index, for nodes of g */
    uint32_t *waits;
    uint32_t n;
    edge *edges;
    size_t n_edges, edges_capacity;
    uint32_t *first_edge; /* by place: index + 1 in edges */
    uint32_t *ready, n_ready;
    bool forward; /* every edge seen so far points forward */
    uint32_t from;
} sorter;

/* ---- Edges ---------------------------------------------------------------------------------- */

static heed_status add_edge(sorter *s, uint32_t from, uint32_t to)
{
    TRY(mem_grow(&s->edges, &s->edges_capacity, s->n_edges, sizeof(*s->edges)));
    s->edges[s->n_edges++] = (edge){to, s->first_edge[from]};
    s->first_edge[from] = (uint32_t)s->n_edges;
    return HEED_OK;
}

/* Outputs of `inner`, which is an attribute of a node inside g, and of graphs nested in it. */
static heed_status add_outputs(sorter *s, const ir_graph *inner, uint32_t reader)
{
    for (uint32_t i = 0; i < inner->n_outputs; i++) {
        const ir_value *v = inner->outputs[i];
        if (v->graph == s->g && v->producer)
            TRY(add_edge(s, s->place[v->producer->id], reader));
    }
    for (const ir_node *n = inner->first; n; n = n->next)
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(add_outputs(s, n->attrs[a].graph, reader));
    return HEED_OK;
}

static heed_status add_edges(sorter *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        for (uint32_t a = 0; a < s->nodes[i]->n_attrs; a++)
            if (s->nodes[i]->attrs[a].graph)
                TRY(add_outputs(s, s->nodes[i]->attrs[a].graph, i));
    return HEED_OK;
}

/* Calls `visit` for each reading of a value of g by a node of g or inside one. */
static void each_edge(sorter *s, uint32_t from, void (*visit)(sorter *s, uint32_t to))
{
    ir_node *n = s->nodes[from];
    s->from = from;
    for (uint32_t o = 0; o < n->n_out; o++) {
        for (ir_use *use = n->out[o] ? n->out[o]->uses : NULL; use; use = use->next) {
            ir_node *reader = enclosing(s->g, use->node);
            if (reader)
                visit(s, s->place[reader->id]);
        }
    }
    for (uint32_t e = s->first_edge[from]; e; e = s->edges[e - 1].next)
        visit(s, s->edges[e - 1].to);
}

static void check_edge(sorter *s, uint32_t to) { s->forward = s->forward && to > s->from; }

static void count_edge(sorter *s, uint32_t to) { s->waits[to]++; }

static void satisfy_edge(sorter *s, uint32_t to)
{
    if (--s->waits[to] == 0)
        s->ready[s->n_ready++] = to;
}

static bool sorted_already(sorter *s)
{
    s->forward = true;
    for (uint32_t i = 0; i < s->n && s->forward; i++)
        each_edge(s, i, check_edge);
    return s->forward;
}

/* ---- Sorting -------------------------------------------------------------------------------- */

static void relink(ir_graph *g, ir_node *const *order, uint32_t n)
{
    g->first = n ? order[0] : NULL;
    g->last = n ? order[n - 1] : NULL;
    for (uint32_t i = 0; i < n; i++) {
        order[i]->previous = i ? order[i - 1] : NULL;
        order[i]->next = i + 1 < n ? order[i + 1] : NULL;
    }
}

static heed_status cycle_error(const sorter *s)
{
    char found[160];
    uint32_t i = 0;
    while (i + 1 < s->n && s->waits[i] == 0)
        i++;
    snprintf(found, sizeof(found), "node \"%.64s\" waits for its own result", s->nodes[i]->name);
    err_expected(HEED_INVALID, "a graph without cycles", found,
                 "every node may read only what earlier nodes produce");
    return ir_node_error(s->nodes[i]);
}

/* A ready list bounds the work to the edges. */
static heed_status kahn(sorter *s, ir_node **order)
{
    uint32_t n_order = 0;
    for (uint32_t i = 0; i < s->n; i++)
        each_edge(s, i, count_edge);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->waits[i] == 0)
            s->ready[s->n_ready++] = i;
    while (n_order < s->n_ready) {
        uint32_t i = s->ready[n_order];
        order[n_order++] = s->nodes[i];
        each_edge(s, i, satisfy_edge);
    }
    if (n_order < s->n)
        return cycle_error(s);
    relink(s->g, order, s->n);
    return HEED_OK;
}

static heed_status sort(sorter *s)
{
    ir_node **order = mem_array(s->n, sizeof(*order));
    uint32_t i = 0;
    s->nodes = mem_array(s->n, sizeof(*s->nodes));
    s->waits = mem_array(s->n, sizeof(*s->waits));
    s->ready = mem_array(s->n, sizeof(*s->ready));
    s->first_edge = mem_array(s->n, sizeof(*s->first_edge));
    s->place = mem_array(s->g->model->n_nodes, sizeof(*s->place));
    bool good = order && s->nodes && s->waits && s->ready && s->first_edge && s->place;
    for (ir_node *n = s->g->first; good && n; n = n->next) {
        s->place[n->id] = i;
        s->nodes[i++] = n;
    }
    heed_status status = good ? add_edges(s) : HEED_NOMEM;
    if (!status && !sorted_already(s))
        status = kahn(s, order);
    mem_free(order);
    return status;
}

heed_status ir_sort(ir_graph *g)
{
    sorter s = {.g = g, .n = g->n_nodes};
    heed_status status = sort(&s);
    mem_free(s.nodes);
    mem_free(s.waits);
    mem_free(s.ready);
    mem_free(s.first_edge);
    mem_free(s.place);
    mem_free(s.edges);
    return status;
}
