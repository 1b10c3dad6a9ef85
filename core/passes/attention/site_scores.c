/* site_scores.c - from a softmax up to the product of queries and keys.
 *
 * Each step undoes one node: what it does to the scores is written into the
 * site, and the walk goes on with the operand that the scores come from. Where
 * two operands may lead there, both are tried.
 */
#include <math.h>
#include <string.h>

#include "passes/attention/site.h"
#include "passes/pass.h"

/* Dead ends count too, so that a graph of many sums costs no more. */
enum { MOST_STEPS = 64, MOST_TRIES = 256 };

bool site_stop(site *s, const ir_node *obstacle, const char *reason)
{
    if (!s->reason) {
        s->reason = reason;
        s->obstacle = obstacle;
    }
    return false;
}

/* ConstantOfShape: zeros, when it does not say what. */
static bool is_filled(const ir_node *n, double *number)
{
    const ir_attr *attr = ir_node_attr(n, "value");
    const DLTensor *value = attr ? attr->view.tensor : NULL;
    if (!pass_is(n, "ConstantOfShape") || (value && dtype_from_dl(value->dtype) != HEED_FLOAT32))
        return false;
    float x = 0;
    if (value)
        memcpy(&x, (const char *)value->data + value->byte_offset, sizeof(x));
    *number = (double)x;
    return true;
}

bool site_is_scalar(const ir_value *v, double *number)
{
    while (v && v->producer && pass_is(v->producer, "Expand")) /* zeros in the shape of another */
        v = ir_input(v->producer, 0);
    if (v && v->producer && is_filled(v->producer, number))
        return true;
    if (!pass_constant(v) || dtype_get_class(v->constant->dtype) >= CLASS_STRING)
        return false;
    int64_t n = tensor_count(v->constant);
    if (n < 1 || n > 4096)
        return false;
    *number = tensor_get_float(v->constant, 0);
    for (int64_t i = 1; i < n; i++)
        if (tensor_get_float(v->constant, i) != *number)
            return false;
    return true;
}

axes site_beside(const axes *at, const ir_value *v)
{
    axes out = {.rank = v->type.rank};
    for (int32_t i = 0; i < out.rank && i < at->rank; i++)
        if (v->type.dims[out.rank - 1 - i] != 1)
            out.axis[out.rank - 1 - i] = at->axis[at->rank - 1 - i];
    return out;
}

/* Where the walk stands: everything said so far holds of `value`, whose axes
 * are `at`. */
typedef struct place {
    ir_value *value;
    axes at;
    double factor; /* of the scores, since the last softcap */
} place;

static bool walk(site *s, place p, arena *scratch);

static site_term *add_term(site_terms *terms, int kind, ir_value *value, const axes *at)
{
    if (terms->n == SITE_TERMS || (value && value->type.rank < 0))
        return NULL;
    site_term *term = &terms->items[terms->n++];
    *term = (site_term){.kind = kind, .value = value, .number = 1};
    if (value)
        term->at = site_beside(at, value);
    return term;
}

/* The operand that is the scores; the other one is seen beside them, with their
 * shape. Two symbols are taken for the same extent: otherwise one of them would
 * be 1, and the scores those of a single query or key that a mask repeats.
 * Binding checks it. */
static bool is_spine(const ir_value *result, const ir_value *operand)
{
    if (operand->type.rank != result->type.rank)
        return false;
    for (int32_t i = 0; i < result->type.rank; i++) {
        ir_dim a = operand->type.dims[i], b = result->type.dims[i];
        if (a != b && (dim_known(a) || dim_known(b)))
            return false;
    }
    return true;
}

/* The scores have these extents, too. */
static bool adopt_extents(site *s, const axes *at, const ir_type *type)
{
    for (int32_t i = 0; i < type->rank; i++) {
        axes_list list = at->axis[i];
        axes_refresh_list(&s->table, &list);
        if (!axes_name(&s->table, &list, type->dims[i]))
            return false;
    }
    return true;
}

