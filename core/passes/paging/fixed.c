/* fixed.c - a file of one number of tokens becomes one of any number.
 *
 * before: x [2, 12, 32], y = Reshape(x, [2, 12, 4, 8]) + table [1, 12, 1, 8]
 * after:  x [B, T, 32],  y = Reshape(x, [B, T, 4, 8]) + Gather(table, 0 to T - 1) along axis 1
 *
 * Every extent is computed twice, with the file's numbers and with symbols, and both must agree
 * where the symbols are those numbers: so the graph that is made is the file's for the file's
 * number of tokens. What fewer tokens give is what the file gives for their rows, whatever stands
 * behind them, if a row does not ask for those behind it nor for how many there are: that is what
 * pages ask of every decoder (flow.h), and it is proved of the graph that is made here. Of more
 * tokens than the file's it says nothing, and nothing is computed. */
#include "passes/paging/fixed.h"

#include <string.h>

extern const pass_def pass_infer, pass_unify;

/* Stands for a number of sequences that the file leaves open, while extents are numbers: nothing
 * else is as large. */
enum { ODD_BATCH = 8191 };

typedef struct extents {
    int32_t rank; /* -1: not known */
    ir_dim *dims;
} extents;

typedef struct freeing {
    pass_run *run;
    ir_dims *dims;
    ir_value *main; /* the input of the tokens */
    extents *was;   /* by id of values: with the file's numbers */
    uint32_t n;
    ir_dim batch, tokens;         /* as numbers */
    ir_dim any_batch, any_number; /* as symbols */
} freeing;

/* ---- Numbers and symbols --------------------------------------------------------------------- */

static const extents *was(const freeing *f, const ir_value *v)
{
    static const extents none = {.rank = -1};
    return v->id < f->n ? &f->was[v->id] : &none;
}

/* With the file's numbers for the symbols. */
static ir_dim as_number(const freeing *f, ir_dim d)
{
    d = dims_substitute(f->dims, d, f->any_number, f->tokens);
    return f->batch > 1 ? dims_substitute(f->dims, d, f->any_batch, f->batch) : d;
}

static bool has_symbols(const ir_type *type)
{
    for (int32_t k = 0; k < type->rank; k++)
        if (!dim_known(type->dims[k]))
            return true;
    return false;
}

static bool agrees(const freeing *f, const ir_value *v)
{
    const extents *e = was(f, v);
    bool same = e->rank >= 0 && e->rank == v->type.rank;
    for (int32_t k = 0; same && k < e->rank; k++)
        same = dim_known(e->dims[k]) && as_number(f, v->type.dims[k]) == e->dims[k];
    return same;
}

static heed_status note(freeing *f, const ir_value *v)
{
    extents *e = &f->was[v->id];
    *e = (extents){.rank = v->type.rank};
    if (e->rank <= 0)
        return HEED_OK;
    e->dims = arena_array(f->run->scratch, (size_t)e->rank, sizeof(*e->dims));
    if (!e->dims)
        return HEED_NOMEM;
    memcpy(e->dims, v->type.dims, (size_t)e->rank * sizeof(*e->dims));
    return HEED_OK;
}

static heed_status note_all(freeing *f)
{
    const ir_graph *g = f->run->model->main;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        TRY(note(f, g->inputs[i]));
    for (const ir_node *n = g->first; n; n = n->next)
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                TRY(note(f, n->out[o]));
    return HEED_OK;
}

/* ---- Reshape --------------------------------------------------------------------------------- */

/* One extent of a result: the product of extents `first` to `last` - 1 of the input, or of the main
 * one, times more. */
typedef struct made_of {
    int32_t first, last;
    int64_t more;
    bool of_main;
} made_of;

/* Axes of the input and of the result that hold the same elements, in order. */
typedef struct run_of_axes {
    int32_t in, in_end, out, out_end;
} run_of_axes;

