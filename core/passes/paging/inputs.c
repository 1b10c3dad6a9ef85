/* inputs.c - pass: a decoder in the form that has no past.
 *
 * before: y, present = f(tokens [B, S], mask [B, P + S], past [B, H, P, D])
 * after:  y = f(tokens [1, S], ones [1, S], empty [1, H, 0, D])
 *
 * Only for paging. Inputs are told apart by what happens to them, before anything is inferred:
 * - past: reaches a Concat along one of its open axes, in front, through what moves elements;
 * - tokens, positions: integers that reach the indices of a Gather from a constant table of floats,
 *   or a sine;
 * - a mask: integers or booleans that reach a Softmax without passing a product or such a table;
 * - a switch: a boolean that decides an If. */
#include <stdio.h>
#include <string.h>

#include "passes/paging/paging.h"

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

/* ---- Where an input leads ------------------------------------------------------------------- */

enum {
    SEES_TABLE = 1 << 0,   /* indices of a constant table of floats */
    SEES_WAVE = 1 << 1,    /* a sine or cosine */
    SEES_SOFTMAX = 1 << 2, /* through sums and comparisons alone */
    SEES_BRANCH = 1 << 3,  /* decides an If */
};

/* From one input on. A path is plain while a number stays the number that it was, but for a
 * constant and the place that it has. */
typedef struct search {
    uint8_t *seen; /* by id of values: 1, or 2 on a plain path */
    bool whole;    /* the input holds whole numbers or truths */
    unsigned found;
    int64_t rows; /* of the first table */
} search;

static bool is_one_of(const ir_node *n, const char *const *ops)
{
    for (; *ops; ops++)
        if (pass_is(n, *ops))
            return true;
    return false;
}

static const char *const moves[] = {"Identity",  "Cast",    "Reshape", "Transpose", "Squeeze",
                                    "Unsqueeze", "Flatten", "Expand",  NULL};
static const char *const plain_ops[] = {"Add", "Sub", "Clip", "Max", "Min", "Slice", NULL};
static const char *const waves[] = {"Sin", "Cos", NULL};
static const char *const shapes[] = {"Shape", "Size", NULL};
static const char *const products[] = {"MatMul", "Gemm", "Einsum", NULL};

/* What is known at once; false: the search goes on behind the node. */
static bool ends_here(search *s, const ir_use *use, bool plain)
{
    const ir_node *n = use->node;
    const ir_value *table = ir_input(n, 0);
    bool attention = strstr(n->op->name, "Attention") != NULL;
    if (pass_is(n, "If") && use->slot == 0) {
        s->found |= SEES_BRANCH;
    } else if (pass_is(n, "Gather") && use->slot == 1 && table->constant &&
               dtype_is_float(table->type.dtype)) {
        if (plain && !(s->found & SEES_TABLE))
            s->rows = table->type.dims[0];
        s->found |= plain ? SEES_TABLE : 0;
    } else if (is_one_of(n, waves)) {
        s->found |= SEES_WAVE;
    } else if (pass_is(n, "Softmax") || (attention && use->slot > 2)) {
        s->found |= SEES_SOFTMAX;
    } else {
        return attention || is_one_of(n, shapes) || (!s->whole && is_one_of(n, products));
    }
    return true;
}

static void look(search *s, const ir_value *v, bool plain)
{
    uint8_t state = plain ? 2 : 1;
    if (s->seen[v->id] >= state)
        return;
    s->seen[v->id] = state;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        bool stays = plain && (is_one_of(n, moves) || is_one_of(n, plain_ops));
        if (!ends_here(s, use, plain))
            for (uint32_t o = 0; o < n->n_out; o++)
                if (n->out[o])
                    look(s, n->out[o], stays);
    }
}

static heed_status search_from(pass_run *p, const ir_value *v, search *out)
{
    *out = (search){.whole = !dtype_is_float(v->type.dtype)};
    out->seen = arena_alloc(p->scratch, p->model->n_values);
    if (!out->seen)
        return HEED_NOMEM;
    look(out, v, true);
    return HEED_OK;
}

/* ---- The past ------------------------------------------------------------------------------- */

/* A value on its way from an input: the axis of the tokens, and its rank. */
typedef struct step {
    int32_t axis, rank;
} step;

