/* last_row.c - pass: a result for the last token alone becomes one for every token.
 *
 * before: logits [1, V] = MatMul(Gather(x [1, S, D], -1, axis = 1), weights)
 * after:  logits [S, V] = MatMul(Squeeze(x, 0), weights)
 *
 * Only for paging, whose steps choose rows of many sequences themselves. What comes after the pick
 * must be of operators that compute a row from that row and from what is the same for all: then
 * the last of all results is the result of the last. That they do is asked again of the whole
 * graph, when it gets its pages (flow.h). */
#include <string.h>

#include "passes/paging/flow.h"

extern const pass_def pass_infer;

typedef struct last_row {
    flow_map flows;
    uint8_t *behind; /* by id of values: it comes of picks */
} last_row;

/* ---- The pick ---------------------------------------------------------------------------------
 */

/* The only entry of a list, or a number, is -1 or S - 1. */
static bool is_last(const last_row *l, const ir_value *v)
{
    ir_dims *dims = l->flows.run->model->dims;
    if (v && v->content)
        return v->n_content == 1 && (v->content[0] == dims_sub(dims, l->flows.tokens, 1) ||
                                     v->content[0] == dims_constant(dims, -1));
    return v && pass_constant(v) && dtype_is_int(v->type.dtype) && tensor_count(v->constant) == 1 &&
           tensor_get_int(v->constant, 0) == -1;
}

static bool is_one(const ir_value *v, int64_t *number)
{
    if (!v || !pass_constant(v) || tensor_count(v->constant) != 1)
        return false;
    *number = tensor_get_int(v->constant, 0);
    return true;
}

/* Along which axis it takes the last; -1: it is something else. */
static int64_t axis_of(const last_row *l, const ir_node *n)
{
    int64_t axis = ir_attr_int(n, "axis", 0), end, step;
    if (pass_is(n, "Slice") && is_last(l, ir_input(n, 1)) && is_one(ir_input(n, 2), &end) &&
        end >= INT32_MAX && is_one(ir_input(n, 3), &axis) &&
        (!ir_input(n, 4) || (is_one(ir_input(n, 4), &step) && step == 1)))
        return axis < 0 ? axis + ir_input(n, 0)->type.rank : axis;
    if (!pass_is(n, "Gather") || !is_last(l, ir_input(n, 1)) || ir_input(n, 1)->type.rank > 1)
        return -1;
    return axis < 0 ? axis + ir_input(n, 0)->type.rank : axis;
}

/* Tokens are outermost, but for axes of 1. */
static bool is_pick(const last_row *l, const ir_node *n)
{
    const ir_value *x = n->n_in > 0 ? ir_input(n, 0) : NULL;
    flow f = flow_of(&l->flows, x);
    if (!x || !f.data || !flow_has_row_each(f) || x->type.dims[f.axis] != l->flows.tokens ||
        axis_of(l, n) != f.axis)
        return false;
    for (int32_t k = 0; k < f.axis; k++)
        if (x->type.dims[k] != 1)
            return false;
    return true;
}

/* ---- What comes after it ----------------------------------------------------------------------
 */

static bool computes_rows(const ir_node *n)
{
    static const char *const ops[] = {"MatMul",           "Gemm",       "LayerNormalization",
                                      "RMSNormalization", "ReduceMean", "ReduceSum",
                                      "ReduceMax",        "Softmax",    "LogSoftmax",
                                      "Identity",         "Squeeze",    "Unsqueeze",
                                      "Transpose",        "Clip",       NULL};
    return (n->op->flags & OP_ELEMENTWISE) || pass_is_one_of(n, ops) ||
           strcmp(n->op->name, "MatMulNBits") == 0;
}

static bool is_behind(const last_row *l, const ir_value *v)
{
    return v && v->id < l->flows.n && l->behind[v->id];
}

static bool reads_behind(const last_row *l, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (is_behind(l, ir_input(n, i)))
            return true;
    return false;
}

/* All that the node reads comes of picks, or knows of no tokens. */
static bool goes_on(const last_row *l, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (!is_behind(l, ir_input(n, i)) && flow_of(&l->flows, ir_input(n, i)).kind != FLOW_FREE)
            return false;
    return computes_rows(n);
}

/* The result comes of picks alone, by rows. */
static bool find(last_row *l, const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        bool pick = is_pick(l, n);
        if (!pick && !reads_behind(l, n))
            continue;
        if (!pick && !goes_on(l, n))
            return false;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                l->behind[n->out[o]->id] = 1;
    }
    return is_behind(l, g->outputs[0]);
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

/* Where the pick takes the tokens' axis away, the axis of the batch becomes theirs. */
static heed_status write_pick(last_row *l, ir_node *n)
{
    ir_value *x = ir_input(n, 0);
    op_body b = pass_body(l->flows.run, n);
    if (n->out[0]->type.rank < x->type.rank && x->type.rank > 1 && flow_of(&l->flows, x).axis > 0)
        x = body_2(&b, x, body_ints(&b, 1, (int64_t[]){0}), "Squeeze");
    if (b.status)
        return b.status;
    ir_value_replace(n->out[0], x);
    ir_node_remove(n);
    l->flows.run->rewrites++;
    return HEED_OK;
}

static heed_status rewrite(last_row *l)
{
    pass_run *p = l->flows.run;
    ir_graph *g = p->model->main;
    l->flows.tokens = paging_tokens(p);
    TRY(flow_map_all(&l->flows));
    l->behind = arena_alloc(p->scratch, l->flows.n);
    if (!l->behind)
        return HEED_NOMEM;
    memset(l->behind, 0, l->flows.n);
    if (!find(l, g))
        return HEED_OK;
    for (ir_node *n = g->first, *next; n; n = next) {
        next = n->next;
        if (is_pick(l, n))
            TRY(write_pick(l, n));
    }
    TRY(pass_infer.run(p));
    g->output_types[0] = g->outputs[0]->type;
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    last_row l = {.flows = {.run = p}};
    const ir_graph *g = p->model->main;
    if (!p->options->paging || dim_known(paging_tokens(p)) || g->n_outputs == 0 ||
        g->outputs[0]->type.rank < 0)
        return HEED_OK;
    for (int32_t k = 0; k < g->outputs[0]->type.rank; k++)
        if (g->outputs[0]->type.dims[k] == paging_tokens(p))
            return HEED_OK;
    heed_status status = rewrite(&l);
    flow_map_free(&l.flows);
    return status;
}

const pass_def pass_last_row = {
    .name = "last_row",
    .purpose = "results for the last token become results for every token",
    .order = 63, /* behind sums, before pages: the table is in the order of names */
    .required = true,
    .run = run,
};