/* The next shortest run of axes with as many elements on both sides; false: there is none. */
static bool next_run(const extents *in, const extents *out, run_of_axes *r)
{
    int64_t a = 1, b = 1;
    r->in = r->in_end;
    r->out = r->out_end;
    while (r->in_end < in->rank || r->out_end < out->rank) {
        bool more_in = r->in_end < in->rank && (a <= b || r->out_end == out->rank);
        const extents *e = more_in ? in : out;
        int32_t *at = more_in ? &r->in_end : &r->out_end;
        if (!dim_known(e->dims[*at]) || e->dims[*at] == 0 ||
            __builtin_mul_overflow(more_in ? a : b, e->dims[*at], more_in ? &a : &b))
            return false;
        ++*at;
        if (a == b && r->in_end > r->in && r->out_end > r->out)
            return true;
    }
    return a == b;
}

/* Sequences, or tokens, or both, that were part of a longer axis have one of their own again: where
 * symbols multiply to the same. */
static bool part_again(const freeing *f, const ir_type *now, const extents *out,
                       const run_of_axes *r, int32_t first, made_of *parts)
{
    enum { BATCH = 1, TOKENS = 2 };
    const ir_dim number[] = {f->batch, f->tokens}, symbol[] = {f->any_batch, f->any_number};
    ir_dim wanted = 1;
    for (int32_t k = r->in; k < r->in_end; k++)
        wanted = dims_mul(f->dims, wanted, now->dims[k]);
    for (int with = BATCH; with <= (BATCH | TOKENS); with++) {
        ir_dim have = 1;
        int32_t at = first;
        for (int i = 0; i < 2; i++) {
            if (!(with >> i & 1) || number[i] == 1 || at == r->out_end ||
                out->dims[at] % number[i] != 0)
                continue;
            int32_t axis = f->main->type.rank > 1 ? i : 0;
            parts[at] = (made_of){axis, axis + 1, out->dims[at] / number[i], true};
            have = dims_mul(f->dims, have, dims_mul(f->dims, symbol[i], parts[at++].more));
        }
        for (int32_t k = at; k < r->out_end; k++) {
            parts[k] = (made_of){.more = out->dims[k]};
            have = dims_mul(f->dims, have, out->dims[k]);
        }
        if (have == wanted && have != DIM_UNKNOWN)
            return true;
    }
    return false;
}

/* Symbols of a run are in its outermost axes; the outermost axis of the result takes them all. */
static bool divide(const freeing *f, const ir_type *now, const extents *in, const extents *out,
                   const run_of_axes *r, made_of *parts)
{
    int32_t end = r->in;
    int64_t held = 1;
    for (int32_t k = r->in; k < r->in_end; k++)
        if (!dim_known(now->dims[k]))
            end = k + 1;
    for (int32_t k = r->in; k < end; k++)
        held *= in->dims[k];
    for (int32_t k = r->out; k < r->out_end; k++)
        parts[k] = (made_of){.more = out->dims[k]};
    int32_t first = r->out;
    while (end > r->in && first < r->out_end && out->dims[first] == 1)
        first++;
    if (end == r->in)
        return true;
    if (first == r->out_end)
        return false;
    parts[first] = (made_of){r->in, end, out->dims[first] / held, false};
    return out->dims[first] % held == 0 || part_again(f, now, out, r, first, parts);
}

static ir_value *extent_of(const freeing *f, op_body *b, ir_value *x, const made_of *part)
{
    x = part->of_main ? f->main : x;
    ir_value *all =
        part->more != 1 || part->first == part->last ? body_ints(b, 1, &part->more) : NULL;
    for (int32_t k = part->first; k < part->last; k++) {
        ir_value *one = body_dim(b, x, k);
        all = all ? body_2(b, all, one, "Mul") : one;
    }
    return all;
}

static ir_dim count_of(const freeing *f, const ir_type *type)
{
    ir_dim count = 1;
    for (int32_t k = 0; k < type->rank; k++)
        count = dims_mul(f->dims, count, type->dims[k]);
    return count;
}

