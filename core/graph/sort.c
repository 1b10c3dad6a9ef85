/* sort.c - topological order of a graph's nodes, and the message that names a cycle.
 *
 * Separate because it is the only graph algorithm that must be iterative on hostile input: Kahn's
 * algorithm over arrays, stable in the order of the file. A node with nested graphs also waits for
 * what the nodes inside them read. */
#include <stdio.h>

#include "graph/ir.h"

/* The node of graph `g` that encloses `n`, or NULL when `n` is not inside g. */
static ir_node *enclosing(const ir_graph *g, ir_node *n)
{
    while (n && n->graph != g)
        n = n->graph->owner;
    return n;
}

/* Nodes of `g` by index of their place; waits[i] counts edges that are not satisfied yet. */
typedef struct sorter {
    ir_graph *g;
    ir_node **nodes;
    uint32_t *place; /* node id -> index, for nodes of g */
    uint32_t *waits;
    uint32_t n;
} sorter;

/* Calls `visit` for each reading of a value of g by a node of g or inside one. */
static void each_edge(sorter *s, uint32_t from, void (*visit)(sorter *s, uint32_t to))
{
    ir_node *n = s->nodes[from];
    for (uint32_t o = 0; o < n->n_out; o++) {
        if (!n->out[o])
            continue;
        for (ir_use *use = n->out[o]->uses; use; use = use->next) {
            ir_node *reader = enclosing(s->g, use->node);
            if (reader)
                visit(s, s->place[reader->id]);
        }
    }
}

static void count_edge(sorter *s, uint32_t to) { s->waits[to]++; }

static void drop_edge(sorter *s, uint32_t to) { s->waits[to]--; }

static bool sorted_already(sorter *s)
{
    /* In order, every edge points forward. */
    for (uint32_t i = 0; i < s->n; i++) {
        ir_node *n = s->nodes[i];
        for (uint32_t o = 0; o < n->n_out; o++) {
            for (ir_use *use = n->out[o] ? n->out[o]->uses : NULL; use; use = use->next) {
                ir_node *reader = enclosing(s->g, use->node);
                if (reader && s->place[reader->id] <= i)
                    return false;
            }
        }
    }
    return true;
}

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

/* Repeated sweeps in file order: keeps the order stable, and graphs are nearly sorted. A sweep
 * emits at least one node unless there is a cycle; a ready list bounds the work to the edges. */
static heed_status kahn(sorter *s, ir_node **order, uint32_t *ready)
{
    uint32_t n_order = 0, head = 0, tail = 0;
    for (uint32_t i = 0; i < s->n; i++)
        each_edge(s, i, count_edge);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->waits[i] == 0)
            ready[tail++] = i;
    while (head < tail) {
        uint32_t i = ready[head++];
        order[n_order++] = s->nodes[i];
        each_edge(s, i, drop_edge);
        ir_node *n = s->nodes[i];
        for (uint32_t o = 0; o < n->n_out; o++) {
            for (ir_use *use = n->out[o] ? n->out[o]->uses : NULL; use; use = use->next) {
                ir_node *reader = enclosing(s->g, use->node);
                uint32_t k = reader ? s->place[reader->id] : 0;
                if (reader && s->waits[k] == 0) {
                    s->waits[k] = UINT32_MAX; /* listed */
                    ready[tail++] = k;
                }
            }
        }
        s->waits[i] = UINT32_MAX;
    }
    if (n_order < s->n) {
        for (uint32_t i = 0; i < s->n; i++)
            s->waits[i] = s->waits[i] == UINT32_MAX ? 0 : s->waits[i];
        return cycle_error(s);
    }
    relink(s->g, order, s->n);
    return HEED_OK;
}

heed_status ir_sort(ir_graph *g)
{
    sorter s = {.g = g, .n = g->n_nodes};
    heed_status status = HEED_NOMEM;
    ir_node **order = mem_array(s.n, sizeof(*order));
    uint32_t *ready = mem_array(s.n, sizeof(*ready));
    s.nodes = mem_array(s.n, sizeof(*s.nodes));
    s.waits = mem_array(s.n, sizeof(*s.waits));
    s.place = mem_array(g->model->n_nodes, sizeof(*s.place));
    if (!order || !ready || !s.nodes || !s.waits || !s.place)
        goto done;
    uint32_t i = 0;
    for (ir_node *n = g->first; n; n = n->next) {
        s.place[n->id] = i;
        s.nodes[i++] = n;
    }
    status = sorted_already(&s) ? HEED_OK : kahn(&s, order, ready);
done:
    mem_free(order);
    mem_free(ready);
    mem_free(s.nodes);
    mem_free(s.waits);
    mem_free(s.place);
    return status;
}
