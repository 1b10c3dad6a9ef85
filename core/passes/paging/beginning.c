/* beginning.c - see beginning.h. */
#include "passes/paging/beginning.h"

static ir_value *main_input(const beginning *d) { return d->g->inputs[d->roles.main]; }

/* The axis of the tokens in the main input. */
static int32_t tokens_axis(const beginning *d) { return main_input(d)->type.rank > 1; }

/* Whatever reads the input reads this. */
static heed_status put(beginning *d, uint32_t i, const op_body *b, ir_value *made)
{
    if (!b->status)
        ir_value_replace(d->g->inputs[i], made);
    return b->status;
}

/* ---- The past -------------------------------------------------------------------------------- */

/* The value of an input is known from now on. */
static heed_status fix(beginning *d, uint32_t i, const int64_t *dims, int32_t rank, double value)
{
    ir_value *v = d->g->inputs[i];
    heed_tensor *t;
    TRY(heed_tensor_new(v->type.dtype, rank, dims, &t));
    for (int64_t k = 0; value != 0 && k < tensor_count(t); k++)
        TRY(heed_tensor_write_f64(t, k, 1, &value));
    ir_value *made = ir_constant_new(d->g, NULL, t);
    if (!made)
        return HEED_NOMEM;
    ir_value_replace(v, made);
    return HEED_OK;
}

static heed_status empty_past(beginning *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    int64_t dims[TENSOR_MAX_RANK];
    for (ir_use *use = d->g->inputs[i]->uses, *next; use; use = next) {
        next = use->next;
        if (growth_is_past_slot(use))
            ir_node_set_input(use->node, use->slot, NULL);
    }
    if (!d->g->inputs[i]->uses)
        return HEED_OK;
    for (int32_t k = 0; k < type->rank; k++) {
        dims[k] = k == d->roles.axis[i] ? 0 : dim_known(type->dims[k]) ? type->dims[k] : 1;
        if (k != d->roles.axis[i] && !dim_known(type->dims[k]) && type->dims[k] != d->batch)
            return paging_stop(d->run, "a past of heads whose size only a run tells", NULL);
    }
    return fix(d, i, dims, type->rank, 0);
}

/* A cache that is written has its places, and nothing in them. Those that the caller may choose the
 * number of are as many as there are tokens. */
static heed_status unwritten(beginning *d, uint32_t i)
{
    ir_value *v = d->g->inputs[i], *shape = NULL;
    op_body b = pass_body(d->run, d->g->last);
    for (int32_t k = 0; k < v->type.rank; k++) {
        bool place = false;
        for (uint32_t p = 0; p < d->n_places; p++)
            place = place || d->places[p] == v->type.dims[k];
        if (!dim_known(v->type.dims[k]) && !place && v->type.dims[k] != d->batch)
            return paging_stop(d->run, "a past of heads whose size only a run tells", NULL);
        int64_t number = dim_known(v->type.dims[k]) ? v->type.dims[k] : 1;
        ir_value *one =
            place ? body_dim(&b, main_input(d), tokens_axis(d)) : body_ints(&b, 1, &number);
        shape = shape ? body_concat(&b, shape, one, 0) : one;
    }
    return put(d, i, &b, body_2(&b, body_number(&b, v->type.dtype, 0), shape, "Expand"));
}

static heed_status no_past(beginning *d, uint32_t i)
{
    return d->roles.axis[i] < 0 ? unwritten(d, i) : empty_past(d, i);
}

/* ---- Masks and places ------------------------------------------------------------------------ */

static heed_status refuse_mask(const beginning *d)
{
    return paging_stop(d->run, "a mask of neither a row of tokens a sequence nor queries and keys",
                       NULL);
}

/* 0, 1, ... to the number of tokens. */
static ir_value *all_places(beginning *d, op_body *b)
{
    return body_range(b, body_size(b, main_input(d), tokens_axis(d)));
}

