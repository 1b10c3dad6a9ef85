/* swiglu.c - SwiGLU: Swish of one tensor gates another (Shazeer 2020). */
#include "ops/body.h"

/* No broadcasting: both have one shape. */
static heed_status infer_swiglu(op_infer *c)
{
    int32_t a = infer_rank(c, 0), b = infer_rank(c, 1);
    if (a >= 0 && b >= 0 && a != b)
        return infer_error(c, "inputs of one shape", "ranks %d and %d", a, b);
    for (int32_t i = 0; i < a && b >= 0; i++) {
        ir_dim x = c->in[0]->dims[i], y = c->in[1]->dims[i];
        if (dim_known(x) && dim_known(y) && x != y)
            return infer_error(c, "inputs of one shape", "%lld and %lld on axis %d", (long long)x,
                               (long long)y, i);
    }
    return infer_set_like(c, 0, a >= 0 ? 0 : 1);
}

static void decompose_swiglu(op_body *b)
{
    double alpha = ir_attr_float(b->node, "alpha", 1);
    ir_value *gate = body_1(b, body_in(b, 0), "Swish alpha=%.9g", alpha);
    body_set(b, 0, body_2(b, gate, body_in(b, 1), "Mul"));
}

// clang-format off
static const op_def swiglu = {
    .domain = "", .name = "SwiGLU", .since = 28,
    .signature = "A:T, B:T -> Y:T", .types = "T=float", .attrs = "alpha:float=1",
    .infer = infer_swiglu, .decompose = decompose_swiglu};
// clang-format on

const op_def *const ops_swiglu[] = {&swiglu, NULL};
