/* tokens.c - which input has the tokens, and what the others are that look up tables beside it.
 *
 * A sum of rows of two tables is the same whichever is which. What tells tokens: the result's
 * scores are of their table's rows, so there are as many, or the same weights compute them; the
 * result has a row for each; and each class of a decoder is a row, since it is looked up next.
 * Where none of this decides, nobody guesses: `unclear` names two. */
#include "passes/paging/roles.h"

enum { MOST_KINDS = 4 }; /* no table of tokens is as small, and segments are no more */

bool tokens_in_result(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *result = &r->g->output_types[0];
    ir_dim tokens = type->rank > 0 ? type->dims[roles_tokens_axis(r, type)] : 1;
    for (int32_t k = 0; k + 1 < result->rank && !dim_known(tokens); k++)
        if (result->dims[k] == tokens)
            return true;
    return false;
}

/* The same of extents that are numbers, which may be alike by chance. */
static bool number_in_result(const decoder_roles *r, uint32_t i)
{
    const ir_type *type = &r->g->inputs[i]->type, *result = &r->g->output_types[0];
    ir_dim tokens = type->rank > 0 ? type->dims[roles_tokens_axis(r, type)] : 1;
    return dim_known(tokens) && tokens > 1 && result->rank > 1 &&
           result->dims[result->rank - 2] == tokens;
}

static int64_t classes_of(const decoder_roles *r)
{
    const ir_type *result = &r->g->output_types[0];
    ir_dim n = result->rank > 0 ? result->dims[result->rank - 1] : -1;
    return dim_known(n) ? n : -1;
}

/* ---- What tells tokens ----------------------------------------------------------------------- */

static bool has_row_for_class(const decoder_roles *r, uint32_t i)
{
    return r->rows[i] == classes_of(r);
}

/* A product reads the table, too. */
static bool is_tied(const decoder_roles *r, uint32_t i)
{
    for (const ir_use *use = r->table[i]->uses; use; use = use->next) {
        const ir_node *n = use->node;
        for (int k = 0; k < 4 && pass_is(n, "Transpose") && n->out[0]->uses; k++)
            n = n->out[0]->uses->node;
        if (pass_is(n, "MatMul") || pass_is(n, "Gemm"))
            return true;
    }
    return false;
}

static bool may_be_class(const decoder_roles *r, uint32_t i)
{
    return classes_of(r) > 0 && r->rows[i] >= classes_of(r);
}

static bool is_no_kind(const decoder_roles *r, uint32_t i) { return r->rows[i] > MOST_KINDS; }

/* A residual stream leads from it to the result, past attention: an encoder's tokens have none. */
static bool reaches_result(const decoder_roles *r, uint32_t i) { return r->reaches[i]; }

/* The strongest first. What none of those that are left shows tells nothing. */
static bool (*const proofs[])(const decoder_roles *, uint32_t) = {
    is_no_kind, has_row_for_class, tokens_in_result, reaches_result,
    is_tied,    may_be_class,      number_in_result,
};

/* ---- All of them ----------------------------------------------------------------------------- */

static void sift(const decoder_roles *r, bool *may, bool (*proof)(const decoder_roles *, uint32_t))
{
    bool any = false;
    for (uint32_t i = 0; i < r->n; i++)
        any = any || (may[i] && proof(r, i));
    for (uint32_t i = 0; any && i < r->n; i++)
        may[i] = may[i] && proof(r, i);
}

/* Two that look up one table both have tokens: the first is as good as the other. */
static void choose(decoder_roles *r, const bool *may)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < r->n; i++) {
        if (!may[i])
            continue;
        if (first == UINT32_MAX)
            first = i;
        else if (r->table[i] != r->table[first] && r->unclear[0] == UINT32_MAX) {
            r->unclear[0] = first;
            r->unclear[1] = i;
        }
    }
    r->main = r->unclear[0] == UINT32_MAX ? first : UINT32_MAX;
}

/* Other tokens (an encoder's), places, or kinds of tokens. */
static heed_status settle(decoder_roles *r, uint32_t i)
{
    bool summed = false;
    if (r->table[i] != r->table[r->main])
        TRY(rows_meet(r, r->lookup[i], r->lookup[r->main], &summed));
    if (!summed)
        r->role[i] = PAGING_SIDE;
    else if (r->rows[i] > MOST_KINDS)
        r->role[i] = PAGING_POSITIONS;
    return HEED_OK;
}

heed_status tokens_find(decoder_roles *r)
{
    bool *may = arena_array(r->memory, r->n, sizeof(*may));
    r->reaches = arena_array(r->memory, r->n, sizeof(*r->reaches));
    if (!may || !r->reaches)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < r->n; i++) {
        may[i] = r->role[i] == PAGING_KEPT;
        if (may[i])
            TRY(rows_reach_result(r, r->lookup[i], &r->reaches[i]));
    }
    for (size_t k = 0; k < sizeof(proofs) / sizeof(*proofs); k++)
        sift(r, may, proofs[k]);
    choose(r, may);
    if (r->main == UINT32_MAX)
        return HEED_OK;
    for (uint32_t i = 0; i < r->n; i++)
        if (i != r->main && r->role[i] == PAGING_KEPT)
            TRY(settle(r, i));
    r->role[r->main] = PAGING_TOKENS;
    return HEED_OK;
}
