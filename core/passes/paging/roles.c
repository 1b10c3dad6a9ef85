/* roles.c - see roles.h. */
#include "passes/paging/roles.h"

int32_t roles_batch_axis(const decoder_roles *r)
{
    return r->g->inputs[r->main]->type.rank > 1 ? !r->tokens_axis : -1;
}

ir_dim roles_batch(const decoder_roles *r)
{
    int32_t axis = roles_batch_axis(r);
    return axis >= 0 ? r->g->inputs[r->main]->type.dims[axis] : 1;
}

ir_dim roles_tokens(const decoder_roles *r)
{
    const ir_type *main = &r->g->inputs[r->main]->type;
    return main->rank > 0 ? main->dims[r->tokens_axis] : DIM_UNKNOWN;
}

/* [tokens, batch, ...]: a mask has its first extent twice. */
int32_t roles_tokens_axis(const decoder_roles *r, const ir_type *type)
{
    for (uint32_t i = 0; i < r->n && type->rank > 1; i++) {
        const ir_type *mask = &r->g->inputs[i]->type;
        ir_dim last = mask->rank > 1 ? mask->dims[mask->rank - 1] : 1;
        if (last != 1 && last != type->dims[1] && last == type->dims[0] &&
            mask->dims[mask->rank - 2] == last)
            return 0;
    }
    return type->rank > 1;
}

bool roles_tokens_first(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *main = &r->g->inputs[r->main]->type;
    return main->rank > 1 && type->rank > 1 && r->tokens_axis == 0 &&
           type->dims[0] == main->dims[0] && type->dims[1] == main->dims[1];
}

bool roles_has_queries(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *main = &r->g->inputs[r->main]->type;
    ir_dim rows = type->rank > 1 ? type->dims[type->rank - 2] : 1;
    bool batch = type->rank == 2 && (main->rank < 2 || rows == roles_batch(r));
    return type->rank > 2 ? rows != 1 : rows == roles_tokens(r) && !batch;
}

/* Of queries and keys, the same for all heads. */
static bool is_square_mask(const ir_type *type)
{
    for (int32_t k = 1; k + 2 < type->rank; k++)
        if (type->dims[k] != 1)
            return false;
    return type->rank > 1 && type->rank < 5 && !dim_known(type->dims[type->rank - 1]);
}

/* Floats are added to scores, or 1 where something is visible. */
static void find_float_mask(decoder_roles *r, uint32_t i, unsigned found)
{
    const ir_type *type = &r->g->inputs[i]->type;
    bool truths = (found & (SEES_HIDES | SEES_SHOWS)) && (found & SEES_SOFTMAX);
    bool row = type->rank == 2 && !dim_known(type->dims[1]);
    r->added[i] = !truths && (found & SEES_SCORES) && is_square_mask(type);
    if (r->added[i] || (truths && (row || is_square_mask(type))))
        r->role[i] = PAGING_MASK;
}

static heed_status find_role(decoder_roles *r, uint32_t i)
{
    const ir_value *v = r->g->inputs[i];
    roles_search s;
    r->role[i] = PAGING_SIDE;
    r->axis[i] = -1;
    if (!roles_is_given(v) || v->type.kind != HEED_KIND_TENSOR || v->type.rank < 0)
        return HEED_OK;
    bool whole = !dtype_is_float(v->type.dtype);
    r->axis[i] = whole ? -1 : growth_axis(v);
    if (r->axis[i] >= 0) {
        r->role[i] = PAGING_PAST;
        return HEED_OK;
    }
    TRY(roles_search_from(r, v, NULL, 0, &s));
    r->rows[i] = s.found & SEES_TABLE ? s.rows : s.turn_rows;
    r->table[i] = s.table;
    r->lookup[i] = s.lookup;
    r->ordered[i] = (s.found & SEES_ORDER) != 0;
    r->hides[i] = (s.found & SEES_HIDES) && !(s.found & SEES_SHOWS);
    if (!whole) {
        find_float_mask(r, i, s.found);
        return HEED_OK;
    }
    if (s.found & SEES_TABLE)
        r->role[i] = PAGING_KEPT;
    else if (s.found & SEES_BRANCH)
        r->role[i] = PAGING_SWITCH;
    else if (s.found & SEES_ANGLE)
        r->role[i] = PAGING_POSITIONS;
    else if (s.found & SEES_SOFTMAX)
        r->role[i] = PAGING_MASK;
    return HEED_OK;
}

