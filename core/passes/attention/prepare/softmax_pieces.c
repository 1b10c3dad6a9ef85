/* softmax_pieces.c - see softmax_pieces.h. */
#include "passes/attention/prepare/softmax_pieces.h"

#include <math.h>
#include <string.h>

bool pieces_scalar(const ir_value *v, double *number)
{
    const ir_attr *fill = NULL;
    if (pieces_operand(v, "ConstantOfShape", 0))
        fill = ir_node_attr(v->producer, "value");
    if (fill && dtype_from_dl(fill->view.tensor->dtype) == HEED_FLOAT32) {
        const DLTensor *t = fill->view.tensor;
        float value;
        memcpy(&value, (const char *)t->data + t->byte_offset, sizeof(value));
        *number = (double)value;
        return true;
    }
    while (v && v->producer && pass_is(v->producer, "Expand"))
        v = ir_input(v->producer, 0);
    if (!pass_constant(v) || !dtype_is_float(v->constant->dtype) || tensor_count(v->constant) < 1)
        return false;
    *number = tensor_get_float(v->constant, 0);
    for (int64_t i = 1; i < tensor_count(v->constant); i++)
        if (tensor_get_float(v->constant, i) != *number)
            return false;
    return true;
}

ir_value *pieces_operand(const ir_value *v, const char *op, uint32_t i)
{
    const ir_node *n = v ? v->producer : NULL;
    return n && pass_is(n, op) ? ir_input(n, i) : NULL;
}

/* The extents other than 1, in their order, are those of the other without the reduced axes. */
static bool same_but(const ir_value *v, const ir_value *other, const pieces *s)
{
    int32_t i = 0;
    for (int32_t k = 0; k < other->type.rank; k++) {
        if ((k >= s->axis && k < s->axis + s->n_axes) || other->type.dims[k] == 1)
            continue;
        while (i < v->type.rank && v->type.dims[i] == 1)
            i++;
        if (i == v->type.rank || v->type.dims[i++] != other->type.dims[k])
            return false;
    }
    while (i < v->type.rank && v->type.dims[i] == 1)
        i++;
    return i == v->type.rank;
}

/* What a value is a reshape of, or a bounded copy of; or NULL. */
static ir_value *behind(const ir_value *v)
{
    static const char *const moves[] = {"Reshape", "Expand", "Unsqueeze", "Squeeze",
                                        "Clip",    "Relu",   "Max"};
    double number;
    for (uint32_t i = 0; i < sizeof(moves) / sizeof(*moves); i++)
        if (pieces_operand(v, moves[i], 0)) {
            const ir_node *n = v->producer;
            bool second = i == 6 && n->n_in > 1 && pieces_scalar(ir_input(n, 0), &number);
            return ir_input(n, second);
        }
    return NULL;
}

static bool is_bound(const ir_value *v)
{
    return pieces_operand(v, "Clip", 0) || pieces_operand(v, "Relu", 0) ||
           pieces_operand(v, "Max", 0);
}

/* One axis, or several that are neighbours and the last ones. */
static bool read_axes(const ir_value *axes, const ir_value *x, pieces *s)
{
    int32_t rank = x->type.rank;
    int64_t n = pass_constant(axes) ? tensor_count(axes->constant) : 0, least = rank, sum = 0;
    for (int64_t i = 0; i < n && i < rank; i++) {
        int64_t axis = tensor_get_int(axes->constant, i);
        axis += axis < 0 ? rank : 0;
        least = axis < least ? axis : least;
        sum += axis;
    }
    if (n < 1 || n > rank || (n > 1 && (least != rank - n || sum != n * least + n * (n - 1) / 2)))
        return false;
    s->axis = (int32_t)least;
    s->n_axes = (int32_t)n;
    return true;
}

/* What this operator reduces, and along which axes; NULL: the value is no such thing. The axes may
 * have gone and come back by reshapes, and the largest may be bounded. */
static ir_value *reduced(const ir_value *v, const char *op, pieces *s)
{
    enum { MOST = 5 };
    const ir_value *at[MOST], *first = v;
    uint32_t n = 0;
    for (; n < MOST && !pieces_operand(v, op, 0) && behind(v); v = behind(v)) {
        if (is_bound(v) && strcmp(op, "ReduceMax") != 0)
            return NULL;
        at[n++] = v;
    }
    ir_value *x = pieces_operand(v, op, 0);
    if (!x || !read_axes(pieces_operand(v, op, 1), x, s))
        return NULL;
    if (n == 0)
        return ir_attr_int(v->producer, "keepdims", 1) ? x : NULL;
    bool fits = first->type.rank == x->type.rank;
    for (int32_t i = 0; i < s->n_axes && fits; i++)
        fits = first->type.dims[s->axis + i] == 1;
    for (uint32_t i = 0; i < n && fits; i++)
        fits = same_but(at[i], x, s);
    return fits ? x : NULL;
}

