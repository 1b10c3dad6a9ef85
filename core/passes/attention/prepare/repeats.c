/* repeats.c - pass: what is computed of repeated elements is computed of each of them once.
 *
 * before: y = Div(Expand(x), Expand(z))              after: y = Expand(Div(x, z))
 * before: y = ReduceL2(Expand(x), axes)              after: y = Expand(ReduceL2(x, axes))
 * before: y = Mul(Expand(x), z), z as large as y     after: y = Mul(x, z)
 *
 * The cosine of each query and each key is written so: both are repeated for each other before they
 * are normalised. Only floating-point numbers: integers and truths are masks and shapes, which
 * other passes read. */
#include "ops/body.h"
#include "passes/pass.h"

/* What is repeated, when it has all axes; else NULL. */
static ir_value *repeated(const ir_value *v)
{
    ir_value *x = v && pass_is(v->producer, "Expand") ? ir_input(v->producer, 0) : NULL;
    return x && x->type.rank == v->type.rank && x->type.rank > 1 ? x : NULL;
}

static bool is_single(const ir_value *v)
{
    for (int32_t i = 0; i < v->type.rank; i++)
        if (v->type.dims[i] != 1)
            return false;
    return v->type.rank >= 0;
}

/* Repeated along the same axes, but for those where both have one element anyway. */
static bool same_repeats(const ir_value *a, const ir_value *b, const ir_value *x, const ir_value *y)
{
    for (int32_t i = 0; i < a->type.rank; i++) {
        bool first = a->type.dims[i] != x->type.dims[i],
             second = b->type.dims[i] != y->type.dims[i];
        if (first != second && (first ? b : a)->type.dims[i] != 1)
            return false;
    }
    return true;
}

/* Node n of these inputs, repeated to the shape of its result. */
static heed_status repeat(pass_run *p, ir_node *n, ir_value *const *in)
{
    ir_value *dims[TENSOR_MAX_RANK], *y = NULL;
    op_body b = pass_body(p, n);
    int32_t rank = n->out[0]->type.rank;
    if (pass_is(n, "ReduceL2") || pass_is(n, "ReduceSum") || pass_is(n, "ReduceMean"))
        y = body_n(&b, n->n_in, in, "%s keepdims=1", n->op->name);
    else
        y = body_n(&b, n->n_in, in, "%s", n->op->name);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = y && y->type.dims[i] == n->out[0]->type.dims[i] ? body_ints(&b, 1, (int64_t[]){1})
                                                                  : body_dim(&b, ir_input(n, 0), i);
    ir_value *shape = y ? body_n(&b, (uint32_t)rank, dims, "Concat axis=0") : NULL;
    return pass_settle(p, n, &b, y ? body_2(&b, y, shape, "Expand") : NULL);
}

/* One operand is repeated, and numbers stand beside it. */
static heed_status visit_unary(pass_run *p, ir_node *n)
{
    ir_value *in[3], *x = repeated(ir_input(n, 0));
    if (!x || n->n_in > 3)
        return HEED_OK;
    in[0] = x;
    for (uint32_t i = 1; i < n->n_in; i++) {
        in[i] = ir_input(n, i);
        if (in[i] && !is_single(in[i]))
            return HEED_OK;
    }
    return repeat(p, n, in);
}

/* No reduced axis is one of the repeats. */
static heed_status visit_reduction(pass_run *p, ir_node *n)
{
    ir_value *x = repeated(ir_input(n, 0)), *axes = ir_input(n, 1);
    if (!x || !ir_attr_int(n, "keepdims", 1) || !axes || !pass_constant(axes) ||
        tensor_count(axes->constant) < 1)
        return HEED_OK;
    for (int64_t i = 0; i < tensor_count(axes->constant); i++) {
        int64_t axis = tensor_get_int(axes->constant, i);
        axis += axis < 0 ? x->type.rank : 0;
        if (axis < 0 || axis >= x->type.rank ||
            x->type.dims[axis] != ir_input(n, 0)->type.dims[axis])
            return HEED_OK;
    }
    return repeat(p, n, (ir_value *[]){x, axes});
}

static heed_status visit_binary(pass_run *p, ir_node *n)
{
    ir_value *a = ir_input(n, 0), *b = ir_input(n, 1), *x = repeated(a), *y = repeated(b);
    if (x && y && a->type.rank == b->type.rank && same_repeats(a, b, x, y))
        return repeat(p, n, (ir_value *[]){x, y});
    if (!x && !y)
        return HEED_OK;
    op_body body = pass_body(p, n); /* broadcasting repeats them */
    return pass_settle(p, n, &body, body_2(&body, x ? x : a, y ? y : b, "%s", n->op->name));
}

static heed_status visit(pass_run *p, ir_node *n)
{
    static const char *const unary[] = {"Clip", "Sqrt", "Max", "Pow", "Reciprocal", NULL};
    static const char *const binary[] = {"Mul", "Div", "Add", "Sub", NULL};
    static const char *const reductions[] = {"ReduceL2", "ReduceSum", "ReduceMean", NULL};
    const ir_value *out = n->n_out == 1 ? n->out[0] : NULL;
    if (!out || !dtype_is_float(out->type.dtype) || out->type.rank < 2 || n->n_in < 1)
        return HEED_OK;
    if (pass_is_one_of(n, reductions))
        return visit_reduction(p, n);
    if (n->n_in == 2 && pass_is_one_of(n, binary))
        return visit_binary(p, n);
    return pass_is_one_of(n, unary) ? visit_unary(p, n) : HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_repeats = {
    .name = "repeats",
    .purpose = "what is computed of repeated elements is computed of each of them once",
    .order = 54,
    .run = run,
};
