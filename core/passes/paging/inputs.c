/* inputs.c - pass: a decoder in the form that has no past.
 *
 * before: y, present = f(tokens [B, S], mask [B, P + S], past [B, H, P, D])
 * after:  y = f(tokens [1, S], ones [1, S], empty [1, H, 0, D])
 *
 * Only for paging. What each input is, roles.h says. */
#include <stdio.h>
#include <string.h>

#include "passes/paging/caches.h"

heed_status paging_stop(pass_run *p, const char *reason, const ir_node *at)
{
    pass_paging *g = p->options->paging;
    char text[256];
    g->reason = reason;
    snprintf(g->at, sizeof(g->at), "%s", at ? at->name : "");
    return at ? err_fail(HEED_UNSUPPORTED, "no pages: %s, at %s", reason,
                         ir_node_text(at, text, sizeof(text)))
              : err_fail(HEED_UNSUPPORTED, "no pages: %s", reason);
}

typedef struct decoder {
    pass_run *run;
    ir_graph *g;
    decoder_roles roles;
    cache_map caches;
    ir_dim batch;  /* how many sequences the file takes */
    ir_dim *pasts; /* symbols of their tokens */
    uint32_t n_pasts;
} decoder;

/* ---- The form without a past ---------------------------------------------------------------- */

static heed_status set_dims(decoder *d, ir_value *v)
{
    arena *memory = &d->run->model->memory;
    ir_dims *dims = d->run->model->dims;
    ir_dim *made = arena_array(memory, (size_t)v->type.rank, sizeof(*made));
    if (!made)
        return HEED_NOMEM;
    for (int32_t k = 0; k < v->type.rank; k++) {
        made[k] = v->type.dims[k];
        if (!dim_known(d->batch))
            made[k] = dims_substitute(dims, made[k], d->batch, 1);
        for (uint32_t i = 0; i < d->n_pasts; i++)
            made[k] = dims_substitute(dims, made[k], d->pasts[i], 0);
    }
    v->type.dims = made;
    return HEED_OK;
}

/* An encoder's mask may be as long as what the encoder was given, whatever the file calls its
 * extent: results of sounds and pictures are shorter. Where the graph wants both alike, they become
 * so again (unify.c). */
static void free_extent(decoder *d, uint32_t i)
{
    ir_type *type = &d->g->inputs[i]->type;
    bool mask = d->roles.role[i] == PAGING_SIDE && d->roles.rows[i] == 0 && type->rank == 2 &&
                !dtype_is_float(type->dtype);
    if (mask && dims_is_symbol(d->run->model->dims, type->dims[1]))
        type->dims[1] = dims_fresh(d->run->model->dims);
}

/* The value of an input is known from now on. */
static heed_status fix(decoder *d, uint32_t i, const int64_t *dims, int32_t rank, double value)
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

static heed_status empty_past(decoder *d, uint32_t i)
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

/* A mask [1, tokens] of ones. */
static heed_status ones(decoder *d, uint32_t i)
{
    ir_value *v = d->g->inputs[i];
    op_body b = pass_body(d->run, d->g->last);
    if (v->type.rank != 2)
        return paging_stop(d->run, "a mask that is not one row of tokens a sequence", NULL);
    b.last = d->g->last;
    ir_value *main = d->g->inputs[d->roles.main];
    ir_value *one = body_ints(&b, 1, (int64_t[]){1});
    ir_value *shape = body_concat(&b, one, body_dim(&b, main, main->type.rank == 1 ? 0 : 1), 0);
    ir_value *all = body_2(&b, body_number(&b, v->type.dtype, 1), shape, "Expand");
    if (!b.status)
        ir_value_replace(v, all);
    return b.status;
}

static heed_status without_past(decoder *d, uint32_t i)
{
    const ir_type *type = &d->g->inputs[i]->type;
    int64_t dims[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < type->rank; k++)
        dims[k] = dim_known(type->dims[k]) ? type->dims[k] : 1;
    return fix(d, i, dims, type->rank, d->caches.cached_when ? 0 : 1);
}

/* A number of tokens: none before, S with the new ones. */
static heed_status length(decoder *d, uint32_t i)
{
    ir_value *v = d->g->inputs[i], *main = d->g->inputs[d->roles.main];
    op_body b = pass_body(d->run, d->g->last);
    int64_t shape[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < v->type.rank; k++)
        shape[k] = 1;
    ir_value *n = body_dim(&b, main, main->type.rank == 1 ? 0 : 1);
    if (d->roles.role[i] == PAGING_START)
        n = body_ints(&b, 1, (int64_t[]){0});
    else if (d->roles.role[i] == PAGING_LAST)
        n = body_2(&b, n, body_int(&b, 1), "Sub");
    n = body_2(&b, n, body_ints(&b, v->type.rank, shape), "Reshape");
    n = body_cast(&b, n, v->type.dtype);
    if (!b.status)
        ir_value_replace(v, n);
    return b.status;
}

