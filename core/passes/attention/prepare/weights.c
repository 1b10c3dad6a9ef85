/* weights.c - pass: what is done to a softmax's result before it meets the values is moved to where
 * attention has a place for it.
 *
 * p * m / sum(p * m), m of zeros and ones     Softmax(Where(m, x, -inf)), p = Softmax(x)
 * ... @ v, m a number for each key            N[:-1] / N[-1], N = p @ [v * m, m]: any m, and the
 *                                             sum may have a small number added
 * p * (a * b), a of queries and b of keys     (p * a) * b: each has its own place
 * Where(a and b, p, 0), as well               Where(b, Where(a, p, 0), 0)
 * Where(IsInf(p), ...)                        nothing: no weight is infinite */
#include <math.h>
#include <stdio.h>

#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/pass.h"

enum { DEEPEST = 6 };

/* p * m, over its sum or over its sum and a number. */
typedef struct share {
    ir_value *p, *m, *product;
    ir_value *sum, *under; /* the sum, and what is divided by */
} share;

/* Only zeros and ones. */
static bool is_indicator(const ir_value *v, int depth)
{
    static const char *const moves[] = {"Cast",    "Reshape",   "Expand",
                                        "Squeeze", "Transpose", "Unsqueeze"};
    if (v->type.dtype == HEED_BOOL)
        return true;
    if (pass_constant(v)) {
        int64_t n = tensor_count(v->constant);
        for (int64_t i = 0; i < n; i++) {
            double x = tensor_get_float(v->constant, i);
            if (x != 0 && x != 1)
                return false;
        }
        return true;
    }
    for (size_t i = 0; i < sizeof(moves) / sizeof(*moves) && depth < DEEPEST; i++)
        if (pieces_operand(v, moves[i], 0))
            return is_indicator(pieces_operand(v, moves[i], 0), depth + 1);
    return depth < DEEPEST && pieces_operand(v, "Where", 0) &&
           is_indicator(pieces_operand(v, "Where", 1), depth + 1) &&
           is_indicator(pieces_operand(v, "Where", 2), depth + 1);
}

/* The softmax's last axis is summed. */
static bool is_sum_of(const ir_value *v, const ir_value *product)
{
    const ir_value *axes = pieces_operand(v, "ReduceSum", 1);
    if (!axes || ir_input(v->producer, 0) != product || !pass_constant(axes) ||
        tensor_count(axes->constant) != 1 || !ir_attr_int(v->producer, "keepdims", 1))
        return false;
    int64_t axis = tensor_get_int(axes->constant, 0);
    return axis == -1 || axis == product->type.rank - 1;
}

static bool is_last(const ir_node *softmax)
{
    int64_t axis = ir_attr_int(softmax, "axis", -1);
    return axis == -1 || axis == softmax->out[0]->type.rank - 1;
}

static bool read_share(const ir_value *v, share *s)
{
    s->product = pieces_operand(v, "Div", 0);
    s->under = pieces_operand(v, "Div", 1);
    for (uint32_t i = 0; i < 2; i++) {
        s->p = pieces_operand(s->product, "Mul", i);
        s->m = pieces_operand(s->product, "Mul", 1 - i);
        if (s->p && pieces_operand(s->p, "Softmax", 0) && is_last(s->p->producer) &&
            s->p->type.rank == s->product->type.rank)
            break;
        s->p = NULL;
    }
    if (!s->p)
        return false;
    double number;
    s->sum = s->under;
    for (uint32_t i = 0; i < 2; i++)
        if (pieces_operand(s->under, "Add", i) &&
            pieces_scalar(pieces_operand(s->under, "Add", 1 - i), &number))
            s->sum = pieces_operand(s->under, "Add", i);
    return true;
}

/* Softmax(Where(m, x, -inf)), also where m has more keys than one score is repeated for: where the
 * sum is 0 both are NaN. */
static ir_value *mask_scores(const share *s, op_body *b)
{
    ir_value *x = ir_input(s->p->producer, 0);
    ir_value *low = body_like(b, -(double)INFINITY, x);
    ir_value *masked = body_3(b, body_cast(b, s->m, HEED_BOOL), x, low, "Where");
    return body_1(b, masked, "Softmax axis=-1");
}

