/* replay.c - what a graph computes from the number of its tokens alone, computed once more for
 * another number.
 *
 * before: bias [H, 1, S] = f(Shape(tokens))        after, beside it: bias [H, 1, reach] = f(reach)
 *
 * A step has few tokens, and keys of many: what is added to scores by the place of a key, or by its
 * distance, is needed for as many as there may be. */
#include "passes/paging/flow.h"

enum { MOST_DEPTH = 200 };

typedef struct replay {
    flow_map *m;
    op_body *b;
    ir_value *reach; /* int64 [1] */
    ir_value **made; /* by id of values */
} replay;

static ir_value *again(replay *r, ir_value *v, int depth);

/* Integers that are numbers, and the number of tokens. */
static ir_value *from_content(replay *r, const ir_value *v)
{
    ir_value *all = NULL;
    for (int64_t i = 0; v->content && i < v->n_content; i++) {
        int64_t number;
        ir_value *one = NULL;
        if (v->content[i] == r->m->tokens)
            one = r->reach;
        else if (dims_value(r->m->run->model->dims, v->content[i], &number))
            one = body_ints(r->b, 1, &number);
        if (!one)
            return NULL;
        all = all ? body_concat(r->b, all, one, 0) : one;
    }
    if (!all)
        return NULL;
    all = body_cast(r->b, all, v->type.dtype);
    return v->type.rank == 0 ? body_2(r->b, all, body_ints(r->b, 1, (int64_t[]){0}), "Squeeze")
                             : all;
}

/* 0, 1, ... in the extents of an input of places. */
static ir_value *places(replay *r, const ir_value *v)
{
    int64_t shape[TENSOR_MAX_RANK];
    ir_value *zero = body_ints(r->b, 1, (int64_t[]){0});
    ir_value *all = body_range(r->b, body_2(r->b, r->reach, zero, "Squeeze"));
    for (int32_t k = 0; k < v->type.rank; k++)
        shape[k] = dim_known(v->type.dims[k]) ? v->type.dims[k] : -1;
    all = body_cast(r->b, all, v->type.dtype);
    return body_2(r->b, all, body_ints(r->b, v->type.rank, shape), "Reshape");
}

static ir_value *copy_node(replay *r, const ir_node *n, uint32_t o, int depth)
{
    ir_value **in = arena_array(r->m->run->scratch, n->n_in, sizeof(*in));
    for (uint32_t i = 0; in && i < n->n_in; i++)
        if (n->in[i].value && !(in[i] = again(r, n->in[i].value, depth + 1)))
            return NULL;
    ir_node *made =
        in ? ir_node_new(n->graph, r->b->last, n->op, NULL, n->n_in, in, n->n_out, NULL) : NULL;
    for (uint32_t a = 0; made && a < n->n_attrs; a++)
        if (ir_node_set_attr(made, &n->attrs[a].view, NULL))
            made = NULL;
    if (!made || pass_infer_node(r->m->run, made))
        return NULL;
    r->b->last = made;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->id < r->m->n)
            r->made[n->out[i]->id] = made->out[i];
    return made->out[o];
}

static bool copies(const ir_node *n)
{
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            return false;
    return pass_pure(n);
}

static ir_value *again(replay *r, ir_value *v, int depth)
{
    flow f = flow_of(r->m, v);
    if (f.kind == FLOW_FREE || v->id >= r->m->n)
        return v;
    if (r->made[v->id])
        return r->made[v->id];
    if (f.data || depth > MOST_DEPTH || r->b->status)
        return NULL;
    ir_value *out = v->producer ? from_content(r, v) : places(r, v);
    if (!out && v->producer && copies(v->producer) && !pass_is(v->producer, "Shape"))
        out = copy_node(r, v->producer, v->slot, depth);
    r->made[v->id] = out;
    return out;
}

ir_value *flow_replay(flow_map *m, op_body *b, ir_value *v, ir_value *reach)
{
    replay r = {.m = m, .b = b, .reach = reach};
    r.made = arena_array(m->run->scratch, m->n, sizeof(*r.made));
    return r.made ? again(&r, v, 0) : NULL;
}
