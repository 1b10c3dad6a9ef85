/* limits.c - pass: how many tokens of a sequence a decoder's tables are for.
 *
 * before: view [1, min(seq, 64), 32] = Reshape(x [seq, 32], Concat(1, Min(seq, 64), 32))
 * after:  view [1, seq, 32] = Reshape(x [seq, 32], Concat(1, seq, 32)), for at most 64 tokens
 *
 * Only for paging. Where a table is cut to the number of tokens and the cut must be that number, or
 * the graph would fail, more tokens than the table has entries never run. So that many are the most
 * of a sequence, and minima with larger numbers mean nothing. */
#include <string.h>

#include "ops/heads.h"
#include "passes/paging/paging.h"

extern const pass_def pass_infer;

enum { MOST_CUTS = 64 };

typedef struct limits {
    pass_run *run;
    ir_dims *dims;
    ir_dim tokens;
    int64_t most; /* 0: not known */
    struct {
        ir_dim extent; /* of a cut, whatever is cut */
        int64_t most;  /* extent of the table */
    } cuts[MOST_CUTS];
    uint32_t n_cuts;
} limits;

/* ---- What must be the number of tokens --------------------------------------------------------
 */

/* An extent that is never more than *most, for any number of tokens. */
static bool is_cut(const limits *l, ir_dim extent, int64_t *most)
{
    if (dims_is_cut(l->dims, extent, l->tokens, most))
        return true;
    for (uint32_t i = 0; i < l->n_cuts; i++)
        if (l->cuts[i].extent == extent) {
            *most = l->cuts[i].most;
            return true;
        }
    return false;
}

static void note_most(limits *l, int64_t most)
{
    if (most > 1 && (l->most == 0 || most < l->most))
        l->most = most;
}

/* A bound that is computed from extents. */
static bool is_length(const limits *l, const ir_value *v)
{
    int64_t number;
    for (int64_t i = 0; v && v->content && i < v->n_content; i++)
        if (!dims_value(l->dims, v->content[i], &number))
            return true;
    return false;
}

/* A table with lengths for bounds: its extent is not known, and no more than before. */
static void note_cut(limits *l, const ir_node *n)
{
    const ir_value *table = ir_input(n, 0);
    const ir_type *to = &n->out[0]->type;
    if (!pass_is(n, "Slice") || !pass_constant(table) || to->rank != table->type.rank ||
        !(is_length(l, ir_input(n, 1)) || is_length(l, ir_input(n, 2))))
        return;
    for (int32_t k = 0; k < to->rank && l->n_cuts < MOST_CUTS; k++)
        if (dims_is_symbol(l->dims, to->dims[k])) {
            l->cuts[l->n_cuts].extent = to->dims[k];
            l->cuts[l->n_cuts++].most = table->type.dims[k];
        }
}

/* Beside an extent of all tokens, a cut is as long: it would not broadcast otherwise. (A table cut
 * from its end has one entry for one token more than it has places, and none of them its own.) */
static void look_beside(limits *l, const ir_node *n)
{
    int32_t rank = n->out[0]->type.rank;
    int64_t most;
    for (int32_t k = 0; k < rank; k++) {
        bool all = false;
        for (int pass = 0; pass < 2; pass++)
            for (uint32_t i = 0; i < n->n_in; i++) {
                const ir_type *type = &n->in[i].value->type;
                int32_t own = k - rank + type->rank;
                if (own < 0)
                    continue;
                all = all || type->dims[own] == l->tokens;
                if (pass == 1 && all && is_cut(l, type->dims[own], &most))
                    note_most(l, most);
            }
    }
}

/* A cut that is stretched to all tokens: it is as long, or there is one. */
static void look_stretched(limits *l, const ir_node *n)
{
    const ir_type *from = &n->in[0].value->type, *to = &n->out[0]->type;
    int64_t most;
    for (int32_t k = 0; k < from->rank; k++)
        if (to->dims[k + to->rank - from->rank] == l->tokens && is_cut(l, from->dims[k], &most))
            note_most(l, most);
}

/* How many elements; and how many if the first cut were as long as all tokens are. */
static ir_dim count_elements(const limits *l, const ir_type *type, ir_dim *whole, int64_t *most)
{
    ir_dim count = 1;
    bool found = false;
    *whole = 1;
    for (int32_t k = 0; k < type->rank; k++) {
        bool cut = !found && is_cut(l, type->dims[k], most);
        found = found || cut;
        count = dims_mul(l->dims, count, type->dims[k]);
        *whole = dims_mul(l->dims, *whole, cut ? l->tokens : type->dims[k]);
    }
    *most = found ? *most : 0;
    return count;
}

/* As many elements before and after, where one extent is all tokens on one side, and a cut on the
 * other. */
