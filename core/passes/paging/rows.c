/* rows.c - what becomes of rows of a table: they are summed up to the hidden state, or they turn
 * what was computed from it. Separate from search.c, which follows indices: rows are followed as
 * far as they stay rows of their own token. */
#include "passes/paging/roles.h"

enum { MOVES = MOVE_KEEPS | MOVE_CUTS | MOVE_JOINS | MOVE_REPEATS | MOVE_NEGATES };

static const char *const waves[] = {"Sin", "Cos", NULL};
static const char *const scales[] = {"Mul", "Div", NULL};
static const char *const products[] = {"MatMul", "Gemm", "Einsum", NULL};

static bool is_weight(const ir_value *v)
{
    for (int depth = 0; v && !v->constant && v->producer && depth < 16; depth++)
        v = paging_moves(v->producer, MOVES) || pass_is(v->producer, "DequantizeLinear")
                ? ir_input(v->producer, 0)
                : NULL;
    return v && pass_constant(v);
}

/* ---- What is computed from rows of another table, or from embeddings --------------------------
 */

enum { NOT_ASKED, NO, YES };

static bool is_made_of_rows(uint8_t *known, const ir_value *v)
{
    const ir_node *n = v->producer;
    if (known[v->id])
        return known[v->id] == YES;
    known[v->id] = NO; /* until it is found */
    bool found =
        !n && v->is_input && !v->constant && dtype_is_float(v->type.dtype) && v->type.rank > 2;
    for (uint32_t i = 0; n && i < n->n_in && !found; i++)
        found =
            n->in[i].value && (roles_table_of(&n->in[i]) || is_made_of_rows(known, n->in[i].value));
    known[v->id] = found ? YES : NO;
    return found;
}

/* ---- Forward ---------------------------------------------------------------------------------
 */

typedef struct rows_walk {
    uint8_t *seen, *known; /* by id of values */
    unsigned found;
} rows_walk;

static const ir_value *other_of(const ir_use *use)
{
    return use->node->n_in == 2 ? ir_input(use->node, !use->slot) : NULL;
}

static void follow(rows_walk *w, const ir_value *v)
{
    if (w->seen[v->id])
        return;
    w->seen[v->id] = 1;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        const ir_value *other = other_of(use);
        bool scaled = pass_is_one_of(n, scales) && other;
        bool turns = pass_is_one_of(n, waves) || roles_is_angles_slot(use) ||
                     (scaled && is_made_of_rows(w->known, other));
        if (turns)
            w->found |= ROWS_TURN;
        else if (!scaled && !paging_moves(n, MOVES))
            w->found |= ROWS_SUM;
        for (uint32_t o = 0; o < n->n_out && !turns && (scaled || paging_moves(n, MOVES)); o++)
            if (n->out[o])
                follow(w, n->out[o]);
    }
}

heed_status rows_become(const decoder_roles *r, const ir_node *lookup, unsigned *out)
{
    rows_walk w = {.seen = arena_alloc(r->memory, r->model->n_values),
                   .known = arena_alloc(r->memory, r->model->n_values)};
    if (!w.seen || !w.known)
        return HEED_NOMEM;
    if (lookup->n_out > 0 && lookup->out[0]) {
        w.known[lookup->out[0]->id] = NO; /* a norm scales rows by what they are themselves */
        follow(&w, lookup->out[0]);
    }
    *out = w.found;
    return HEED_OK;
}

/* ---- Do two meet? ----------------------------------------------------------------------------
 */

/* What mixes rows of different tokens, or forms a product of two that are computed. */
static bool mixes(const ir_use *use)
{
    const ir_node *n = use->node;
    if (pass_is_one_of(n, products))
        for (uint32_t i = 0; i < 2 && i < n->n_in; i++)
            if (i != use->slot && !is_weight(ir_input(n, i)))
                return true;
    return (n->op->flags & OP_ATTENTION) || pass_is(n, "Shape") || pass_is(n, "Size");
}

static void spread(uint8_t *seen, const ir_value *v, uint8_t mark)
{
    if (seen[v->id] & mark)
        return;
    seen[v->id] |= mark;
    for (const ir_use *use = v->uses; use; use = use->next)
        for (uint32_t o = 0; o < use->node->n_out && !mixes(use); o++)
            if (use->node->out[o])
                spread(seen, use->node->out[o], mark);
}

heed_status rows_meet(const decoder_roles *r, const ir_node *a, const ir_node *b, bool *out)
{
    uint8_t *seen = arena_alloc(r->memory, r->model->n_values);
    if (!seen)
        return HEED_NOMEM;
    *out = a == b; /* one operator looks both up, and adds them */
    spread(seen, a->out[0], 1);
    spread(seen, b->out[0], 2);
    for (uint32_t i = 0; i < r->model->n_values; i++)
        *out = *out || seen[i] == 3;
    return HEED_OK;
}

heed_status rows_reach_result(const decoder_roles *r, const ir_node *lookup, bool *out)
{
    uint8_t *seen = arena_alloc(r->memory, r->model->n_values);
    if (!seen)
        return HEED_NOMEM;
    spread(seen, lookup->out[0], 1);
    *out = r->g->n_outputs > 0 && seen[r->g->outputs[0]->id];
    return HEED_OK;
}
