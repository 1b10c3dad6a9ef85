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

/* What was counted on the way through the model, by value id. */
typedef struct census {
    uint8_t *made;     /* its node was passed */
    uint32_t *uses;    /* inputs of nodes that read it */
    uint32_t *outputs; /* graph outputs that it is */
} census;

/* A value of the model, or of a node that was taken out of it. */
static bool produced(const ir_value *v, const census *c)
{
    return v->producer ? c->made[v->id] : v->constant || v->is_input;
}

static heed_status verify_input(const ir_node *n, const ir_use *use, const census *c)
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
    if (!produced(v, c))
        return broken(1, n, "an input is read before it is produced");
    c->uses[v->id]++;
    return HEED_OK;
}

static heed_status verify_uses(const ir_value *v, const ir_node *n, const census *c)
{
    uint32_t uses = 0;
    for (const ir_use *use = v ? v->uses : NULL; use; use = use->next)
        uses++;
    if (v && uses != c->uses[v->id])
        return broken(2, n, "the list of a value's uses has what is no input of a node");
    if (v && v->n_outputs != c->outputs[v->id])
        return broken(6, n, "a value is another number of graph outputs than it counts");
    return HEED_OK;
}

static heed_status verify_content(const ir_value *v, const ir_node *n)
{
    const heed_tensor *t = v && !v->is_input ? v->constant : NULL;
    if (!t || v->type.kind != HEED_KIND_TENSOR)
        return HEED_OK;
    bool same = v->type.dtype == t->dtype && v->type.rank == tensor_rank(t);
    for (int32_t i = 0; same && i < v->type.rank; i++)
        same = v->type.dims[i] == t->dims[i];
    return same ? HEED_OK : broken(8, n, "a constant has another type than its content");
}

static heed_status verify_graph(const ir_graph *g, const census *c, int depth);

static heed_status verify_node(const ir_node *n, const ir_graph *g, const census *c, int depth)
{
    if (n->graph != g || (n->next && n->next->previous != n) || (!n->next && g->last != n))
        return broken(3, n, "the list of nodes is not linked both ways");
    for (uint32_t i = 0; i < n->n_in; i++) {
        TRY(verify_input(n, &n->in[i], c));
        TRY(verify_content(n->in[i].value, n));
    }
    for (uint32_t a = 0; a < n->n_attrs; a++) {
        const ir_graph *inner = n->attrs[a].graph;
        if (inner && (inner->parent != g || inner->owner != n))
            return broken(5, n, "a nested graph has another owner");
        if (inner)
            TRY(verify_graph(inner, c, depth + 1));
    }
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] && (n->out[i]->producer != n || c->made[n->out[i]->id]))
            return broken(1, n, "an output has another producer");
        if (n->out[i])
            c->made[n->out[i]->id] = 1;
    }
    return HEED_OK;
}

static heed_status verify_graph(const ir_graph *g, const census *c, int depth)
{
    uint32_t count = 0;
    if (depth > 200)
        return broken(5, g->owner, "graphs are nested without end");
    for (const ir_node *n = g->first; n; n = n->next, count++)
        TRY(verify_node(n, g, c, depth));
    if (count != g->n_nodes)
        return broken(3, g->first, "the number of nodes is wrong");
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        const ir_value *v = g->outputs[i];
        if (!v || !visible(v, g))
            return broken(6, g->owner, "a graph output is not a visible value");
        if (!produced(v, c))
            return broken(1, g->owner, "a graph output is read before it is produced");
        c->outputs[v->id]++;
    }
    return HEED_OK;
}

/* When everything was passed, the counts of each value must be right. */
static heed_status verify_counts(const ir_graph *g, const census *c)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        TRY(verify_uses(g->inputs[i], g->owner, c));
    for (const ir_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_in; i++)
            TRY(verify_uses(n->in[i].value, n, c));
        for (uint32_t i = 0; i < n->n_out; i++)
            TRY(verify_uses(n->out[i], n, c));
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(verify_counts(n->attrs[a].graph, c));
    }
    return HEED_OK;
}

heed_status ir_verify(const ir_model *m)
{
    census c = {
        .made = mem_zero(m->n_values + 1),
        .uses = mem_array(m->n_values + 1, sizeof(*c.uses)),
        .outputs = mem_array(m->n_values + 1, sizeof(*c.outputs)),
    };
    heed_status status = HEED_NOMEM;
    if (c.made && c.uses && c.outputs)
        status = verify_graph(m->main, &c, 0);
    if (!status)
        status = verify_counts(m->main, &c);
    mem_free(c.made);
    mem_free(c.uses);
    mem_free(c.outputs);
    return status;
}
