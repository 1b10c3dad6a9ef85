/* site_layers.c - what the layers around a site say of its axes.
 *
 * Heads are parts of a layer's channels; windows, rows of an image and sequences are not. Weights
 * tell them apart: an axis that the weights of the layer before the queries, keys or values have,
 * or those of the layer after the result, is one of channels. Between site and layer stands what
 * moves elements or computes each from one, such as a bias, a norm or a rotary embedding.
 *
 *     [B, S, C] x weights [C, H * D] -> [B, S, H * D] -> [B, S, H, D] -> ... : h and d are channels
 *
 * An input that has heads and channels in one axis says the same.
 *
 * Separate from the walks of the site: this only asks, and nothing that is emitted depends on the
 * nodes that it passes. */
#include <string.h>

#include "passes/attention/site.h"
#include "passes/pass.h"

/* Nodes from the site to a layer; atoms that are left to what comes later. */
enum { MOST_STEPS = 24, ATOMS_LEFT = 16, STAND_INS = 6 };

/* An axis that a node cuts or lengthens is another one before it, of the same kind. */
typedef struct stand_in {
    uint8_t atom;
    axes_list of;
} stand_in;

typedef struct asker {
    site *s;
    arena *scratch;
    stand_in stand_ins[STAND_INS];
    uint32_t n, steps;
} asker;

/* ---- Layers ---------------------------------------------------------------------------------- */

/* A constant, or computed from nothing but constants. */
static bool is_weights(const ir_value *v, int depth)
{
    if (pass_constant(v))
        return true;
    if (!v || !v->producer || depth == 0 || v->producer->n_in == 0)
        return false;
    for (uint32_t i = 0; i < v->producer->n_in; i++)
        if (v->producer->in[i].value && !is_weights(v->producer->in[i].value, depth - 1))
            return false;
    return true;
}

/* Axes of x that the weights have as well, one bit each. */
static uint32_t shared_axes(const contraction_term *x, const contraction_term *w)
{
    uint32_t found = 0;
    for (int32_t i = 0; i < x->rank; i++)
        for (int32_t k = 0; k < w->rank; k++)
            if (x->label[i] == w->label[k] && x->label[i] != LABEL_ONE)
                found |= 1u << i;
    return found;
}

/* Layers that are no plain product of two tensors: the axis of channels of input 0 and of the
 * result, from the back when negative, and where the weights stand. */
static const struct {
    const char *op;
    int32_t in, out;
    uint32_t weights;
} layers[] = {
    {"Gemm", -1, -1, 1},
    {"Conv", 1, 1, 1},
    {"MatMulInteger", -1, -1, 1},
    {"QLinearMatMul", -1, -1, 3},
};

/* The channels of what the node reads (`after`) or makes; 0: it is no layer. */
static uint32_t layer_axes(const ir_node *n, uint32_t slot, bool after, arena *scratch)
{
    contraction c;
    for (size_t i = 0; i < sizeof(layers) / sizeof(*layers); i++)
        if (pass_is(n, layers[i].op) && is_weights(ir_input(n, layers[i].weights), 3)) {
            int32_t axis = after ? layers[i].in : layers[i].out;
            int32_t rank = after ? ir_input(n, 0)->type.rank : n->out[0]->type.rank;
            bool turned = after && ir_attr_int(n, "transA", 0);
            return slot || rank < 2 || turned ? 0 : 1u << (axis < 0 ? rank + axis : axis);
        }
    if (!contraction_read(n, scratch, &c))
        return 0;
    for (uint32_t i = 0; i < 2; i++)
        if (is_weights(c.in[i].value, 3))
            return after && slot == i ? 0 : shared_axes(after ? &c.in[1 - i] : &c.out, &c.in[i]);
    return 0;
}

/* ---- On the way ------------------------------------------------------------------------------ */

/* The same extents, as far as is known. */
static bool alike(const ir_type *a, const ir_type *b)
{
    bool same = a->rank == b->rank && a->rank >= 0;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = a->dims[i] == b->dims[i] || (a->dims[i] != 1 && b->dims[i] != 1 &&
                                            !(dim_known(a->dims[i]) && dim_known(b->dims[i])));
    return same;
}

/* Each element from one of input i, in its place. */
static bool keeps_places(const ir_node *n, uint32_t i)
{
    static const char *const ops[] = {"LayerNormalization", "RMSNormalization", "RotaryEmbedding",
                                      "SimplifiedLayerNormalization"};
    bool keeps = (n->op->flags & OP_ELEMENTWISE) != 0;
    for (size_t k = 0; k < sizeof(ops) / sizeof(*ops); k++)
        keeps = keeps || (pass_is(n, ops[k]) && i == 0);
    const ir_value *v = ir_input(n, i);
    return keeps && v && n->out[0] && !is_weights(v, 3) && alike(&v->type, &n->out[0]->type);
}

/* Along some axis it cuts a tensor, or joins several. */
static bool cuts_or_joins(const ir_node *n)
{
    return pass_is(n, "Split") || pass_is(n, "Slice") || pass_is(n, "Concat");
}

/* Where the extents of two sides of such a node differ, an atom stands for the axis from now on. */
static bool step_aside(asker *a, axes *at, const ir_type *from, const ir_type *to)
{
    if (from->rank != to->rank || from->rank != at->rank)
        return false;
    for (int32_t i = 0; i < at->rank; i++) {
        if (from->dims[i] == to->dims[i])
            continue;
        if (a->n == STAND_INS)
            return false;
        axes_list fresh = axes_new(&a->s->table, to->dims[i]);
        if (fresh.n)
            a->stand_ins[a->n++] = (stand_in){fresh.atoms[0], at->axis[i]};
        at->axis[i] = fresh;
    }
    return true;
}

