/* gradient_rules.c - derivatives, an operator a row. x and z are the inputs, y is the output, dy
 * what is known of the derivative by it. */
#include <stdio.h>
#include <string.h>

#include "ops/gradient.h"

typedef struct step {
    gradient_tape *t;
    op_body *b;
    const ir_node *n;
    ir_value *x, *z, *y, *dy;
} step;

static void give(const step *s, uint32_t slot, ir_value *value)
{
    gradient_give(s->t, s->n, slot, value);
}

static ir_value *mul(const step *s, ir_value *a, ir_value *b) { return body_2(s->b, a, b, "Mul"); }

static ir_value *div_by(const step *s, ir_value *a, ir_value *b)
{
    return body_2(s->b, a, b, "Div");
}

static ir_value *neg(const step *s, ir_value *a) { return body_1(s->b, a, "Neg"); }

static ir_value *one_minus(const step *s, ir_value *a)
{
    return body_2(s->b, body_like(s->b, 1, a), a, "Sub");
}

static ir_value *scaled(const step *s, double factor, ir_value *a)
{
    return mul(s, body_like(s->b, factor, a), a);
}

/* ---- Elementwise ------------------------------------------------------------------------------
 */

static void same(const step *s) { give(s, 0, s->dy); }

static void negated(const step *s) { give(s, 0, neg(s, s->dy)); }

static void add(const step *s)
{
    give(s, 0, s->dy);
    give(s, 1, s->dy);
}

static void sub(const step *s)
{
    give(s, 0, s->dy);
    give(s, 1, neg(s, s->dy));
}

static void product(const step *s)
{
    give(s, 0, mul(s, s->dy, s->z));
    give(s, 1, mul(s, s->dy, s->x));
}

static void quotient(const step *s)
{
    give(s, 0, div_by(s, s->dy, s->z));
    give(s, 1, neg(s, div_by(s, mul(s, s->dy, s->y), s->z)));
}

static void power(const step *s)
{
    ir_value *exponent = body_cast(s->b, s->z, s->x ? s->x->type.dtype : 0);
    ir_value *less = exponent ? body_2(s->b, exponent, body_like(s->b, 1, exponent), "Sub") : NULL;
    give(s, 0, mul(s, s->dy, mul(s, exponent, body_2(s->b, s->x, less, "Pow"))));
    if (gradient_wants(s->t, s->n, 1))
        give(s, 1, mul(s, s->dy, mul(s, s->y, body_1(s->b, s->x, "Log"))));
}

static void choice(const step *s)
{
    ir_value *nothing = body_like(s->b, 0, s->dy);
    give(s, 1, body_3(s->b, s->x, s->dy, nothing, "Where"));
    give(s, 2, body_3(s->b, s->x, nothing, s->dy, "Where"));
}

static void of_exp(const step *s) { give(s, 0, mul(s, s->dy, s->y)); }

static void of_log(const step *s) { give(s, 0, div_by(s, s->dy, s->x)); }

static void of_sqrt(const step *s) { give(s, 0, div_by(s, scaled(s, 0.5, s->dy), s->y)); }

static void of_reciprocal(const step *s) { give(s, 0, neg(s, mul(s, s->dy, mul(s, s->y, s->y)))); }

static void of_tanh(const step *s) { give(s, 0, mul(s, s->dy, one_minus(s, mul(s, s->y, s->y)))); }

static void of_sigmoid(const step *s)
{
    give(s, 0, mul(s, s->dy, mul(s, s->y, one_minus(s, s->y))));
}

static void of_relu(const step *s)
{
    ir_value *positive = body_2(s->b, s->x, body_like(s->b, 0, s->x), "Greater");
    give(s, 0, body_3(s->b, positive, s->dy, body_like(s->b, 0, s->dy), "Where"));
}

static void of_softplus(const step *s) { give(s, 0, mul(s, s->dy, body_1(s->b, s->x, "Sigmoid"))); }

static void of_sin(const step *s) { give(s, 0, mul(s, s->dy, body_1(s->b, s->x, "Cos"))); }

static void of_cos(const step *s) { give(s, 0, neg(s, mul(s, s->dy, body_1(s->b, s->x, "Sin")))); }

static void of_abs(const step *s) { give(s, 0, mul(s, s->dy, body_1(s->b, s->x, "Sign"))); }

static void of_erf(const step *s)
{
    ir_value *bell = body_1(s->b, neg(s, mul(s, s->x, s->x)), "Exp");
    give(s, 0, mul(s, s->dy, scaled(s, 1.1283791670955126, bell)));
}

static void of_cast(const step *s)
{
    if (s->x)
        give(s, 0, body_cast(s->b, s->dy, s->x->type.dtype));
}

/* ---- Shapes -----------------------------------------------------------------------------------
 */

static void reshaped(const step *s)
{
    ir_value *shape = body_1(s->b, s->x, "Shape");
    give(s, 0, body_2(s->b, s->dy, shape, "Reshape allowzero=1"));
}

static void transposed(const step *s)
{
    char text[4 * TENSOR_MAX_RANK] = "";
    int32_t rank = body_rank(s->b, s->x);
    uint64_t n;
    const int64_t *perm = ir_attr_ints(s->n, "perm", &n);
    for (int32_t i = 0; i < rank; i++) {
        int32_t from = rank - 1 - i;
        for (uint64_t k = 0; perm && k < n; k++)
            from = perm[k] == i ? (int32_t)k : from;
        snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? ",%d" : "%d", from);
    }
    give(s, 0, body_transpose(s->b, s->dy, text));
}