/* There is no table: embeddings come from outside. Those that the result has rows of, of any
 * number, come first. */
static void find_embeddings(decoder_roles *r)
{
    int best = -1;
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *type = &r->g->inputs[i]->type;
        if (r->role[i] != PAGING_SIDE || !roles_is_given(r->g->inputs[i]) ||
            !dtype_is_float(type->dtype) || type->rank != 3)
            continue;
        bool open = !dim_known(type->dims[roles_tokens_axis(r, type)]);
        int good = !open ? 0 : tokens_in_result(r, i) ? 2 : 1;
        if (good <= best)
            continue;
        best = good;
        r->main = i;
    }
    if (best >= 0)
        r->role[r->main] = PAGING_KEPT;
}

/* A mask of other tokens, an encoder's: another input has as many of them. */
static bool is_of_others(const decoder_roles *r, uint32_t mask)
{
    const ir_type *type = &r->g->inputs[mask]->type;
    ir_dim count = type->rank > 0 ? type->dims[type->rank - 1] : 1;
    bool found = false;
    if (dim_known(count) || count == roles_tokens(r))
        return count != roles_tokens(r);
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *other = &r->g->inputs[i]->type;
        bool counts = i != mask && (r->role[i] == PAGING_SIDE || r->role[i] == PAGING_PAST);
        for (int32_t k = 0; counts && k < other->rank; k++)
            found = found || (k != r->axis[i] && other->dims[k] == count);
    }
    return found;
}

/* Masks, once the tokens are known: some are of other tokens, and some are places that decide who
 * sees whom. */
static void settle_mask(decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type;
    bool each =
        (type->rank == 1 || type->rank == 2) && type->dims[type->rank - 1] == roles_tokens(r);
    if (r->ordered[i] && each && dtype_is_int(type->dtype))
        r->role[i] = PAGING_POSITIONS;
    else if (is_of_others(r, i))
        r->role[i] = PAGING_SIDE;
}

heed_status roles_fail(const decoder_roles *r)
{
    if (r->unclear[0] == UINT32_MAX)
        return err_fail(HEED_UNSUPPORTED,
                        "no input of tokens or of their embeddings was found: this is no decoder");
    uint32_t a = r->unclear[0], b = r->unclear[1];
    return err_fail(
        HEED_UNSUPPORTED,
        "the inputs \"%s\" and \"%s\" look up tables of %lld and %lld rows, and nothing "
        "in the graph tells which has the tokens",
        r->g->inputs[a]->name, r->g->inputs[b]->name, (long long)r->rows[a], (long long)r->rows[b]);
}

heed_status roles_find(const ir_model *m, arena *memory, decoder_roles *out)
{
    uint32_t n = m->main->n_inputs;
    *out = (decoder_roles){.model = m,
                           .g = m->main,
                           .memory = memory,
                           .n = n,
                           .main = UINT32_MAX,
                           .unclear = {UINT32_MAX, UINT32_MAX}};
    out->role = arena_array(memory, n, sizeof(*out->role));
    out->rows = arena_array(memory, n, sizeof(*out->rows));
    out->hides = arena_array(memory, n, sizeof(*out->hides));
    out->table = arena_array(memory, n, sizeof(*out->table));
    out->axis = arena_array(memory, n, sizeof(*out->axis));
    out->lookup = arena_array(memory, n, sizeof(*out->lookup));
    out->ordered = arena_array(memory, n, sizeof(*out->ordered));
    out->writes = arena_array(memory, n, sizeof(*out->writes));
    out->added = arena_array(memory, n, sizeof(*out->added));
    if (!out->role || !out->rows || !out->table || !out->hides || !out->writes || !out->axis ||
        !out->added || !out->lookup || !out->ordered)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        TRY(find_role(out, i));
    if (m->main->n_outputs > 0)
        TRY(tokens_find(out));
    if (m->main->n_outputs > 0 && out->main == UINT32_MAX && out->unclear[0] == UINT32_MAX)
        find_embeddings(out);
    if (out->main != UINT32_MAX)
        TRY(tokens_axis_find(out));
    for (uint32_t i = 0; out->main != UINT32_MAX && i < n; i++)
        if (out->role[i] == PAGING_MASK && m->main->inputs[out->main]->type.rank > 0)
            settle_mask(out, i);
    return HEED_OK;
}
