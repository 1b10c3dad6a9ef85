/* site_weights.c - from a softmax down to the product with the values. */
#include <string.h>

#include "passes/attention/site.h"
#include "passes/pass.h"

enum { MOST_STEPS = 32 };

/* Readers of elements: a shape is known without them (site_emit_shapes). */
static uint32_t count_uses(const ir_value *v)
{
    uint32_t n = v->n_outputs;
    for (const ir_use *u = v->uses; u; u = u->next)
        n += !pass_is(u->node, "Shape");
    return n;
}

/* Where(IsNaN(p), 0, p): its node, or NULL. */
static ir_node *find_guard(const ir_value *p)
{
    double number;
    for (const ir_use *u = p->uses; u; u = u->next) {
        const ir_value *c = pass_is(u->node, "Where") ? ir_input(u->node, 0) : NULL;
        if (c && c->producer && pass_is(c->producer, "IsNaN") && ir_input(c->producer, 0) == p &&
            ir_input(u->node, 2) == p && site_is_scalar(ir_input(u->node, 1), &number) &&
            number == 0)
            return u->node;
    }
    return NULL;
}

/* A product that may be the one with the values: with something that is computed. */
static bool leads_on(const ir_use *u, arena *scratch)
{
    contraction c;
    return contraction_reader(u, scratch, &c) &&
           !pass_constant(c.in[c.in[0].value == u->node->in[u->slot].value].value);
}

static bool stands_before(const ir_node *n, const ir_node *other)
{
    for (const ir_node *m = n->next; m; m = m->next)
        if (m == other)
            return true;
    return false;
}

/* The use that leads on, the first of several: the weights are there when the others want them.
 * Those make the weights a result of their own. */
static ir_use *next_use(site *s, ir_value *p, const axes *at, arena *scratch)
{
    ir_use *found = NULL;
    for (ir_use *u = p->uses; u; u = u->next) {
        if (pass_is(u->node, "Shape"))
            continue;
        bool leads = leads_on(u, scratch), led = found && leads_on(found, scratch);
        if (!found || (leads && (!led || stands_before(u->node, found->node))))
            found = u;
    }
    if (count_uses(p) > 1 && !s->weights.value) {
        s->weights = (site_operand){p, *at};
        s->n_changed = s->n_changes;
    }
    return found;
}

/* The same for all data: a constant, or made of extents alone. */
static bool is_fixed(const ir_value *v)
{
    static const char *const made[] = {"EyeLike", "ConstantOfShape", "Range"};
    static const char *const moves[] = {"Expand",    "Unsqueeze", "Squeeze", "Reshape",
                                        "Transpose", "Cast",      "Tile",    "Slice"};
    for (int i = 0; i < MOST_STEPS && !pass_constant(v); i++) {
        bool moved = false;
        for (size_t k = 0; k < sizeof(made) / sizeof(*made); k++)
            if (pass_is(v->producer, made[k]))
                return true;
        for (size_t k = 0; k < sizeof(moves) / sizeof(*moves); k++)
            moved |= pass_is(v->producer, moves[k]);
        if (!moved)
            return false;
        v = ir_input(v->producer, 0);
    }
    return true;
}

static bool take_product(site *s, const contraction *c, ir_node *n, uint32_t i, axes at)
{
    axes other, out;
    axes_refresh(&s->table, &at);
    axes_refresh_list(&s->table, &s->keys);
    if (i > 1 || c->in[0].value == c->in[1].value)
        return site_stop(s, n, "the softmax's result is multiplied with itself");
    if (!contraction_down(&s->table, c, i, &at, &other, &out))
        return site_stop(s, n, "there are too many axes to follow");
    if (is_fixed(c->in[1 - i].value) && axes_have_all(&out, &s->keys))
        return site_stop(s, n,
                         "a layer's weights mix the heads between the softmax and the values");
    if (!axes_have_all(&other, &s->keys))
        return site_stop(s, n, "the product after the softmax is not over its axis");
    for (uint32_t k = 0; k < s->keys.n; k++)
        if (axes_have(&out, s->keys.atoms[k]))
            return site_stop(s, n, "the product after the softmax is not over its axis");
    if (is_fixed(c->in[1 - i].value))
        return site_stop(s, n,
                         "the softmax's result is multiplied with constants, not with values");
    if (c->added)
        return site_stop(s, n, "something is added in the product with the values");
    s->gain = c->alpha;
    s->product = n;
    s->v = (site_operand){c->in[1 - i].value, other};
    s->y = (site_operand){n->out[0], out};
    return true;
}