/* dy as if the axes had been kept, repeated to the shape of x. */
static ir_value *spread(const step *s)
{
    int64_t noop = ir_attr_int(s->n, "noop_with_empty_axes", 0);
    ir_value *kept =
        body_2(s->b, s->x, s->z, "ReduceSum keepdims=1 noop_with_empty_axes=%d", noop != 0);
    ir_value *shape = body_1(s->b, kept, "Shape");
    ir_value *dy = body_2(s->b, s->dy, shape, "Reshape allowzero=1");
    return body_2(s->b, dy, body_1(s->b, s->x, "Shape"), "Expand");
}

static void sum(const step *s) { give(s, 0, spread(s)); }

static void mean(const step *s)
{
    ir_value *all = body_1(s->b, s->x, "Size"), *left = body_1(s->b, s->y, "Size");
    ir_value *n = body_2(s->b, all, left, "Div");
    if (n)
        give(s, 0, div_by(s, spread(s), body_cast(s->b, n, s->x->type.dtype)));
}

/* ---- Lines and products -----------------------------------------------------------------------
 */

static ir_value *sum_of_line(const step *s, ir_value *a)
{
    int64_t axis = ir_attr_int(s->n, "axis", -1);
    return body_2(s->b, a, body_ints(s->b, 1, &axis), "ReduceSum");
}

static void of_softmax(const step *s)
{
    ir_value *mean_dy = sum_of_line(s, mul(s, s->dy, s->y));
    give(s, 0, mul(s, s->y, body_2(s->b, s->dy, mean_dy, "Sub")));
}

static void of_log_softmax(const step *s)
{
    ir_value *share = mul(s, body_1(s->b, s->y, "Exp"), sum_of_line(s, s->dy));
    give(s, 0, body_2(s->b, s->dy, share, "Sub"));
}

/* The last two axes change places. */
static ir_value *turned(const step *s, ir_value *a)
{
    char text[4 * TENSOR_MAX_RANK] = "";
    int32_t rank = body_rank(s->b, a);
    if (rank < 2)
        body_fail(s->b, HEED_UNSUPPORTED, "the derivative of a product with a vector");
    for (int32_t i = 0; i < rank; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), i ? ",%d" : "%d",
                 i < rank - 2 ? i : 2 * rank - 3 - i);
    return body_transpose(s->b, a, text);
}

static void of_matmul(const step *s)
{
    if (gradient_wants(s->t, s->n, 0))
        give(s, 0, body_2(s->b, s->dy, turned(s, s->z), "MatMul"));
    if (gradient_wants(s->t, s->n, 1))
        give(s, 1, body_2(s->b, turned(s, s->x), s->dy, "MatMul"));
}

static ir_value *gemm(const step *s, ir_value *a, ir_value *b, int turn_a, int turn_b)
{
    double alpha = ir_attr_float(s->n, "alpha", 1);
    return body_2(s->b, a, b, "Gemm alpha=%.9g transA=%d transB=%d", alpha, turn_a, turn_b);
}

static void of_gemm(const step *s)
{
    int a = ir_attr_int(s->n, "transA", 0) != 0, b = ir_attr_int(s->n, "transB", 0) != 0;
    if (gradient_wants(s->t, s->n, 0))
        give(s, 0, a ? gemm(s, s->z, s->dy, b, 1) : gemm(s, s->dy, s->z, 0, !b));
    if (gradient_wants(s->t, s->n, 1))
        give(s, 1, b ? gemm(s, s->dy, s->x, 1, a) : gemm(s, s->x, s->dy, !a, 0));
    if (gradient_wants(s->t, s->n, 2))
        give(s, 2, scaled(s, ir_attr_float(s->n, "beta", 1), s->dy));
}

// clang-format off
static const struct {
    const char *op;
    void (*rule)(const step *s);
} rules[] = {
    {"Identity", same},       {"Expand", same},          {"Neg", negated},
    {"Add", add},             {"Sub", sub},              {"Mul", product},
    {"Div", quotient},        {"Pow", power},            {"Where", choice},
    {"Exp", of_exp},          {"Log", of_log},           {"Sqrt", of_sqrt},
    {"Tanh", of_tanh},        {"Sigmoid", of_sigmoid},   {"Relu", of_relu},
    {"Sin", of_sin},          {"Cos", of_cos},           {"Abs", of_abs},
    {"Erf", of_erf},          {"Cast", of_cast},         {"Softplus", of_softplus},
    {"Reshape", reshaped},    {"Flatten", reshaped},     {"Reciprocal", of_reciprocal},
    {"Squeeze", reshaped},    {"Unsqueeze", reshaped},   {"Transpose", transposed},
    {"ReduceSum", sum},       {"ReduceMean", mean},      {"Softmax", of_softmax},
    {"MatMul", of_matmul},    {"Gemm", of_gemm},         {"LogSoftmax", of_log_softmax},
};
// clang-format on

bool gradient_rule(gradient_tape *t, const ir_node *n, ir_value *dy)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
        if (n->op->domain[0] || strcmp(rules[i].op, n->op->name) != 0)
            continue;
        step s = {.t = t,
                  .b = t->body,
                  .n = n,
                  .x = gradient_in(t, n, 0),
                  .z = gradient_in(t, n, 1),
                  .y = gradient_out(t, n),
                  .dy = dy};
        rules[i].rule(&s);
        return true;
    }
    return false;
}
