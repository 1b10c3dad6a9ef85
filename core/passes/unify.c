/* unify.c - pass: two names of one extent become one, where a run could not go on otherwise.
 *
 * before: inputs mask [batch, total], past [batch, 4, past, 8]; Add(scores [.., past + seq], mask)
 * after:  mask [batch, past + seq]
 *
 * Exporters name the extents of each input by themselves. Masks are proved, and extents are found,
 * where it is known that they are the same; the nodes before a softmax and reshapes tell which must
 * be. An extent of 1, which broadcasts, would do there too: like the names themselves, what is put
 * in here is trusted until the inputs of a run contradict it, which then takes the form without
 * names (run/compiled.c). Apart from infer.c because it assumes, and because nothing needs it. */
#include <string.h>

#include "passes/pass.h"

enum { MOST_NODES = 32, MOST_TRIALS = 8, TEXT = 256 };

typedef struct search {
    pass_run *p;
    ir_graph *g;
    bool *seen; /* nodes, by id */
    uint32_t trials;
} search;

/* ---- Names ----------------------------------------------------------------------------------- */

static int32_t rank_of(const ir_value *v)
{
    return v && v->type.kind == HEED_KIND_TENSOR ? v->type.rank : 0;
}

static bool continues(char c) { return c && !strchr(" ()+-*,", c); }

/* The name stands in the text as a whole. */
static bool mentions(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = text; n && (at = strstr(at, name)); at++)
        if ((at == text || !continues(at[-1])) && !continues(at[n]))
            return true;
    return false;
}

static bool depends(const ir_dims *t, ir_dim dim, ir_dim symbol)
{
    char text[TEXT], name[TEXT];
    return mentions(dims_text(t, dim, text, TEXT), dims_text(t, symbol, name, TEXT));
}

/* Made of extents that inputs have, with a name or without, and of nothing that was computed of
 * them: a run can be asked whether it is so. */
static bool is_plain(const search *s, ir_dim dim)
{
    ir_dims *t = s->p->model->dims;
    char text[TEXT];
    int64_t number;
    if (dim == DIM_UNKNOWN || strpbrk(dims_text(t, dim, text, TEXT), "#(-"))
        return false;
    for (uint32_t i = 0; i < s->g->n_inputs; i++)
        for (int32_t d = 0; d < rank_of(s->g->inputs[i]); d++) {
            ir_dim symbol = s->g->inputs[i]->type.dims[d];
            if (dims_is_symbol(t, symbol))
                dim = dims_substitute(t, dim, symbol, 1);
        }
    return dims_value(t, dim, &number);
}

/* ---- Trying ---------------------------------------------------------------------------------- */

static heed_status infer_again(pass_run *p)
{
    for (ir_node *n = p->model->main->first; n; n = n->next)
        TRY(pass_infer_node(p, n));
    return HEED_OK;
}

/* Every axis of an input that has the symbol. */
static void substitute(const search *s, ir_dim symbol, ir_dim by)
{
    for (uint32_t i = 0; i < s->g->n_inputs; i++)
        for (int32_t d = 0; d < rank_of(s->g->inputs[i]); d++) {
            ir_dim *dim = &s->g->inputs[i]->type.dims[d];
            if (!dim_known(*dim) && *dim != DIM_UNKNOWN)
                *dim = dims_substitute(s->p->model->dims, *dim, symbol, by);
        }
}

static bool copy_inputs(const search *s, ir_dim **kept)
{
    for (uint32_t i = 0; i < s->g->n_inputs; i++) {
        int32_t rank = rank_of(s->g->inputs[i]);
        kept[i] = arena_array(s->p->scratch, (size_t)(rank > 0 ? rank : 1), sizeof(ir_dim));
        if (!kept[i])
            return false;
        for (int32_t d = 0; d < rank; d++)
            kept[i][d] = s->g->inputs[i]->type.dims[d];
    }
    return true;
}

/* Two extents of operands that must be the same. */
typedef struct pair {
    const ir_value *a, *b;
    int32_t i, k; /* axes */
} pair;

static ir_dim first_of(const pair *x) { return x->a->type.dims[x->i]; }
static ir_dim second_of(const pair *x) { return x->b->type.dims[x->k]; }

/* `by` in the place of the symbol makes them so; otherwise all is as it was. */
static heed_status attempt(search *s, const pair *x, ir_dim symbol, ir_dim by, bool *good)
{
    ir_dim **kept = arena_array(s->p->scratch, s->g->n_inputs, sizeof(*kept));
    if (!kept || !copy_inputs(s, kept))
        return HEED_NOMEM;
    s->trials++;
    substitute(s, symbol, by);
    TRY(infer_again(s->p));
    *good = first_of(x) == second_of(x);
    if (*good) {
        s->p->rewrites++;
        return HEED_OK;
    }
    for (uint32_t i = 0; i < s->g->n_inputs; i++)
        for (int32_t d = 0; d < rank_of(s->g->inputs[i]); d++)
            s->g->inputs[i]->type.dims[d] = kept[i][d];
    return infer_again(s->p);
}