/* Its shape is computed from others, and fits as it is. */
static bool fits_already(const freeing *f, ir_node *n)
{
    bool fits = !pass_infer_node(f->run, n) && agrees(f, n->out[0]) &&
                count_of(f, &n->out[0]->type) == count_of(f, &n->in[0].value->type);
    err_clear();
    return fits;
}

static heed_status free_reshape(freeing *f, ir_node *n, bool *done)
{
    ir_value *x = ir_input(n, 0), *shape = NULL;
    const extents *in = was(f, x), *out = was(f, n->out[0]);
    made_of parts[TENSOR_MAX_RANK];
    run_of_axes r = {0};
    *done = !has_symbols(&x->type) || fits_already(f, n);
    if (*done || in->rank < 0 || out->rank < 1 || x->type.rank != in->rank)
        return HEED_OK;
    while (r.in_end < in->rank || r.out_end < out->rank)
        if (!next_run(in, out, &r) || !divide(f, &x->type, in, out, &r, parts))
            return HEED_OK;
    op_body b = pass_body(f->run, n);
    for (int32_t k = 0; k < out->rank; k++) {
        ir_value *one = extent_of(f, &b, x, &parts[k]);
        shape = shape ? body_concat(&b, shape, one, 0) : one;
    }
    TRY(b.status);
    ir_node_set_input(n, 1, shape);
    *done = true;
    return HEED_OK;
}

/* An extent that stays is 1; the file's number of sequences, where it repeats one, is any. */
static heed_status free_expand(freeing *f, ir_node *n, bool *done)
{
    ir_value *x = ir_input(n, 0), *shape = NULL;
    const extents *in = was(f, x), *out = was(f, n->out[0]);
    *done = true;
    if (in->rank < 0 || out->rank < 1 || !has_symbols(&x->type))
        return HEED_OK;
    op_body b = pass_body(f->run, n);
    for (int32_t k = 0; k < out->rank; k++) {
        int32_t own = k - (out->rank - in->rank);
        bool stays = own >= 0 && in->dims[own] == out->dims[k];
        ir_value *one = body_ints(&b, 1, stays ? &(int64_t){1} : &out->dims[k]);
        shape = shape ? body_concat(&b, shape, one, 0) : one;
    }
    TRY(b.status);
    ir_node_set_input(n, 1, shape);
    return HEED_OK;
}

/* ---- Rows of what has the file's number ------------------------------------------------------ */

/* v[0 .. as many as axis `k` of `like` has] along `axis`. */
static ir_value *first_of(op_body *b, ir_value *v, int32_t axis, ir_value *like, int32_t k)
{
    return body_2(b, v, body_range(b, body_size(b, like, k)), "Gather axis=%d", axis);
}

/* Operands that have the file's number where others have a symbol. */
static heed_status free_operands(freeing *f, ir_node *n, bool joins)
{
    int32_t rank = n->out[0] ? was(f, n->out[0])->rank : -1;
    int64_t along = joins ? ir_attr_int(n, "axis", 0) : -1;
    along += joins && along < 0 ? rank : 0;
    for (int32_t k = 0; k < rank; k++) {
        ir_value *like = NULL;
        int32_t at = 0;
        for (uint32_t i = 0; i < n->n_in && k != along; i++) {
            ir_value *v = ir_input(n, i);
            int32_t own = v ? k - (rank - v->type.rank) : -1;
            if (own >= 0 && !dim_known(v->type.dims[own])) {
                like = v;
                at = own;
            }
        }
        for (uint32_t i = 0; i < n->n_in && like; i++) {
            ir_value *v = ir_input(n, i);
            int32_t own = v ? k - (rank - v->type.rank) : -1;
            if (own < 0 || !dim_known(v->type.dims[own]) || v->type.dims[own] == 1 ||
                v->type.dims[own] != as_number(f, like->type.dims[at]))
                continue;
            op_body b = pass_body(f->run, n);
            ir_value *rows = first_of(&b, v, own, like, at);
            TRY(b.status);
            ir_node_set_input(n, i, rows);
        }
    }
    return HEED_OK;
}