static bool one_number(const ir_value *v, int64_t *out)
{
    double x;
    if (!v || !v->constant || v->is_input || heed_tensor_get_count(v->constant) != 1 ||
        heed_tensor_read_f64(v->constant, 0, 1, &x))
        return false;
    *out = (int64_t)x;
    return true;
}

/* Where the axis is behind a node that moves elements; false: it is not such a node. */
static bool moved(const ir_use *use, step *s)
{
    const ir_node *n = use->node;
    uint64_t count;
    int64_t axis = ir_attr_int(n, "axis", 0), index;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    axis += axis < 0 ? s->rank : 0;
    if (use->slot != 0)
        return false;
    if (pass_is(n, "Identity") || pass_is(n, "Cast") || (pass_is(n, "Split") && axis != s->axis))
        return true;
    if (pass_is(n, "Transpose") && perm && count == (uint64_t)s->rank) {
        for (int32_t i = 0; i < s->rank; i++)
            if (perm[i] == s->axis) {
                s->axis = i;
                return true;
            }
    }
    if (pass_is(n, "Gather") && axis != s->axis && one_number(ir_input(n, 1), &index)) {
        bool scalar = ir_input(n, 1)->type.rank == 0;
        s->axis -= scalar && axis < s->axis;
        s->rank -= scalar;
        return true;
    }
    if (pass_is(n, "Squeeze") && one_number(ir_input(n, 1), &index)) {
        index += index < 0 ? s->rank : 0;
        s->axis -= index < s->axis;
        s->rank--;
        return index != s->axis;
    }
    if (pass_is(n, "Unsqueeze") && one_number(ir_input(n, 1), &index)) {
        index += index < 0 ? s->rank + 1 : 0;
        s->axis += index <= s->axis;
        s->rank++;
        return true;
    }
    return false;
}

/* The Concat in which the value stands first, along its axis. */
static ir_node *find_growth(const ir_value *v, step s, int depth)
{
    for (const ir_use *use = v->uses; use && depth < 16; use = use->next) {
        ir_node *n = use->node;
        int64_t axis = ir_attr_int(n, "axis", 0);
        step next = s;
        if (pass_is(n, "Concat") && use->slot == 0 && n->n_in == 2 &&
            axis + (axis < 0 ? s.rank : 0) == s.axis)
            return n;
        if (!moved(use, &next))
            continue;
        for (uint32_t o = 0; o < n->n_out; o++) {
            ir_node *found = n->out[o] ? find_growth(n->out[o], next, depth + 1) : NULL;
            if (found)
                return found;
        }
    }
    return NULL;
}

/* The operator calls this input a past, and does without. */
static bool is_past_slot(const ir_use *use)
{
    const char *at = use->node->op->signature;
    for (uint32_t i = 0; i < use->slot && at; i++)
        if ((at = strchr(at, ',')))
            at += 1 + strspn(at + 1, " ");
    size_t length = at ? strcspn(at, ",-") : 0;
    return length > 4 && strncmp(at, "past", 4) == 0 && memchr(at, '?', length);
}

static bool is_left_out(const ir_value *v)
{
    for (const ir_use *use = v->uses; use; use = use->next)
        if (is_past_slot(use))
            return true;
    return false;
}

/* The axis of a float input that a Concat grows, or an operator that has a past; -1: there is
 * none. */
static int32_t past_axis(const ir_value *v)
{
    if (is_left_out(v) && v->type.rank > 3)
        return v->type.rank - 2;
    for (int32_t i = 0; i < v->type.rank; i++)
        if (!dim_known(v->type.dims[i]) && find_growth(v, (step){i, v->type.rank}, 0))
            return i;
    return -1;
}

/* Is the value what some past has become, or a part of it? */
static bool comes_from(const ir_value *v, const ir_node *growth, int depth)
{
    const ir_node *n = v->producer;
    if (!n || depth > 12)
        return false;
    if (n == growth)
        return true;
    bool joins = pass_is(n, "Concat") || pass_is(n, "Slice") || is_one_of(n, moves);
    return joins && n->n_in > 0 && n->in[0].value && comes_from(n->in[0].value, growth, depth + 1);
}

/* ---- Roles ---------------------------------------------------------------------------------- */

