/* site_steps.c - what one node does to the scores of a site: biases, masks, factors, bounds.
 *
 * Each step undoes one node: what it does is written into the site, and the walk (site_scores.c)
 * goes on with the operand that the scores come from. Where two operands may lead there, both are
 * tried.
 */
#include "passes/attention/site_steps.h"

#include <math.h>

#include "passes/pass.h"

static site_term *add_term(site_terms *terms, int kind, ir_value *value, const axes *at)
{
    if (terms->n == SITE_TERMS || (value && value->type.rank < 0))
        return NULL;
    site_term *term = &terms->items[terms->n++];
    *term = (site_term){.kind = kind, .value = value, .number = 1, .outer = 1};
    if (value)
        term->at = site_beside(at, value);
    return term;
}

/* A way that led nowhere: what it said is forgotten, but for the first obstacle
 * and the atoms. */
static void keep_known(site *before, const site *s)
{
    uint32_t n_same = before->table.n_same; /* said of operands that are no scores */
    before->table = s->table;
    before->table.n_same = n_same;
    before->steps = s->steps;
    if (!before->reason) {
        before->reason = s->reason;
        before->obstacle = s->obstacle;
    }
}

/* The maximum, also when it is bounded or made a number. */
static bool is_maximum(const ir_value *v)
{
    static const char *const ops[] = {"Clip", "Cast", "Max", "Min", "Where"};
    for (int steps = 0; steps < 4 && v && v->producer; steps++) {
        const ir_node *n = v->producer;
        bool through = false;
        if (pass_is(n, "ReduceMax"))
            return true;
        for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
            through |= pass_is(n, ops[i]);
        if (!through)
            return false;
        v = ir_input(n, pass_is(n, "Where") ? 1 : 0);
    }
    return false;
}

/* The maximum drops out of a softmax; where it is infinite, the result is no number either way. */
static bool drops_out(const site *s, const site_place *p, const ir_value *other)
{
    if (s->terms.n || s->factors.n || s->softcap != 0 || other->type.rank < 0 || !is_maximum(other))
        return false;
    axes beside = site_beside(&p->at, other);
    for (uint32_t i = 0; i < s->keys.n; i++)
        if (axes_have(&beside, s->keys.atoms[i]))
            return false;
    return true;
}

bool site_add_bias(site *s, const site_place *p, ir_value *value, double number)
{
    site_term *term = add_term(&s->terms, SITE_BIAS, value, &p->at);
    if (!term)
        return site_stop(s, p->value->producer, "too many biases are added to the scores");
    term->number = p->factor * number;
    term->outer = p->factor;
    term->n_factors = s->factors.n;
    return true;
}

/* Sum, too. */
static bool step_add(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    bool subtract = pass_is(n, "Sub");
    if (subtract && drops_out(s, p, ir_input(n, 1)))
        return site_go(s, *p, ir_input(n, 0), scratch);
    for (uint32_t i = 0; i < n->n_in; i++) {
        site before = *s;
        site_place next = *p;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (k != i && !site_add_bias(s, p, ir_input(n, k), subtract && k == 1 ? -1 : 1))
                return false;
        next.factor = p->factor * (subtract && i == 1 ? -1 : 1);
        if (site_go(s, next, ir_input(n, i), scratch))
            return true;
        keep_known(&before, s);
        *s = before;
    }
    return site_stop(s, n, "neither operand leads to a product of queries and keys");
}

static bool lacks_keys(const site *s, const site_term *term)
{
    for (uint32_t i = 0; i < s->keys.n; i++)
        if (axes_have(&term->at, s->keys.atoms[i]))
            return false;
    return true;
}

/* By a number, or by a tensor. One that is the same for all keys may multiply the queries. */
static bool step_scale(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    bool divide = pass_is(n, "Div");
    for (uint32_t i = 0; i < (divide ? 1u : 2u); i++) {
        site_place next = *p;
        double number;
        ir_value *other = ir_input(n, 1 - i);
        if (!site_is_spine(p->value, ir_input(n, i)))
            continue;
        if (site_is_scalar(other, &number) && number != 0 && isfinite(number)) {
            next.factor *= divide ? 1 / number : number;
            return site_go(s, next, ir_input(n, i), scratch);
        }
        site before = *s;
        site_term *term = add_term(&s->factors, SITE_FACTOR, other, &p->at);
        if (term && (lacks_keys(s, term) || (s->softcap == 0 && !s->bounded))) {
            term->inverted = divide;
            term->keyed = !lacks_keys(s, term);
            if (site_go(s, next, ir_input(n, i), scratch))
                return true;
        }
        keep_known(&before, s);
        *s = before;
    }
    return site_stop(s, n,
                     "the scores are multiplied with a tensor that cannot be a factor of them");
}

static bool step_negate(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    site_place next = *p;
    next.factor = -next.factor;
    return site_go(s, next, ir_input(n, 0), scratch);
}

