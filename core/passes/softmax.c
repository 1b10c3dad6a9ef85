/* softmax.c - pass: a softmax in pieces becomes one.
 *
 * before: e = Exp(Sub(x, ReduceMax(x))); y = Div(e, ReduceSum(e))      after: y
 * = Softmax(x)
 *
 * Also with the sum's reciprocal, without the maximum (which drops out), as
 * Exp(LogSoftmax(x)) and as Exp(Sub(x, ReduceLogSumExp(x))). What is subtracted
 * must be the same along the axis. */
#include <string.h>

#include "ops/body.h"
#include "passes/pass.h"

/* The node reduces one axis and keeps it: which, counted from the front; else
 * -1. */
static int64_t reduced_axis(const ir_node *n, const char *op)
{
    const ir_value *axes = n ? ir_input(n, 1) : NULL;
    if (!pass_is(n, op) || !ir_attr_int(n, "keepdims", 1) || !pass_constant(axes) ||
        tensor_count(axes->constant) != 1 || ir_input(n, 0)->type.rank < 1)
        return -1;
    int64_t axis = tensor_get_int(axes->constant, 0);
    return axis < 0 ? axis + ir_input(n, 0)->type.rank : axis;
}

/* x, when the value is x less something that has one element along the axis;
 * else the value. */
static ir_value *unshifted(ir_value *v, int64_t axis)
{
    const ir_node *n = v->producer;
    if (!n || !pass_is(n, "Sub"))
        return v;
    ir_value *x = ir_input(n, 0), *shift = ir_input(n, 1);
    bool fits = pass_same_type(x, v) && shift->type.rank == x->type.rank &&
                reduced_axis(shift->producer, "ReduceMax") == axis &&
                ir_input(shift->producer, 0) == x;
    return fits ? x : v;
}

/* Exp(x) over its sum: x and the axis. */
static ir_value *from_quotient(const ir_value *e, const ir_value *sum, int64_t *axis)
{
    const ir_node *exp = e->producer;
    *axis = reduced_axis(sum->producer, "ReduceSum");
    if (*axis < 0 || ir_input(sum->producer, 0) != e || !exp || !pass_is(exp, "Exp"))
        return NULL;
    return unshifted(ir_input(exp, 0), *axis);
}

static ir_value *from_exp(const ir_node *n, int64_t *axis)
{
    const ir_node *log = ir_input(n, 0)->producer;
    if (log && pass_is(log, "LogSoftmax") && ir_input(log, 0)->type.rank > 0) {
        *axis = ir_attr_int(log, "axis", -1);
        return ir_input(log, 0);
    }
    if (!log || !pass_is(log, "Sub"))
        return NULL;
    ir_value *x = ir_input(log, 0), *sum = ir_input(log, 1);
    *axis = reduced_axis(sum->producer, "ReduceLogSumExp");
    return *axis >= 0 && ir_input(sum->producer, 0) == x ? x : NULL;
}

/* What the node is the softmax of, or NULL. */
static ir_value *find_input(const ir_node *n, int64_t *axis)
{
    if (pass_is(n, "Exp"))
        return from_exp(n, axis);
    if (pass_is(n, "Div"))
        return from_quotient(ir_input(n, 0), ir_input(n, 1), axis);
    for (uint32_t i = 0; i < 2 && pass_is(n, "Mul"); i++) {
        const ir_node *inverse = ir_input(n, i)->producer;
        if (inverse && pass_is(inverse, "Reciprocal"))
            return from_quotient(ir_input(n, 1 - i), ir_input(inverse, 0), axis);
    }
    return NULL;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    int64_t axis = -1;
    ir_value *x = find_input(n, &axis);
    if (!x || !pass_same_type(x, n->out[0]) || !dtype_is_float(x->type.dtype))
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y = body_1(&b, x, "Softmax axis=%lld", (long long)axis);
    return b.status ? b.status : pass_bypass(p, n, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_softmax = {
    .name = "softmax",
    .purpose = "a softmax in pieces becomes one",
    .order = 55,
    .run = run,
};
