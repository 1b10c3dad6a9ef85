/* copy.c - a deep copy of a model's graph, so that a session can optimise one of its own. Ids and
 * symbols keep their numbers; constant memory is shared, so the original must outlive the copy. */
#include <string.h>

#include "graph/ir.h"

typedef struct copier {
    ir_model *to;
    ir_value **values; /* old id -> new value */
} copier;

static heed_status copy_type(copier *c, const ir_type *from, ir_type *to)
{
    *to = *from;
    if (from->rank < 0)
        return HEED_OK;
    to->dims = arena_array(&c->to->memory, (size_t)from->rank, sizeof(ir_dim));
    if (!to->dims)
        return HEED_NOMEM;
    if (from->rank)
        memcpy(to->dims, from->dims, (size_t)from->rank * sizeof(ir_dim));
    return HEED_OK;
}

/* The value's copy, made on first sight. */
static ir_value *copy_value(copier *c, ir_graph *g, const ir_value *v)
{
    if (!v)
        return NULL;
    if (c->values[v->id])
        return c->values[v->id];
    ir_value *copy = NULL;
    if (v->constant) {
        heed_tensor *t;
        if (tensor_new_empty(&t))
            return NULL;
        tensor_borrow(t, v->constant);
        copy = ir_constant_new(g, v->name, t);
    } else {
        copy = ir_value_new(g, v->name);
    }
    if (!copy || copy_type(c, &v->type, &copy->type))
        return NULL;
    copy->is_input = v->is_input;
    copy->slot = v->slot;
    copy->offset = v->offset;
    c->values[v->id] = copy;
    return copy;
}

/* Values may be read before the graph that owns them is copied only when they are constants of an
 * outer graph that no node there reads; the right graph is found by walking both chains. */
static ir_graph *matching(const ir_graph *from, ir_graph *to, const ir_value *v)
{
    while (from && from != v->graph) {
        from = from->parent;
        to = to->parent;
    }
    return to;
}

static heed_status copy_graph(copier *c, const ir_graph *from, ir_graph *to);

static heed_status copy_attrs(copier *c, const ir_node *from, ir_node *to)
{
    for (uint32_t i = 0; i < from->n_attrs; i++) {
        const ir_attr *a = &from->attrs[i];
        ir_graph *nested = NULL;
        if (a->graph) {
            nested = ir_graph_new(c->to, to->graph, a->graph->name);
            if (!nested)
                return HEED_NOMEM;
        }
        TRY(ir_node_set_attr(to, &a->view, nested));
        if (nested)
            TRY(copy_graph(c, a->graph, nested));
    }
    return HEED_OK;
}

static heed_status copy_node(copier *c, const ir_node *from, ir_graph *g)
{
    arena *memory = &c->to->memory;
    ir_value **in = arena_array(memory, from->n_in, sizeof(*in));
    ir_value **out = arena_array(memory, from->n_out, sizeof(*out));
    if (!in || !out)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < from->n_in; i++) {
        const ir_value *v = from->in[i].value;
        in[i] = v ? copy_value(c, matching(from->graph, g, v), v) : NULL;
        if (v && !in[i])
            return HEED_NOMEM;
    }
    for (uint32_t i = 0; i < from->n_out; i++) {
        out[i] = copy_value(c, g, from->out[i]);
        if (from->out[i] && !out[i])
            return HEED_NOMEM;
    }
    ir_node *n = ir_node_new(g, NULL, from->op, from->name, from->n_in, in, from->n_out, out);
    if (!n)
        return HEED_NOMEM;
    n->path = from->path; /* strings of the original outlive the copy */
    n->offset = from->offset;
    return copy_attrs(c, from, n);
}

static heed_status copy_graph(copier *c, const ir_graph *from, ir_graph *to)
{
    arena *memory = &c->to->memory;
    to->inputs = arena_array(memory, from->n_inputs, sizeof(*to->inputs));
    to->outputs = arena_array(memory, from->n_outputs, sizeof(*to->outputs));
    if (!to->inputs || !to->outputs)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < from->n_inputs; i++) {
        to->inputs[i] = copy_value(c, to, from->inputs[i]);
        if (!to->inputs[i])
            return HEED_NOMEM;
    }
    to->n_inputs = from->n_inputs;
    for (const ir_node *n = from->first; n; n = n->next)
        TRY(copy_node(c, n, to));
    for (uint32_t i = 0; i < from->n_outputs; i++) {
        const ir_value *v = from->outputs[i];
        to->outputs[i] = copy_value(c, matching(from, to, v), v);
        if (!to->outputs[i])
            return HEED_NOMEM;
        to->outputs[i]->n_outputs++;
        to->n_outputs++;
    }
    to->output_names = from->output_names;
    to->output_types = from->output_types;
    return HEED_OK;
}

heed_status ir_model_copy(const ir_model *m, ir_model **out)
{
    heed_status status = HEED_NOMEM;
    *out = NULL;
    copier c = {.to = ir_model_new(), .values = mem_array(m->n_values, sizeof(ir_value *))};
    ir_dims *dims = dims_copy(m->dims);
    if (c.to && c.values && dims) {
        dims_free(c.to->dims);
        c.to->dims = dims;
        dims = NULL;
        status = copy_graph(&c, m->main, c.to->main);
    }
    dims_free(dims);
    mem_free(c.values);
    if (status)
        ir_model_free(c.to);
    else
        *out = c.to;
    return status;
}
