/* inputs.c - pass: a decoder in the form that has no past.
 *
 * before: y, present = f(tokens [B, S], mask [B, P + S], past [B, H, P, D])
 * after:  y = f(tokens [1, S], ones [1, S], empty [1, H, 0, D])
 *
 * before: y, cache = f(tokens [B, S], places [S], cache [B, H, C, D])
 * after:  y = f(tokens [1, S], 0 to S - 1, nothing written [1, H, C, D])
 *
 * before: y [S, B, D] = f(x [S, B, D])
 * after:  y [S, 1, D] = f(Transpose(x [1, S, D]))
 *
 * Only for paging. What each input is, roles.h says. */
#include <stdio.h>
#include <string.h>

#include "passes/paging/fixed.h"

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

void paging_limit(pass_run *p, int64_t most)
{
    pass_paging *g = p->options->paging;
    g->most = g->most && g->most < most ? g->most : most;
}

/* ---- The form without a past ---------------------------------------------------------------- */

static ir_dim tokens_of(const beginning *d) { return roles_tokens(&d->roles); }

static heed_status set_dims(beginning *d, ir_value *v)
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
        for (uint32_t i = 0; i < d->n_places; i++)
            made[k] = dims_substitute(dims, made[k], d->places[i], tokens_of(d));
    }
    v->type.dims = made;
    return HEED_OK;
}

/* An encoder's mask may be as long as what the encoder was given, whatever the file calls its
 * extent: results of sounds and pictures are shorter. Where the graph wants both alike, they become
 * so again (unify.c). */
static void free_extent(beginning *d, uint32_t i)
{
    ir_type *type = &d->g->inputs[i]->type;
    bool mask = d->roles.role[i] == PAGING_SIDE && d->roles.rows[i] == 0 && type->rank == 2 &&
                !dtype_is_float(type->dtype);
    if (mask && dims_is_symbol(d->run->model->dims, type->dims[1]))
        type->dims[1] = dims_fresh(d->run->model->dims);
}

/* Inputs that nobody gives any more leave the list. */
static void drop_inputs(beginning *d)
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
static void drop_outputs(beginning *d)
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

static heed_status turn(beginning *d, ir_value *x)
{
    ir_value *turned;
    arena *memory = &d->run->model->memory;
    char perm[4 * TENSOR_MAX_RANK] = "1,0";
    ir_dim *dims = arena_array(memory, (size_t)x->type.rank, sizeof(*dims));
    if (!dims)
        return HEED_NOMEM;
    for (int32_t k = 0; k < x->type.rank; k++) {
        size_t length = strlen(perm);
        dims[k] = x->type.dims[k < 2 ? !k : k];
        if (k > 1)
            snprintf(perm + length, sizeof(perm) - length, ",%d", k);
    }
    x->type.dims = dims;
    op_body b = pass_body(d->run, d->g->last);
    turned = body_transpose(&b, x, perm);
    TRY(b.status);
    for (ir_use *use = x->uses, *next; use; use = next) {
        next = use->next;
        if (use->node != turned->producer)
            ir_node_set_input(use->node, use->slot, turned);
    }
    return HEED_OK;
}

/* Steps have tokens along the second axis: of the main input, and of what stands beside it. */
static heed_status turn_tokens(beginning *d)
{
    uint32_t main = d->roles.main;
    if (d->roles.tokens_axis == 1 || d->g->inputs[main]->type.rank < 2)
        return HEED_OK;
    for (uint32_t i = 0; i < d->g->n_inputs; i++)
        if (i != main && d->roles.role[i] <= PAGING_MASK && roles_tokens_first(&d->roles, i))
            TRY(turn(d, d->g->inputs[i]));
    TRY(turn(d, d->g->inputs[main]));
    d->roles.tokens_axis = 1;
    return ir_sort(d->g);
}

/* What grows is taken for empty, what is written for not written yet; the rest stays. */
static void begin_cache(beginning *d, const cache_pair *pair)
{
    const ir_type *type = &d->g->inputs[pair->input]->type;
    bool written = pair->form == CACHE_STATIC || pair->form == CACHE_TENSOR_SCATTER;
    if (cache_is_newest_inputs(d->g, pair))
        return; /* zeros at the beginning */
    if (!written && (pair->form > CACHE_BUFFER || pair->axis < 0)) {
        d->roles.role[pair->input] = PAGING_SIDE;
        return;
    }
    if (written)
        d->roles.axis[pair->input] = -1; /* nothing of it grows */
    if (pair->axis < 0 || !dims_is_symbol(d->run->model->dims, type->dims[pair->axis]))
        return;
    if (written)
        d->places[d->n_places++] = type->dims[pair->axis];
    else
        d->pasts[d->n_pasts++] = type->dims[pair->axis];
}

static heed_status begin(pass_run *p, beginning *d)
{
    ir_graph *g = p->model->main;
    *d = (beginning){.run = p, .g = g};
    TRY(roles_find(p->model, p->scratch, &d->roles));
    if (d->roles.unclear[0] != UINT32_MAX)
        return paging_stop(p, "two inputs look up tables, and nothing tells which has the tokens",
                           NULL);
    if (d->roles.main == UINT32_MAX)
        return paging_stop(p, "no input of tokens or of their embeddings was found", NULL);
    TRY(caches_find(&d->roles, &d->caches));
    d->pasts = arena_array(p->scratch, g->n_inputs, sizeof(*d->pasts));
    d->places = arena_array(p->scratch, g->n_inputs, sizeof(*d->places));
    if (!d->pasts || !d->places)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < d->caches.n; i++)
        begin_cache(d, &d->caches.pairs[i]);
    return HEED_OK;
}

static heed_status tell_roles(const beginning *d)
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
    beginning d;
    if (!p->options->paging || p->model->main->n_outputs == 0 || !p->model->main->last)
        return HEED_OK;
    TRY(begin(p, &d));
    TRY(turn_tokens(&d));
    if (tokens_of(&d) == DIM_UNKNOWN)
        return paging_stop(p, "the number of tokens is not known to be one", NULL);
    if (!dim_known(tokens_of(&d)))
        TRY(fixed_learn(&d));
    if (dim_known(tokens_of(&d)))
        TRY(fixed_free(&d));
    d.batch = roles_batch(&d.roles);
    dims_set_range(p->model->dims, tokens_of(&d), 1, INT64_MAX);
    TRY(tell_roles(&d));
    drop_outputs(&d);
    for (uint32_t i = 0; i < d.g->n_inputs; i++)
        if (d.roles.role[i] != PAGING_PAST)
            TRY(set_dims(&d, d.g->inputs[i]));
    for (uint32_t i = 0; i < d.g->n_inputs; i++) {
        free_extent(&d, i);
        TRY(beginning_take(&d, i));
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