/* Names of which `from` is made, but not `by`: each may stand for `by`. */
static heed_status solve(search *s, const pair *x, ir_dim from, ir_dim by, bool *good)
{
    ir_dims *t = s->p->model->dims;
    if (!is_plain(s, by))
        return HEED_OK;
    for (uint32_t i = 0; i < s->g->n_inputs; i++)
        for (int32_t d = 0; d < rank_of(s->g->inputs[i]); d++) {
            ir_dim symbol = s->g->inputs[i]->type.dims[d];
            if (*good || s->trials == MOST_TRIALS || !dims_is_symbol(t, symbol) ||
                dims_plainness(t, symbol) == 0 || !depends(t, from, symbol) ||
                depends(t, by, symbol))
                continue;
            TRY(attempt(s, x, symbol, by, good));
        }
    return HEED_OK;
}

static heed_status equate(search *s, const pair *x)
{
    ir_dim a = first_of(x), b = second_of(x);
    bool good = false;
    if (a == b || a == 1 || b == 1 || dim_known(a) || dim_known(b) || a == DIM_UNKNOWN ||
        b == DIM_UNKNOWN)
        return HEED_OK;
    TRY(solve(s, x, b, a, &good));
    return good ? HEED_OK : solve(s, x, a, b, &good);
}

/* ---- Who says so ----------------------------------------------------------------------------- */

static const char *const elementwise[] = {
    "Add", "And", "Div", "Max", "Min", "Mul", "Or", "Sub", "Where", NULL,
};

static const char *const moves[] = {"Cast", "Expand", "Reshape", "Transpose", "Unsqueeze", NULL};

/* Axes of operands of an elementwise node, paired from the right. */
static heed_status equate_operands(search *s, const ir_node *n)
{
    for (uint32_t i = 1; i < n->n_in; i++) {
        pair x = {.a = ir_input(n, 0), .b = ir_input(n, i)};
        int32_t a = rank_of(x.a), b = rank_of(x.b);
        for (int32_t d = 1; d <= a && d <= b; d++) {
            x.i = a - d;
            x.k = b - d;
            TRY(equate(s, &x));
        }
    }
    return HEED_OK;
}

/* The nodes between the products and the softmax, and masks on the way. */
static heed_status visit_softmax(search *s, const ir_node *softmax)
{
    const ir_node *queue[MOST_NODES] = {softmax};
    uint32_t count = 1;
    for (uint32_t at = 0; at < count; at++) {
        const ir_node *n = queue[at];
        bool several = pass_is_one_of(n, elementwise);
        if (several)
            TRY(equate_operands(s, n));
        if (at > 0 && !several && !pass_is_one_of(n, moves))
            continue;
        for (uint32_t i = 0; i < n->n_in && (several || i == 0); i++) {
            const ir_value *v = ir_input(n, i);
            if (!v || !v->producer || count == MOST_NODES || s->seen[v->producer->id])
                continue;
            s->seen[v->producer->id] = true;
            queue[count++] = v->producer;
        }
    }
    return HEED_OK;
}

static ir_dim count_of(ir_dims *t, const ir_value *v)
{
    ir_dim count = rank_of(v) > 0 ? 1 : DIM_UNKNOWN;
    for (int32_t d = 0; d < rank_of(v); d++)
        count = dims_mul(t, count, v->type.dims[d]);
    return count;
}

/* As many elements before as behind: the only name that this holds back is a number. */
static heed_status visit_reshape(search *s, const ir_node *n)
{
    ir_dims *t = s->p->model->dims;
    const ir_value *x = ir_input(n, 0), *y = ir_output(n, 0);
    ir_dim before = count_of(t, x), behind = count_of(t, y);
    if (before == behind || before == DIM_UNKNOWN || behind == DIM_UNKNOWN ||
        s->trials == MOST_TRIALS)
        return HEED_OK;
    for (int32_t d = 0; d < x->type.rank; d++) {
        ir_dim symbol = x->type.dims[d];
        if (dim_known(symbol) || !dims_is_symbol(t, symbol) || !is_plain(s, symbol) ||
            depends(t, behind, symbol))
            continue;
        ir_dim number = dims_floor_div(t, behind, dims_substitute(t, before, symbol, 1));
        pair same = {x, x, d, d};
        bool good = false;
        if (dim_known(number) && number > 0 && dims_substitute(t, before, symbol, number) == behind)
            return attempt(s, &same, symbol, number, &good);
    }
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    search s = {.p = p, .g = p->model->main};
    s.seen = arena_array(p->scratch, p->model->n_nodes, sizeof(*s.seen));
    if (!s.seen)
        return HEED_NOMEM;
    for (ir_node *n = s.g->first; n && s.trials < MOST_TRIALS; n = n->next)
        if (pass_is(n, "Softmax"))
            TRY(visit_softmax(&s, n));
        else if (pass_is(n, "Reshape"))
            TRY(visit_reshape(&s, n));
    return HEED_OK;
}

const pass_def pass_unify = {
    .name = "unify",
    .purpose = "two names of one extent become one, where a run could not go on otherwise",
    .order = 1,
    .run = run,
};