typedef struct decoder {
    pass_run *run;
    ir_graph *g;
    int *role;     /* by input */
    int64_t *rows; /* of the table that an input looks up, 0: none */
    int32_t *past; /* the axis of a past's tokens */
    uint32_t main; /* the input that has the tokens, or their embeddings */
    ir_dim batch;  /* how many sequences the file takes */
    ir_dim *pasts; /* symbols of their tokens */
    uint32_t n_pasts;
} decoder;

static bool is_input_of_run(const ir_value *v) { return v->is_input && !v->constant; }

static heed_status find_role(decoder *d, uint32_t i)
{
    const ir_value *v = d->g->inputs[i];
    search s;
    d->role[i] = PAGING_SIDE;
    if (!is_input_of_run(v) || v->type.kind != HEED_KIND_TENSOR || v->type.rank < 0)
        return HEED_OK;
    d->past[i] = dtype_is_float(v->type.dtype) ? past_axis(v) : -1;
    if (d->past[i] >= 0) {
        d->role[i] = PAGING_PAST;
        return HEED_OK;
    }
    TRY(search_from(d->run, v, &s));
    d->rows[i] = s.found & SEES_TABLE ? s.rows : 0;
    if (!s.whole)
        return HEED_OK;
    if (s.found & SEES_TABLE)
        d->role[i] = PAGING_KEPT;
    else if (s.found & SEES_BRANCH)
        d->role[i] = PAGING_SWITCH;
    else if (s.found & SEES_WAVE)
        d->role[i] = PAGING_POSITIONS;
    else if (s.found & SEES_SOFTMAX)
        d->role[i] = PAGING_MASK;
    return HEED_OK;
}

/* Of the inputs that look up a table: the tokens are those with a row for each class of the result,
 * or with the most rows. */
static void find_tokens(decoder *d)
{
    const ir_type *result = &d->g->output_types[0];
    int64_t classes = result->rank > 0 ? result->dims[result->rank - 1] : -1, most = 0;
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        int64_t rows = d->rows[i] == classes && classes > 0 ? INT64_MAX : d->rows[i];
        if (d->role[i] == PAGING_KEPT && rows > most) {
            most = rows;
            d->main = i;
        }
    }
    for (uint32_t i = 0; most > 0 && i < d->g->n_inputs; i++)
        if (d->role[i] == PAGING_KEPT && d->rows[i] > 4)
            d->role[i] = i == d->main ? PAGING_TOKENS : PAGING_POSITIONS;
    /* no table: embeddings come from outside */
    for (uint32_t i = 0; most == 0 && i < d->g->n_inputs; i++) {
        const ir_type *type = &d->g->inputs[i]->type;
        if (d->role[i] == PAGING_SIDE && dtype_is_float(type->dtype) && type->rank == 3 &&
            !dim_known(type->dims[1])) {
            d->role[i] = PAGING_KEPT;
            d->main = i;
            return;
        }
    }
}

/* A mask of other tokens, an encoder's: another input has as many of them. */
static bool is_of_others(const decoder *d, uint32_t mask)
{
    const ir_type *type = &d->g->inputs[mask]->type, *main = &d->g->inputs[d->main]->type;
    ir_dim count = type->rank > 0 ? type->dims[type->rank - 1] : 1;
    bool found = false;
    if (dim_known(count) || count == main->dims[main->rank > 1])
        return dim_known(count);
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        const ir_type *other = &d->g->inputs[i]->type;
        bool counts = i != mask && (d->role[i] == PAGING_SIDE || d->role[i] == PAGING_PAST);
        for (int32_t k = 0; counts && k < other->rank; k++)
            found = found || (k != d->past[i] && other->dims[k] == count);
    }
    return found;
}

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

/* The value of an input is known from now on. */
static heed_status fix(decoder *d, uint32_t i, const int64_t *dims, int32_t rank)
{
    ir_value *v = d->g->inputs[i];
    heed_tensor *t;
    TRY(heed_tensor_new(v->type.dtype, rank, dims, &t));
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
        if (is_past_slot(use))
            ir_node_set_input(use->node, use->slot, NULL);
    }
    if (!d->g->inputs[i]->uses)
        return HEED_OK;
    for (int32_t k = 0; k < type->rank; k++) {
        dims[k] = k == d->past[i] ? 0 : dim_known(type->dims[k]) ? type->dims[k] : 1;
        if (k != d->past[i] && !dim_known(type->dims[k]) && type->dims[k] != d->batch)
            return paging_stop(d->run, "a past of heads whose size only a run tells", NULL);
    }
    return fix(d, i, dims, type->rank);
}

