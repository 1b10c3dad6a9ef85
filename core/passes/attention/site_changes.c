/* site_changes.c - what is done to the weights before they meet the values, without dividing by
 * their sum again.
 *
 *   factors without keys     a head mask, dropout's scale: they multiply the result
 *   factors of keys          they multiply the values
 *   Where(m, 0, p)           as a factor; or when m is the mask of the scores, too, rows that it
 *                            hides give 0, and elsewhere it says nothing new
 *
 * Separate from site_weights.c, which walks: where a change goes is known when the product is. */
#include <math.h>
#include <string.h>

#include "passes/attention/site_emit.h"
#include "passes/pass.h"

enum { DEEPEST = 16 };

static bool is_zero(const ir_value *v)
{
    double number;
    return site_is_scalar(v, &number) && number == 0;
}

/* The operand that changes p at this use; NULL: the node does something else. */
static ir_value *changing(const ir_use *u, bool *inverted)
{
    const ir_node *n = u->node;
    if (pass_is(n, "Mul") && ir_input(n, 0) != ir_input(n, 1))
        return ir_input(n, 1 - u->slot);
    if (pass_is(n, "Div") && u->slot == 0 && ir_input(n, 0) != ir_input(n, 1))
        return ir_input(n, 1);
    if (!pass_is(n, "Where") || u->slot == 0 || !is_zero(ir_input(n, 3 - u->slot)))
        return NULL;
    *inverted = u->slot == 1; /* true keeps the weights */
    return ir_input(n, 0);
}

bool site_note_change(site *s, const ir_use *u, const axes *at)
{
    bool inverted = false;
    ir_value *value = changing(u, &inverted);
    if (!value || value->type.rank < 0 || s->n_changes == SITE_CHANGES ||
        !site_is_spine(u->node->out[0], ir_input(u->node, u->slot)) ||
        (s->sinks.value && !axes_have_all(at, &s->keys)))
        return false;
    s->changes[s->n_changes++] = (site_change){
        .node = u->node,
        .term = {.value = value, .at = site_beside(at, value), .number = 1, .inverted = inverted}};
    return true;
}

/* ---- Where it goes --------------------------------------------------------------------------- */

static bool has_any(const axes *a, const axes_list *atoms)
{
    for (uint32_t i = 0; i < atoms->n; i++)
        if (axes_have(a, atoms->atoms[i]))
            return true;
    return false;
}

/* No mask, as far as one can see: numbers that activations and small constants make. */
static bool is_moderate(const ir_value *v, int depth)
{
    static const char *const moves[] = {
        "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand",         "Slice",
        "Gather",  "Cast",      "Split",   "Neg",       "Tile",           "Identity",
        "Mul",     "Div",       "Add",     "Sub",       "GatherElements", "Pad"};
    const ir_node *n = v->producer;
    double number;
    if (site_is_scalar(v, &number)) /* also one that was filled in */
        return fabs(number) < 1e4;
    if (pass_constant(v)) {
        bool small = tensor_count(v->constant) <= 1 << 20;
        for (int64_t i = 0; small && i < tensor_count(v->constant); i++)
            small = fabs(tensor_get_float(v->constant, i)) < 1e4;
        return small;
    }
    if (!n || depth == DEEPEST)
        return false;
    if (pass_is(n, "MatMul") || pass_is(n, "Gemm") || pass_is(n, "Einsum") || pass_is(n, "Sqrt"))
        return true;
    if (pass_is(n, "Pad") && ir_input(n, 2) && !is_moderate(ir_input(n, 2), depth + 1))
        return false;
    if (pass_is(n, "Concat")) {
        bool all = true;
        for (uint32_t i = 0; all && i < n->n_in; i++)
            all = is_moderate(ir_input(n, i), depth + 1);
        return all;
    }
    for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
        bool two = i >= 12 && i < 16;
        if (pass_is(n, moves[i]))
            return is_moderate(ir_input(n, 0), depth + 1) &&
                   (!two || is_moderate(ir_input(n, 1), depth + 1));
    }
    return false;
}

static bool is_small_bias(const site_term *t)
{
    return t->kind == SITE_BIAS && fabs(t->number) < 1e4 && is_moderate(t->value, 0);
}

/* Nothing but small biases from this term on. */
static bool are_moderate(const site *s, uint32_t from)
{
    for (uint32_t i = from; i < s->terms.n; i++)
        if (!is_small_bias(&s->terms.items[i]))
            return false;
    return true;
}

/* A mask of zeros and ones as it was before it became numbers. */
static const ir_value *as_condition(const ir_value *v)
{
    while (v->type.dtype != HEED_BOOL && pass_is(v->producer, "Cast"))
        v = ir_input(v->producer, 0);
    return v;
}