static heed_status apply(decoder *d, uint32_t i)
{
    static heed_status (*const of_role[PAGING_ROLES])(decoder *, uint32_t) = {
        [PAGING_PAST] = empty_past, [PAGING_MASK] = ones,    [PAGING_SWITCH] = without_past,
        [PAGING_START] = length,    [PAGING_TOTAL] = length, [PAGING_LAST] = length};
    return of_role[d->roles.role[i]] ? of_role[d->roles.role[i]](d, i) : HEED_OK;
}

/* Inputs that nobody gives any more leave the list. */
static void drop_inputs(decoder *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        int role = d->roles.role[i];
        bool stays = role < PAGING_MASK || role == PAGING_SIDE;
        d->g->inputs[i]->is_input = stays;
        if (!stays)
            continue;
        d->g->inputs[n] = d->g->inputs[i];
        d->g->inputs[n]->slot = n;
        n++;
    }
    d->g->n_inputs = n;
}

/* The first result that is no present stays, alone. */
static void drop_outputs(decoder *d)
{
    ir_graph *g = d->g;
    uint32_t kept = d->caches.result;
    for (uint32_t i = 0; i < g->n_outputs; i++)
        g->outputs[i]->n_outputs -= i != kept;
    g->outputs[0] = g->outputs[kept];
    g->output_names[0] = g->output_names[kept];
    g->output_types[0] = g->output_types[kept];
    g->n_outputs = 1;
}

/* ---- All of it ------------------------------------------------------------------------------ */

static heed_status begin(pass_run *p, decoder *d)
{
    ir_graph *g = p->model->main;
    *d = (decoder){.run = p, .g = g};
    TRY(roles_find(p->model, p->scratch, &d->roles));
    if (d->roles.main == UINT32_MAX)
        return paging_stop(p, "no input of tokens or of their embeddings was found", NULL);
    TRY(caches_find(&d->roles, &d->caches));
    d->pasts = arena_array(p->scratch, g->n_inputs, sizeof(*d->pasts));
    if (!d->pasts)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < d->caches.n; i++) { /* only what grows can be taken for empty */
        const cache_pair *pair = &d->caches.pairs[i];
        if (pair->form > CACHE_BUFFER || pair->axis < 0)
            d->roles.role[pair->input] = PAGING_SIDE;
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (d->roles.role[i] == PAGING_PAST) {
            ir_dim symbol = g->inputs[i]->type.dims[d->roles.axis[i]];
            if (dims_is_symbol(p->model->dims, symbol))
                d->pasts[d->n_pasts++] = symbol;
        }
    return HEED_OK;
}

static heed_status tell_roles(const decoder *d)
{
    pass_paging *paging = d->run->options->paging;
    paging->n_inputs = d->g->n_inputs;
    paging->inputs = arena_array(&d->run->model->memory, paging->n_inputs, sizeof(*paging->inputs));
    if (!paging->inputs)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < paging->n_inputs; i++)
        paging->inputs[i] =
            (paging_input){d->g->inputs[i]->name, d->roles.role[i], d->roles.axis[i]};
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    decoder d;
    if (!p->options->paging || p->model->main->n_outputs == 0 || !p->model->main->last)
        return HEED_OK;
    TRY(begin(p, &d));
    const ir_type *main = &d.g->inputs[d.roles.main]->type;
    d.batch = roles_batch(&d.roles);
    if (main->rank < 1 || dim_known(main->dims[main->rank > 1]))
        return paging_stop(p, "the number of tokens is fixed in the file", NULL);
    TRY(tell_roles(&d));
    drop_outputs(&d);
    for (uint32_t i = 0; i < d.g->n_inputs; i++)
        if (d.roles.role[i] != PAGING_PAST)
            TRY(set_dims(&d, d.g->inputs[i]));
    for (uint32_t i = 0; i < d.g->n_inputs; i++) {
        free_extent(&d, i);
        TRY(apply(&d, i));
    }
    drop_inputs(&d);
    p->rewrites++;
    return ir_sort(p->model->main);
}

const pass_def pass_inputs = {
    .name = "inputs",
    .purpose = "a decoder without a past, for pages",
    .order = -1,
    .required = true,
    .run = run,
};
