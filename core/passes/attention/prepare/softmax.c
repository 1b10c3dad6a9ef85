/* softmax.c - pass: a softmax in pieces becomes one.
 *
 * before: e = Exp(Sub(x, ReduceMax(x))); y = Div(e, ReduceSum(e))      after: y = Softmax(x)
 *
 * Also with the sum's reciprocal, without the maximum or with one that is bounded (it drops out),
 * with powers of another base, as Exp(LogSoftmax(x)) and as Exp(Sub(x, ReduceLogSumExp(x))), whose
 * logarithm may be in pieces, too. The sum may be a product with ones. Three more things may stand
 * in between:
 *
 *   e @ v / sum(e)              the division comes after a product (softmax_late.h):
 *                                                                      Softmax(x) @ v
 *   e / (sum(e) + 1)            one more element, whose result nobody reads:
 *                                                          Softmax(Concat(x, 0))[..., :-1]
 *   (e * m) / sum(e * m)        weights of the elements: with p = Softmax(x), p * m / sum(p * m)
 *
 * One more element may also be padding: Softmax(Pad(x, 0)) is Softmax(Concat(x, 0)). And a matrix
 * of x's lines, as it was before opset 13, is x: Reshape(Softmax(Flatten(x)), shape of x).
 *
 * Where the largest of x was subtracted and all of x is -infinity, the powers are no numbers, and
 * one more element does not make them any. */
#include <math.h>
#include <string.h>

#include "ops/body.h"
#include "passes/attention/prepare/softmax_late.h"
#include "passes/pass.h"

/* ---- What becomes of it ---------------------------------------------------------------------- */

static ir_value *times(op_body *b, ir_value *x, double factor)
{
    return factor == 1 ? x : body_2(b, x, body_like(b, factor, x), "Mul");
}

/* What is added to the sum, as one more exponent: 0 for the constant 1 and, when a shift was
 * subtracted, for e^-shift. NULL: it is none. */
static ir_value *exponent_beside(const pieces *s, op_body *b)
{
    double number, factor;
    if (!s->shift)
        return pieces_scalar(s->beside, &number) && number > 0 ? body_like(b, log(number), s->x)
                                                               : NULL;
    ir_value *x = pieces_exponent(s->beside, &factor);
    if (!x || factor != s->factor)
        return NULL;
    if (pieces_operand(x, "Neg", 0) == s->shift)
        return body_like(b, 0, s->x);
    ir_value *logit = pieces_operand(x, "Sub", 1) == s->shift ? pieces_operand(x, "Sub", 0) : NULL;
    return logit ? times(b, logit, factor) : NULL;
}

/* Along several axes, which are the last ones: as one. */
static ir_value *along_axes(const pieces *s, op_body *b, ir_value *x)
{
    if (s->n_axes == 1)
        return body_1(b, x, "Softmax axis=%d", s->axis);
    ir_value *dims[TENSOR_MAX_RANK], *shape = body_1(b, x, "Shape");
    for (int32_t i = 0; i < s->axis; i++)
        dims[i] = body_dim(b, x, i);
    dims[s->axis] = body_ints(b, 1, (int64_t[]){-1});
    ir_value *flat = body_reshape_to(b, x, (uint32_t)s->axis + 1, dims);
    return body_2(b, body_1(b, flat, "Softmax axis=%d", s->axis), shape, "Reshape");
}

static ir_value *softmax(const pieces *s, op_body *b)
{
    ir_value *logit = s->beside ? exponent_beside(s, b) : NULL;
    if (s->beside && (!logit || s->n_axes > 1))
        return NULL;
    ir_value *x = times(b, s->x, s->factor);
    if (b->status)
        return NULL;
    bool share = s->shift && pieces_shift_is_exact(s); /* all -infinity, less that: no numbers */
    return logit ? pieces_with_sink(b, x, logit, s->axis, share) : along_axes(s, b, x);
}

/* p * m over its sum, p the softmax. */
static ir_value *weighted(const pieces *s, op_body *b)
{
    pieces inner = {.axis = s->axis, .n_axes = 1};
    for (uint32_t i = 0; i < 2; i++) {
        ir_value *exp = pieces_operand(s->over, "Mul", i),
                 *m = pieces_operand(s->over, "Mul", 1 - i);
        inner.x = exp && pass_same_type(exp, s->over) ? pieces_exponent(exp, &inner.factor) : NULL;
        if (!inner.x)
            continue;
        pieces_unshift(&inner);
        ir_value *p = body_2(b, softmax(&inner, b), m, "Mul");
        ir_value *along = body_ints(b, 1, (int64_t[]){s->axis});
        return body_2(b, p, body_2(b, p, along, "ReduceSum"), "Div");
    }
    return NULL;
}

