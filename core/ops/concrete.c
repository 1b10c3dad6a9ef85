/* concrete.c - see concrete.h. The same infer functions as before binding, without a table of
 * symbols: what is not a number is late. */
#include "ops/concrete.h"

ir_type op_type_of(const heed_tensor *t)
{
    ir_type type = {.kind = t->kind, .dtype = t->dtype, .rank = -1};
    if (t->kind == HEED_TENSOR) {
        type.rank = tensor_rank(t);
        type.dims = t->dl.shape;
    }
    const heed_tensor *item = t->kind == HEED_SEQUENCE && t->n_items ? t->items[0] : t;
    if (item->kind == HEED_MAP)
        type.keys = item->items[0]->dtype;
    if (t->kind == HEED_OPTIONAL && t->n_items)
        type.optional_sequence = t->items[0]->kind == HEED_SEQUENCE;
    return type;
}

/* Some input or output has no dtype in the graph. */
static bool is_open(const ir_node *n)
{
    bool open = false;
    for (uint32_t i = 0; i < n->n_in; i++)
        open = open || (n->in[i].value && !n->in[i].value->type.dtype);
    for (uint32_t o = 0; o < n->n_out; o++)
        open = open || (n->out[o] && !n->out[o]->type.dtype);
    return open;
}

/* Dtypes do not depend on shapes: they are known, and checked, since load, except where inputs of a
 * graph or of a body have no declared type. */
static heed_status preset_types(const ir_node *n, op_concrete *c)
{
    for (uint32_t o = 0; o < n->n_out; o++)
        c->out[o] = (ir_type){.rank = -1};
    if (is_open(n))
        TRY(op_bind_types(n, c->in, c->out));
    for (uint32_t o = 0; o < n->n_out; o++) {
        const ir_value *v = n->out[o];
        if (!v || (!v->type.dtype && c->out[o].dtype))
            continue;
        c->out[o].kind = v->type.kind;
        c->out[o].dtype = v->type.dtype;
        c->out[o].optional_sequence = v->type.optional_sequence;
        c->out[o].keys = v->type.keys;
    }
    return HEED_OK;
}

heed_status op_infer_concrete(const ir_node *n, arena *memory, op_concrete *c)
{
    const ir_dim **content = arena_array(memory, n->n_in, sizeof(*content));
    int64_t *n_content = arena_array(memory, n->n_in, sizeof(*n_content));
    if (!content || !n_content)
        return HEED_NOMEM;
    op_infer infer = {
        .node = n,
        .op = n->op,
        .n_in = n->n_in,
        .n_out = n->n_out,
        .in = c->in,
        .in_tensors = c->in_tensors,
        .in_content = content,
        .in_n_content = n_content,
        .out = c->out,
        .out_content = c->out_content,
        .out_n_content = c->out_n_content,
        .memory = memory,
    };
    for (uint32_t o = 0; o < n->n_out; o++)
        c->out_content[o] = NULL;
    TRY(preset_types(n, c));
    err_clear();
    heed_status status = n->op->infer(&infer);
    if (status)
        return status == HEED_NOMEM ? status : ir_node_error(n);
    if (n->op->content)
        n->op->content(&infer);
    if (err_get()->status == HEED_NOMEM) /* contents fail silently */
        return HEED_NOMEM;
    c->late = infer.late || (n->op->flags & OP_DATA_SHAPE);
    for (uint32_t o = 0; c->out_first && o < n->n_out; o++)
        if (c->late || !n->op->part || !n->op->part(&infer, o, &c->out_first[o]))
            c->out_first[o] = -1;
    return HEED_OK;
}
