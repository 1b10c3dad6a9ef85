/* formula_rules.c - what each operator of a formula computes, on numbers. Separate from formula.c
 * because it is the table that grows. */
#include <math.h>
#include <string.h>

#include "passes/formula_rules.h"

static double alpha(const ir_node *n) { return ir_attr_float(n, "alpha", 1); }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static double limit(double x, double low, double high)
{
    x = x < low ? low : x;
    return x > high ? high : x;
}

static double gelu(const ir_node *n, double x)
{
    if (ir_attr_string(n, "approximate", "none")[0] == 't')
        return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1 + erf(x * 0.70710678118654752));
}

/* in[] are the inputs of one element; those that are left out are NaN. */
#define RULE(name, expression)                                                                     \
    static double rule_##name(const ir_node *n, const double *in)                                  \
    {                                                                                              \
        const double x = in[0], y = in[1], z = in[2];                                              \
        (void)n, (void)x, (void)y, (void)z;                                                        \
        return expression;                                                                         \
    }

// clang-format off
RULE(same, x)
RULE(add, x + y)
RULE(sub, x - y)
RULE(mul, x * y)
RULE(div, x / y)
RULE(pow, y == 2 ? x * x : pow(x, y))
RULE(max, x != x || x > y ? x : y)
RULE(min, x != x || x < y ? x : y)
RULE(neg, -x)
RULE(abs, fabs(x))
RULE(sqrt, sqrt(x))
RULE(reciprocal, 1 / x)
RULE(exp, exp(x))
RULE(log, log(x))
RULE(erf, erf(x))
RULE(tanh, tanh(x))
RULE(sigmoid, sigmoid(x))
RULE(softplus, softplus(x))
RULE(relu, x < 0 ? 0 : x)
RULE(swish, x * sigmoid(alpha(n) * x))
RULE(gelu, gelu(n, x))
RULE(hard_sigmoid, limit(ir_attr_float(n, "alpha", 0.2) * x + ir_attr_float(n, "beta", 0.5), 0, 1))
RULE(clip, limit(x, y != y ? (double)-INFINITY : y, z != z ? (double)INFINITY : z))

static const formula_rule rules[] = {
    {"Identity", 1, FORMULA_EACH, rule_same}, {"Cast", 1, FORMULA_EACH, rule_same},
    {"Add", 2, FORMULA_EACH, rule_add}, {"Sub", 2, FORMULA_EACH, rule_sub},
    {"Mul", 2, FORMULA_EACH, rule_mul}, {"Div", 2, FORMULA_EACH, rule_div},
    {"Pow", 2, FORMULA_EACH, rule_pow}, {"Max", 2, FORMULA_EACH, rule_max},
    {"Min", 2, FORMULA_EACH, rule_min}, {"Neg", 1, FORMULA_EACH, rule_neg},
    {"Abs", 1, FORMULA_EACH, rule_abs}, {"Sqrt", 1, FORMULA_EACH, rule_sqrt},
    {"Reciprocal", 1, FORMULA_EACH, rule_reciprocal}, {"Exp", 1, FORMULA_EACH, rule_exp},
    {"Log", 1, FORMULA_EACH, rule_log}, {"Erf", 1, FORMULA_EACH, rule_erf},
    {"Tanh", 1, FORMULA_EACH, rule_tanh}, {"Sigmoid", 1, FORMULA_EACH, rule_sigmoid},
    {"Softplus", 1, FORMULA_EACH, rule_softplus}, {"Relu", 1, FORMULA_EACH, rule_relu},
    {"Swish", 1, FORMULA_EACH, rule_swish}, {"Gelu", 1, FORMULA_EACH, rule_gelu},
    {"HardSigmoid", 1, FORMULA_EACH, rule_hard_sigmoid}, {"Clip", 3, FORMULA_EACH, rule_clip},
    {"Unsqueeze", 1, FORMULA_RESHAPE, rule_same}, {"Reshape", 1, FORMULA_RESHAPE, rule_same},
    {"ReduceMean", 1, FORMULA_REDUCE, rule_same}, {"ReduceSum", 1, FORMULA_REDUCE, rule_same},
    {"ReduceSumSquare", 1, FORMULA_REDUCE, rule_same},
    {"ReduceL2", 1, FORMULA_REDUCE, rule_same},
};
// clang-format on

const formula_rule *formula_find_rule(const ir_node *n)
{
    const char *op = n && n->op->domain[0] == 0 ? n->op->name : "";
    for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
        if (rules[i].op[0] == op[0] && strcmp(rules[i].op, op) == 0)
            return &rules[i];
    return NULL;
}
