/* mask_steps.c - elementwise operators on what a mask may hold.
 *
 * Each case of the operands is computed by itself. An order between two affine forms, or whether a
 * tensor is 0, is a new atom, and makes two cases of one. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask.h"

typedef struct step {
    mask *m;
    const ir_node *n;
    uint16_t args[3];
} step;

typedef mask_outcome step_fn(step *s);

static const mask_outcome unknown;

/* ---- Numbers of a type ----------------------------------------------------------------------- */

/* As the type rounds it, where that is more than the digits that it keeps: overflow. */
double mask_in_type(double x, heed_dtype dtype)
{
    if (dtype == HEED_FLOAT32 || dtype == HEED_BFLOAT16)
        return fabs(x) > 0x1.ffffffp127 ? copysign((double)INFINITY, x) : (double)(float)x;
    if (dtype == HEED_FLOAT16 && fabs(x) >= 65520)
        return copysign((double)INFINITY, x);
    return x;
}

static mask_outcome number(step *s, double x)
{
    heed_dtype dtype = s->n->out[0]->type.dtype;
    return mask_plain(mask_number(s->m, mask_in_type(x, dtype), dtype));
}

static mask_outcome expr(step *s) { return mask_plain(mask_expr(s->m, s->n, s->args)); }

static mask_outcome affine(step *s, const mask_affine *x)
{
    return mask_plain(mask_index(s->m, x, s->n->out[0]->type.dtype));
}

static bool numbers(const step *s, double *a, double *b)
{
    return mask_is_number(s->m, s->args[0], a) && mask_is_number(s->m, s->args[1], b);
}

static bool is_index(const step *s, uint32_t i)
{
    return s->m->leaves[s->args[i]].kind == MASK_INDEX;
}