static bool is_plain_share(const share *s)
{
    return s->under == s->sum && is_sum_of(s->sum, s->product) && is_indicator(s->m, 0);
}

/* Where(sum > 0, share, 0), divided by Where(sum > 0, sum, 1): weights of 0 where all is masked. */
static ir_value *read_guarded(const ir_node *n, share *s, op_body *b)
{
    double zero, one;
    ir_value *some = ir_input(n, 0), *sum = pieces_operand(some, "Greater", 0);
    if (!sum || !pieces_scalar(ir_input(n, 2), &zero) || zero != 0 ||
        !pieces_scalar(pieces_operand(some, "Greater", 1), &zero) || zero != 0 ||
        !read_share(ir_input(n, 1), s) || pieces_operand(s->under, "Where", 0) != some ||
        pieces_operand(s->under, "Where", 1) != sum ||
        !pieces_scalar(pieces_operand(s->under, "Where", 2), &one) || one == 0)
        return NULL;
    s->sum = s->under = sum;
    if (!is_plain_share(s))
        return NULL;
    ir_value *p = mask_scores(s, b);
    return body_3(b, body_1(b, p, "IsNaN"), body_like(b, 0, p), p, "Where");
}

/* m has one number for each key: as a column beside the values. */
static ir_value *column(const share *s, op_body *b, const ir_value *v)
{
    int32_t rank = s->m->type.rank;
    char perm[4 * TENSOR_MAX_RANK] = "";
    if (rank < 1 || rank > v->type.rank || (rank > 1 && s->m->type.dims[rank - 2] != 1))
        return NULL;
    if (rank == 1)
        return body_unsqueeze(b, s->m, "1");
    for (int32_t i = 0, used = 0; i < rank; i++) {
        int32_t k = i < rank - 2 ? i : 2 * rank - 3 - i;
        used += snprintf(perm + used, sizeof(perm) - (size_t)used, i ? ",%d" : "%d", k);
    }
    return body_transpose(b, s->m, perm);
}

static ir_value *weigh_values(const ir_node *n, op_body *b)
{
    share s;
    ir_value *v = ir_input(n, 1);
    if (!read_share(ir_input(n, 0), &s) || !pass_same_type(s.p, s.product) ||
        !is_sum_of(s.sum, s.product) || v->type.rank < 2)
        return NULL;
    int32_t last = v->type.rank - 1;
    ir_value *m = column(&s, b, v), *dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < last && m; i++)
        dims[i] = body_dim(b, v, i);
    if (!m || v->type.dims[last] < 1)
        return NULL;
    dims[last] = body_ints(b, 1, (int64_t[]){1});
    ir_value *shape = body_n(b, (uint32_t)v->type.rank, dims, "Concat axis=0");
    ir_value *weighed = body_2(b, v, m, "Mul");
    ir_value *wider = body_concat(b, weighed, body_2(b, m, shape, "Expand"), last);
    ir_value *y = body_2(b, s.p, wider, "MatMul");
    if (!y)
        return NULL;
    int32_t axis = y->type.rank - 1;
    int64_t width = v->type.dims[last];
    ir_value *sum = body_part(b, y, axis, width, width + 1);
    for (uint32_t i = 0; i < 2 && s.under != s.sum; i++)
        if (ir_input(s.under->producer, i) != s.sum)
            sum = body_2(b, sum, ir_input(s.under->producer, i), "Add");
    return body_2(b, body_part(b, y, axis, 0, width), sum, "Div");
}

static bool is_weights(const ir_value *v)
{
    if (pieces_operand(v, "Cast", 0))
        v = ir_input(v->producer, 0);
    return pieces_operand(v, "Softmax", 0) && is_last(v->producer);
}

/* Extent 1 along the axis, counted from the end, where the other has more. */
static bool lacks_axis(const ir_value *v, const ir_value *other, int32_t axis)
{
    int32_t i = v->type.rank - axis, k = other->type.rank - axis;
    return v->type.rank >= 0 && k >= 0 && other->type.dims[k] != 1 &&
           (i < 0 || v->type.dims[i] == 1);
}

/* One is of queries, and the other one of keys. */
static bool are_apart(const ir_value *x, const ir_value *y, const ir_value *p)
{
    return (lacks_axis(x, p, 1) && lacks_axis(y, p, 2)) ||
           (lacks_axis(x, p, 2) && lacks_axis(y, p, 1));
}