/* The tensor whose sum this is, and the axes; or NULL. A product with a column of ones is one. */
static ir_value *summed(const ir_value *v, pieces *s)
{
    double number;
    ir_value *x = reduced(v, "ReduceSum", s), *ones = pieces_operand(v, "MatMul", 1);
    if (x || !ones)
        return x;
    x = pieces_operand(v, "MatMul", 0);
    if (ones->type.rank < 2 || ones->type.rank > x->type.rank ||
        ones->type.dims[ones->type.rank - 1] != 1 || !pieces_scalar(ones, &number) || number != 1)
        return NULL;
    s->axis = x->type.rank - 1;
    s->n_axes = 1;
    return x;
}

ir_value *pieces_exponent(const ir_value *v, double *factor)
{
    double base;
    ir_value *x = pieces_operand(v, "Exp", 0);
    *factor = 1;
    if (x)
        return x;
    x = pieces_operand(v, "Pow", 1);
    if (!x || !pieces_scalar(pieces_operand(v, "Pow", 0), &base) || !(base > 1))
        return NULL;
    *factor = log(base);
    return x;
}

/* The largest of x, or of x and something else, along the same axes. */
static bool is_largest(const ir_value *v, const ir_value *x, const pieces *s)
{
    pieces m;
    const ir_value *of = reduced(v, "ReduceMax", &m);
    return of && m.axis == s->axis && m.n_axes == s->n_axes &&
           (of == x || pieces_operand(of, "Concat", 0) == x);
}

void pieces_unshift(pieces *s)
{
    ir_value *x = pieces_operand(s->x, "Sub", 0), *shift = pieces_operand(s->x, "Sub", 1);
    if (!x || !pass_same_type(x, s->x) || shift->type.rank != x->type.rank ||
        !is_largest(shift, x, s))
        return;
    s->shift = shift;
    s->x = x;
}

bool pieces_quotient(const ir_node *n, ir_value **over, ir_value **under)
{
    if (pass_is(n, "Div")) {
        *over = ir_input(n, 0);
        *under = ir_input(n, 1);
        return true;
    }
    for (uint32_t i = 0; i < 2 && pass_is(n, "Mul"); i++) {
        *over = ir_input(n, 1 - i);
        *under = pieces_operand(ir_input(n, i), "Reciprocal", 0);
        if (*under)
            return true;
    }
    return false;
}

/* The shift is the largest of x and nothing else: some exponential is 1, and the sum no less. */
bool pieces_shift_is_exact(const pieces *s)
{
    pieces m;
    for (const ir_value *v = s->shift; v; v = behind(v)) {
        if (is_bound(v))
            return false;
        if (pieces_operand(v, "ReduceMax", 0))
            return reduced(s->shift, "ReduceMax", &m) == s->x;
    }
    return false;
}

/* The most that vanishes beside a sum of 1 or more. */
static double vanishing(heed_dtype dtype)
{
    return dtype == HEED_FLOAT64 ? 0x1p-54 : dtype == HEED_FLOAT16 ? 0x1p-12 : 0x1p-25;
}

/* Max(sum, 1e-6), Clip(sum, 1e-6) and sum + 1e-9 say nothing new of a sum that is 1 or more. */
static ir_value *behind_least(ir_value *sum)
{
    double number, most;
    for (uint32_t i = 0; i < 2; i++) {
        ir_value *other = pieces_operand(sum, "Max", i), *x = pieces_operand(sum, "Max", 1 - i);
        if (x && sum->producer->n_in == 2 && pieces_scalar(other, &number) && number <= 1)
            return x;
        other = pieces_operand(sum, "Add", i);
        x = pieces_operand(sum, "Add", 1 - i);
        if (x && pieces_scalar(other, &number) && number >= 0 &&
            number <= vanishing(sum->type.dtype) && pass_same_type(x, sum))
            return x;
    }
    ir_value *x = pieces_operand(sum, "Clip", 0);
    const ir_value *least = x ? ir_input(sum->producer, 1) : NULL,
                   *bound = x ? ir_input(sum->producer, 2) : NULL;
    bool good = x && (!least || (pieces_scalar(least, &number) && number <= 1));
    if (good && bound)
        good = pieces_scalar(bound, &most) && isinf(most) && most > 0;
    return good ? x : NULL;
}

static bool read_powers(pieces *s)
{
    s->x = pieces_exponent(s->exp, &s->factor);
    if (s->x)
        pieces_unshift(s);
    return s->x != NULL;
}