static bool same_place(const site *s, const site_change *c, const site_term *mask)
{
    axes a = c->term.at, b = mask->at;
    axes_refresh(&s->table, &a);
    axes_refresh(&s->table, &b);
    for (int32_t i = 0; i < a.rank && a.rank == b.rank; i++)
        if (!axes_list_equal(&a.axis[i], &b.axis[i]))
            return false;
    return a.rank == b.rank;
}

/* So low that a score beside it, which is a product of activations, leaves it no weight at all. It
 * stands in the score's place and need not absorb it. */
static bool leaves_no_weight(double number, heed_dtype dtype)
{
    return number <= -1e8 || site_absorbs(number, dtype);
}

/* The scores were hidden by the same mask, and hidden ones weigh nothing beside any that is seen:
 * only rows that see nothing are changed. */
static bool is_mask_again(site *s, const site_change *c)
{
    const site_term *mask = &s->terms.items[0];
    const ir_value *a = as_condition(c->term.value), *b;
    bool hides = !c->term.inverted;
    if (pass_is(c->node, "Mul")) /* ones keep */
        hides = false;
    else if (!pass_is(c->node, "Where"))
        return false;
    if (s->additive || s->named || s->late || s->guard || s->zero || s->sinks.value ||
        s->factors.n || s->terms.n == 0 || mask->kind != SITE_MASK ||
        !leaves_no_weight(mask->number, s->softmax->out[0]->type.dtype) || !are_moderate(s, 1))
        return false;
    b = as_condition(mask->value);
    bool inverted = mask->inverted;
    for (int i = 0; i < 2; i++) {
        const ir_value **v = i ? &b : &a;
        if (!pass_is((*v)->producer, "Not"))
            continue;
        *v = as_condition(ir_input((*v)->producer, 0));
        *(i ? &inverted : &hides) ^= true;
    }
    return a == b && a->type.dtype == HEED_BOOL && hides == inverted && same_place(s, c, mask);
}

/* Weights that are 0 stay 0 beside weights that are no numbers. */
static bool is_exact_on_values(const site *s, const site_change *c)
{
    if (!pass_is(c->node, "Where"))
        return true;
    for (uint32_t i = 0; i < s->terms.n; i++) {
        const site_term *t = &s->terms.items[i];
        if (t->kind == SITE_MASK ? isinf(t->number) : !is_small_bias(t))
            return false;
    }
    return true;
}

static bool fits_values(const site *s, const axes *at)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; k < at->axis[i].n; k++)
            if (!axes_have(&s->v.at, at->axis[i].atoms[k]))
                return false;
    return true;
}

bool site_place_changes(site *s)
{
    axes_refresh(&s->table, &s->v.at);
    for (uint32_t i = 0; i < s->n_changes; i++) {
        site_change *c = &s->changes[i];
        bool seen = s->weights.value && i < s->n_changed, again = is_mask_again(s, c);
        axes_refresh(&s->table, &c->term.at);
        if (again && (!s->weights.value || (s->n_changes == 1 && seen))) {
            s->zero = true;
            s->terms.items[0].number = -(double)INFINITY;
            c->to = SITE_NOWHERE;
        } else if (seen) {
            return site_stop(s, c->node,
                             "the attention weights are read by others after they were changed");
        } else if (!has_any(&c->term.at, &s->keys)) {
            c->to = SITE_RESULT;
        } else if (fits_values(s, &c->term.at) && is_exact_on_values(s, c)) {
            c->to = SITE_VALUES;
        } else {
            return site_stop(s, c->node, "the attention weights are changed one by one");
        }
    }
    return true;
}

/* ---- Emission -------------------------------------------------------------------------------- */

static ir_value *apply(const site_emission *e, const site_change *c, ir_value *x, const axes *to)
{
    op_body *b = e->b;
    ir_value *by = b->status ? NULL : site_bring(e->s, b, &c->term, to, &e->witness);
    if (b->status)
        return NULL;
    if (!pass_is(c->node, "Where"))
        return body_2(b, x, body_cast(b, by, x->type.dtype),
                      pass_is(c->node, "Div") ? "Div" : "Mul");
    ir_value *zero = body_like(b, 0, x);
    return c->term.inverted ? body_3(b, by, x, zero, "Where") : body_3(b, by, zero, x, "Where");
}

ir_value *site_apply_changes(const site_emission *e, ir_value *x, int to, const site_arrangement *a)
{
    site_arrangement plain = *a;
    plain.axis[3] = (axes_list){0};
    axes target = site_target(&plain);
    for (uint32_t i = 0; i < e->s->n_changes && !e->b->status; i++)
        if (e->s->changes[i].to == to)
            x = apply(e, &e->s->changes[i], x, &target);
    if (to == SITE_RESULT && e->s->gain != 1 && !e->b->status)
        x = body_2(e->b, x, body_like(e->b, e->s->gain, x), "Mul");
    return x;
}