/* Factors that stand outside of a bound cannot multiply the queries. */
static void keep_outside(site *s)
{
    for (uint32_t i = 0; i < s->factors.n; i++)
        s->factors.items[i].keyed = true;
}

/* softcap * tanh(x / softcap). */
static bool step_tanh(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    site_place next = *p;
    if (s->softcap != 0 || p->factor <= 0)
        return site_stop(s, n,
                         "the scores are capped by tanh twice, or by a cap that is not above 0");
    keep_outside(s);
    s->softcap = p->factor;
    next.factor = p->factor; /* scale * x / softcap is what stands inside */
    return site_go(s, next, ir_input(n, 0), scratch);
}

bool site_absorbs(double number, heed_dtype dtype)
{
    return number <= HEADS_ABSORBS || (dtype == HEED_FLOAT16 && number <= -65504);
}

bool site_mask_is_weak(const site_term *mask)
{
    return mask->kind == SITE_MASK && (mask->number > HEADS_ABSORBS || mask->n_factors);
}

/* Masks that hide with the same number come last: biases need not be added to it. */
static bool is_last(const site *s, const site_term *mask)
{
    for (const site_term *t = s->terms.items; t != mask; t++)
        if (t->kind != SITE_MASK || t->number != mask->number || t->n_factors)
            return false;
    return mask->n_factors == 0;
}

static bool step_where(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    double fill;
    for (uint32_t i = 1; i <= 2; i++) {
        if (!site_is_scalar(ir_input(n, 3 - i), &fill) || !site_is_spine(p->value, ir_input(n, i)))
            continue;
        fill *= p->factor;
        if (isnan(fill) || fill == (double)INFINITY)
            return site_stop(s, n, "masked scores become +inf or NaN");
        site_term *mask = add_term(&s->terms, SITE_MASK, ir_input(n, 0), &p->at);
        if (!mask)
            return site_stop(s, n, "too many masks are applied to the scores");
        mask->inverted = i == 2;
        mask->number = fill;
        mask->outer = p->factor;
        mask->n_factors = s->factors.n;
        s->late |= site_mask_is_weak(mask) && !is_last(s, mask);
        return site_go(s, *p, ir_input(n, i), scratch);
    }
    return site_stop(s, n, "the scores are chosen from two tensors");
}

/* Each side once: Min(Max(x, least), most) bounds both. */
static bool set_bound(site *s, const site_place *p, double least, double most)
{
    double at_least = (p->factor < 0 ? most : least) * p->factor;
    double at_most = (p->factor < 0 ? least : most) * p->factor;
    if (s->softcap != 0 || p->factor == 0 || isnan(at_least) || isnan(at_most))
        return false;
    if (s->bounded &&
        ((isfinite(at_least) && isfinite(s->least)) || (isfinite(at_most) && isfinite(s->most))))
        return false;
    keep_outside(s);
    s->least = s->bounded ? fmax(s->least, at_least) : at_least;
    s->most = s->bounded ? fmin(s->most, at_most) : at_most;
    s->bounded = true;
    return s->least <= s->most;
}

static bool step_clip(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    double least = -(double)INFINITY, most = (double)INFINITY;
    bool good = (!ir_input(n, 1) || site_is_scalar(ir_input(n, 1), &least)) &&
                (!ir_input(n, 2) || site_is_scalar(ir_input(n, 2), &most));
    if (!good || least > most || !set_bound(s, p, least, most))
        return site_stop(s, n, "the scores are clipped twice, or not by numbers");
    return site_go(s, *p, ir_input(n, 0), scratch);
}

/* What is below 0 becomes 0. */
static bool step_relu(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    if (!set_bound(s, p, 0, (double)INFINITY))
        return site_stop(s, n, "the scores are clipped twice, or not by numbers");
    return site_go(s, *p, ir_input(n, 0), scratch);
}

static bool step_min(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    double number;
    for (uint32_t i = 0; i < n->n_in && n->n_in == 2; i++)
        if (site_is_scalar(ir_input(n, 1 - i), &number) &&
            set_bound(s, p, -(double)INFINITY, number))
            return site_go(s, *p, ir_input(n, i), scratch);
    return site_stop(s, n, "the scores are clipped twice, or not by numbers");
}

/* Max with a number that only biases reach: it raises them, and leaves the
 * scores alone. */
static bool step_max(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    double number;
    for (uint32_t i = 0; i < n->n_in && n->n_in == 2; i++) {
        if (!site_is_scalar(ir_input(n, 1 - i), &number))
            continue;
        bool far = number * p->factor <= HEADS_ABSORBS ||
                   (p->factor > 0 && site_absorbs(number, p->value->type.dtype));
        if (!far || s->bounded) {
            if (!set_bound(s, p, number, (double)INFINITY))
                continue;
            return site_go(s, *p, ir_input(n, i), scratch);
        }
        site_term *least = add_term(&s->terms, SITE_LEAST, NULL, &p->at);
        if (!least)
            return site_stop(s, n, "a mask is bounded too often");
        least->number = number * p->factor;
        least->outer = p->factor;
        least->n_factors = s->factors.n;
        return site_go(s, *p, ir_input(n, i), scratch);
    }
    return site_stop(s, n, "the scores are clipped twice, or not by numbers");
}