/* ---- What is found --------------------------------------------------------------------------- */

static void mark(bool *has, const axes *at, uint32_t which)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; which >> i & 1 && k < at->axis[i].n; k++)
            has[at->axis[i].atoms[k]] = true;
}

/* All of an atom, when it was cut. */
static bool is_marked(const axes_table *t, const bool *has, uint8_t atom)
{
    return has[atom] || (t->atoms[atom].outer && is_marked(t, has, t->atoms[atom].outer) &&
                         is_marked(t, has, t->atoms[atom].inner));
}

/* Parts of what is marked, and what stand-ins stand for, the last one first. */
static void spread(asker *a)
{
    axes_table *t = &a->s->table;
    bool *has = a->s->channels;
    for (uint32_t i = a->n; i-- > 0;)
        for (uint32_t k = 0; k < a->stand_ins[i].of.n && is_marked(t, has, a->stand_ins[i].atom);
             k++)
            has[a->stand_ins[i].of.atoms[k]] = true;
    for (uint32_t i = 1; i < t->n; i++)
        if (has[i] && t->atoms[i].outer)
            has[t->atoms[i].outer] = has[t->atoms[i].inner] = true;
}

/* ---- The ways -------------------------------------------------------------------------------- */

/* One node up: the operand becomes what the node reads. */
static bool step_up(asker *a, site_operand *o)
{
    const ir_node *n = o->value->producer;
    axes in;
    if (axes_up(&a->s->table, n, &o->at, &in)) {
        *o = (site_operand){ir_input(n, 0), in};
        return true;
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        if (keeps_places(n, i)) {
            o->value = ir_input(n, i);
            return true;
        }
    uint32_t last = pass_is(n, "Concat") ? n->n_in - 1 : 0; /* what is new stands behind the past */
    ir_value *v = ir_input(n, last);
    if (!cuts_or_joins(n) || !step_aside(a, &o->at, &o->value->type, &v->type))
        return false;
    o->value = v;
    return true;
}

/* Axes of an input that join channels with others: a layer before it has given all of them. */
static uint32_t joined_axes(const asker *a, const site_operand *o)
{
    axes frame = a->s->frame;
    uint32_t found = 0;
    axes_refresh(&a->s->table, &frame);
    for (int32_t i = 0; i < o->at.rank; i++) {
        uint32_t n = o->at.axis[i].n, of_scores = 0;
        for (uint32_t k = 0; k < n; k++)
            of_scores += axes_have(&frame, o->at.axis[i].atoms[k]);
        found |= of_scores > 0 && of_scores < n ? 1u << i : 0;
    }
    return found;
}

static bool look_up(asker *a, site_operand o)
{
    for (; a->steps < MOST_STEPS && o.value->producer; a->steps++) {
        axes_refresh(&a->s->table, &o.at);
        uint32_t found = layer_axes(o.value->producer, 0, false, a->scratch);
        if (found) {
            mark(a->s->channels, &o.at, found);
            return true;
        }
        if (!step_up(a, &o) || a->s->table.failed)
            return false;
    }
    axes_refresh(&a->s->table, &o.at);
    uint32_t joined = o.value->producer ? 0 : joined_axes(a, &o);
    mark(a->s->channels, &o.at, joined);
    return joined != 0;
}

/* One node down, to output 0 of the reader. */
static bool step_down(asker *a, const ir_use *u, site_operand *o)
{
    axes out;
    ir_value *y = ir_output(u->node, 0);
    if (!y)
        return false;
    if (u->slot == 0 && axes_down(&a->s->table, u->node, &o->at, &out)) {
        *o = (site_operand){y, out};
        return true;
    }
    if (!keeps_places(u->node, u->slot) &&
        !(cuts_or_joins(u->node) && step_aside(a, &o->at, &o->value->type, &y->type)))
        return false;
    o->value = y;
    return true;
}

static bool look_down(asker *a, site_operand o)
{
    axes_refresh(&a->s->table, &o.at);
    for (const ir_use *u = o.value->uses; u; u = u->next) {
        uint32_t found = layer_axes(u->node, u->slot, true, a->scratch);
        mark(a->s->channels, &o.at, found);
        if (found)
            return true;
    }
    for (const ir_use *u = o.value->uses; u; u = u->next) {
        site_operand next = o;
        if (a->steps++ < MOST_STEPS && step_down(a, u, &next) && !a->s->table.failed &&
            look_down(a, next))
            return true;
    }
    return false;
}

static bool ask(site *s, const site_operand *o, bool (*look)(asker *a, site_operand o),
                arena *scratch)
{
    asker a = {.s = s, .scratch = scratch};
    axes_table table = s->table;
    bool channels[AXES_ATOMS];
    memcpy(channels, s->channels, sizeof(channels));
    bool found =
        o->value && look(&a, *o) && !s->table.failed && s->table.n <= AXES_ATOMS - ATOMS_LEFT;
    if (found) {
        spread(&a);
    } else {
        s->table = table;
        memcpy(s->channels, channels, sizeof(channels));
    }
    return found;
}

void site_ask_layers(site *s, arena *scratch)
{
    ask(s, &s->q, look_up, scratch);
    ask(s, &s->k, look_up, scratch);
    ask(s, &s->v, look_up, scratch);
    s->asked = ask(s, &s->y, look_down, scratch);
}
