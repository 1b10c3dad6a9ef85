/* ports.c - see ports.h. Lists are made anew: they lie in the model's arena. */
#include "passes/paging/ports.h"

#include <string.h>

ir_value *ports_add_input(ir_graph *g, const char *name, heed_dtype dtype, int32_t rank,
                          const ir_dim *dims)
{
    arena *memory = &g->model->memory;
    size_t n_dims = rank > 0 ? (size_t)rank : 0;
    ir_value **inputs = arena_array(memory, g->n_inputs + 1u, sizeof(ir_value *));
    ir_dim *own = arena_array(memory, n_dims, sizeof(*own));
    const char *own_name = arena_string(memory, name);
    ir_value *v = own_name ? ir_value_new(g, own_name) : NULL;
    if (!inputs || !own || !v)
        return NULL;
    if (g->n_inputs)
        memcpy(inputs, g->inputs, g->n_inputs * sizeof(*inputs));
    if (n_dims)
        memcpy(own, dims, n_dims * sizeof(*own));
    v->type = (ir_type){.kind = HEED_KIND_TENSOR, .dtype = dtype, .rank = rank, .dims = own};
    v->is_input = true;
    v->slot = g->n_inputs;
    inputs[g->n_inputs++] = v;
    g->inputs = inputs;
    return v;
}

heed_status ports_add_output(ir_graph *g, const char *name, ir_value *v)
{
    arena *memory = &g->model->memory;
    size_t n = g->n_outputs;
    ir_value **outputs = arena_array(memory, n + 1, sizeof(*outputs));
    const char **names = arena_array(memory, n + 1, sizeof(*names));
    ir_type *types = arena_array(memory, n + 1, sizeof(*types));
    const char *own = arena_string(memory, name);
    if (!outputs || !names || !types || !own)
        return HEED_NOMEM;
    if (n) {
        memcpy(outputs, g->outputs, n * sizeof(*outputs));
        memcpy(names, g->output_names, n * sizeof(*names));
        memcpy(types, g->output_types, n * sizeof(*types));
    }
    outputs[n] = v;
    names[n] = own;
    types[n] = v->type;
    v->n_outputs++;
    g->outputs = outputs;
    g->output_names = names;
    g->output_types = types;
    g->n_outputs++;
    return HEED_OK;
}

void ports_keep_inputs(ir_graph *g, bool (*keep)(const void *self, const ir_value *v),
                       const void *self)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        ir_value *v = g->inputs[i];
        v->is_input = keep(self, v);
        if (!v->is_input)
            continue;
        g->inputs[n] = v;
        v->slot = n++;
    }
    g->n_inputs = n;
}

void ports_drop_outputs(ir_graph *g)
{
    for (uint32_t i = 0; i < g->n_outputs; i++)
        g->outputs[i]->n_outputs--;
    g->n_outputs = 0;
}
