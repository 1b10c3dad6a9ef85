/* split.c - pass: what all steps of a sequence share is computed once.
 *
 * before: y = heed.Attention(q, MatMul(encoded, k), MatMul(encoded, v)), q from tokens
 * after:  y = heed.Attention(q, heed.side.0, heed.side.1) in the graph of steps, and
 *         heed.side.0 = MatMul(encoded, k), heed.side.1 = MatMul(encoded, v) in another
 *
 * Only for paging, and only a question of what depends on what. A value is free when it depends on
 * constants alone, it is of the side when it depends on side inputs too, and of the steps when it
 * depends on anything else. The graph is cut where a node of the steps reads a value of the side.
 * Integers that say only how large such values are do not cross the cut: the steps ask the values
 * for their extents, so that shapes stay known before a run. */
#include <stdio.h>
#include <string.h>

#include "passes/paging/paging.h"
#include "passes/paging/ports.h"

extern const pass_def pass_infer, pass_dead, pass_common;

enum { FREE, SIDE, STEPS };

/* A value of the side that steps read. */
typedef struct crossing {
    ir_value *value;
    ir_value *made; /* what the steps read in its place; itself where it is an input */
    bool shape;     /* it is made of others' extents, and stays behind */
} crossing;

/* An extent that steps cannot compute, and what they call it. */
typedef struct renamed {
    ir_dim from, to;
} renamed;

typedef struct split {
    pass_run *run;
    ir_graph *g;
    uint8_t *of; /* by id of values */
    uint32_t n;
    crossing *cut;
    renamed *dims;
    uint32_t n_cut, n_dims;
} split;

/* ---- What depends on what ------------------------------------------------------------------- */

static uint8_t worse(uint8_t a, uint8_t b) { return a > b ? a : b; }

static uint8_t of_value(const split *s, const ir_value *v)
{
    return v && v->id < s->n ? s->of[v->id] : FREE;
}

static uint8_t of_node(split *s, const ir_node *n);

/* Values from outside that a nested graph reads; its own are free until they are set. */
static uint8_t of_graph(split *s, const ir_graph *g)
{
    uint8_t worst = FREE;
    for (const ir_node *n = g->first; n; n = n->next)
        worst = worse(worst, of_node(s, n));
    for (uint32_t i = 0; i < g->n_outputs; i++)
        worst = worse(worst, of_value(s, g->outputs[i]));
    return worst;
}

static uint8_t of_node(split *s, const ir_node *n)
{
    bool nested = false;
    uint8_t worst = FREE;
    for (uint32_t i = 0; i < n->n_in; i++)
        worst = worse(worst, of_value(s, ir_input(n, i)));
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph) {
            worst = worse(worst, of_graph(s, n->attrs[a].graph));
            nested = true;
        }
    if (!nested && !pass_pure(n))
        return STEPS; /* drawn anew each time */
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] && n->out[o]->type.kind != HEED_KIND_TENSOR && worst == SIDE)
            return STEPS; /* no tensor can be handed over */
    return worst;
}

static uint8_t of_input(const split *s, const ir_value *v)
{
    const pass_paging *paging = s->run->options->paging;
    for (uint32_t i = 0; i < paging->n_inputs; i++)
        if (strcmp(paging->inputs[i].name, v->name) == 0)
            return paging->inputs[i].role == PAGING_SIDE ? SIDE : STEPS;
    return v->constant ? FREE : STEPS;
}

static void sweep(split *s)
{
    for (uint32_t i = 0; i < s->g->n_inputs; i++)
        s->of[s->g->inputs[i]->id] = of_input(s, s->g->inputs[i]);
    for (ir_node *n = s->g->first; n; n = n->next) {
        uint8_t kind = of_node(s, n);
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                s->of[n->out[o]->id] = kind;
    }
}

/* ---- The cut -------------------------------------------------------------------------------- */

/* Of the main graph: what nested graphs make is theirs. */
static void cut_value(split *s, ir_value *v)
{
    if (!v || v->graph != s->g || of_value(s, v) != SIDE)
        return;
    for (uint32_t i = 0; i < s->n_cut; i++)
        if (s->cut[i].value == v)
            return;
    s->cut[s->n_cut++] = (crossing){.value = v, .made = v};
}

static void cut_graph(split *s, const ir_graph *g);

static void cut_node(split *s, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        cut_value(s, ir_input(n, i));
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            cut_graph(s, n->attrs[a].graph);
}

static void cut_graph(split *s, const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next)
        cut_node(s, n);
    for (uint32_t i = 0; i < g->n_outputs; i++)
        cut_value(s, g->outputs[i]);
}

static bool is_step(const split *s, const ir_node *n)
{
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            return of_value(s, n->out[o]) == STEPS;
    return false;
}

/* The extent of an axis of a value that crosses; NULL: there is none. */
static const crossing *find_extent(const split *s, ir_dim dim, int32_t *axis)
{
    for (uint32_t i = 0; i < s->n_cut; i++) {
        const ir_value *v = s->cut[i].value;
        for (int32_t k = 0; !v->content && k < v->type.rank; k++)
            if (v->type.dims[k] == dim) {
                *axis = k;
                return &s->cut[i];
            }
    }
    return NULL;
}

/* Integers that are numbers, and extents of what crosses. */
static bool is_shape(const split *s, const ir_value *v)
{
    int32_t axis;
    int64_t number;
    for (int64_t i = 0; i < v->n_content; i++)
        if (!dims_value(s->run->model->dims, v->content[i], &number) &&
            !find_extent(s, v->content[i], &axis))
            return false;
    return v->content && v->n_content > 0;
}

