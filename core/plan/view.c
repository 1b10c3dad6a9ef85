/* view.c - see view.h. Symbolic extents are shown as -1. */
#include "plan/view.h"

#include "ops/op.h"

static const heed_attribute *view_attr(const heed_node *node, const char *name)
{
    const ir_attr *a = ir_node_attr(((const node_view *)(const void *)node)->ir, name);
    return a ? &a->view : NULL;
}

static const heed_value *value_view(const ir_value *v, arena *memory)
{
    heed_value *view = arena_alloc(memory, sizeof(*view));
    int32_t rank = v->type.rank;
    int64_t *dims = arena_array(memory, rank > 0 ? (size_t)rank : 0, sizeof(*dims));
    if (!view || !dims)
        return NULL;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = dim_known(v->type.dims[i]) ? v->type.dims[i] : -1;
    *view = (heed_value){
        .size = sizeof(*view), .dtype = dtype_to_dl(v->type.dtype), .ndim = rank, .dims = dims};
    if (v->constant && !v->is_input)
        view->constant = &v->constant->dl;
    return view;
}

const heed_node *node_view_new(const ir_node *n, arena *memory)
{
    node_view *view = arena_alloc(memory, sizeof(*view));
    const heed_value **in = arena_array(memory, n->n_in, sizeof(*in));
    const heed_value **out = arena_array(memory, n->n_out, sizeof(*out));
    if (!view || !in || !out)
        return NULL;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && !(in[i] = value_view(n->in[i].value, memory)))
            return NULL;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && !(out[i] = value_view(n->out[i], memory)))
            return NULL;
    view->ir = n;
    view->node = (heed_node){
        .size = sizeof(view->node),
        .domain = n->op->domain,
        .op = n->op->name,
        .name = n->name,
        .version = n->op->since,
        .index = n->id,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = in,
        .out = out,
        .attr = view_attr,
    };
    return &view->node;
}