/* Both are whole numbers, and one is more than a constant; floats count exactly far enough. */
static bool wholes(step *s, mask_affine *a, mask_affine *b)
{
    heed_dtype dtype = ir_input(s->n, 0)->type.dtype;
    bool exact = !dtype_is_float(dtype) || dtype == HEED_FLOAT32 || dtype == HEED_FLOAT64;
    return exact && dtype != HEED_BOOL && (is_index(s, 0) || is_index(s, 1)) &&
           mask_whole(s->m, s->args[0], true, a) && mask_whole(s->m, s->args[1], true, b);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

/* So far below that x + low is low: half a unit in the last place of low is far above x. */
static bool absorbs(const step *s, uint16_t low, uint16_t x, double *out)
{
    heed_dtype dtype = s->n->out[0]->type.dtype;
    double most = s->m->leaves[x].most;
    if (!mask_is_number(s->m, low, out) || !dtype_is_float(dtype) || !isfinite(most))
        return false;
    return isinf(*out) || most < fabs(*out) * (dtype == HEED_FLOAT64 ? 0x1p-55 : 0x1p-26);
}

static mask_outcome add(step *s)
{
    mask_affine a, b;
    double x, y;
    if (numbers(s, &x, &y))
        return number(s, x + y);
    for (uint32_t i = 0; i < 2; i++) {
        if (mask_is_number(s->m, s->args[i], &x) && x == 0)
            return mask_plain(s->args[1 - i]);
        if (absorbs(s, s->args[i], s->args[1 - i], &x))
            return number(s, x);
    }
    if (wholes(s, &a, &b))
        return mask_add(s->m, &a, 1, &b, &a) ? affine(s, &a) : unknown;
    return expr(s);
}

static mask_outcome sub(step *s)
{
    mask_affine a, b;
    double x, y;
    if (numbers(s, &x, &y))
        return number(s, x - y);
    if (mask_is_number(s->m, s->args[1], &y) && y == 0)
        return mask_plain(s->args[0]);
    if (absorbs(s, s->args[0], s->args[1], &x))
        return number(s, x);
    if (absorbs(s, s->args[1], s->args[0], &x))
        return number(s, -x);
    if (wholes(s, &a, &b))
        return mask_add(s->m, &a, dims_constant(s->m->dims, -1), &b, &a) ? affine(s, &a) : unknown;
    return expr(s);
}

static mask_outcome mul(step *s)
{
    mask_affine a, b, zero = mask_constant(0);
    double x, y;
    if (numbers(s, &x, &y))
        return number(s, x * y);
    for (uint32_t i = 0; i < 2; i++) {
        if (!mask_is_number(s->m, s->args[i], &x))
            continue;
        if (x == 1)
            return mask_plain(s->args[1 - i]);
        if (x == 0 && isfinite(s->m->leaves[s->args[1 - i]].most))
            return mask_plain(s->args[i]);
    }
    if (wholes(s, &a, &b) && (a.n == 0 || b.n == 0)) {
        const mask_affine *by = a.n == 0 ? &a : &b;
        return mask_add(s->m, &zero, by->constant, a.n == 0 ? &b : &a, &a) ? affine(s, &a)
                                                                           : unknown;
    }
    return expr(s);
}

/* x is whole * by + rest, where rest is one of 0 to by - 1: a position in rows of `by` columns. */
static bool split_rows(mask *m, const mask_affine *x, ir_dim by, mask_affine *whole,
                       mask_affine *rest)
{
    ir_dim minus_one = dims_constant(m->dims, -1), one = dims_constant(m->dims, 1);
    mask_affine zero = mask_constant(0), above, below,
                last = mask_constant(dims_sub(m->dims, by, 1));
    *whole = zero;
    *rest = mask_constant(x->constant);
    for (uint32_t i = 0; i < x->n; i++) {
        mask_affine term = {.n = 1, .index = {x->index[i]}, .factor = {one}};
        ir_dim times = dims_floor_div(m->dims, x->factor[i], by);
        bool exact = times != DIM_UNKNOWN && dims_mul(m->dims, times, by) == x->factor[i];
        if (!mask_add(m, exact ? whole : rest, exact ? times : x->factor[i], &term,
                      exact ? whole : rest))
            return false;
    }
    return mask_add(m, &zero, minus_one, rest, &below) && mask_sign(m, &below) < 0 &&
           mask_add(m, rest, minus_one, &last, &above) && mask_sign(m, &above) < 0;
}

/* An index divided by a length that is no index. */
static bool rows_of(step *s, mask_affine *whole, mask_affine *rest)
{
    mask_affine x, by;
    return !dtype_is_float(s->n->out[0]->type.dtype) && is_index(s, 0) &&
           mask_whole(s->m, s->args[0], false, &x) && mask_whole(s->m, s->args[1], false, &by) &&
           by.n == 0 && by.constant != 0 && dims_nonnegative(s->m->dims, by.constant) &&
           split_rows(s->m, &x, by.constant, whole, rest);
}

static mask_outcome divide(step *s)
{
    mask_affine whole, rest;
    double x, y;
    if (numbers(s, &x, &y) && dtype_is_float(s->n->out[0]->type.dtype))
        return number(s, x / y);
    return rows_of(s, &whole, &rest) ? affine(s, &whole) : expr(s);
}

static mask_outcome modulo(step *s)
{
    mask_affine whole, rest;
    return rows_of(s, &whole, &rest) ? affine(s, &rest) : expr(s);
}

static mask_outcome neg(step *s)
{
    mask_affine a, zero = mask_constant(0);
    double x;
    if (mask_is_number(s->m, s->args[0], &x))
        return number(s, -x);
    if (is_index(s, 0) && mask_whole(s->m, s->args[0], false, &a))
        return mask_add(s->m, &zero, dims_constant(s->m->dims, -1), &a, &a) ? affine(s, &a)
                                                                            : unknown;
    return expr(s);
}

static mask_outcome absolute(step *s)
{
    mask_affine a, negated, zero = mask_constant(0);
    double x;
    if (mask_is_number(s->m, s->args[0], &x))
        return number(s, fabs(x));
    if (!is_index(s, 0) || !mask_whole(s->m, s->args[0], false, &a))
        return expr(s);
    if (!mask_add(s->m, &zero, dims_constant(s->m->dims, -1), &a, &negated))
        return unknown;
    return mask_below(s->m, &a, affine(s, &negated).yes, s->args[0]);
}

/* Curves of indices: tables of relative positions are looked up with them. */
static mask_outcome curve(step *s)
{
    s->m->looked_up |= s->m->looks_up;
    return s->m->looks_up ? expr(s) : unknown;
}

static mask_outcome extreme(step *s, bool most)
{
    mask_affine a, b;
    double x, y;
    if (s->n->n_in != 2)
        return unknown;
    if (numbers(s, &x, &y))
        return number(s, (x > y) == most ? x : y);
    if (!wholes(s, &a, &b) || !mask_add(s->m, &a, dims_constant(s->m->dims, -1), &b, &a))
        return is_index(s, 0) || is_index(s, 1) ? curve(s) : expr(s);
    return mask_below(s->m, &a, s->args[most], s->args[!most]);
}

static mask_outcome max(step *s) { return extreme(s, true); }
static mask_outcome min(step *s) { return extreme(s, false); }

/* Between two numbers, each of which may be left out. */
static mask_outcome clip(step *s)
{
    double x, bound[2] = {-(double)INFINITY, (double)INFINITY};
    for (uint32_t i = 0; i < 2; i++)
        if (s->args[1 + i] && !mask_is_number(s->m, s->args[1 + i], &bound[i]))
            return unknown;
    if (mask_is_number(s->m, s->args[0], &x))
        return number(s, fmin(fmax(x, bound[0]), bound[1]));
    return is_index(s, 0) ? curve(s) : expr(s);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static uint16_t truth(step *s, bool value) { return mask_number(s->m, value, HEED_BOOL); }

/* Both far enough apart that the sum of low and what is bounded is not 0... see add(). What is left
 * is whatever the node computes: it becomes an atom of its own. */
static mask_outcome computed(step *s)
{
    for (int i = 0; i < 2; i++)
        if (is_index(s, (uint32_t)i))
            return unknown;
    return mask_nonzero(s->m, mask_expr(s->m, s->n, s->args), truth(s, true), truth(s, false));
}

/* a < b + more. */
static mask_outcome order(step *s, uint32_t first, int64_t more)
{
    mask_affine a, b, one = mask_constant(dims_constant(s->m->dims, 1 - more));
    double x[2];
    if (numbers(s, &x[0], &x[1]))
        return mask_truth(s->m, more ? x[first] <= x[1 - first] : x[first] < x[1 - first]);
    if (!wholes(s, &a, &b))
        return computed(s);
    const mask_affine *low = first ? &b : &a, *high = first ? &a : &b;
    mask_affine d;
    if (!mask_add(s->m, low, dims_constant(s->m->dims, -1), high, &d) ||
        !mask_add(s->m, &d, 1, &one, &d))
        return unknown;
    return mask_below(s->m, &d, truth(s, true), truth(s, false));
}

static mask_outcome less(step *s) { return order(s, 0, 0); }
static mask_outcome less_equal(step *s) { return order(s, 0, 1); }
static mask_outcome greater(step *s) { return order(s, 1, 0); }
static mask_outcome greater_equal(step *s) { return order(s, 1, 1); }

static mask_outcome equal(step *s)
{
    double x, y;
    if (numbers(s, &x, &y))
        return mask_truth(s->m, x == y);
    for (uint32_t i = 0; i < 2 && !is_index(s, 1 - i); i++)
        if (mask_is_number(s->m, s->args[i], &x) && x == 0)
            return mask_nonzero(s->m, s->args[1 - i], truth(s, false), truth(s, true));
    return computed(s);
}

static mask_outcome cast(step *s)
{
    const mask_leaf *l = &s->m->leaves[s->args[0]];
    heed_dtype to = s->n->out[0]->type.dtype;
    double x;
    if (mask_is_number(s->m, s->args[0], &x)) {
        if (to == HEED_BOOL)
            return mask_truth(s->m, x != 0);
        return dtype_is_float(to) || x == floor(x) ? number(s, x) : unknown;
    }
    if (l->kind == MASK_INDEX) {
        bool exact =
            to == HEED_INT64 || to == HEED_INT32 || to == HEED_FLOAT32 || to == HEED_FLOAT64;
        return exact ? affine(s, &l->index) : unknown;
    }
    if (to == HEED_BOOL)
        return mask_nonzero(s->m, s->args[0], truth(s, true), truth(s, false));
    /* numbers that the tensor holds, as they are */
    if (l->kind == MASK_TENSOR && !dtype_is_float(l->dtype) && dtype_is_float(to))
        return mask_plain(s->args[0]);
    return expr(s);
}

static mask_outcome not(step * s)
{
    double x;
    return mask_is_number(s->m, s->args[0], &x) ? mask_truth(s->m, x == 0) : unknown;
}

static mask_outcome and (step * s)
{
    double x, y;
    return numbers(s, &x, &y) ? mask_truth(s->m, x != 0 && y != 0) : unknown;
}

static mask_outcome or (step * s)
{
    double x, y;
    return numbers(s, &x, &y) ? mask_truth(s->m, x != 0 || y != 0) : unknown;
}

static mask_outcome xor
    (step * s) {
        double x, y;
        return numbers(s, &x, &y) ? mask_truth(s->m, (x != 0) != (y != 0)) : unknown;
    }

    static mask_outcome where(step *s)
{
    double x;
    if (!mask_is_number(s->m, s->args[0], &x))
        return unknown;
    return mask_plain(s->args[x != 0 ? 1 : 2]);
}

static const struct {
    const char *op;
    step_fn *step;
} rows[] = {
    {"Add", add},         {"Sub", sub},
    {"Mul", mul},         {"Div", divide},
    {"Neg", neg},         {"Abs", absolute},
    {"Max", max},         {"Min", min},
    {"Less", less},       {"LessOrEqual", less_equal},
    {"Greater", greater}, {"GreaterOrEqual", greater_equal},
    {"Equal", equal},     {"Cast", cast},
    {"Not", not },        {"And", and},
    {"Or", or },          {"Xor", xor},
    {"Where", where},     {"Mod", modulo},
    {"Ceil", curve},      {"Clip", clip},
    {"Exp", curve},       {"Floor", curve},
    {"Log", curve},       {"Pow", curve},
    {"Round", curve},     {"Sign", curve},
    {"Sqrt", curve},      {"Tanh", curve},
};

/* ---- All cases ------------------------------------------------------------------------------- */

static uint16_t pick(const mask_outcome *o, uint32_t c)
{
    return o->splits && !(c >> o->atom & 1) ? o->no : o->yes;
}

/* The same leaf in all cases that can occur: atoms that others have asked for do not matter. */
static void simplify(const mask *m, mask_form *out)
{
    uint16_t first = MASK_NONE;
    for (uint32_t c = 0; c < 1u << out->n; c++) {
        if (!mask_possible(m, out->n, c))
            continue;
        if (first && out->leaf[c] != first)
            return;
        first = out->leaf[c];
    }
    if (first)
        mask_one(m, first, out);
}

static bool run(step *s, step_fn *fn, const mask_form in[3], mask_form *out)
{
    mask *m = s->m;
    uint32_t n = m->n_atoms, cases = 1u << n;
    mask_outcome outcomes[MASK_CASES];
    for (uint32_t c = 0; c < cases; c++) {
        memset(s->args, 0, sizeof(s->args));
        outcomes[c] = mask_plain(1);
        if (!mask_possible(m, n, c))
            continue;
        for (uint32_t i = 0; i < s->n->n_in; i++)
            s->args[i] = mask_at(m, &in[i], n, c);
        outcomes[c] = fn(s);
        if (!outcomes[c].known)
            return false;
    }
    out->n = m->n_atoms;
    for (uint32_t c = 0; c < 1u << m->n_atoms; c++)
        out->leaf[c] = pick(&outcomes[c & (cases - 1)], c);
    simplify(m, out);
    return true;
}

bool mask_step(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    step_fn *fn = NULL;
    step s = {.m = m, .n = n};
    mask_form in[3];
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows) && !fn; i++)
        fn = pass_is(n, rows[i].op) ? rows[i].step : NULL;
    if (!fn || n->n_in < 1 || n->n_in > 3 || n->out[0]->type.rank != at->rank)
        return false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        axes beside;
        if (!n->in[i].value)
            mask_one(m, MASK_NONE, &in[i]);
        else if (!mask_beside(m, n, i, at, &beside) ||
                 !mask_walk(m, n->in[i].value, &beside, &in[i]))
            return false;
    }
    return run(&s, fn, in, out);
}

bool mask_choose(mask *m, const mask_affine *index, const mask_form *yes, const mask_form *no,
                 mask_form *out)
{
    mask_outcome o = mask_below(m, index, 1, 2);
    if (!o.known)
        return false;
    out->n = m->n_atoms;
    for (uint32_t c = 0; c < 1u << m->n_atoms; c++)
        out->leaf[c] = mask_at(m, pick(&o, c) == 1 ? yes : no, m->n_atoms, c);
    return true;
}
