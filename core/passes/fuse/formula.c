/* formula.c - see formula.h. */
#include "passes/fuse/formula.h"

#include <math.h>
#include <string.h>

#include "passes/formula_rules.h"

/* ---- Collecting ----------------------------------------------------------------------------- */

static int index_of(const formula *f, const ir_node *n)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (f->nodes[i] == n)
            return (int)i;
    return -1;
}

static void collect(formula *f, ir_value *v)
{
    ir_node *n = v ? v->producer : NULL;
    if (!n || f->n == FORMULA_NODES || n->graph != f->root->graph || n->n_out != 1 ||
        index_of(f, n) >= 0)
        return;
    f->rules[f->n] = formula_find_rule(n);
    if (f->rules[f->n])
        f->nodes[f->n++] = n;
}

static void add_candidate(formula *f, ir_value *v)
{
    for (uint32_t i = 0; i < f->n_candidates; i++)
        if (f->candidates[i] == v)
            return;
    if (v && !pass_constant(v))
        f->candidates[f->n_candidates++] = v;
}

bool formula_collect(formula *f, ir_value *root, int32_t axis)
{
    f->root = root;
    f->axis = axis;
    f->n = f->n_candidates = 0;
    collect(f, root);
    for (uint32_t i = 0; i < f->n; i++) {
        for (uint32_t k = 0; k < f->rules[i]->n_in; k++) {
            collect(f, ir_input(f->nodes[i], k));
            add_candidate(f, ir_input(f->nodes[i], k));
        }
    }
    return f->n > 1 && root->type.rank >= 0 && dtype_is_float(root->type.dtype);
}

bool formula_has(const formula *f, const char *op)
{
    for (uint32_t i = 0; i < f->n; i++)
        if (pass_is(f->nodes[i], op))
            return true;
    return false;
}

