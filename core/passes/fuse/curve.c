/* curve.c - see curve.h. A formula is compared with each curve at points where all of them differ,
 * in double, so that only the rounding of its constants is between them; the nearest one within
 * that rounding is it. Then it is computed as the graph would, rounded to the graph's types, for
 * numbers where arithmetic overflows, for infinities and NaN: the curve must give what the graph
 * gives there too. */
#include "passes/fuse/curve.h"

#include <math.h>
#include <string.h>

typedef struct curve {
    curve_kind kind;
    double (*at)(double x, double alpha);
    const char *node; /* as text, but for an alpha */
} curve;

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }

static double gelu(double x, double alpha)
{
    (void)alpha;
    return 0.5 * x * (1 + erf(x * 0.70710678118654752));
}

static double gelu_tanh(double x, double alpha)
{
    (void)alpha;
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}

static double swish(double x, double alpha) { return x * sigmoid(alpha * x); }

static double mish(double x, double alpha)
{
    (void)alpha;
    return x * tanh(softplus(x));
}

static double hard_swish(double x, double alpha)
{
    double gate = x / 6 + 0.5;
    (void)alpha;
    return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
}

static const curve curves[] = {
    {CURVE_GELU, gelu, "Gelu"},
    {CURVE_GELU_TANH, gelu_tanh, "Gelu approximate=tanh"},
    {CURVE_SILU, swish, "Swish"},
    {CURVE_MISH, mish, "Mish"},
    {CURVE_HARD_SWISH, hard_swish, "HardSwish"},
};

/* ---- Points --------------------------------------------------------------------------------- */

/* Both signs, denser near zero, no two in a simple ratio. */
static void ordinary_points(double *x)
{
    for (int i = 0; i < FORMULA_POINTS; i++) {
        double size = 0.01 * pow(1.243, i / 2 + 0.37 * (i % 2));
        x[i] = i % 2 ? -size : size;
    }
}

/* Far within what every type of the formula holds: products of a few of them may overflow, as they
 * do in the graph, but a factor of 6 in front of the last division must not. */
static double far_out(const formula *f)
{
    bool half = f->x->type.dtype == HEED_FLOAT16;
    for (uint32_t i = 0; i < f->n; i++)
        half = half || (f->used[i] && f->nodes[i]->out[0]->type.dtype == HEED_FLOAT16);
    return half ? 4000 : 1e37;
}

static void rare_points(double most, double *x)
{
    static const double ends[] = {0, 20, 100, 1000, 4000};
    for (int i = 0; i < FORMULA_POINTS; i++) {
        int at = i / 2 % 8;
        double size = at < 5 ? ends[at] : at == 5 ? most : at == 6 ? (double)INFINITY : (double)NAN;
        x[i] = i % 2 ? -size : size;
    }
}

/* ---- Comparing ------------------------------------------------------------------------------ */

/* The largest difference from a curve, relative to x; infinite when something is no number. */
static double distance(const curve *c, double alpha, const double *x, const double *y)
{
    double most = 0;
    for (int i = 0; i < FORMULA_POINTS; i++) {
        double apart = fabs(c->at(x[i], alpha) - y[i]) / fabs(x[i]);
        if (!(apart <= most))
            most = apart == apart ? apart : (double)INFINITY;
    }
    return most;
}

/* y = x sigmoid(alpha x), solved for alpha at the point nearest to 1. */
static double solve_alpha(const double *x, const double *y)
{
    int best = 0;
    for (int i = 0; i < FORMULA_POINTS; i++)
        best = fabs(x[i] - 1) < fabs(x[best] - 1) ? i : best;
    double gate = y[best] / x[best];
    double alpha = log(gate / (1 - gate)) / x[best];
    return fabs(alpha - 1) < 1e-6 ? 1 : alpha;
}

/* Ends of the curve are what the graph's own arithmetic gives, NaN and infinity included. */
static bool ends_agree(const formula *f, const curve *c, double alpha)
{
    double x[FORMULA_POINTS], y[FORMULA_POINTS];
    rare_points(far_out(f), x);
    formula_compute(f, x, NULL, true, y);
    for (int i = 0; i < FORMULA_POINTS; i++) {
        double want = c->at(x[i], alpha);
        bool numbers = isfinite(want) && isfinite(y[i]);
        if (numbers ? fabs(want - y[i]) > 0.02 * fabs(want) + 1e-3
                    : !(want == y[i] || (want != want && y[i] != y[i])))
            return false;
    }
    return true;
}