/* The values' own tensor. */
static void climb(site *s)
{
    axes in;
    for (int i = 0; i < MOST_STEPS && s->v.value->producer; i++) {
        const ir_node *n = s->v.value->producer;
        axes_table before = s->table;
        if (!axes_up(&s->table, n, &s->v.at, &in)) {
            s->table = before;
            return;
        }
        s->v = (site_operand){ir_input(n, 0), in};
    }
}

/* The last arrangement of the result that nobody looks into on the way. */
void site_descend(site *s)
{
    axes out;
    for (int i = 0; i < MOST_STEPS && count_uses(s->y.value) == 1 && s->y.value->uses; i++) {
        ir_use *u = s->y.value->uses;
        while (u && pass_is(u->node, "Shape"))
            u = u->next;
        if (!u)
            return;
        site_note_shape(s, s->y.value, &s->y.at);
        axes_table before = s->table;
        if (u->slot != 0 || !axes_down(&s->table, u->node, &s->y.at, &out)) {
            s->table = before;
            return;
        }
        s->y = (site_operand){u->node->out[0], out};
    }
}

static bool is_number(const ir_value *v, int64_t number)
{
    return pass_constant(v) && tensor_count(v->constant) == 1 &&
           tensor_get_int(v->constant, 0) == number;
}

/* The keys without the sink behind or before them: Slice(p, 0, -1), Slice(p, 1). */
static bool drop_sink(site *s, const ir_node *n, axes *at)
{
    const ir_value *axis = ir_input(n, 3), *step = ir_input(n, 4), *end = ir_input(n, 2);
    if (!s->sinks.value || !pass_is(n, "Slice") || n->out[0]->type.rank != at->rank ||
        !is_number(ir_input(n, 1), s->sink_first) || !pass_constant(axis) ||
        (step && !is_number(step, 1)))
        return false;
    int64_t i = tensor_get_int(axis->constant, 0);
    i = i < 0 ? i + at->rank : i;
    if (tensor_count(axis->constant) != 1 || i < 0 || i >= at->rank)
        return false;
    ir_dim keys = axes_extent(&s->table, &s->keys);
    bool rest = s->sink_first ? pass_constant(end) && tensor_count(end->constant) == 1 &&
                                    tensor_get_int(end->constant, 0) >= INT32_MAX
                              : is_number(end, -1);
    if (!rest && n->out[0]->type.dims[i] != keys)
        return false;
    at->axis[i] = s->keys;
    return true;
}

/* The node is none that the walk knows. */
static const char *why_not(const ir_use *u)
{
    static const struct {
        const char *op, *reason;
    } rows[] = {
        {"Conv", "a layer's weights mix the heads between the softmax and the values"},
        {"Dropout", "a dropout in training mode draws which weights count"},
        {"QuantizeLinear", "the attention weights are quantised before they meet the values"},
        {"Add", "something is added to the attention weights"},
        {"Sub", "something is added to the attention weights"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (pass_is(u->node, rows[i].op) && (u->slot == 0 || i > 2))
            return rows[i].reason;
    return "no product with values follows the softmax";
}

static bool walk(site *s, ir_value *p, axes at, arena *scratch)
{
    contraction c;
    for (int i = 0; i < MOST_STEPS; i++) {
        axes out;
        site_note_shape(s, p, &at);
        ir_node *guard = find_guard(p);
        if (guard && count_uses(p) == 2 && !s->weights.value && !s->n_changes) {
            s->guard = true;
            p = guard->out[0];
            continue;
        }
        ir_use *u = next_use(s, p, &at, scratch);
        if (!u)
            return site_stop(s, s->softmax, "no product with values follows the softmax");
        ir_node *product = contraction_reader(u, scratch, &c);
        if (product)
            return take_product(s, &c, product, u->slot, at);
        if (pass_is(u->node, "Cast") && dtype_is_float(u->node->out[0]->type.dtype)) {
            p = u->node->out[0];
            continue;
        }
        if (site_note_change(s, u, &at)) {
            p = u->node->out[0];
            continue;
        }
        if (u->slot == 0 && drop_sink(s, u->node, &at)) {
            p = u->node->out[0];
            continue;
        }
        if (u->slot != 0 || !axes_down(&s->table, u->node, &at, &out))
            return site_stop(s, u->node, why_not(u));
        p = u->node->out[0];
        at = out;
    }
    return site_stop(s, s->softmax, "too many nodes after the softmax");
}

bool site_walk_down(site *s, arena *scratch)
{
    axes at = s->outer;
    axes_refresh(&s->table, &at);
    if (!walk(s, s->softmax->out[0], at, scratch))
        return false;
    climb(s);
    site_descend(s);
    return site_place_changes(s);
}
