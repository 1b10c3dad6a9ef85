/* past_inputs.c - the inputs of one run of a decoder as its file has it: tokens, their places, who
 * sees whom, and what is kept of the tokens before. */
#include <math.h>
#include <string.h>

#include "generate/past_model.h"

/* ---- Extents --------------------------------------------------------------------------------- */

static const ir_type *type_of(const past_run *r, size_t i)
{
    return &r->p->roles.g->inputs[i]->type;
}

static const ir_type *main_type(const past_run *r) { return type_of(r, r->p->roles.main); }

static int64_t count(const past_run *r)
{
    return r->p->fixed >= 0 ? r->p->fixed : (int64_t)(r->last - r->first);
}

static const heed_tensor *given_by_name(const past_run *r, const char *name)
{
    for (size_t i = 0; i < r->step->n_inputs; i++)
        if (strcmp(r->step->names[i], name) == 0)
            return r->step->inputs[i];
    return NULL;
}

static const cache_pair *pair_of(const past_run *r, uint32_t input)
{
    for (uint32_t k = 0; k < r->p->caches.n; k++)
        if (r->p->caches.pairs[k].input == input)
            return &r->p->caches.pairs[k];
    return NULL;
}

/* Places of a cache that has room for more than its tokens. */
static int64_t capacity(const past_run *r)
{
    int64_t room = 64;
    while (room < (int64_t)r->last)
        room *= 2;
    return room;
}

/* What a symbol stands for in this run; -1: nothing says so. */
static int64_t value_of(const past_run *r, ir_dim d)
{
    const ir_type *main = main_type(r);
    if (d == roles_tokens(&r->p->roles))
        return count(r);
    if (main->rank > 1 && d == roles_batch(&r->p->roles))
        return r->p->copies;
    for (uint32_t k = 0; k < r->p->caches.n; k++) {
        const cache_pair *pair = &r->p->caches.pairs[k];
        if (pair->axis < 0 || type_of(r, pair->input)->dims[pair->axis] != d)
            continue;
        if (pair->form <= CACHE_BUFFER)
            return r->first;
        const heed_tensor *kept = r->state ? r->state->tensors[k] : NULL;
        bool fits = kept && kept->dims[pair->axis] >= (int64_t)r->last;
        return fits ? kept->dims[pair->axis] : capacity(r);
    }
    for (uint32_t i = 0; i < r->p->roles.n; i++) {
        const ir_type *type = type_of(r, i);
        const heed_tensor *side = given_by_name(r, r->p->names[i]);
        for (int32_t k = 0; side && type->rank == tensor_rank(side) && k < type->rank; k++)
            if (type->dims[k] == d)
                return side->dims[k];
    }
    return -1;
}

/* Extents that nothing tells are 1, and of the tokens' axis as many as there are tokens. */
static void set_dims(const past_run *r, uint32_t i, int32_t tokens, int64_t *dims)
{
    const ir_type *type = type_of(r, i);
    for (int32_t k = 0; k < type->rank; k++) {
        dims[k] = dim_known(type->dims[k]) ? type->dims[k] : value_of(r, type->dims[k]);
        if (dims[k] < 0)
            dims[k] = k == tokens ? count(r) : 1;
    }
}

static heed_status make(past_run *r, uint32_t i, const int64_t *dims)
{
    const ir_type *type = type_of(r, i);
    TRY(tensor_new(type->dtype, type->rank, dims, &r->in[i]));
    r->given[i] = r->in[i];
    return HEED_OK;
}

/* ---- Content --------------------------------------------------------------------------------- */

/* value(r, i, query, key): of an element in the last two axes. */
typedef double (*element)(const past_run *r, uint32_t i, int64_t row, int64_t column);

static heed_status fill(past_run *r, uint32_t i, element value)
{
    heed_tensor *t = r->in[i];
    int32_t rank = tensor_rank(t);
    int64_t n = tensor_count(t), columns = rank > 0 ? t->dims[rank - 1] : 1;
    int64_t rows = rank > 1 ? t->dims[rank - 2] : 1;
    for (int64_t k = 0; k < n; k++) {
        double x = value(r, i, k / columns % rows, k % columns);
        TRY(heed_tensor_write_f64(t, k, 1, &x));
    }
    return HEED_OK;
}