/* What multiplies the weights is one of queries times one of keys. */
static ir_value *split_factor(const ir_node *n, op_body *b)
{
    for (uint32_t i = 0; i < 2; i++) {
        ir_value *p = ir_input(n, i), *m = ir_input(n, 1 - i);
        ir_value *x = pieces_operand(m, "Mul", 0), *y = pieces_operand(m, "Mul", 1);
        if (!x || !is_weights(p) || p->type.rank < 2)
            continue;
        if (are_apart(x, y, p))
            return body_2(b, body_2(b, p, x, "Mul"), y, "Mul");
    }
    return NULL;
}

/* A condition of queries and one of keys, which both have to keep a weight, or of which one hides
 * it. False: it is none. */
static bool read_both(op_body *b, ir_value *m, bool *hides, ir_value *both[2])
{
    ir_value *moves[DEEPEST];
    int32_t n = 0;
    for (ir_value *x; n < DEEPEST; m = x) {
        if ((x = pieces_operand(m, "Not", 0)))
            *hides = !*hides;
        else if ((x = pieces_operand(m, "Unsqueeze", 0)))
            moves[n++] = ir_input(m->producer, 1);
        else
            break;
    }
    for (uint32_t i = 0; i < 2; i++) {
        both[i] = pieces_operand(m, *hides ? "Or" : "And", i);
        if (!both[i] || both[i]->type.rank != m->type.rank)
            return false;
        for (int32_t k = n; k-- > 0;)
            both[i] = body_2(b, both[i], moves[k], "Unsqueeze");
    }
    return b->status == HEED_OK;
}

/* Where(a and b, p, 0). */
static ir_value *split_mask(const ir_node *n, op_body *b)
{
    double zero;
    ir_value *both[2];
    bool hides = pieces_scalar(ir_input(n, 1), &zero) && zero == 0;
    ir_value *p = ir_input(n, hides ? 2 : 1), *none = ir_input(n, hides ? 1 : 2);
    if (!is_weights(p) || !pieces_scalar(none, &zero) || zero != 0 || p->type.rank < 2 ||
        !read_both(b, ir_input(n, 0), &hides, both) || !are_apart(both[0], both[1], p))
        return NULL;
    for (uint32_t i = 0; i < 2; i++)
        p = hides ? body_3(b, both[i], none, p, "Where") : body_3(b, both[i], p, none, "Where");
    return p;
}

/* Weights, or 0 in their stead. */
static bool is_finite(const ir_value *v, int depth)
{
    double number;
    if (pieces_operand(v, "Cast", 0) && dtype_is_float(ir_input(v->producer, 0)->type.dtype))
        v = ir_input(v->producer, 0);
    if (pieces_operand(v, "Softmax", 0))
        return true;
    return depth < DEEPEST && pieces_operand(v, "Where", 0) &&
           pieces_scalar(pieces_operand(v, "Where", 1), &number) && isfinite(number) &&
           is_finite(pieces_operand(v, "Where", 2), depth + 1);
}

/* A condition that never holds: a weight is infinite. */
static bool is_never(const ir_value *v)
{
    for (uint32_t i = 0; i < 2 && pieces_operand(v, "And", i); i++)
        if (is_never(pieces_operand(v, "And", i)))
            return true;
    return pieces_operand(v, "IsInf", 0) && is_finite(pieces_operand(v, "IsInf", 0), 0);
}

static ir_value *find_same(const ir_node *n, op_body *b)
{
    share s;
    if (pass_is(n, "MatMul"))
        return weigh_values(n, b);
    if (pass_is(n, "Mul"))
        return split_factor(n, b);
    if (pass_is(n, "Div"))
        return read_share(n->out[0], &s) && is_plain_share(&s) ? mask_scores(&s, b) : NULL;
    if (!pass_is(n, "Where"))
        return NULL;
    if (is_never(ir_input(n, 0)))
        return ir_input(n, 2);
    ir_value *y = read_guarded(n, &s, b);
    return y || b->status ? y : split_mask(n, b);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    op_body b = pass_body(p, n);
    ir_value *y = find_same(n, &b);
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_weights = {
    .name = "weights",
    .purpose = "masks and divisors after a softmax move to its scores and to the values",
    .order = 57,
    .run = run,
};