static bool go(site *s, place p, ir_value *to, arena *scratch)
{
    if (!is_spine(p.value, to) || !adopt_extents(s, &p.at, &to->type))
        return false;
    p.value = to;
    return walk(s, p, scratch);
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

void site_climb(site *s, site_operand *o, double *factor)
{
    for (int i = 0; i < MOST_STEPS && o->value->producer; i++) {
        const ir_node *n = o->value->producer;
        double number;
        axes in;
        bool scaled = false;
        for (uint32_t k = 0; factor && k < 2 && (pass_is(n, "Mul") || pass_is(n, "Div")); k++) {
            bool divide = pass_is(n, "Div");
            if ((divide && k) || !site_is_scalar(ir_input(n, 1 - k), &number) ||
                !is_spine(o->value, ir_input(n, k)))
                continue;
            *factor *= divide ? 1 / number : number;
            o->value = ir_input(n, k);
            scaled = true;
            break;
        }
        if (scaled)
            continue;
        axes_table before = s->table;
        if (!axes_up(&s->table, n, &o->at, &in)) {
            s->table = before;
            return;
        }
        o->value = ir_input(n, 0);
        o->at = in;
    }
}

/* ---- Steps
 * ------------------------------------------------------------------------------------
 */

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
static bool drops_out(const site *s, const place *p, const ir_value *other)
{
    if (s->terms.n || s->factors.n || s->softcap != 0 || other->type.rank < 0 || !is_maximum(other))
        return false;
    axes beside = site_beside(&p->at, other);
    for (uint32_t i = 0; i < s->keys.n; i++)
        if (axes_have(&beside, s->keys.atoms[i]))
            return false;
    return true;
}

static bool step_add(site *s, const place *p, const ir_node *n, arena *scratch)
{
    bool subtract = pass_is(n, "Sub");
    if (subtract && drops_out(s, p, ir_input(n, 1)))
        return go(s, *p, ir_input(n, 0), scratch);
    for (uint32_t i = 0; i < 2; i++) {
        site before = *s;
        place next = *p;
        site_term *term = add_term(&s->terms, SITE_BIAS, ir_input(n, 1 - i), &p->at);
        if (!term)
            return site_stop(s, n, "more biases than are looked at");
        term->number = p->factor * (subtract && i == 0 ? -1 : 1);
        term->n_factors = s->factors.n;
        next.factor = p->factor * (subtract && i == 1 ? -1 : 1);
        if (go(s, next, ir_input(n, i), scratch))
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
static bool step_scale(site *s, const place *p, const ir_node *n, arena *scratch)
{
    bool divide = pass_is(n, "Div");
    for (uint32_t i = 0; i < (divide ? 1u : 2u); i++) {
        place next = *p;
        double number;
        ir_value *other = ir_input(n, 1 - i);
        if (!is_spine(p->value, ir_input(n, i)))
            continue;
        if (site_is_scalar(other, &number)) {
            next.factor *= divide ? 1 / number : number;
            return go(s, next, ir_input(n, i), scratch);
        }
        site before = *s;
        site_term *term = add_term(&s->factors, SITE_FACTOR, other, &p->at);
        if (term && (lacks_keys(s, term) || (s->softcap == 0 && !s->bounded))) {
            term->inverted = divide;
            term->keyed = !lacks_keys(s, term);
            if (go(s, next, ir_input(n, i), scratch))
                return true;
        }
        keep_known(&before, s);
        *s = before;
    }
    return site_stop(s, n, "the scores are multiplied with something that is no factor of them");
}

static bool step_negate(site *s, const place *p, const ir_node *n, arena *scratch)
{
    place next = *p;
    next.factor = -next.factor;
    return go(s, next, ir_input(n, 0), scratch);
}

/* Factors that stand outside of a bound cannot multiply the queries. */
static void keep_outside(site *s)
{
    for (uint32_t i = 0; i < s->factors.n; i++)
        s->factors.items[i].keyed = true;
}

/* softcap * tanh(x / softcap). */
static bool step_tanh(site *s, const place *p, const ir_node *n, arena *scratch)
{
    place next = *p;
    if (s->softcap != 0 || p->factor <= 0)
        return site_stop(s, n, "a second tanh");
    keep_outside(s);
    s->softcap = p->factor;
    next.factor = p->factor; /* scale * x / softcap is what stands inside */
    return go(s, next, ir_input(n, 0), scratch);
}

bool site_mask_is_weak(const site_term *mask)
{
    return mask->kind == SITE_MASK && (mask->number > SITE_ABSORBS || mask->n_factors);
}

/* Masks that hide with the same number come last: biases need not be added to it. */
static bool is_last(const site *s, const site_term *mask)
{
    for (const site_term *t = s->terms.items; t != mask; t++)
        if (t->kind != SITE_MASK || t->number != mask->number || t->n_factors)
            return false;
    return mask->n_factors == 0;
}

static bool step_where(site *s, const place *p, const ir_node *n, arena *scratch)
{
    double fill;
    for (uint32_t i = 1; i <= 2; i++) {
        if (!site_is_scalar(ir_input(n, 3 - i), &fill) || !is_spine(p->value, ir_input(n, i)))
            continue;
        fill *= p->factor;
        if (isnan(fill) || fill == (double)INFINITY)
            return site_stop(s, n, "hidden scores become infinite, or no numbers");
        site_term *mask = add_term(&s->terms, SITE_MASK, ir_input(n, 0), &p->at);
        if (!mask)
            return site_stop(s, n, "more masks than are looked at");
        mask->inverted = i == 2;
        mask->number = fill;
        mask->n_factors = s->factors.n;
        s->late |= site_mask_is_weak(mask) && !is_last(s, mask);
        return go(s, *p, ir_input(n, i), scratch);
    }
    return site_stop(s, n, "a choice between two tensors");
}

static bool set_bound(site *s, const place *p, double least, double most)
{
    bool swap = p->factor < 0;
    if (s->bounded || s->softcap != 0)
        return false;
    keep_outside(s);
    s->bounded = true;
    s->least = (swap ? most : least) * p->factor;
    s->most = (swap ? least : most) * p->factor;
    return !(isnan(s->least) || isnan(s->most)) && p->factor != 0;
}

static bool step_clip(site *s, const place *p, const ir_node *n, arena *scratch)
{
    double least = -(double)INFINITY, most = (double)INFINITY;
    bool good = (!ir_input(n, 1) || site_is_scalar(ir_input(n, 1), &least)) &&
                (!ir_input(n, 2) || site_is_scalar(ir_input(n, 2), &most));
    if (!good || least > most || !set_bound(s, p, least, most))
        return site_stop(s, n, "scores that are bounded twice, or not by numbers");
    return go(s, *p, ir_input(n, 0), scratch);
}

static bool step_min(site *s, const place *p, const ir_node *n, arena *scratch)
{
    double number;
    for (uint32_t i = 0; i < n->n_in && n->n_in == 2; i++)
        if (site_is_scalar(ir_input(n, 1 - i), &number) &&
            set_bound(s, p, -(double)INFINITY, number))
            return go(s, *p, ir_input(n, i), scratch);
    return site_stop(s, n, "scores that are bounded twice, or not by numbers");
}

/* Max with a number that only biases reach: it raises them, and leaves the
 * scores alone. */
static bool step_max(site *s, const place *p, const ir_node *n, arena *scratch)
{
    double number;
    for (uint32_t i = 0; i < n->n_in && n->n_in == 2; i++) {
        if (!site_is_scalar(ir_input(n, 1 - i), &number))
            continue;
        if (number * p->factor > SITE_ABSORBS) {
            if (!set_bound(s, p, number, (double)INFINITY))
                continue;
            return go(s, *p, ir_input(n, i), scratch);
        }
        site_term *least = add_term(&s->terms, SITE_LEAST, NULL, &p->at);
        if (!least)
            return site_stop(s, n, "more bounds than are looked at");
        least->number = number * p->factor;
        return go(s, *p, ir_input(n, i), scratch);
    }
    return site_stop(s, n, "scores that are bounded twice, or not by numbers");
}

static bool step_cast(site *s, const place *p, const ir_node *n, arena *scratch)
{
    if (!dtype_is_float(ir_input(n, 0)->type.dtype))
        return site_stop(s, n, "scores that are no floating-point numbers");
    if (!s->inner && n->out[0]->type.dtype != ir_input(n, 0)->type.dtype)
        s->inner = n->out[0]->type.dtype;
    return go(s, *p, ir_input(n, 0), scratch);
}

/* One more key, of which only the logit counts: Concat(scores, sink), in any order. */
static bool step_concat(site *s, const place *p, const ir_node *n, arena *scratch)
{
    int32_t rank = p->value->type.rank;
    int64_t axis = ir_attr_int(n, "axis", 0);
    axis = axis < 0 ? axis + rank : axis;
    bool plain = s->terms.n == 0 && s->factors.n == 0 && p->factor == 1 && !s->sinks.value;
    if (n->n_in != 2 || axis < 0 || axis >= rank || !plain ||
        !axes_list_equal(&p->at.axis[axis], &s->keys))
        return site_stop(s, n, "scores that are put together from pieces");
    bool first = ir_input(n, 1)->type.dims[axis] != 1;
    ir_value *sink = ir_input(n, !first);
    if (sink->type.rank != rank || sink->type.dims[axis] != 1)
        return site_stop(s, n, "scores that are put together from pieces");
    place next = *p;
    next.value = ir_input(n, first);
    next.at.axis[axis] = s->keys = axes_new(&s->table, next.value->type.dims[axis]);
    s->frame.axis[axis] = s->keys;
    s->sinks = (site_operand){sink, site_beside(&p->at, sink)};
    s->sinks.at.axis[axis] = (axes_list){0};
    s->sink_first = first;
    site_climb(s, &s->sinks, NULL);
    return s->keys.n ? walk(s, next, scratch) : site_stop(s, n, "a softmax over one key");
}

/* `capped`: it may stand inside of a softcap, where scores are only scaled. */
static const struct {
    const char *op;
    bool (*step)(site *s, const place *p, const ir_node *n, arena *scratch);
    bool capped;
} steps[] = {
    {"Add", step_add, false},   {"Sub", step_add, false},     {"Mul", step_scale, true},
    {"Div", step_scale, true},  {"Where", step_where, false}, {"Max", step_max, false},
    {"Tanh", step_tanh, true},  {"Cast", step_cast, true},    {"Concat", step_concat, false},
    {"Neg", step_negate, true}, {"Clip", step_clip, false},   {"Min", step_min, false},
};

static bool step_up(site *s, const place *p, const ir_node *n, size_t i, arena *scratch)
{
    if ((s->softcap != 0 || s->bounded) && !steps[i].capped)
        return site_stop(s, n, "biases or masks inside of a bound");
    return steps[i].step(s, p, n, scratch);
}

/* ---- The product
 * ------------------------------------------------------------------------------
 */

static bool has_any(const axes *a, const axes_list *atoms)
{
    for (uint32_t i = 0; i < atoms->n; i++)
        if (axes_have(a, atoms->atoms[i]))
            return true;
    return false;
}

/* Atoms of both operands that the result lacks. */
static bool find_sum(site *s, const axes in[2], const axes *out)
{
    s->sum = (axes_list){0};
    for (int32_t i = 0; i < in[0].rank; i++)
        for (uint32_t k = 0; k < in[0].axis[i].n; k++) {
            uint8_t atom = in[0].axis[i].atoms[k];
            axes_list one = {1, {atom}};
            if (axes_have(&in[1], atom) && !axes_have(out, atom))
                axes_list_add(&s->table, &s->sum, &one);
        }
    return !s->table.failed;
}

static bool has_bound(const site *s)
{
    for (uint32_t i = 0; i < s->terms.n; i++)
        if (s->terms.items[i].kind == SITE_LEAST)
            return true;
    return false;
}

/* Queries that are weights have an axis in common with the keys and the scores, the heads. The
 * weights of a layer that scores each key have none. */
static bool is_learned_query(const contraction_term *q, const contraction_term *k,
                             const contraction_term *scores)
{
    for (int32_t i = 0; i < q->rank; i++)
        for (int32_t j = 0; j < k->rank && q->label[i] != LABEL_ONE; j++)
            for (int32_t o = 0; o < scores->rank && q->label[i] == k->label[j]; o++)
                if (scores->label[o] == q->label[i] && q->value->type.dims[i] > 1)
                    return true;
    return false;
}

static bool take_product(site *s, const place *p, const contraction *c, const ir_node *n)
{
    axes in[2], at = p->at;
    if (s->late && has_bound(s))
        return site_stop(s, n, "masked scores are changed and bounded");
    axes_refresh(&s->table, &at);
    axes_refresh_list(&s->table, &s->keys);
    if (!contraction_up(&s->table, c, &at, in))
        return site_stop(s, n, "more axes than are looked at");
    bool swap = has_any(&in[0], &s->keys);
    if (!axes_have_all(&in[!swap], &s->keys) || has_any(&in[swap], &s->keys))
        return site_stop(s, n, "the softmax is not over the keys of a product");
    if (pass_constant(c->in[!swap].value) ||
        (pass_constant(c->in[swap].value) &&
         !is_learned_query(&c->in[swap], &c->in[!swap], &c->out)))
        return site_stop(s, n, "the scores are a product with weights, not with keys");
    find_sum(s, in, &at);
    s->scores = (ir_node *)(uintptr_t)n;
    s->q = (site_operand){c->in[swap].value, in[swap]};
    s->k = (site_operand){c->in[!swap].value, in[!swap]};
    s->scale = p->factor * c->alpha;
    site_climb(s, &s->q, &s->scale);
    site_climb(s, &s->k, &s->scale);
    return true;
}

/* Nothing but biases and masks may follow them. */
static bool take_additive(site *s, const place *p, double alpha, const ir_node *n)
{
    if (s->late && has_bound(s))
        return site_stop(s, n, "masked scores are changed and bounded");
    if (s->softcap != 0 || s->bounded || s->factors.n || s->sinks.value)
        return site_stop(s, n, "additive scores that are bounded or multiplied with a tensor");
    s->scale = p->factor * alpha;
    return true;
}

/* ---- The walk
 * --------------------------------------------------------------------------------
 */

static bool walk(site *s, place p, arena *scratch)
{
    const ir_node *n = p.value->producer;
    contraction c;
    if (!n)
        return site_stop(s, s->softmax, "the scores are an input or a constant");
    if (s->steps++ > MOST_TRIES)
        return site_stop(s, n, "too many nodes before the softmax");
    double alpha;
    if (site_take_energy(s, n, &p.at, scratch, &alpha))
        return take_additive(s, &p, alpha, n);
    if (contraction_read(n, scratch, &c))
        return take_product(s, &p, &c, n);
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (pass_is(n, steps[i].op))
            return step_up(s, &p, n, i, scratch);
    axes in;
    if (!axes_up(&s->table, n, &p.at, &in))
        return site_stop(s, n, "no product of queries and keys comes before it");
    p.value = ir_input(n, 0);
    p.at = in;
    return walk(s, p, scratch);
}

bool site_walk_up(site *s, arena *scratch)
{
    ir_value *in = ir_input(s->softmax, 0);
    int32_t rank = in->type.rank;
    int64_t axis = ir_attr_int(s->softmax, "axis", -1);
    if (rank < 1)
        return site_stop(s, s->softmax, "the rank of the scores is not known");
    axes_fresh(&s->table, &in->type, &s->frame);
    axis = axis < 0 ? axis + rank : axis;
    if (axis < 0 || axis >= rank)
        return site_stop(s, s->softmax, "an axis that the scores do not have");
    if (!s->frame.axis[axis].n) /* the keys are an axis, also when there is one key */
        s->frame.axis[axis] = (axes_list){1, {axes_atom(&s->table, 1)}};
    s->keys = s->frame.axis[axis];
    s->outer = s->frame;
    s->scale = 1;
    place p = {.value = in, .at = s->frame, .factor = 1};
    if (!walk(s, p, scratch))
        return false;
    s->reason = NULL; /* of ways that were tried and left */
    return true;
}
