/* roles.c - see roles.h. */
#include "passes/paging/roles.h"

ir_dim roles_batch(const decoder_roles *r)
{
    const ir_type *main = &r->g->inputs[r->main]->type;
    return main->rank > 1 ? main->dims[0] : 1;
}

bool roles_has_queries(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *main = &r->g->inputs[r->main]->type;
    ir_dim rows = type->rank > 1 ? type->dims[type->rank - 2] : 1;
    bool batch = type->rank == 2 && (main->rank < 2 || rows == main->dims[0]);
    return type->rank > 2 ? rows != 1 : rows == main->dims[main->rank > 1] && !batch;
}

/* Of queries and keys, the same for all heads. */
static bool is_square_mask(const ir_type *type)
{
    for (int32_t k = 1; k + 2 < type->rank; k++)
        if (type->dims[k] != 1)
            return false;
    return type->rank > 1 && type->rank < 5 && !dim_known(type->dims[type->rank - 1]);
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
    r->rows[i] = s.found & (SEES_TABLE | SEES_ANGLE) ? s.rows : 0;
    r->table[i] = s.table;
    r->hides[i] = v->type.dtype == HEED_BOOL && (s.found & SEES_HIDES);
    if (!whole) {
        r->added[i] = (s.found & SEES_SCORES) && is_square_mask(&v->type);
        r->role[i] = r->added[i] ? PAGING_MASK : PAGING_SIDE;
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

/* The result has a row for each of these tokens: it says so by the name of an extent. */
static bool is_in_result(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *result = &r->g->output_types[0];
    ir_dim tokens = type->rank > 0 ? type->dims[type->rank > 1] : 1;
    for (int32_t k = 0; k + 1 < result->rank && !dim_known(tokens); k++)
        if (result->dims[k] == tokens)
            return true;
    return false;
}

/* Of the inputs that look up a table: the tokens are those with a row for each class of the result,
 * or with the most rows; of several, those that the result has rows of. */
static void find_tokens(decoder_roles *r)
{
    const ir_type *result = &r->g->output_types[0];
    int64_t classes = result->rank > 0 ? result->dims[result->rank - 1] : -1, most = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        int64_t rows = r->rows[i] == classes && classes > 0 ? INT64_MAX : r->rows[i];
        bool better = rows > most ||
                      (rows == most && most > 0 && is_in_result(r, i) && !is_in_result(r, r->main));
        if (r->role[i] == PAGING_KEPT && better) {
            most = rows;
            r->main = i;
        }
    }
    for (uint32_t i = 0; most > 0 && i < r->n; i++) {
        if (r->role[i] != PAGING_KEPT)
            continue;
        if (i == r->main)
            r->role[i] = PAGING_TOKENS;
        else if (r->table[i] == r->table[r->main]) /* other tokens, an encoder's */
            r->role[i] = PAGING_SIDE;
        else if (r->rows[i] > 4)
            r->role[i] = PAGING_POSITIONS;
    }
}

/* Its first axis is that of the tokens: a mask has it twice. */
static bool is_tokens_first(const decoder_roles *r, const ir_type *main)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *type = &r->g->inputs[i]->type;
        if (type->rank > 1 && !dim_known(main->dims[0]) && main->dims[0] != main->dims[1] &&
            type->dims[type->rank - 1] == main->dims[0] &&
            type->dims[type->rank - 2] == main->dims[0])
            return true;
    }
    return false;
}

/* There is no table: embeddings come from outside. Those that the result has rows of, of any
 * number, come first. */
static void find_embeddings(decoder_roles *r)
{
    int best = -1;
    for (uint32_t i = 0; i < r->n; i++) {
        const ir_type *type = &r->g->inputs[i]->type;
        if (r->role[i] != PAGING_SIDE || !roles_is_given(r->g->inputs[i]) ||
            !dtype_is_float(type->dtype) || type->rank != 3 || is_tokens_first(r, type))
            continue;
        int good = dim_known(type->dims[1]) ? 0 : is_in_result(r, i) ? 2 : 1;
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
    const ir_type *type = &r->g->inputs[mask]->type, *main = &r->g->inputs[r->main]->type;
    ir_dim count = type->rank > 0 ? type->dims[type->rank - 1] : 1;
    bool found = false;
    if (dim_known(count) || count == main->dims[main->rank > 1])
        return count != main->dims[main->rank > 1];
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
    out->hides = arena_array(memory, n, sizeof(*out->hides));
    out->table = arena_array(memory, n, sizeof(*out->table));
    out->axis = arena_array(memory, n, sizeof(*out->axis));
    out->writes = arena_array(memory, n, sizeof(*out->writes));
    out->added = arena_array(memory, n, sizeof(*out->added));
    if (!out->role || !out->rows || !out->table || !out->hides || !out->writes || !out->axis ||
        !out->added)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        TRY(find_role(out, i));
    if (m->main->n_outputs > 0)
        find_tokens(out);
    if (m->main->n_outputs > 0 && out->main == UINT32_MAX)
        find_embeddings(out);
    for (uint32_t i = 0; out->main != UINT32_MAX && i < n; i++)
        if (out->role[i] == PAGING_MASK && m->main->inputs[out->main]->type.rank > 0 &&
            is_of_others(out, i))
            out->role[i] = PAGING_SIDE;
    return HEED_OK;
}