static bool read_sum(pieces *s, ir_value *sum)
{
    int32_t rank = sum->type.rank;
    s->exp = summed(sum, s);
    for (uint32_t i = 0; i < 2 && !s->exp && pieces_operand(sum, "Add", i); i++) {
        s->exp = summed(pieces_operand(sum, "Add", i), s);
        s->beside = pieces_operand(sum, "Add", 1 - i);
    }
    return s->exp && dtype_is_float(s->exp->type.dtype) && s->exp->type.rank == rank;
}

/* The axis is gone, and has not come back yet. */
static bool read_dropped(pieces *s, ir_value *sum)
{
    ir_value *x = pieces_operand(sum, "ReduceSum", 0);
    if (!x || ir_attr_int(sum->producer, "keepdims", 1) || !dtype_is_float(x->type.dtype) ||
        x->type.rank < 1 || !read_axes(ir_input(sum->producer, 1), x, s))
        return false;
    s->exp = x;
    s->dropped = true;
    return true;
}

bool pieces_read_sum(pieces *s, ir_value *sum)
{
    ir_value *rest = behind_least(sum);
    *s = (pieces){.factor = 1};
    if (rest && read_sum(s, rest) && !s->beside && read_powers(s) && s->shift &&
        pieces_shift_is_exact(s))
        return true;
    *s = (pieces){.factor = 1};
    if (!read_sum(s, sum) && !read_dropped(s, sum))
        return false;
    read_powers(s);
    return true;
}

bool pieces_read(const ir_node *n, pieces *s)
{
    ir_value *over, *sum;
    if (!pieces_quotient(n, &over, &sum) || sum->type.rank != over->type.rank ||
        !pieces_read_sum(s, sum) || s->dropped)
        return false;
    s->over = over;
    return true;
}

/* The same for all elements along the axes. */
static bool is_even(const ir_value *v, const pieces *s)
{
    int32_t before = s->x->type.rank - v->type.rank;
    for (int32_t k = s->axis; k < s->axis + s->n_axes; k++)
        if (k >= before && v->type.dims[k - before] != 1)
            return false;
    return v->type.rank >= 0 && before >= 0;
}

/* Log(ReduceSum(Exp(x))), or Log(ReduceSum(Exp(x - shift))) + shift: whatever the shift is, as long
 * as it is even, it drops out. */
static bool is_log_sum(const ir_value *v, pieces *s)
{
    const ir_value *powers = summed(pieces_operand(v, "Log", 0), s), *shift = NULL;
    for (uint32_t i = 0; i < 2 && !powers; i++) {
        powers = summed(pieces_operand(pieces_operand(v, "Add", i), "Log", 0), s);
        shift = pieces_operand(v, "Add", 1 - i);
    }
    const ir_value *x = pieces_operand(powers, "Exp", 0);
    if (!shift)
        return x && x == s->x;
    return x && pieces_operand(x, "Sub", 0) == s->x && pieces_operand(x, "Sub", 1) == shift &&
           pass_same_type(x, s->x) && is_even(shift, s);
}

bool pieces_read_logs(const ir_node *n, pieces *s)
{
    const ir_node *log = pass_is(n, "Exp") ? ir_input(n, 0)->producer : NULL;
    *s = (pieces){.factor = 1, .n_axes = 1};
    if (log && pass_is(log, "LogSoftmax") && ir_input(log, 0)->type.rank > 0) {
        s->x = ir_input(log, 0);
        s->axis = (int32_t)ir_attr_int(log, "axis", -1);
        s->axis += s->axis < 0 ? s->x->type.rank : 0;
        return true;
    }
    if (!log || !pass_is(log, "Sub"))
        return false;
    s->x = ir_input(log, 0);
    if (reduced(ir_input(log, 1), "ReduceLogSumExp", s) != s->x && !is_log_sum(ir_input(log, 1), s))
        return false;
    pieces_unshift(s);
    return true;
}

/* 0 along the axis, or no number where the largest is infinite. */
static ir_value *zero_of_largest(op_body *b, ir_value *x, int32_t axis)
{
    ir_value *top = body_2(b, x, body_ints(b, 1, (int64_t[]){axis}), "ReduceMax");
    return body_2(b, top, top, "Sub");
}

ir_value *pieces_with_sink(op_body *b, ir_value *x, ir_value *logit, int32_t axis, bool share)
{
    ir_value *dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < x->type.rank; i++)
        dims[i] = i == axis ? body_ints(b, 1, (int64_t[]){1}) : body_dim(b, x, i);
    ir_value *shape = body_n(b, (uint32_t)x->type.rank, dims, "Concat axis=0");
    logit = body_2(b, logit, shape, "Expand");
    if (share)
        logit = body_2(b, logit, zero_of_largest(b, x, axis), "Add");
    ir_value *longer = body_concat(b, x, logit, axis);
    longer = body_1(b, longer, "Softmax axis=%d", axis);
    return body_slice(b, longer, axis, NULL, body_dim(b, x, axis));
}