static void find_cut(split *s)
{
    for (const ir_node *n = s->g->first; n; n = n->next)
        if (is_step(s, n))
            cut_node(s, n);
    for (uint32_t i = 0; i < s->g->n_outputs; i++)
        cut_value(s, s->g->outputs[i]);
    for (uint32_t i = 0; i < s->n_cut; i++)
        s->cut[i].shape = is_shape(s, s->cut[i].value);
}

/* ---- The graph of steps --------------------------------------------------------------------- */

/* An expression has no value before all of its symbols have: it becomes a symbol, the same one
 * wherever it stands. */
static ir_dim rename_dim(split *s, ir_dim dim)
{
    ir_dims *dims = s->run->model->dims;
    if (dim_known(dim) || dims_is_symbol(dims, dim))
        return dim;
    for (uint32_t i = 0; i < s->n_dims; i++)
        if (s->dims[i].from == dim && dim != DIM_UNKNOWN)
            return s->dims[i].to;
    s->dims[s->n_dims] = (renamed){dim, dims_fresh(dims)};
    return s->dims[s->n_dims++].to;
}

static const char *side_name(split *s, char text[32])
{
    snprintf(text, 32, "heed.side.%u", s->run->options->paging->n_side++);
    return text;
}

static heed_status make_input(split *s, crossing *c)
{
    char name[32];
    const ir_type *type = &c->value->type;
    ir_dim dims[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < type->rank; k++)
        dims[k] = rename_dim(s, type->dims[k]);
    c->made = ports_add_input(s->g, side_name(s, name), type->dtype, type->rank, dims);
    if (!c->made)
        return HEED_NOMEM;
    ir_value_replace(c->value, c->made);
    return HEED_OK;
}

static heed_status make_shape(split *s, const crossing *c)
{
    const ir_value *v = c->value;
    ir_value *all = NULL;
    op_body b = pass_body(s->run, s->g->last);
    for (int64_t i = 0; i < v->n_content; i++) {
        int32_t axis = 0;
        int64_t number = 0;
        bool known = dims_value(s->run->model->dims, v->content[i], &number);
        const crossing *from = known ? NULL : find_extent(s, v->content[i], &axis);
        ir_value *one = from ? body_dim(&b, from->made, axis) : body_ints(&b, 1, &number);
        all = all ? body_concat(&b, all, one, 0) : one;
    }
    all = all ? body_cast(&b, all, v->type.dtype) : NULL;
    if (all && v->type.rank == 0)
        all = body_2(&b, all, body_ints(&b, 1, (int64_t[]){0}), "Squeeze");
    if (!b.status)
        ir_value_replace(c->value, all);
    return b.status;
}

/* Tokens and places stay, read or not. */
static bool stays(const void *self, const ir_value *v)
{
    return ir_value_used(v) || of_input(self, v) != SIDE;
}

static heed_status write_steps(split *s)
{
    for (uint32_t i = 0; i < s->n_cut; i++)
        if (!s->cut[i].shape && !s->cut[i].value->is_input)
            TRY(make_input(s, &s->cut[i]));
    for (uint32_t i = 0; i < s->n_cut; i++)
        if (s->cut[i].shape)
            TRY(make_shape(s, &s->cut[i]));
    TRY(pass_dead.run(s->run));
    ports_keep_inputs(s->g, stays, s);
    return ir_sort(s->g);
}

/* ---- The graph of what is computed once ----------------------------------------------------- */

static bool is_read(const void *self, const ir_value *v)
{
    (void)self;
    return ir_value_used(v);
}

static heed_status write_once(split *s)
{
    char name[32];
    ports_drop_outputs(s->g);
    for (uint32_t i = 0; i < s->n_cut; i++)
        if (!s->cut[i].shape && !s->cut[i].value->is_input)
            TRY(ports_add_output(s->g, side_name(s, name), s->cut[i].value));
    TRY(pass_dead.run(s->run));
    ports_keep_inputs(s->g, is_read, s);
    return HEED_OK;
}

/* ---- Both ----------------------------------------------------------------------------------- */

static heed_status begin(pass_run *p, split *s)
{
    TRY(pass_common.run(p)); /* a mask crosses once, not once a layer */
    *s = (split){.run = p, .g = p->model->main, .n = p->model->n_values};
    s->of = arena_alloc(p->scratch, s->n);
    s->cut = arena_array(p->scratch, s->n, sizeof(*s->cut));
    if (!s->of || !s->cut)
        return HEED_NOMEM;
    sweep(s);
    find_cut(s);
    s->dims = arena_array(p->scratch, (size_t)s->n_cut * TENSOR_MAX_RANK, sizeof(*s->dims));
    return s->dims || !s->n_cut ? HEED_OK : HEED_NOMEM;
}

static heed_status run(pass_run *p)
{
    split s;
    if (!p->options->paging)
        return HEED_OK;
    TRY(begin(p, &s));
    if (p->options->paging->part == PAGING_ONCE)
        return write_once(&s);
    if (s.n_cut == 0)
        return HEED_OK;
    TRY(write_steps(&s));
    p->rewrites += p->options->paging->n_side;
    return pass_infer.run(p);
}

const pass_def pass_split = {
    .name = "split",
    .purpose = "what all steps of a sequence share is computed once",
    .order = 64,
    .required = true,
    .run = run,
};