/* The token of an element in [batch, tokens] or [tokens, batch]. */
static int64_t place_of(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    bool first = roles_tokens_first(&r->p->roles, i) && type_of(r, i)->rank == 2;
    return r->first + (first ? row : column);
}

static double token_at(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    int64_t at = place_of(r, i, row, column);
    return at < r->last ? r->step->tokens[at] : 0; /* behind a fixed number nobody looks */
}

static double position(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    return (double)place_of(r, i, row, column);
}

static double sees(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    bool added = r->p->roles.added[i];
    int64_t last = roles_has_queries(&r->p->roles, i) ? r->first + row : (int64_t)r->last - 1;
    bool visible = column <= last && column < (int64_t)r->last;
    heed_dtype dtype = type_of(r, i)->dtype;
    double lowest = dtype == HEED_FLOAT16 ? -65504 : -3.3e38;
    return added ? (visible ? 0 : lowest) : visible != r->p->roles.hides[i];
}

static double length(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    int role = r->p->roles.role[i];
    (void)row;
    (void)column;
    return role == PAGING_START ? r->first : role == PAGING_TOTAL ? r->last : r->last - 1.0;
}

static double has_past(const past_run *r, uint32_t i, int64_t row, int64_t column)
{
    (void)i;
    (void)row;
    (void)column;
    return (r->state != NULL) == r->p->caches.cached_when;
}

/* ---- By role --------------------------------------------------------------------------------- */

static heed_status make_rows(past_run *r, uint32_t i, element value)
{
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, type_of(r, i)->rank - 1, dims);
    TRY(make(r, i, dims));
    return fill(r, i, value);
}

static heed_status make_tokens(past_run *r, uint32_t i) { return make_rows(r, i, token_at); }
static heed_status make_places(past_run *r, uint32_t i) { return make_rows(r, i, position); }

/* Rows first to last - 1 of what was given for all tokens; of what was not, zeros. */
static heed_status make_kept(past_run *r, uint32_t i)
{
    const heed_tensor *all = given_by_name(r, r->p->names[i]);
    int64_t dims[TENSOR_MAX_RANK];
    bool main = i == r->p->roles.main;
    int32_t rank = type_of(r, i)->rank;
    int32_t axis = rank > 1 && !roles_tokens_first(&r->p->roles, i);
    if (!all && main)
        return err_fail(HEED_UNSUPPORTED, "the model takes embeddings, not tokens");
    set_dims(r, i, axis, dims);
    TRY(make(r, i, dims));
    if (!all)
        return HEED_OK;
    size_t copies = rank > 1 ? (size_t)dims[!axis] : 1, all_rows = copies * (size_t)dims[axis];
    size_t row = all_rows ? tensor_bytes(r->in[i]) / all_rows : 0;
    if (tensor_rank(all) != rank || all->dtype != r->in[i]->dtype ||
        all->dims[axis] < (int64_t)r->last || (rank > 1 && all->dims[!axis] != 1) ||
        row * (size_t)all->dims[axis] != tensor_bytes(all))
        return err_fail(HEED_INVALID, "\"%s\" has no row for each token", r->p->names[i]);
    for (size_t b = 0; b < copies; b++)
        memcpy((char *)tensor_data(r->in[i]) + b * (size_t)dims[axis] * row,
               (const char *)tensor_data(all) + r->first * row, (r->last - r->first) * row);
    return HEED_OK;
}

static heed_status make_mask(past_run *r, uint32_t i)
{
    const ir_type *type = type_of(r, i);
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, -1, dims);
    int32_t last = type->rank - 1;
    /* also where the file calls the keys what it calls the tokens: it was exported without a past
     */
    if (last >= 0 && !dim_known(type->dims[last]) &&
        (type->dims[last] == roles_tokens(&r->p->roles) || value_of(r, type->dims[last]) < 0))
        dims[last] = r->p->fixed > (int64_t)r->last ? r->p->fixed : (int64_t)r->last;
    if (roles_has_queries(&r->p->roles, i))
        dims[last - 1] = count(r);
    TRY(make(r, i, dims));
    return fill(r, i, sees);
}