static bool step_cast(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    if (!dtype_is_float(ir_input(n, 0)->type.dtype))
        return site_stop(s, n, "the scores are no floating-point numbers");
    if (!s->inner && n->out[0]->type.dtype != ir_input(n, 0)->type.dtype)
        s->inner = n->out[0]->type.dtype;
    return site_go(s, *p, ir_input(n, 0), scratch);
}

/* The logit of a sink that is no number beside keys that have no weights, as the passes before
 * write it: Add(logit, Sub(top, top)), top = ReduceMax(x) along the axis. NULL: it is another. */
static ir_value *shared_sink(const ir_value *sink, const ir_value *x, int64_t axis)
{
    const ir_node *n = sink->producer;
    for (uint32_t i = 0; i < 2 && n && pass_is(n, "Add"); i++) {
        const ir_node *zero = ir_input(n, i)->producer;
        const ir_node *top = zero && pass_is(zero, "Sub") ? ir_input(zero, 0)->producer : NULL;
        if (!top || ir_input(zero, 0) != ir_input(zero, 1) || !pass_is(top, "ReduceMax") ||
            ir_input(top, 0) != x || !pass_constant(ir_input(top, 1)))
            continue;
        const heed_tensor *reduced = ir_input(top, 1)->constant;
        int64_t along = tensor_count(reduced) == 1 ? tensor_get_int(reduced, 0) : axis - 1;
        if (along == axis || along + x->type.rank == axis)
            return ir_input(n, 1 - i);
    }
    return NULL;
}

/* One more key, of which only the logit counts: Concat(scores, sink), in any order. */
static bool step_concat(site *s, const site_place *p, const ir_node *n, arena *scratch)
{
    int32_t rank = p->value->type.rank;
    int64_t axis = ir_attr_int(n, "axis", 0);
    axis = axis < 0 ? axis + rank : axis;
    bool plain = s->terms.n == 0 && s->factors.n == 0 && p->factor == 1 && !s->sinks.value;
    if (n->n_in != 2 || axis < 0 || axis >= rank || !plain ||
        !axes_list_equal(&p->at.axis[axis], &s->keys))
        return site_stop(s, n, "the scores are concatenated from several products");
    bool first = ir_input(n, 1)->type.dims[axis] != 1;
    ir_value *sink = ir_input(n, !first);
    if (sink->type.rank != rank || sink->type.dims[axis] != 1)
        return site_stop(s, n, "the scores are concatenated from several products");
    site_place next = *p;
    next.value = ir_input(n, first);
    next.at.axis[axis] = s->keys = axes_new(&s->table, next.value->type.dims[axis]);
    s->frame.axis[axis] = s->keys;
    ir_value *shared = shared_sink(sink, next.value, axis);
    s->sink_shares = shared != NULL;
    sink = shared ? shared : sink;
    s->sinks = (site_operand){sink, site_beside(&p->at, sink)};
    s->sink_first = first;
    site_climb(s, &s->sinks, NULL);
    return s->keys.n ? site_walk(s, next, scratch) : site_stop(s, n, "a softmax over one key");
}

/* What may stand inside of a softcap, where scores are only scaled, and inside of a bound. */
enum { NOT_INSIDE, IN_BOUND, IN_CAP };

static const struct {
    const char *op;
    bool (*step)(site *s, const site_place *p, const ir_node *n, arena *scratch);
    int inside;
} steps[] = {
    {"Add", step_add, NOT_INSIDE},       {"Sub", step_add, NOT_INSIDE},
    {"Mul", step_scale, IN_CAP},         {"Div", step_scale, IN_CAP},
    {"Where", step_where, NOT_INSIDE},   {"Max", step_max, IN_BOUND},
    {"Tanh", step_tanh, IN_CAP},         {"Cast", step_cast, IN_CAP},
    {"Concat", step_concat, NOT_INSIDE}, {"Sum", step_add, NOT_INSIDE},
    {"Neg", step_negate, IN_CAP},        {"Clip", step_clip, IN_BOUND},
    {"Min", step_min, IN_BOUND},         {"Relu", step_relu, IN_BOUND},
};

bool site_step(site *s, const site_place *p, const ir_node *n, arena *scratch, bool *found)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        if (!pass_is(n, steps[i].op))
            continue;
        int least = s->softcap != 0 ? IN_CAP : s->bounded ? IN_BOUND : NOT_INSIDE;
        *found =
            steps[i].inside < least
                ? site_stop(s, n,
                            "biases or masks are applied before the scores are capped or clipped")
                : steps[i].step(s, p, n, scratch);
        return true;
    }
    return false;
}