/* A mask [1, tokens] that hides nothing. */
static heed_status all_visible(beginning *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    op_body b = pass_body(d->run, d->g->last);
    if (type->rank != 2)
        return refuse_mask(d);
    ir_value *one = body_ints(&b, 1, (int64_t[]){1});
    ir_value *shape = body_concat(&b, one, body_dim(&b, main_input(d), tokens_axis(d)), 0);
    ir_value *visible =
        body_number(&b, type->dtype, d->roles.added[i] || d->roles.hides[i] ? 0 : 1);
    return put(d, i, &b, body_2(&b, visible, shape, "Expand"));
}

/* A mask [.., queries, keys] that hides what comes later, as a generator needs it. */
static heed_status causal(beginning *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    op_body b = pass_body(d->run, d->g->last);
    int32_t rank = type->rank;
    ir_dim n_keys = type->dims[rank - 1];
    if (type->dims[rank - 2] != main_input(d)->type.dims[tokens_axis(d)])
        return refuse_mask(d);
    ir_value *queries = all_places(d, &b);
    ir_value *keys = dim_known(n_keys) ? body_range(&b, body_int(&b, n_keys)) : queries;
    ir_value *made = body_2(&b, keys, body_reshape(&b, queries, "-1,1"), "LessOrEqual");
    if (d->roles.added[i])
        made = body_3(&b, made, body_number(&b, type->dtype, 0),
                      body_number(&b, type->dtype, type->dtype == HEED_FLOAT16 ? -65504 : -3.3e38),
                      "Where");
    else
        made = body_cast(&b, d->roles.hides[i] ? body_1(&b, made, "Not") : made, type->dtype);
    for (int32_t k = 2; k < rank; k++)
        made = body_unsqueeze(&b, made, "0");
    return put(d, i, &b, made);
}

static heed_status mask(beginning *d, uint32_t i)
{
    return roles_has_queries(&d->roles, i) ? causal(d, i) : all_visible(d, i);
}

/* Positions that say which places of a cache are written are those of the tokens. */
static heed_status places(beginning *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    op_body b = pass_body(d->run, d->g->last);
    if (!d->roles.writes[i] || type->rank < 1 || type->rank > 2)
        return HEED_OK;
    ir_value *made = body_cast(&b, all_places(d, &b), type->dtype);
    return put(d, i, &b, type->rank == 2 ? body_unsqueeze(&b, made, "0") : made);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static heed_status without_past(beginning *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    int64_t dims[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < type->rank; k++)
        dims[k] = dim_known(type->dims[k]) ? type->dims[k] : 1;
    return fix(d, i, dims, type->rank, d->caches.cached_when ? 0 : 1);
}

/* A number of tokens: none before, S with the new ones. */
static heed_status length(beginning *d, uint32_t i)
{
    ir_value *v = d->g->inputs[i];
    op_body b = pass_body(d->run, d->g->last);
    int64_t shape[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < v->type.rank; k++)
        shape[k] = 1;
    ir_value *n = body_dim(&b, main_input(d), tokens_axis(d));
    if (d->roles.role[i] == PAGING_START)
        n = body_ints(&b, 1, (int64_t[]){0});
    else if (d->roles.role[i] == PAGING_LAST)
        n = body_2(&b, n, body_int(&b, 1), "Sub");
    n = body_2(&b, n, body_ints(&b, v->type.rank, shape), "Reshape");
    return put(d, i, &b, body_cast(&b, n, v->type.dtype));
}

heed_status beginning_take(beginning *d, uint32_t i)
{
    static heed_status (*const of_role[PAGING_ROLES])(beginning *, uint32_t) = {
        [PAGING_POSITIONS] = places,    [PAGING_MASK] = mask,    [PAGING_PAST] = no_past,
        [PAGING_SWITCH] = without_past, [PAGING_START] = length, [PAGING_TOTAL] = length,
        [PAGING_LAST] = length,
    };
    return of_role[d->roles.role[i]] ? of_role[d->roles.role[i]](d, i) : HEED_OK;
}
