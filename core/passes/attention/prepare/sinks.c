/* sinks.c - pass: the share that a sink leaves to the keys becomes the sink itself.
 *
 * before: y = Mul(MatMul(Softmax(x), v), Sigmoid(Sub(ReduceLogSumExp(x), sink)))
 * after:  y = MatMul(Softmax(Concat(x, sink + (max - max)))[..., :-1], v), max = ReduceMax(x)
 *
 * Kernels of attention give the logarithm l of the sum that they divide by. Who wants one more
 * logit s beside the keys multiplies their result by e^l / (e^l + e^s), in any spelling: as
 * Exp(l - logaddexp(l, s)), as 1 / (1 + Exp(s - l)). So the factor is not compared with spellings;
 * it is computed for numbers in place of l and s. A factor without s may have it in its constants:
 * Sigmoid(l) is a sink of 0.
 *
 * Softmax(x) is no number where all of x is -infinity, and its share is none; the sink alone would
 * make it 0. So the sink is no number there, either: max - max is 0 everywhere else. */
#include <math.h>

#include "ops/body.h"
#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/formula_rules.h"

enum { POINTS = 24, MOST_NODES = 64 };

typedef struct share {
    const ir_value *x; /* the softmax is over its last axis */
    ir_value *sink;    /* NULL: none so far */
    bool bare;         /* the sink lacks that axis */
    bool seen;         /* the logarithm */
    uint32_t steps;
} share;

/* Neither is far from the other at all points, and both orders are there. */
static double log_at(int i) { return 0.37 * i - 3.1; }
static double sink_at(int i) { return 2.9 * sin(1.7 * i) - 0.3; }

/* ---- Leaves ---------------------------------------------------------------------------------- */

/* Reduces the last axis of its input alone; `bare`: and drops it. */
static bool reduces_last(const ir_node *n, bool bare)
{
    const ir_value *axes = ir_input(n, 1);
    int32_t rank = ir_input(n, 0)->type.rank;
    if (rank < 1 || !pass_constant(axes) || tensor_count(axes->constant) != 1)
        return false;
    int64_t axis = tensor_get_int(axes->constant, 0);
    return axis + (axis < 0 ? rank : 0) == rank - 1 && (ir_attr_int(n, "keepdims", 1) == 0) == bare;
}

/* The logarithm of the sum of e^x. */
static bool is_log_sum(const share *s, const ir_value *v, bool bare)
{
    pieces sum;
    const ir_value *powers = pieces_operand(v, "Log", 0);
    if (pieces_operand(v, "ReduceLogSumExp", 0) == s->x)
        return reduces_last(v->producer, bare);
    if (pieces_operand(powers, "ReduceSum", 0) &&
        pieces_operand(pieces_operand(powers, "ReduceSum", 0), "Exp", 0) == s->x)
        return reduces_last(powers->producer, bare);
    for (uint32_t i = 0; i < 2 && !bare && pieces_operand(v, "Add", i); i++) {
        powers = pieces_operand(pieces_operand(v, "Add", i), "Log", 0);
        const ir_value *exp = pieces_operand(powers, "ReduceSum", 0);
        sum =
            (pieces){.x = pieces_operand(exp, "Exp", 0), .axis = s->x->type.rank - 1, .n_axes = 1};
        if (!sum.x || !reduces_last(powers->producer, bare))
            continue;
        pieces_unshift(&sum);
        if (sum.x == s->x && sum.shift == pieces_operand(v, "Add", 1 - i))
            return true;
    }
    return false;
}

/* One number for each head, or one for all: nothing differs between queries. */
static bool is_sink(const share *s, const ir_value *v, bool bare)
{
    int32_t rank = v->type.rank, last = bare ? 1 : 2, more = 0;
    if (rank < 0 || rank > s->x->type.rank - bare || !dtype_is_float(v->type.dtype))
        return false;
    for (int32_t i = 0; i < rank; i++) {
        if (v->type.dims[i] == 1)
            continue;
        if (i >= rank - last || more++)
            return false;
    }
    return true;
}

static bool take_sink(share *s, ir_value *v, bool bare)
{
    while (v && pieces_operand(v, "Expand", 0))
        v = pieces_operand(v, "Expand", 0);
    if (!v || !is_sink(s, v, bare) || (s->sink && (s->sink != v || s->bare != bare)))
        return false;
    s->sink = v;
    s->bare = bare;
    return true;
}

/* ---- Trying ---------------------------------------------------------------------------------- */

static bool compute(share *s, ir_value *v, bool bare, double out[POINTS]);

/* ReduceLogSumExp(Concat(a, b)) of two numbers. */
static bool compute_sum(share *s, const ir_value *v, bool bare, double out[POINTS])
{
    const ir_value *both = pieces_operand(v, "ReduceLogSumExp", 0);
    const ir_node *n = both ? both->producer : NULL;
    double other[POINTS];
    if (!pass_is(n, "Concat") || n->n_in != 2 || !reduces_last(v->producer, bare))
        return false;
    int64_t axis = ir_attr_int(n, "axis", 0);
    axis += axis < 0 ? both->type.rank : 0;
    for (uint32_t i = 0; i < 2; i++) {
        const ir_type *t = &ir_input(n, i)->type;
        if (axis != both->type.rank - 1 || t->rank != both->type.rank || t->dims[axis] != 1)
            return false;
    }
    if (!compute(s, ir_input(n, 0), false, out) || !compute(s, ir_input(n, 1), false, other))
        return false;
    for (int i = 0; i < POINTS; i++)
        out[i] = log(exp(out[i]) + exp(other[i]));
    return true;
}

