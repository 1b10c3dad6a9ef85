/* verify.c - the invariants of a graph, each with its number from core/README.md. Called after
 * every pass in debug builds and when a session asks for it. */
#include <stdio.h>
#include <string.h>

#include "graph/ir.h"

const char *ir_node_text(const ir_node *n, char *text, size_t size)
{
    snprintf(text, size, "%s%s\"%.80s\"", n->path ? n->path : "", n->path ? " " : "", n->name);
    return text;
}

heed_status ir_node_error(const ir_node *n)
{
    char text[256];
    return err_at(n->offset, "%s", ir_node_text(n, text, sizeof(text)));
}

static heed_status broken(int number, const ir_node *n, const char *what)
{
    err_fail(HEED_INTERNAL, "invariant (%d) is broken: %s", number, what);
    return n ? ir_node_error(n) : HEED_INTERNAL;
}

/* (4) A value is read only in its own graph and in graphs nested in it. */
static bool visible(const ir_value *v, const ir_graph *from)
{
    while (from && from != v->graph)
        from = from->parent;
    return from != NULL;
}

static heed_status verify_input(const ir_node *n, const ir_use *use, const uint8_t *made)
{
    const ir_value *v = use->value;
    bool linked = false;
    if (!v)
        return HEED_OK;
    for (const ir_use *other = v->uses; other && !linked; other = other->next)
        linked = other == use;
    if (!linked || use->node != n)
        return broken(2, n, "an input is not in the list of its value's uses");
    if (!visible(v, n->graph))
        return broken(4, n, "an input is a value that is not visible here");
    if (v->producer && !made[v->id])
        return broken(1, n, "an input is read before it is produced");
    if (!v->producer && !v->constant && !v->is_input)
        return broken(1, n, "an input is produced by nothing");
    return HEED_OK;
}

static heed_status verify_graph(const ir_graph *g, uint8_t *made, int depth)
{
    if (depth > 200)
        return broken(5, g->owner, "graphs are nested without end");
    uint32_t count = 0;
    for (const ir_node *n = g->first; n; n = n->next, count++) {
        if (n->graph != g || (n->next && n->next->previous != n))
            return broken(3, n, "the list of nodes is not linked both ways");
        for (uint32_t i = 0; i < n->n_in; i++)
            TRY(verify_input(n, &n->in[i], made));
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(verify_graph(n->attrs[a].graph, made, depth + 1));
        for (uint32_t i = 0; i < n->n_out; i++) {
            if (n->out[i] && n->out[i]->producer != n)
                return broken(1, n, "an output has another producer");
            if (n->out[i])
                made[n->out[i]->id] = 1;
        }
    }
    if (count != g->n_nodes)
        return broken(3, g->first, "the number of nodes is wrong");
    for (uint32_t i = 0; i < g->n_outputs; i++)
        if (!g->outputs[i] || !visible(g->outputs[i], g) || !g->outputs[i]->n_outputs)
            return broken(6, g->owner, "a graph output is not a visible value");
    return HEED_OK;
}

heed_status ir_verify(const ir_model *m)
{
    uint8_t *made = mem_zero(m->n_values + 1);
    if (!made)
        return HEED_NOMEM;
    heed_status status = verify_graph(m->main, made, 0);
    mem_free(made);
    return status;
}
