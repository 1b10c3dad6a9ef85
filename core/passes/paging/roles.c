/* roles.c - see roles.h. */
#include "passes/paging/roles.h"

ir_dim roles_batch(const decoder_roles *r)
{
    const ir_type *main = &r->g->inputs[r->main]->type;
    return main->rank > 1 ? main->dims[0] : 1;
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
    r->rows[i] = s.found & SEES_TABLE ? s.rows : 0;
    if (!whole)
        return HEED_OK;
    if (s.found & SEES_TABLE)
        r->role[i] = PAGING_KEPT;
    else if (s.found & SEES_BRANCH)
        r->role[i] = PAGING_SWITCH;
    else if (s.found & SEES_WAVE)
        r->role[i] = PAGING_POSITIONS;
    else if (s.found & SEES_SOFTMAX)
        r->role[i] = PAGING_MASK;
    return HEED_OK;
}

/* Of the inputs that look up a table: the tokens are those with a row for each class of the result,
 * or with the most rows. */
static void find_tokens(decoder_roles *r)
{
    const ir_type *result = &r->g->output_types[0];
    int64_t classes = result->rank > 0 ? result->dims[result->rank - 1] : -1, most = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        int64_t rows = r->rows[i] == classes && classes > 0 ? INT64_MAX : r->rows[i];
        if (r->role[i] == PAGING_KEPT && rows > most) {
            most = rows;
            r->main = i;
        }
    }
    for (uint32_t i = 0; most > 0 && i < r->n; i++)
        if (r->role[i] == PAGING_KEPT && r->rows[i] > 4)
            r->role[i] = i == r->main ? PAGING_TOKENS : PAGING_POSITIONS;
    /* no table: embeddings come from outside */
    for (uint32_t i = 0; most == 0 && i < r->n; i++) {
        const ir_type *type = &r->g->inputs[i]->type;
        if (r->role[i] == PAGING_SIDE && dtype_is_float(type->dtype) && type->rank == 3 &&
            !dim_known(type->dims[1])) {
            r->role[i] = PAGING_KEPT;
            r->main = i;
            return;
        }
    }
}

/* A mask of other tokens, an encoder's: another input has as many of them. */
static bool is_of_others(const decoder_roles *r, uint32_t mask)
{
    const ir_type *type = &r->g->inputs[mask]->type, *main = &r->g->inputs[r->main]->type;
    ir_dim count = type->rank > 0 ? type->dims[type->rank - 1] : 1;
    bool found = false;
    if (dim_known(count) || count == main->dims[main->rank > 1])
        return dim_known(count);
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *other = &r->g->inputs[i]->type;
        bool counts = i != mask && (r->role[i] == PAGING_SIDE || r->role[i] == PAGING_PAST);
        for (int32_t k = 0; counts && k < other->rank; k++)
            found = found || (k != r->axis[i] && other->dims[k] == count);
    }
    return found;
}

heed_status roles_find(const ir_model *m, arena *memory, decoder_roles *out)
{
    uint32_t n = m->main->n_inputs;
    *out = (decoder_roles){.model = m, .g = m->main, .memory = memory, .n = n, .main = UINT32_MAX};
    out->role = arena_array(memory, n, sizeof(*out->role));
    out->rows = arena_array(memory, n, sizeof(*out->rows));
    out->axis = arena_array(memory, n, sizeof(*out->axis));
    out->added = arena_array(memory, n, sizeof(*out->added));
    if (!out->role || !out->rows || !out->axis || !out->added)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        TRY(find_role(out, i));
    if (m->main->n_outputs > 0)
        find_tokens(out);
    for (uint32_t i = 0; out->main != UINT32_MAX && i < n; i++)
        if (out->role[i] == PAGING_MASK && m->main->inputs[out->main]->type.rank > 0 &&
            is_of_others(out, i))
            out->role[i] = PAGING_SIDE;
    return HEED_OK;
}