ir_value *formula_candidate(const formula *f, uint32_t i)
{
    return i < f->n_candidates ? f->candidates[i] : NULL;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

typedef enum shape { NONE, FULL, ROW, BARE, NUMBER, PARAM } shape;

static bool is_number(const ir_value *v)
{
    return pass_constant(v) && tensor_count(v->constant) == 1 &&
           dtype_get_class(v->constant->dtype) < CLASS_STRING;
}

/* The extents [from, to) are those of x, or 1. */
static bool alike(const ir_value *v, const ir_value *x, int32_t from, int32_t to, bool ones)
{
    for (int32_t i = from; i < to; i++)
        if (v->type.dims[i] != (ones ? 1 : x->type.dims[i]))
            return false;
    return true;
}

/* One row for all: leading axes of extent 1, then the row's own. */
static bool is_param(const formula *f, const ir_value *v)
{
    int32_t own = v->type.rank, rank = f->x->type.rank, row = rank - f->axis;
    if (row < 1 || own < row || own > rank)
        return false;
    for (int32_t i = 0; i < own - row; i++)
        if (v->type.dims[i] != 1)
            return false;
    for (int32_t i = 1; i <= row; i++)
        if (v->type.dims[own - i] != f->x->type.dims[rank - i])
            return false;
    return true;
}

static shape shape_of(const formula *f, const ir_value *v)
{
    int32_t rank = f->x->type.rank;
    if (v->type.kind != HEED_KIND_TENSOR || v->type.rank < 0)
        return NONE;
    if (is_number(v))
        return v->type.rank <= rank ? NUMBER : NONE;
    if (!dtype_is_float(v->type.dtype))
        return NONE;
    if (v->type.rank == rank && alike(v, f->x, 0, rank, false))
        return FULL;
    if (f->axis >= rank)
        return NONE;
    if (v->type.rank == rank && alike(v, f->x, 0, f->axis, false) &&
        alike(v, f->x, f->axis, rank, true))
        return ROW;
    if (v->type.rank == f->axis && alike(v, f->x, 0, f->axis, false))
        return BARE;
    return is_param(f, v) ? PARAM : NONE;
}

/* ---- Binding --------------------------------------------------------------------------------- */

/* The axes are exactly a row. */
static bool reduces_rows(const formula *f, const ir_node *n)
{
    const ir_value *axes = ir_input(n, 1);
    int32_t rank = f->x->type.rank, row = rank - f->axis;
    uint32_t seen = 0;
    if (!pass_constant(axes) || tensor_count(axes->constant) != row)
        return false;
    for (int64_t i = 0; i < row; i++) {
        int64_t axis = tensor_get_int(axes->constant, i);
        axis += axis < 0 ? rank : 0;
        if (axis < f->axis || axis >= rank || (seen & 1u << axis))
            return false;
        seen |= 1u << axis;
    }
    return f->extent > 0 || pass_is(n, "ReduceMean");
}

static bool add_param(formula *f, ir_value *v)
{
    for (uint32_t i = 0; i < f->n_params; i++)
        if (f->params[i] == v)
            return true;
    if (f->n_params == FORMULA_PARAMS)
        return false;
    f->params[f->n_params++] = v;
    return true;
}

static double rounding(heed_dtype dtype)
{
    return dtype == HEED_FLOAT16 ? 0x1p-11 : dtype == HEED_BFLOAT16 ? 0x1p-8 : 0x1p-24;
}

static bool bind_value(formula *f, ir_value *v);

/* Operands of an elementwise node line up: bare rows only meet bare rows and numbers. */
static bool operands_fit(const formula *f, const ir_node *n, const formula_rule *rule)
{
    bool bare = shape_of(f, n->out[0]) == BARE;
    for (uint32_t k = 0; k < rule->n_in; k++) {
        const ir_value *v = ir_input(n, k);
        shape s = v ? shape_of(f, v) : NUMBER;
        if (s == NONE || (rule->kind == FORMULA_EACH && s != NUMBER && (s == BARE) != bare))
            return false;
    }
    return true;
}

static bool kind_fits(const formula *f, const ir_node *n, const formula_rule *rule)
{
    shape in = shape_of(f, ir_input(n, 0)), out = shape_of(f, n->out[0]);
    if (rule->kind == FORMULA_RESHAPE)
        return (in == BARE || in == ROW) && out == ROW;
    if (rule->kind == FORMULA_REDUCE)
        return in == FULL && (out == ROW || out == BARE) && reduces_rows(f, n);
    return true;
}

static bool bind_node(formula *f, int at)
{
    ir_node *n = f->nodes[at];
    const formula_rule *rule = f->rules[at];
    if (f->used[at])
        return true;
    f->used[at] = true;
    for (uint32_t k = 0; k < rule->n_in; k++) /* most candidates fail here: shapes come later */
        if (ir_input(n, k) && !bind_value(f, ir_input(n, k)))
            return false;
    return shape_of(f, n->out[0]) != NONE && operands_fit(f, n, rule) && kind_fits(f, n, rule);
}

static bool bind_value(formula *f, ir_value *v)
{
    if (v == f->x)
        return true;
    if (is_number(v)) {
        double own = rounding(v->constant->dtype);
        f->epsilon = own > f->epsilon ? own : f->epsilon;
        return true;
    }
    if (f->axis < f->x->type.rank && shape_of(f, v) == PARAM)
        return add_param(f, v);
    int at = v->producer ? index_of(f, v->producer) : -1;
    if (at < 0 && shape_of(f, v) == FULL && is_param(f, v)) /* x is one row */
        return add_param(f, v);
    return at >= 0 && bind_node(f, at);
}

/* Nobody else reads what would be lost. */
static bool is_closed(const formula *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        const ir_value *v = f->nodes[i]->out[0];
        if (!f->used[i] || v == f->root)
            continue;
        if (v->n_outputs)
            return false;
        for (const ir_use *u = v->uses; u; u = u->next) {
            int reader = index_of(f, u->node);
            if (reader < 0 || !f->used[reader])
                return false;
        }
    }
    return true;
}

static double row_extent(const formula *f)
{
    double extent = 1;
    for (int32_t i = f->axis; i < f->x->type.rank; i++)
        extent *= dim_known(f->x->type.dims[i]) ? (double)f->x->type.dims[i] : 0;
    return extent;
}

bool formula_bind(formula *f, ir_value *x)
{
    memset(f->used, 0, sizeof(f->used));
    f->x = x;
    f->n_params = 0;
    f->epsilon = 0x1p-24;
    if (x == f->root || x->type.kind != HEED_KIND_TENSOR || !dtype_is_float(x->type.dtype) ||
        x->type.rank != f->root->type.rank || x->type.rank > 31 ||
        !alike(x, f->root, 0, x->type.rank, false))
        return false;
    f->extent = f->axis < x->type.rank ? row_extent(f) : 0;
    return bind_value(f, f->root) && is_closed(f);
}