/* The last axis comes back behind what lacks it. */
static bool brings_axis(const ir_node *n)
{
    const ir_type *in = &ir_input(n, 0)->type, *out = &n->out[0]->type;
    bool fits = in->rank >= 0 && out->rank == in->rank + 1 && out->dims[in->rank] == 1;
    for (int32_t i = 0; fits && i < in->rank; i++)
        fits = in->dims[i] == out->dims[i];
    return fits;
}

static bool compute_node(share *s, const formula_rule *rule, const ir_node *n, bool bare,
                         double out[POINTS])
{
    const double none = (double)NAN;
    double in[3][POINTS], one[3] = {none, none, none};
    for (uint32_t k = 0; k < rule->n_in; k++)
        if (ir_input(n, k) && !compute(s, ir_input(n, k), bare, in[k]))
            return false;
    for (int i = 0; i < POINTS; i++) {
        for (uint32_t k = 0; k < rule->n_in; k++)
            one[k] = ir_input(n, k) ? in[k][i] : none;
        out[i] = rule->compute(n, one);
    }
    return true;
}

static bool compute(share *s, ir_value *v, bool bare, double out[POINTS])
{
    double number;
    bool log_sum = is_log_sum(s, v, bare), fixed = !log_sum && pieces_scalar(v, &number);
    if (s->steps++ > MOST_NODES)
        return false;
    if (log_sum || fixed) {
        for (int i = 0; i < POINTS; i++)
            out[i] = fixed ? number : log_at(i);
        s->seen |= log_sum;
        return true;
    }
    const formula_rule *rule =
        pieces_operand(v, "Expand", 0) ? NULL : formula_find_rule(v->producer);
    if (rule && rule->kind == FORMULA_EACH)
        return compute_node(s, rule, v->producer, bare, out);
    if (rule && rule->kind == FORMULA_RESHAPE && !bare && brings_axis(v->producer)) {
        share before = *s;
        if (compute(s, ir_input(v->producer, 0), true, out))
            return true;
        *s = before;
    }
    if (compute_sum(s, v, bare, out))
        return true;
    for (int i = 0; i < POINTS; i++)
        out[i] = sink_at(i);
    return take_sink(s, v, bare);
}

/* The factor, or what divides, is that share; *number is the sink where no value is. */
static bool is_share(share *s, ir_value *factor, bool divides, double *number)
{
    double y[POINTS];
    int32_t rank = s->x->type.rank;
    if (factor->type.rank != rank || factor->type.dims[rank - 1] != 1 ||
        !compute(s, factor, false, y) || !s->seen)
        return false;
    for (int i = 0; i < POINTS; i++)
        y[i] = divides ? 1 / y[i] : y[i];
    *number = log_at(0) - log(y[0] / (1 - y[0]));
    if (!s->sink && !isfinite(*number))
        return false;
    for (int i = 0; i < POINTS; i++) {
        double sink = s->sink ? sink_at(i) : *number;
        if (!(fabs(y[i] * (1 + exp(sink - log_at(i))) - 1) < 1e-6))
            return false;
    }
    return true;
}

/* ---- Rewriting ------------------------------------------------------------------------------- */

static bool read_once(const ir_value *v) { return v->uses && !v->uses->next && !v->n_outputs; }

/* The softmax's input, where the value is a softmax over the last axis, which nobody else reads. */
static ir_value *softmax_of(const ir_value *p)
{
    ir_value *x = read_once(p) ? pieces_operand(p, "Softmax", 0) : NULL;
    int64_t axis = x ? ir_attr_int(p->producer, "axis", -1) : 0;
    return x && x->type.rank > 1 && axis + (axis < 0 ? x->type.rank : 0) == x->type.rank - 1 ? x
                                                                                             : NULL;
}

static ir_value *beside_sink(op_body *b, const share *s, ir_value *x, double number)
{
    ir_value *logit = s->sink ? body_cast(b, s->sink, x->type.dtype) : body_like(b, number, x);
    if (s->sink && s->bare && s->sink->type.rank > 0)
        logit = body_unsqueeze(b, logit, "-1");
    return pieces_with_sink(b, x, logit, x->type.rank - 1, true);
}

static heed_status rewrite(pass_run *p, ir_node *n, const share *s, ir_value *over, double number)
{
    op_body b = pass_body(p, n);
    ir_value *x = softmax_of(over), *v = x ? NULL : pieces_operand(over, "MatMul", 1);
    x = x ? x : softmax_of(pieces_operand(over, "MatMul", 0));
    ir_value *y = beside_sink(&b, s, x, number);
    return pass_settle(p, n, &b, v ? body_2(&b, y, v, "MatMul") : y);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    bool divides = pass_is(n, "Div");
    double number;
    for (uint32_t i = 0; i < (divides ? 1u : 2u) && (divides || pass_is(n, "Mul")); i++) {
        ir_value *over = ir_input(n, i), *p_of = pieces_operand(over, "MatMul", 0);
        const ir_value *x = softmax_of(over);
        if (!x && p_of && read_once(over))
            x = softmax_of(p_of);
        share s = {.x = x};
        if (x && dtype_is_float(x->type.dtype) &&
            is_share(&s, ir_input(n, 1 - i), divides, &number))
            return rewrite(p, n, &s, over, number);
    }
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_sinks = {
    .name = "sinks",
    .purpose = "the share that a sink leaves to the keys becomes the sink itself",
    .order = 56,
    .run = run,
};
