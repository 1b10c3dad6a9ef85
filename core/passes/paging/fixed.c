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
#include "passes/paging/freeing.h"

#include <string.h>

extern const pass_def pass_infer, pass_unify;

/* Stands for a number of sequences that the file leaves open, while extents are numbers: nothing
 * else is as large. */
enum { ODD_BATCH = 8191 };

/* ---- Numbers and symbols --------------------------------------------------------------------- */

const extents *freeing_was(const freeing *f, const ir_value *v)
{
    static const extents none = {.rank = -1};
    return v->id < f->n ? &f->was[v->id] : &none;
}

/* With the file's numbers for the symbols. */
ir_dim freeing_number(const freeing *f, ir_dim d)
{
    d = dims_substitute(f->dims, d, f->any_number, f->tokens);
    return f->batch > 1 ? dims_substitute(f->dims, d, f->any_batch, f->batch) : d;
}

bool freeing_has_symbols(const ir_type *type)
{
    for (int32_t k = 0; k < type->rank; k++)
        if (!dim_known(type->dims[k]))
            return true;
    return false;
}

bool freeing_agrees(const freeing *f, const ir_value *v)
{
    const extents *e = freeing_was(f, v);
    bool same = e->rank >= 0 && e->rank == v->type.rank;
    for (int32_t k = 0; same && k < e->rank; k++)
        same = dim_known(e->dims[k]) && freeing_number(f, v->type.dims[k]) == e->dims[k];
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

/* ---- All nodes ------------------------------------------------------------------------------- */

/* Whatever the symbols are, nothing is cut off. */
static bool keeps_all(const freeing *f, const ir_node *n)
{
    const extents *in = freeing_was(f, ir_input(n, 0)), *out = freeing_was(f, n->out[0]);
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
    bool done = true, gone = false;
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            return refuse(f, n);
    if (pass_is(n, "Slice") && keeps_all(f, n) && freeing_has_symbols(&n->in[0].value->type))
        return pass_bypass(f->run, n, ir_input(n, 0));
    if (pass_is(n, "Reshape"))
        TRY(freeing_reshape(f, n, &done));
    else if (pass_is(n, "Expand"))
        TRY(freeing_expand(f, n, &done));
    else if (pass_is(n, "GatherND"))
        TRY(freeing_lists(f, n, &gone));
    else if ((n->op->flags & OP_ELEMENTWISE) || pass_is(n, "Concat"))
        TRY(freeing_operands(f, n, pass_is(n, "Concat")));
    else if (n->op->flags & OP_ATTENTION)
        TRY(freeing_masks(f, n));
    if (gone)
        return HEED_OK;
    if (!done)
        return refuse(f, n);
    heed_status status = pass_infer_node(f->run, n);
    if (status == HEED_NOMEM)
        return status;
    for (uint32_t o = 0; o < n->n_out && !status; o++)
        if (n->out[o] && !freeing_agrees(f, n->out[o]))
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
    bool alone = !dim_known(batch) || batch == 1;
    if (!alone)
        TRY(freeing_check_batch(&f, d->caches.result, &alone));
    if (!alone)
        return paging_stop(p, "sequences that depend on each other, or on which they are", NULL);
    paging_limit(p, tokens);
    return HEED_OK;
}