/* The curve that the formula is, or NULL. */
static const curve *compare(const formula *f, double *alpha)
{
    double x[FORMULA_POINTS], y[FORMULA_POINTS], nearest = 16 * f->epsilon;
    const curve *found = NULL;
    ordinary_points(x);
    formula_compute(f, x, NULL, false, y);
    *alpha = solve_alpha(x, y);
    if (!(fabs(*alpha) > 0.05 && fabs(*alpha) < 50)) /* x / 2 is no activation */
        *alpha = 1;
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
        double apart = distance(&curves[i], *alpha, x, y);
        if (apart <= nearest) {
            nearest = apart;
            found = &curves[i];
        }
    }
    return found && ends_agree(f, found, *alpha) ? found : NULL;
}

/* ---- Finding -------------------------------------------------------------------------------- */

/* What no such function can do without. */
static bool is_curved(const formula *f)
{
    static const char *const ops[] = {"Erf",  "Tanh",        "Sigmoid", "Exp",
                                      "Clip", "HardSigmoid", "Relu",    "Min"};
    for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
        if (formula_has(f, ops[i]))
            return true;
    return false;
}

static bool may_end(const ir_node *n)
{
    return pass_is(n, "Mul") || pass_is(n, "Div") || pass_is(n, "Add") || pass_is(n, "Sub") ||
           pass_is(n, "Cast");
}

static const curve *find(formula *f, ir_node *n, double *alpha)
{
    ir_value *x;
    if (!may_end(n) || !formula_collect(f, n->out[0], n->out[0]->type.rank) || !is_curved(f))
        return NULL;
    for (uint32_t i = 0; (x = formula_candidate(f, i)); i++) {
        const curve *c = formula_bind(f, x) && f->n > 1 ? compare(f, alpha) : NULL;
        if (c)
            return c;
    }
    return NULL;
}

static curve_kind kind_of(const curve *c, double alpha)
{
    bool scaled = alpha < 1 || alpha > 1;
    return c->kind == CURVE_SILU && scaled ? CURVE_QUICK_GELU : c->kind;
}

/* The value with the result's type: x, or what was widened to x. */
static ir_value *typed_input(const formula *f)
{
    const ir_node *cast = f->x->producer;
    heed_dtype dtype = f->root->type.dtype;
    if (f->x->type.dtype == dtype)
        return f->x;
    bool widened = cast && pass_is(cast, "Cast") && ir_input(cast, 0)->type.dtype == dtype &&
                   dtype_bits(dtype) < dtype_bits(f->x->type.dtype);
    return widened ? ir_input(cast, 0) : NULL;
}

/* The curve of a widened x goes back to x's type, and nowhere else: then that cast is the end. */
static bool ends_later(const formula *f)
{
    const ir_use *u = f->root->uses;
    const ir_node *cast = f->x->producer;
    return u && !u->next && !f->root->n_outputs && pass_is(u->node, "Cast") && cast &&
           pass_is(cast, "Cast") && ir_input(cast, 0)->type.dtype == u->node->out[0]->type.dtype &&
           dtype_bits(ir_input(cast, 0)->type.dtype) < dtype_bits(f->root->type.dtype);
}

typedef struct wanted {
    pass_run *p;
    curve_kind kinds[2];
} wanted;

static heed_status fuse_node(const wanted *w, ir_node *n)
{
    formula f;
    double alpha = 1;
    const curve *c = find(&f, n, &alpha);
    ir_value *x = c && !ends_later(&f) ? typed_input(&f) : NULL;
    curve_kind kind = x ? kind_of(c, alpha) : CURVE_NONE;
    if (kind == CURVE_NONE || (kind != w->kinds[0] && kind != w->kinds[1]))
        return HEED_OK;
    op_body b = pass_body(w->p, n);
    ir_value *y = c->kind == CURVE_SILU ? body_1(&b, x, "Swish alpha=%.9g", alpha)
                                        : body_1(&b, x, "%s", c->node);
    TRY(b.status);
    formula_replace(&f, y);
    w->p->rewrites++;
    return HEED_OK;
}

static heed_status fuse_graph(const wanted *w, ir_graph *g)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(fuse_graph(w, n->attrs[a].graph));
        TRY(fuse_node(w, n));
        next = n->next;
    }
    return HEED_OK;
}

heed_status curve_fuse(pass_run *p, curve_kind kind, curve_kind other)
{
    return fuse_graph(&(wanted){p, {kind, other}}, p->model->main);
}