/* A mask [1, tokens] of ones. */
static heed_status ones(decoder *d, uint32_t i)
{
    ir_value *v = d->g->inputs[i];
    op_body b = pass_body(d->run, d->g->last);
    if (v->type.rank != 2)
        return paging_stop(d->run, "a mask that is not one row of tokens a sequence", NULL);
    b.last = d->g->last;
    ir_value *main = d->g->inputs[d->main];
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
    return fix(d, i, type->dims, type->rank);
}

static heed_status apply(decoder *d, uint32_t i)
{
    static heed_status (*const of_role[])(decoder *, uint32_t) = {[PAGING_PAST] = empty_past,
                                                                  [PAGING_MASK] = ones,
                                                                  [PAGING_SWITCH] = without_past,
                                                                  [PAGING_SIDE] = NULL};
    return of_role[d->role[i]] ? of_role[d->role[i]](d, i) : HEED_OK;
}

/* Inputs that nobody gives any more leave the list. */
static void drop_inputs(decoder *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        bool stays = d->role[i] < PAGING_MASK || d->role[i] == PAGING_SIDE;
        d->g->inputs[i]->is_input = stays;
        if (!stays)
            continue;
        d->g->inputs[n] = d->g->inputs[i];
        d->g->inputs[n]->slot = n;
        n++;
    }
    d->g->n_inputs = n;
}

static bool is_present(const decoder *d, const ir_value *v)
{
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        const ir_value *past = d->g->inputs[i];
        if (d->role[i] == PAGING_PAST &&
            comes_from(v, find_growth(past, (step){d->past[i], past->type.rank}, 0), 0))
            return true;
    }
    return false;
}

/* The first result that is no present stays, alone. */
static void drop_outputs(decoder *d)
{
    ir_graph *g = d->g;
    uint32_t kept = 0;
    while (kept + 1 < g->n_outputs && is_present(d, g->outputs[kept]))
        kept++;
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
    size_t n = p->model->main->n_inputs;
    *d = (decoder){.run = p, .g = p->model->main, .main = UINT32_MAX};
    d->role = arena_array(p->scratch, n, sizeof(*d->role));
    d->rows = arena_array(p->scratch, n, sizeof(*d->rows));
    d->past = arena_array(p->scratch, n, sizeof(*d->past));
    d->pasts = arena_array(p->scratch, n, sizeof(*d->pasts));
    if (!d->role || !d->rows || !d->past || !d->pasts)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        TRY(find_role(d, i));
    find_tokens(d);
    for (uint32_t i = 0; i < n; i++)
        if (d->role[i] == PAGING_PAST) {
            ir_dim symbol = d->g->inputs[i]->type.dims[d->past[i]];
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
        paging->inputs[i] = (paging_input){d->g->inputs[i]->name, d->role[i], d->past[i]};
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    decoder d;
    if (!p->options->paging || p->model->main->n_outputs == 0 || !p->model->main->last)
        return HEED_OK;
    TRY(begin(p, &d));
    if (d.main == UINT32_MAX)
        return paging_stop(p, "no input of tokens or of their embeddings was found", NULL);
    const ir_type *main = &d.g->inputs[d.main]->type;
    d.batch = main->rank > 1 ? main->dims[0] : 1;
    if (main->rank < 1 || dim_known(main->dims[main->rank > 1]))
        return paging_stop(p, "the number of tokens is fixed in the file", NULL);
    for (uint32_t i = 0; i < d.g->n_inputs; i++)
        if (d.role[i] == PAGING_MASK && is_of_others(&d, i))
            d.role[i] = PAGING_SIDE;
    TRY(tell_roles(&d));
    drop_outputs(&d);
    for (uint32_t i = 0; i < d.g->n_inputs; i++)
        if (d.role[i] != PAGING_PAST)
            TRY(set_dims(&d, d.g->inputs[i]));
    for (uint32_t i = 0; i < d.g->n_inputs; i++)
        TRY(apply(&d, i));
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