static void look_reshaped(limits *l, const ir_node *n)
{
    int64_t most_from = 0, most_to = 0;
    ir_dim whole_from, whole_to;
    ir_dim from = count_elements(l, &n->in[0].value->type, &whole_from, &most_from);
    ir_dim to = count_elements(l, &n->out[0]->type, &whole_to, &most_to);
    if (from == to || from == DIM_UNKNOWN || to == DIM_UNKNOWN || from == 0)
        return;
    if (most_to > 0 && from == whole_to)
        note_most(l, most_to);
    if (most_from > 0 && whole_from == to)
        note_most(l, most_from);
}

/* A mask may be of fewer keys, but has a row for each query. */
static void look_masked(limits *l, const ir_node *n)
{
    const ir_value *q = ir_input(n, 0), *mask = ir_input(n, 3);
    heads_layout layout;
    int64_t most;
    if (!q || !mask || mask->type.rank < 2 || !heads_layout_read(n, "q_layout", &layout) ||
        layout.place[2] < 0 || layout.place[2] >= q->type.rank)
        return;
    if (q->type.dims[layout.place[2]] == l->tokens &&
        is_cut(l, mask->type.dims[mask->type.rank - 2], &most))
        note_most(l, most);
}

static bool is_attention(const ir_node *n)
{
    return strcmp(n->op->domain, "heed") == 0 && strcmp(n->op->name, "Attention") == 0;
}

static bool has_ranks(const ir_node *n)
{
    bool known = n->n_out > 0 && n->out[0] && n->out[0]->type.rank >= 0;
    for (uint32_t i = 0; i < n->n_in; i++)
        known = known && n->in[i].value && n->in[i].value->type.rank >= 0;
    return known;
}

static void find_most(limits *l)
{
    for (const ir_node *n = l->run->model->main->first; n; n = n->next) {
        if (is_attention(n))
            look_masked(l, n);
        if (!has_ranks(n))
            continue;
        note_cut(l, n);
        if (n->op->flags & OP_ELEMENTWISE)
            look_beside(l, n);
        if (pass_is(n, "Expand"))
            look_stretched(l, n);
        if (pass_is(n, "Reshape"))
            look_reshaped(l, n);
    }
}

/* ---- Without minima ---------------------------------------------------------------------------
 */

/* tokens + c, c - tokens, or c, as int64 [1]. */
static ir_value *write_entry(const limits *l, op_body *b, ir_value *tokens, ir_dim entry)
{
    int64_t c;
    if (dims_value(l->dims, entry, &c))
        return body_ints(b, 1, &c);
    if (dims_value(l->dims, dims_sub(l->dims, entry, l->tokens), &c))
        return c ? body_2(b, tokens, body_ints(b, 1, &c), "Add") : tokens;
    if (dims_value(l->dims, dims_add(l->dims, entry, l->tokens), &c))
        return body_2(b, body_ints(b, 1, &c), tokens, "Sub");
    return NULL;
}

/* The tokens' number: an extent of what has it. */
static ir_value *write_tokens(const limits *l, op_body *b)
{
    const ir_graph *g = l->run->model->main;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        for (int32_t k = 0; k < g->inputs[i]->type.rank; k++)
            if (g->inputs[i]->type.dims[k] == l->tokens)
                return body_dim(b, g->inputs[i], k);
    return NULL;
}

/* Minima and maxima of numbers whose outcome is known now are written without them. */
static heed_status write_plainly(limits *l, ir_node *n)
{
    ir_value *v = n->out[0], *all = NULL;
    op_body b = pass_body(l->run, n);
    ir_value *tokens = write_tokens(l, &b);
    for (int64_t i = 0; tokens && i < v->n_content; i++) {
        ir_value *one = write_entry(l, &b, tokens, v->content[i]);
        all = one && all ? body_concat(&b, all, one, 0) : one;
        if (!one)
            break;
    }
    if (!all) {
        pass_undo(&b);
        return b.status;
    }
    all = body_cast(&b, all, v->type.dtype);
    if (v->type.rank == 0)
        all = body_2(&b, all, body_ints(&b, 1, (int64_t[]){0}), "Squeeze");
    l->run->rewrites++;
    return pass_settle(l->run, n, &b, all);
}

static bool chooses(const ir_node *n)
{
    return pass_is(n, "Min") || pass_is(n, "Max") || pass_is(n, "Clip") || pass_is(n, "Where") ||
           pass_is(n, "ReduceMin") || pass_is(n, "ReduceMax");
}

static heed_status run(pass_run *p)
{
    limits l = {.run = p, .dims = p->model->dims};
    if (!p->options->paging || dim_known(l.tokens = paging_tokens(p)))
        return HEED_OK;
    find_most(&l);
    if (l.most == 0)
        return HEED_OK;
    paging_limit(p, l.most);
    dims_set_range(l.dims, l.tokens, 1, l.most);
    TRY(pass_infer.run(p));
    for (ir_node *n = p->model->main->first, *next; n; n = next) {
        next = n->next;
        if (chooses(n) && n->out[0]->content && dtype_is_int(n->out[0]->type.dtype))
            TRY(write_plainly(&l, n));
    }
    return HEED_OK;
}

const pass_def pass_limits = {
    .name = "limits",
    .purpose = "lengths that tables have entries for",
    .order = 52,
    .required = true,
    .run = run,
};