/* ---- Computing ------------------------------------------------------------------------------- */

typedef struct table {
    const formula *f;
    const double *x, *const *params;
    bool rounded;
    bool done[FORMULA_NODES];
    bool one[FORMULA_NODES];          /* a row's number: the same at all points */
    double (*values)[FORMULA_POINTS]; /* of each node that is done */
} table;

static const double *compute(table *t, const ir_value *v);

static void round_to(heed_dtype dtype, double *x)
{
    double room[FORMULA_POINTS];
    dtype_store_f64(dtype, room, 0, FORMULA_POINTS, x, false);
    dtype_load_f64(dtype, room, 0, FORMULA_POINTS, x);
}

static bool is_one(const table *t, const ir_value *v)
{
    int at = v->producer && v != t->f->x ? index_of(t->f, v->producer) : -1;
    return at >= 0 && t->one[at];
}

/* Where no operand differs from point to point, the result does not. */
static bool compute_each(table *t, const ir_node *n, const formula_rule *rule, double *out)
{
    const double *columns[FORMULA_INPUTS] = {NULL, NULL, NULL};
    const double none = (double)NAN;
    double numbers[FORMULA_INPUTS] = {none, none, none}, in[FORMULA_INPUTS];
    bool one = true;
    for (uint32_t k = 0; k < rule->n_in; k++) {
        const ir_value *v = ir_input(n, k);
        if (v && is_number(v) && v != t->f->x)
            numbers[k] = tensor_get_float(v->constant, 0);
        else if (v)
            columns[k] = compute(t, v);
        one = one && (!columns[k] || is_one(t, v));
    }
    for (int i = 0; i < FORMULA_POINTS; i++) {
        for (uint32_t k = 0; k < FORMULA_INPUTS; k++)
            in[k] = columns[k] ? columns[k][i] : numbers[k];
        out[i] = one && i > 0 ? out[0] : rule->compute(n, in);
    }
    return one;
}

/* Rows are known by their sample: a sum is the mean times the row's extent. */
static double reduce(const ir_node *n, const double *x, double extent)
{
    bool squares = pass_is(n, "ReduceSumSquare") || pass_is(n, "ReduceL2");
    double sum = 0;
    for (int i = 0; i < FORMULA_POINTS; i++)
        sum += squares ? x[i] * x[i] : x[i];
    sum *= (pass_is(n, "ReduceMean") ? 1 : extent) / FORMULA_POINTS;
    return pass_is(n, "ReduceL2") ? sqrt(sum) : sum;
}

static const double *compute_node(table *t, int at)
{
    const ir_node *n = t->f->nodes[at];
    const formula_rule *rule = t->f->rules[at];
    double *out = t->values[at];
    if (t->done[at])
        return out;
    t->done[at] = true;
    if (rule->kind == FORMULA_REDUCE) {
        double total = reduce(n, compute(t, ir_input(n, 0)), t->f->extent);
        for (int i = 0; i < FORMULA_POINTS; i++)
            out[i] = total;
        t->one[at] = true;
    } else {
        t->one[at] = compute_each(t, n, rule, out);
    }
    if (t->rounded)
        round_to(n->out[0]->type.dtype, out);
    return out;
}

static const double *compute(table *t, const ir_value *v)
{
    if (v == t->f->x)
        return t->x;
    for (uint32_t i = 0; i < t->f->n_params; i++)
        if (v == t->f->params[i])
            return t->params[i];
    return compute_node(t, index_of(t->f, v->producer));
}

void formula_compute(const formula *f, const double *x, const double *const *params, bool rounded,
                     double *out)
{
    double own[FORMULA_POINTS], values[FORMULA_NODES][FORMULA_POINTS];
    table t = {.f = f, .x = own, .params = params, .rounded = rounded, .values = values};
    memcpy(own, x, sizeof(own));
    if (rounded)
        round_to(f->x->type.dtype, own);
    memcpy(out, compute(&t, f->root), FORMULA_POINTS * sizeof(*out));
}

/* ---- Replacing ------------------------------------------------------------------------------- */

void formula_replace(formula *f, ir_value *value)
{
    bool changed = true;
    ir_value_replace(f->root, value);
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < f->n; i++) {
            if (!f->nodes[i] || ir_value_used(f->nodes[i]->out[0]))
                continue;
            ir_node_remove(f->nodes[i]);
            f->nodes[i] = NULL;
            changed = true;
        }
    }
}