/* Number c of each list of indices is the index of the list along the axis. */
static bool counts(const heed_tensor *t, int32_t axis, int64_t c)
{
    int32_t rank = tensor_rank(t);
    int64_t width = t->dims[rank - 1], inner = 1;
    for (int32_t k = axis + 1; k < rank - 1; k++)
        inner *= t->dims[k];
    for (int64_t i = 0; i < tensor_count(t) / width; i++)
        if (tensor_get_int(t, i * width + c) != i / inner % t->dims[axis])
            return false;
    return true;
}

/* GatherND with constant lists of all indices. */
static heed_status free_lists(freeing *f, ir_node *n)
{
    ir_value *data = ir_input(n, 0), *lists = ir_input(n, 1);
    if (!pass_constant(lists) || lists->type.rank < 2)
        return HEED_OK;
    const heed_tensor *t = lists->constant;
    int32_t last = tensor_rank(t) - 1;
    for (int32_t c = 0; c < t->dims[last] && c < data->type.rank; c++)
        for (int32_t axis = 0; axis < last && !dim_known(data->type.dims[c]); axis++) {
            if (t->dims[axis] != as_number(f, data->type.dims[c]) || !counts(t, axis, c))
                continue;
            op_body b = pass_body(f->run, n);
            ir_value *rows = first_of(&b, ir_input(n, 1), axis, data, c);
            TRY(b.status);
            ir_node_set_input(n, 1, rows);
            break;
        }
    return HEED_OK;
}

/* ---- All nodes ------------------------------------------------------------------------------- */

/* Whatever the symbols are, nothing is cut off. */
static bool keeps_all(const freeing *f, const ir_node *n)
{
    const extents *in = was(f, ir_input(n, 0)), *out = was(f, n->out[0]);
    const ir_value *steps = ir_input(n, 4);
    bool same = in->rank == out->rank && in->rank >= 0;
    for (int32_t k = 0; same && k < in->rank; k++)
        same = in->dims[k] == out->dims[k];
    return same && (!steps || (pass_constant(steps) && tensor_get_int(steps->constant, 0) == 1));
}

static heed_status refuse(const freeing *f, const ir_node *n)
{
    return paging_stop(f->run, "the number of tokens is fixed in the file", n);
}

static heed_status free_node(freeing *f, ir_node *n)
{
    bool done = true;
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            return refuse(f, n);
    if (pass_is(n, "Slice") && keeps_all(f, n) && has_symbols(&n->in[0].value->type))
        return pass_bypass(f->run, n, ir_input(n, 0));
    if (pass_is(n, "Reshape"))
        TRY(free_reshape(f, n, &done));
    else if (pass_is(n, "Expand"))
        TRY(free_expand(f, n, &done));
    else if (pass_is(n, "GatherND"))
        TRY(free_lists(f, n));
    else if ((n->op->flags & OP_ELEMENTWISE) || pass_is(n, "Concat"))
        TRY(free_operands(f, n, pass_is(n, "Concat")));
    if (!done)
        return refuse(f, n);
    heed_status status = pass_infer_node(f->run, n);
    if (status == HEED_NOMEM)
        return status;
    for (uint32_t o = 0; o < n->n_out && !status; o++)
        if (n->out[o] && !agrees(f, n->out[o]))
            status = HEED_UNSUPPORTED;
    return status ? refuse(f, n) : HEED_OK;
}

