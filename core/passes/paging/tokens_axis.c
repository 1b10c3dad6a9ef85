/* tokens_axis.c - which axis of an input [batch, tokens, ...] or [tokens, batch, ...] has the
 * tokens. Separate from roles.c, which infers nothing: here shapes are inferred, of as many nodes
 * as it takes.
 *
 * Tokens read each other, and sequences do not. So the extent of the tokens is that over which a
 * softmax of scores sums, that which a product of queries and keys has twice, that of an
 * operator's queries, and that of a recurrence's steps; the batch's is none of these. The first
 * node that shows one and not the other decides; where none does, tokens come behind the batch. */
#include <string.h>

#include "passes/paging/roles.h"

typedef struct witness {
    ir_dims *dims;
    ir_dim extent[2]; /* of the input's first two axes */
} witness;

enum { NEITHER = -1 };

static const char *const products[] = {"MatMul", "Einsum", NULL};
static const char *const recurrences[] = {"LSTM", "GRU", "RNN", NULL};

/* ---- What one node shows --------------------------------------------------------------------- */

static bool has_shape(const ir_value *v)
{
    return v && v->type.kind == HEED_KIND_TENSOR && v->type.rank > 0;
}

/* Numbers are alike by chance: they count where an axis beside it has as many, too. */
static bool is_extent(const witness *w, const ir_type *type, int32_t axis, int k)
{
    ir_dim d = type->dims[axis], wanted = w->extent[k];
    if (d == DIM_UNKNOWN)
        return false;
    if (!dim_known(wanted))
        return dims_is_symbol(w->dims, wanted) && dims_substitute(w->dims, d, wanted, 1) != d;
    return wanted > 1 && d == wanted && axis > 0 && type->dims[axis - 1] == wanted;
}

/* The axis of the input whose extent this is. */
static int only_one(bool first, bool second) { return first == second ? NEITHER : second; }

static int axis_of(const witness *w, const ir_value *v, int32_t axis)
{
    if (!has_shape(v) || axis < 0 || axis >= v->type.rank)
        return NEITHER;
    return only_one(is_extent(w, &v->type, axis, 0), is_extent(w, &v->type, axis, 1));
}

static bool has_twice(const ir_type *type, ir_dim d)
{
    int n = 0;
    for (int32_t k = 0; k < type->rank; k++)
        n += type->dims[k] == d;
    return n > 1 && !dim_known(d);
}

static int of_product(const witness *w, const ir_value *scores)
{
    if (!has_shape(scores))
        return NEITHER;
    return only_one(has_twice(&scores->type, w->extent[0]), has_twice(&scores->type, w->extent[1]));
}

static int of_softmax(const witness *w, const ir_node *n)
{
    const ir_value *x = ir_input(n, 0);
    int64_t axis = ir_attr_int(n, "axis", -1);
    return has_shape(x) ? axis_of(w, x, (int32_t)(axis < 0 ? axis + x->type.rank : axis)) : NEITHER;
}

/* Queries are [batch, tokens, ...] or [batch, heads, tokens, width]; one operator has its tokens
 * first. */
static int of_attention(const witness *w, const ir_node *n)
{
    const ir_value *q = ir_input(n, 0);
    if (!has_shape(q) || q->type.rank < 3 || q->type.rank > 4)
        return NEITHER;
    int32_t axis = strcmp(n->op->name, "DecoderAttention") ? q->type.rank - 2 : 0;
    ir_dim count = q->type.dims[axis];
    if (dim_known(count) && count > 1) /* no chance: it is that of queries */
        return only_one(count == w->extent[0], count == w->extent[1]);
    return axis_of(w, q, axis);
}

static int shown_by(const witness *w, const ir_node *n)
{
    if (pass_is(n, "Softmax"))
        return of_softmax(w, n);
    if (pass_is_one_of(n, products))
        return of_product(w, n->out[0]);
    if (pass_is_one_of(n, recurrences))
        return axis_of(w, ir_input(n, 0), ir_attr_int(n, "layout", 0) != 0);
    return n->op->flags & OP_ATTENTION ? of_attention(w, n) : NEITHER;
}

/* ---- All of them ----------------------------------------------------------------------------- */

/* What cannot be inferred shows nothing; whoever runs the model says why. */
static heed_status ask_nodes(pass_run *p, const witness *w, int *found)
{
    for (ir_node *n = p->model->main->first; n && *found == NEITHER; n = n->next) {
        heed_status status = pass_infer_node(p, n);
        if (status == HEED_NOMEM)
            return status;
        if (status) {
            err_clear();
            return HEED_OK;
        }
        *found = shown_by(w, n);
    }
    return HEED_OK;
}

/* A past has the batch first, as the input has. */
static bool is_told_by_past(const decoder_roles *r, const ir_type *type)
{
    bool told = false;
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *past = &r->g->inputs[i]->type;
        told = told || (r->role[i] == PAGING_PAST && past->rank > 0 && r->axis[i] != 0 &&
                        past->dims[0] == type->dims[0]);
    }
    return told;
}

heed_status tokens_axis_find(decoder_roles *r)
{
    const ir_type *type = &r->g->inputs[r->main]->type;
    ir_model *copy = NULL;
    arena scratch = {0};
    int found = NEITHER;
    r->tokens_axis = roles_tokens_axis(r, type);
    if (!r->tokens_axis || type->dims[0] == type->dims[1] || type->dims[0] == 1 ||
        is_told_by_past(r, type))
        return HEED_OK;
    TRY(ir_model_copy(r->model, &copy));
    const pass_options options = {0};
    pass_run p = {.model = copy, .options = &options, .scratch = &scratch};
    witness w = {copy->dims, {type->dims[0], type->dims[1]}};
    heed_status status = ask_nodes(&p, &w, &found);
    if (!status && found == 0)
        r->tokens_axis = 0;
    arena_free(&scratch);
    ir_model_free(copy);
    return status;
}
