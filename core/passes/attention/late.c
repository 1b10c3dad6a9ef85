/* late.c - pass: what attention alone reads is computed just before it.
 *
 * before: v = MatMul(x, w); bias = ..; y = heed.FlashAttention(q, k, v, bias); z = Add(y, x)
 * after:  bias = ..; v = MatMul(x, w); y = heed.FlashAttention(q, k, v, bias); z = Add(y, x)
 *
 * Attention reads queries, keys and values at the same time, so what its bias is computed from does
 * not lie beside all of them. Only layers of what is kept until then anyway are moved, with views
 * and what is added in place: nothing is kept longer, and an operand comes later. The last pass,
 * since those before it join products that stand close together. */
#include <string.h>

#include "passes/attention/lives.h"

enum { MOST = 8, OPERANDS = 3 };

typedef struct chain {
    uint32_t *places;
    ir_node *reader;      /* attention, or what joins parts for it */
    ir_node *nodes[MOST]; /* what is moved */
    uint32_t n, n_layers;
} chain;

static bool has(const void *self, const ir_node *n)
{
    const chain *c = self;
    for (uint32_t i = 0; i < c->n; i++)
        if (c->nodes[i] == n)
            return true;
    return false;
}

/* All inputs but one are constants: the input that is none, or NULL. */
static const ir_value *only_input(const ir_node *n)
{
    const ir_value *only = NULL;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        if (!v || pass_constant(v) || v == only)
            continue;
        if (only)
            return NULL;
        only = v;
    }
    return only;
}

/* What lies where its input did, or one layer: of two the first may give more than the operand
 * has. */
static bool may_move(chain *c, const ir_node *n)
{
    static const char *const layers[] = {"MatMul", "Gemm", "Einsum", NULL};
    const ir_value *x = only_input(n);
    if (n->op->flags & OP_VIEW)
        return true;
    if (!x || !pass_pure(n))
        return false;
    if (pass_is(n, "Add"))
        return pass_same_type(x, n->out[0]);
    return (pass_is_one_of(n, layers) || strcmp(n->op->name, "Projections") == 0) &&
           c->n_layers++ == 0;
}

static bool is_wanted_late(chain *c, const ir_node *n);

/* It comes when the reader does, or it is a view that can be moved as well. */
static bool may_wait(chain *c, const ir_use *u)
{
    if (u->node->graph != c->reader->graph)
        return false;
    if (c->places[u->node->id] >= c->places[c->reader->id] || has(c, u->node))
        return true;
    if (!(u->node->op->flags & OP_VIEW) || c->n == MOST || !is_wanted_late(c, u->node))
        return false;
    c->nodes[c->n++] = u->node;
    return true;
}

/* Nobody reads its results before the reader does, but for what is moved, too. */
static bool is_wanted_late(chain *c, const ir_node *n)
{
    for (uint32_t o = 0; o < n->n_out; o++)
        for (const ir_use *u = n->out[o] ? n->out[o]->uses : NULL; u; u = u->next)
            if (!may_wait(c, u))
                return false;
    return true;
}

/* A shape, which is computed while planning. */
static bool is_shape(const ir_value *v)
{
    return v->type.dtype == HEED_INT64 && (v->type.rank == 0 || v->type.rank == 1);
}

/* The value is there just before the reader, at no cost; or what makes it moves, too. */
static bool gather(chain *c, ir_value *v, bool kept)
{
    ir_node *n = v->producer;
    if (!n || is_shape(v) || n->graph != c->reader->graph || has(c, n))
        return true;
    if (kept && lives_last(c->places, lives_root(v), has, c) >= c->places[c->reader->id])
        return true;
    if (!is_wanted_late(c, n) || c->n == MOST || !may_move(c, n))
        return false;
    c->nodes[c->n++] = n;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && !gather(c, n->in[i].value, true))
            return false;
    return true;
}

/* Something else is computed between what is moved and the reader. */
static bool is_early(const chain *c)
{
    const ir_node *first = c->nodes[0];
    bool computes = false;
    for (uint32_t i = 0; i < c->n; i++) {
        first = c->places[c->nodes[i]->id] < c->places[first->id] ? c->nodes[i] : first;
        computes |= !(c->nodes[i]->op->flags & OP_VIEW);
    }
    for (const ir_node *n = first; computes && n != c->reader; n = n->next)
        if (!has(c, n) && !(n->op->flags & OP_VIEW) && !is_shape(n->out[0]))
            return true;
    return false;
}

/* In the order that they have. */
static void move(chain *c)
{
    ir_node *behind = c->reader;
    for (ir_node *previous, *n = behind->previous; n; n = previous) {
        previous = n->previous;
        if (!has(c, n))
            continue;
        ir_node_move(n, behind->previous);
        c->places[n->id] = c->places[c->reader->id];
        behind = n;
    }
}

/* What is joined for attention waits for its parts as attention does. */
static void delay(pass_run *p, uint32_t *places, ir_node *reader, uint32_t n_in)
{
    for (uint32_t i = 0; i < n_in && i < reader->n_in; i++) {
        ir_value *v = ir_input(reader, i);
        chain c = {.places = places, .reader = reader};
        if (!v)
            continue;
        if (gather(&c, v, false) && c.n && is_early(&c)) {
            move(&c);
            p->rewrites++;
        } else if (n_in == OPERANDS && pass_is(v->producer, "Concat") &&
                   v->graph == reader->graph) {
            delay(p, places, v->producer, UINT32_MAX);
        }
    }
}

static void sweep(pass_run *p, uint32_t *places, ir_graph *g)
{
    for (ir_node *n = g->first; n; n = n->next) {
        if (n->op->flags & OP_ATTENTION)
            delay(p, places, n, OPERANDS);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                sweep(p, places, n->attrs[a].graph);
    }
}

static heed_status run(pass_run *p)
{
    uint32_t *places = lives_places(p);
    if (places)
        sweep(p, places, p->model->main);
    return places ? HEED_OK : HEED_NOMEM;
}

const pass_def pass_late = {
    .name = "late",
    .purpose = "what attention alone reads is computed just before it",
    .order = 92,
    .run = run,
};
