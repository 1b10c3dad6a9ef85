/* recurrent_act.c - the activations of recurrent layers, which attributes name. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "ops/recurrent.h"

static double relu(double x, double a, double b)
{
    (void)a, (void)b;
    return x > 0 ? x : 0;
}

static double hyperbolic(double x, double a, double b)
{
    (void)a, (void)b;
    return tanh(x);
}

static double sigmoid(double x, double a, double b)
{
    double e = exp(-fabs(x)); /* at most 1, so nothing overflows */
    (void)a, (void)b;
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

static double affine(double x, double a, double b) { return a * x + b; }

static double leaky(double x, double a, double b)
{
    (void)b;
    return x < 0 ? a * x : x;
}

static double threshold(double x, double a, double b)
{
    (void)b;
    return x >= a ? x : 0;
}

static double scaled(double x, double a, double b) { return a * tanh(b * x); }

static double hard_sigmoid(double x, double a, double b)
{
    double y = a * x + b;
    return y < 0 ? 0 : (y > 1 ? 1 : y);
}

static double elu(double x, double a, double b)
{
    (void)b;
    return x < 0 ? a * expm1(x) : x;
}

static double softsign(double x, double a, double b)
{
    (void)a, (void)b;
    return x / (1 + fabs(x));
}

static double softplus(double x, double a, double b)
{
    (void)a, (void)b;
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

typedef struct named {
    const char *name;
    bool has_alpha, has_beta; /* takes the next number of the attribute */
    recurrent_act act;        /* with what it has by default */
} named;

// clang-format off
static const named table[] = {
    {"Relu", false, false, {relu, 0, 0}},
    {"Tanh", false, false, {hyperbolic, 0, 0}},
    {"Sigmoid", false, false, {sigmoid, 0, 0}},
    {"Affine", true, true, {affine, 1, 0}},
    {"LeakyRelu", true, false, {leaky, 0.01, 0}},
    {"ThresholdedRelu", true, false, {threshold, 1, 0}},
    {"ScaledTanh", true, true, {scaled, 1, 1}},
    {"HardSigmoid", true, true, {hard_sigmoid, 0.2, 0.5}},
    {"Elu", true, false, {elu, 1, 0}},
    {"Softsign", false, false, {softsign, 0, 0}},
    {"Softplus", false, false, {softplus, 0, 0}},
};
// clang-format on

static const named *find(heed_string name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strlen(table[i].name) == name.size &&
            strncasecmp(table[i].name, name.data, (size_t)name.size) == 0)
            return &table[i];
    return NULL;
}

/* The numbers of an attribute, handed out in the order of the functions that want one. */
typedef struct numbers {
    const float *values;
    uint64_t n, next;
} numbers;

static void take(numbers *from, bool wanted, double *to)
{
    if (wanted && from->next < from->n)
        *to = (double)from->values[from->next++];
}

heed_status recurrent_acts(const op_call *c, const recurrent_cell *cell, uint32_t directions,
                           recurrent_act *acts)
{
    const ir_attr *names = ir_node_attr(c->node, "activations");
    numbers alpha = {0}, beta = {0};
    uint32_t n = cell->n_acts * directions;
    alpha.values = ir_attr_floats(c->node, "activation_alpha", &alpha.n);
    beta.values = ir_attr_floats(c->node, "activation_beta", &beta.n);
    if (names && names->view.n && names->view.n != n)
        return call_error(c, HEED_INVALID, "%llu activations, %u are needed",
                          (unsigned long long)names->view.n, n);
    for (uint32_t i = 0; i < n; i++) {
        const char *missing = cell->acts[i % cell->n_acts];
        heed_string name = {missing, strlen(missing)};
        if (names && names->view.n)
            name = names->view.strings[i];
        const named *found = find(name);
        if (!found)
            return call_error(c, HEED_UNSUPPORTED, "the activation %.*s is not known",
                              (int)(name.size < 64 ? name.size : 64), name.data);
        acts[i] = found->act;
        take(&alpha, found->has_alpha, &acts[i].alpha);
        take(&beta, found->has_beta, &acts[i].beta);
    }
    return HEED_OK;
}

double recurrent_apply(const recurrent_row *r, uint32_t i, double x)
{
    const recurrent_act *act = &r->acts[i];
    if (r->clip > 0)
        x = x < -r->clip ? -r->clip : (x > r->clip ? r->clip : x);
    return act->apply(x, act->alpha, act->beta);
}