static heed_status make_length(past_run *r, uint32_t i)
{
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, -1, dims);
    TRY(make(r, i, dims));
    return fill(r, i, length);
}

static heed_status make_switch(past_run *r, uint32_t i)
{
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, -1, dims);
    TRY(make(r, i, dims));
    return fill(r, i, has_past);
}

/* An extent of a past that no input tells: that of what comes out. */
static int64_t inferred(const past_run *r, const cache_pair *pair, int32_t axis)
{
    const ir_type *out = &r->p->roles.g->output_types[pair->output];
    const ir_type *known = r->p->known[pair->output];
    for (int k = 0; k < 2; k++, out = known)
        if (out && out->rank == type_of(r, pair->input)->rank && dim_known(out->dims[axis]))
            return out->dims[axis];
    return 1;
}

static heed_status make_first_past(past_run *r, uint32_t i, const cache_pair *pair)
{
    const ir_type *type = type_of(r, i);
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, -1, dims);
    for (int32_t k = 0; k < type->rank; k++)
        if (!dim_known(type->dims[k]) && value_of(r, type->dims[k]) < 0)
            dims[k] = k == pair->axis ? 0 : inferred(r, pair, k);
    return make(r, i, dims);
}

/* Nothing of it comes out again: the sequence is computed from its beginning. */
static heed_status make_no_past(past_run *r, uint32_t i)
{
    int64_t dims[TENSOR_MAX_RANK];
    set_dims(r, i, -1, dims);
    dims[r->p->roles.axis[i]] = 0;
    return make(r, i, dims);
}

static heed_status make_past(past_run *r, uint32_t i)
{
    const cache_pair *pair = pair_of(r, i);
    if (!pair)
        return make_no_past(r, i);
    const heed_tensor *side = given_by_name(r, r->p->names[i]);
    const heed_tensor *kept = r->state ? r->state->tensors[pair - r->p->caches.pairs] : NULL;
    if (!kept && side && pair->form >= CACHE_STATE) {
        r->given[i] = side;
        return HEED_OK;
    }
    if (!kept)
        return make_first_past(r, i, pair);
    r->given[i] = kept;
    bool grows = pair->form == CACHE_STATIC || pair->form == CACHE_TENSOR_SCATTER;
    if (!grows || pair->axis < 0 || dim_known(type_of(r, i)->dims[pair->axis]) ||
        kept->dims[pair->axis] >= (int64_t)r->last)
        return HEED_OK;
    TRY(past_resize(kept, pair->axis, capacity(r), &r->in[i]));
    r->given[i] = r->in[i];
    return HEED_OK;
}

static heed_status make_side(past_run *r, uint32_t i)
{
    r->given[i] = given_by_name(r, r->p->names[i]);
    if (r->given[i])
        return HEED_OK;
    if (r->p->roles.g->inputs[i]->uses)
        return err_fail(HEED_USAGE, "the input \"%s\" is missing", r->p->names[i]);
    int64_t dims[TENSOR_MAX_RANK]; /* nobody reads it */
    set_dims(r, i, -1, dims);
    return make(r, i, dims);
}

heed_status past_make_inputs(past_run *r)
{
    static heed_status (*const by_role[PAGING_ROLES])(past_run *, uint32_t) = {
        [PAGING_KEPT] = make_kept,        [PAGING_TOKENS] = make_tokens,
        [PAGING_POSITIONS] = make_places, [PAGING_MASK] = make_mask,
        [PAGING_PAST] = make_past,        [PAGING_SWITCH] = make_switch,
        [PAGING_SIDE] = make_side,        [PAGING_START] = make_length,
        [PAGING_TOTAL] = make_length,     [PAGING_LAST] = make_length,
    };
    for (uint32_t i = 0; i < r->p->roles.n; i++)
        if (roles_is_given(r->p->roles.g->inputs[i]) &&
            !(r->p->roles.g->inputs[i]->uses == NULL && type_of(r, i)->rank < 0))
            TRY(by_role[r->p->roles.role[i]](r, i));
    return HEED_OK;
}