static heed_status set_inputs(beginning *d, ir_dim batch, ir_dim tokens, ir_dim any_batch,
                              ir_dim any_number)
{
    bool *square = arena_array(d->run->scratch, d->g->n_inputs, sizeof(*square));
    if (!square)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < d->g->n_inputs; i++)
        square[i] = d->roles.role[i] == PAGING_MASK && roles_has_queries(&d->roles, i);
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        ir_type *type = &d->g->inputs[i]->type;
        ir_dim *made = arena_array(&d->run->model->memory,
                                   (size_t)(type->rank > 0 ? type->rank : 1), sizeof(*made));
        if (!made)
            return HEED_NOMEM;
        for (int32_t k = 0; k < type->rank; k++) {
            bool first = k == 0 && type->rank > 1 && type->dims[k] == batch;
            bool along = square[i] ? k + 2 >= type->rank : k == (type->rank > 1);
            bool row = along && type->dims[k] == tokens && d->roles.role[i] != PAGING_SIDE;
            made[k] = first && !row ? any_batch : row ? any_number : type->dims[k];
        }
        if (type->rank > 0)
            type->dims = made;
    }
    return HEED_OK;
}

/* ---- Numbers that inputs do not say ---------------------------------------------------------- */

static heed_status take_extents(beginning *d, const ir_model *told)
{
    for (uint32_t i = 0; i < d->g->n_inputs; i++) {
        const ir_type *from = &told->main->inputs[i]->type;
        ir_type *to = &d->g->inputs[i]->type;
        for (int32_t k = 0; k < to->rank; k++) {
            if (dim_known(to->dims[k]) || !dim_known(from->dims[k]))
                continue;
            ir_dim *made = arena_array(&d->run->model->memory, (size_t)to->rank, sizeof(*made));
            if (!made)
                return HEED_NOMEM;
            memcpy(made, to->dims, (size_t)to->rank * sizeof(*made));
            made[k] = from->dims[k];
            to->dims = made;
        }
    }
    return HEED_OK;
}

heed_status fixed_learn(beginning *d)
{
    ir_model *copy = NULL;
    const uint32_t main = d->roles.main;
    if (d->caches.n > 0)
        return HEED_OK;
    TRY(ir_model_copy(d->run->model, &copy));
    pass_run p = {.model = copy, .options = d->run->options, .scratch = d->run->scratch};
    heed_status status = pass_infer.run(&p);
    if (!status)
        status = pass_unify.run(&p);
    const ir_type *type = &copy->main->inputs[main]->type;
    if (!status && type->rank > 0 && dim_known(type->dims[type->rank > 1]))
        status = take_extents(d, copy);
    ir_model_free(copy);
    if (status == HEED_NOMEM)
        return status;
    err_clear(); /* the graph itself will say so */
    return HEED_OK;
}

heed_status fixed_free(beginning *d)
{
    pass_run *p = d->run;
    const ir_type *main = &d->g->inputs[d->roles.main]->type;
    ir_dim batch = main->rank > 1 ? main->dims[0] : 1, tokens = main->dims[main->rank > 1];
    freeing f = {.run = p, .dims = p->model->dims, .tokens = tokens};
    f.main = d->g->inputs[d->roles.main];
    if (d->caches.n > 0 || tokens < 2 || (!dim_known(batch) && !dims_is_symbol(f.dims, batch)))
        return paging_stop(p, "the number of tokens is fixed in the file", NULL);
    f.batch = dim_known(batch) ? batch : ODD_BATCH;
    TRY(set_inputs(d, batch, tokens, f.batch, tokens));
    TRY(pass_infer.run(p));
    f.n = p->model->n_values;
    f.was = arena_array(p->scratch, f.n, sizeof(*f.was));
    if (!f.was)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < f.n; i++)
        f.was[i].rank = -1;
    TRY(note_all(&f));
    f.any_batch = f.batch > 1 ? dims_fresh(f.dims) : 1;
    f.any_number = dims_fresh(f.dims);
    TRY(set_inputs(d, f.batch, tokens, f.any_batch, f.any_number));
    for (ir_node *n = d->g->first, *next; n; n = next) {
        next = n->next;
        TRY(free_node(&f, n));
    }
    paging_limit(p, tokens);
    return HEED_OK;
}
