/* program.c - see program.h. */
#include "plan/program.h"

#include <string.h>

#include "ops/op.h"

uint32_t program_local(const program *p, const ir_value *v)
{
    uintptr_t local = v ? (uintptr_t)map_get(&p->locals, &v->id, sizeof(v->id)) : 0;
    return local ? (uint32_t)(local - 1) : PROGRAM_NONE;
}

static heed_status add_local(program *p, const ir_value *v)
{
    if (!v || program_local(p, v) != PROGRAM_NONE)
        return HEED_OK;
    uintptr_t local = p->n_locals;
    p->values[p->n_locals++] = v;
    return map_put(&p->locals, &v->id, sizeof(v->id), (void *)(local + 1)); // NOLINT: a number
}

/* ---- Counting, to size the arrays ----------------------------------------------------------- */

static size_t count_values(const ir_graph *g)
{
    size_t n = g->n_inputs + g->n_outputs;
    for (const ir_node *node = g->first; node; node = node->next) {
        n += node->n_in + node->n_out;
        for (uint32_t a = 0; a < node->n_attrs; a++)
            if (node->attrs[a].graph)
                n += count_values(node->attrs[a].graph);
    }
    return n;
}

/* ---- Readings ------------------------------------------------------------------------------- */

static bool inside(const ir_graph *inner, const ir_graph *outer)
{
    while (inner && inner != outer)
        inner = inner->parent;
    return inner != NULL;
}

/* A value that is read in `p`'s graph or inside it: a local of the graph, a capture from around it,
 * or nothing of ours when it belongs to a nested graph. */
static heed_status read_value(program *p, const ir_value *v, uint32_t at)
{
    if (!v || (v->graph != p->graph && inside(v->graph, p->graph)))
        return HEED_OK;
    uint32_t before = p->n_locals;
    TRY(add_local(p, v));
    if (p->n_locals > before && v->graph != p->graph && !(v->constant && !v->is_input)) {
        p->capture_locals[p->n_captures] = before;
        p->captures[p->n_captures++] = v;
    }
    uint32_t local = program_local(p, v);
    if (at > p->last_use[local])
        p->last_use[local] = at;
    return HEED_OK;
}

static heed_status read_graph(program *p, const ir_graph *g, uint32_t at);

static heed_status read_node(program *p, const ir_node *n, uint32_t at)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        TRY(read_value(p, n->in[i].value, at));
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            TRY(read_graph(p, n->attrs[a].graph, at));
    return HEED_OK;
}

static heed_status read_graph(program *p, const ir_graph *g, uint32_t at)
{
    for (const ir_node *n = g->first; n; n = n->next)
        TRY(read_node(p, n, at));
    for (uint32_t i = 0; i < g->n_outputs; i++)
        TRY(read_value(p, g->outputs[i], at));
    return HEED_OK;
}

/* The value of which an output is a view, as far back as there are views. */
static const ir_value *viewed(const ir_value *v)
{
    const ir_node *n = v->producer;
    while (n && (n->op->flags & OP_VIEW) && n->out[0] == v && ir_input(n, 0)) {
        v = n->in[0].value;
        n = v->producer;
    }
    return v;
}

/* A value that is an output itself stays that one. */
static void find_results(program *p)
{
    for (int views = 0; views < 2; views++)
        for (uint32_t o = 0; o < p->graph->n_outputs; o++) {
            const ir_value *v = p->graph->outputs[o];
            uint32_t local = program_local(p, views ? viewed(v) : v);
            if (local != PROGRAM_NONE && !p->result[local])
                p->result[local] = o + 1;
        }
}

static heed_status fill(program *p)
{
    const ir_graph *g = p->graph;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        TRY(add_local(p, g->inputs[i]));
        p->inputs[i] = program_local(p, g->inputs[i]);
    }
    for (const ir_node *n = g->first; n; n = n->next) {
        uint32_t at = p->n_nodes++;
        p->nodes[at] = n;
        TRY(read_node(p, n, at));
        for (uint32_t o = 0; o < n->n_out; o++) {
            TRY(add_local(p, n->out[o]));
            if (n->out[o]) /* alive at least while its node runs */
                p->last_use[program_local(p, n->out[o])] = at;
        }
    }
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        TRY(read_value(p, g->outputs[i], PROGRAM_FOREVER));
        p->outputs[i] = program_local(p, g->outputs[i]);
    }
    find_results(p);
    return HEED_OK;
}

heed_status program_new(const ir_graph *g, const place_table *places, uint32_t index, program **out)
{
    program *p = mem_zero(sizeof(*p));
    *out = NULL;
    if (!p)
        return HEED_NOMEM;
    size_t most = count_values(g);
    p->graph = g;
    p->places = places;
    p->index = index;
    p->nodes = arena_array(&p->memory, g->n_nodes, sizeof(*p->nodes));
    p->values = arena_array(&p->memory, most, sizeof(*p->values));
    p->last_use = arena_array(&p->memory, most, sizeof(*p->last_use));
    p->inputs = arena_array(&p->memory, g->n_inputs, sizeof(*p->inputs));
    p->outputs = arena_array(&p->memory, g->n_outputs, sizeof(*p->outputs));
    p->result = arena_array(&p->memory, most, sizeof(*p->result));
    p->captures = arena_array(&p->memory, g->parent ? most : 0, sizeof(*p->captures));
    p->capture_locals = arena_array(&p->memory, g->parent ? most : 0, sizeof(uint32_t));
    heed_status status = HEED_NOMEM;
    if (p->nodes && p->values && p->last_use && p->inputs && p->outputs && p->result &&
        p->captures && p->capture_locals)
        status = fill(p);
    if (status)
        program_free(p);
    else
        *out = p;
    return status;
}

void program_free(program *p)
{
    if (!p)
        return;
    map_free(&p->locals);
    arena_free(&p->memory);
    mem_free(p);
}