static ir_value *from_quotient(const pieces *s, op_body *b)
{
    if (!s->x)
        return s->over == s->exp && !s->beside && s->n_axes == 1 ? weighted(s, b) : NULL;
    return s->over == s->exp ? softmax(s, b) : NULL;
}

/* A product stands between the powers and the division. */
static ir_value *from_late(const ir_node *n, op_body *b)
{
    late_division d;
    return late_read(n, b->dims, b->scratch, &d) ? late_emit(&d, b, softmax(&d.pieces, b)) : NULL;
}

/* One element of padding, along the softmax's axis alone: where it stands; -1: it is another. */
static int find_padding(const ir_node *pad, int64_t axis)
{
    const ir_value *pads = ir_input(pad, 1);
    int32_t rank = pad->out[0]->type.rank;
    int found = -1;
    if (!pass_constant(pads) || ir_input(pad, 3) || tensor_count(pads->constant) != 2 * rank ||
        strcmp(ir_attr_string(pad, "mode", "constant"), "constant") != 0)
        return -1;
    for (int32_t i = 0; i < 2 * rank; i++) {
        int64_t width = tensor_get_int(pads->constant, i);
        if (width != 0 && (width != 1 || i % rank != axis || found >= 0))
            return -1;
        found = width ? i / rank : found;
    }
    return found;
}

static ir_value *from_padding(const ir_node *n, op_body *b)
{
    const ir_node *pad = ir_input(n, 0)->producer;
    double number = 0;
    int32_t rank = n->out[0]->type.rank;
    int64_t axis = ir_attr_int(n, "axis", -1);
    axis += axis < 0 ? rank : 0;
    if (!pad || !pass_is(pad, "Pad") || rank < 1 || ir_input(pad, 0)->type.rank != rank ||
        (ir_input(pad, 2) && !pieces_scalar(ir_input(pad, 2), &number)))
        return NULL;
    int side = find_padding(pad, axis);
    if (side < 0)
        return NULL;
    ir_value *x = ir_input(pad, 0), *dims[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == axis ? body_ints(b, 1, (int64_t[]){1}) : body_dim(b, x, i);
    ir_value *shape = body_n(b, (uint32_t)rank, dims, "Concat axis=0");
    ir_value *one = body_2(b, body_like(b, number, x), shape, "Expand");
    ir_value *longer =
        side ? body_concat(b, x, one, (int32_t)axis) : body_concat(b, one, x, (int32_t)axis);
    return body_1(b, longer, "Softmax axis=%d", (int)axis);
}

/* Stands where the softmax did: it has its name. */
static heed_status visit_matrix(pass_run *p, ir_node *n)
{
    const ir_value *flat = pieces_operand(ir_input(n, 0), "Softmax", 0);
    ir_value *x = pieces_operand(flat, "Flatten", 0);
    if (!x || x->type.rank < 2)
        return HEED_OK;
    int64_t axis = ir_attr_int(ir_input(n, 0)->producer, "axis", -1),
            from = ir_attr_int(flat->producer, "axis", 1);
    from += from < 0 ? x->type.rank : 0;
    if ((axis != -1 && axis != 1) || from != x->type.rank - 1 || !pass_same_type(x, n->out[0]))
        return HEED_OK;
    op_body b = pass_body(p, ir_input(n, 0)->producer);
    return pass_settle(p, n, &b, body_1(&b, x, "Softmax axis=-1"));
}

static heed_status visit(pass_run *p, ir_node *n)
{
    pieces s;
    ir_value *y = NULL;
    if (pass_is(n, "Reshape"))
        return visit_matrix(p, n);
    op_body b = pass_body(p, n);
    if (pass_is(n, "Softmax"))
        y = from_padding(n, &b);
    else if (pieces_read_logs(n, &s) && dtype_is_float(s.x->type.dtype))
        y = softmax(&s, &b);
    else if (pieces_read(n, &s))
        y = from_quotient(&s, &b);
    if (!y && !b.status)
        y = from_late(n, &b);
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_softmax = {
    .name = "softmax",
    .purpose = "a softmax in pieces becomes one",
    .order = 55,
    .run = run,
};
