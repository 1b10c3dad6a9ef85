/* optimizer.c - one step of training, of any number of tensors: Adagrad, Adam, Momentum. */
#include <math.h>
#include <string.h>

#include "ops/loops.h"

#define TRAINING "ai.onnx.preview.training"

/* Inputs behind the learning rate R and the count T: the tensors, then for each state one group of
 * as many. Outputs: the tensors, then the states without the gradients. */
enum { FIRST = 2, STATES_MAX = 4 };

typedef struct step {
    double rate, epsilon, norm, norm_post, alpha, beta;
    bool nesterov;
} step;

/* One element: x, gradient and states in s, changed in place (the gradient is not written). */
typedef void update_fn(const step *p, double *s);
typedef struct rule {
    uint32_t groups; /* of inputs: x, gradient, states */
    heed_status (*prepare)(const op_call *c, int64_t count, step *p);
    update_fn *update;
} rule;

/* ---- Rules ----------------------------------------------------------------------------------- */

static heed_status prepare_adagrad(const op_call *c, int64_t count, step *p)
{
    p->rate /= 1 + (double)count * ir_attr_float(c->node, "decay_factor", 0);
    return HEED_OK;
}

static void adagrad(const step *p, double *s)
{
    double gradient = p->norm * s[0] + s[1];
    s[2] += gradient * gradient;
    s[0] -= p->rate * gradient / (sqrt(s[2]) + p->epsilon);
}

static heed_status prepare_adam(const op_call *c, int64_t count, step *p)
{
    double t = (double)count;
    p->alpha = ir_attr_float(c->node, "alpha", 0.9);
    p->beta = ir_attr_float(c->node, "beta", 0.999);
    p->norm_post = ir_attr_float(c->node, "norm_coefficient_post", 0);
    if (count > 0)
        p->rate *= sqrt(1 - pow(p->beta, t)) / (1 - pow(p->alpha, t));
    return HEED_OK;
}

static void adam(const step *p, double *s)
{
    double gradient = p->norm * s[0] + s[1];
    s[2] = p->alpha * s[2] + (1 - p->alpha) * gradient;
    s[3] = p->beta * s[3] + (1 - p->beta) * gradient * gradient;
    s[0] = (1 - p->norm_post) * (s[0] - p->rate * s[2] / (sqrt(s[3]) + p->epsilon));
}

static heed_status prepare_momentum(const op_call *c, int64_t count, step *p)
{
    const char *mode = ir_attr_string(c->node, "mode", "");
    p->nesterov = strcmp(mode, "nesterov") == 0;
    p->alpha = ir_attr_float(c->node, "alpha", 0);
    p->beta = count > 0 ? ir_attr_float(c->node, "beta", 1) : 1;
    if (!p->nesterov && strcmp(mode, "standard") != 0)
        return call_error(c, HEED_INVALID, "the mode of Momentum is \"%.40s\"", mode);
    return HEED_OK;
}

static void momentum(const step *p, double *s)
{
    double gradient = p->norm * s[0] + s[1];
    s[2] = p->alpha * s[2] + p->beta * gradient;
    s[0] -= p->rate * (p->nesterov ? gradient + p->alpha * s[2] : s[2]);
}

/* ---- The operators --------------------------------------------------------------------------- */

/* The input that output o is the new value of. */
static uint32_t source(uint32_t o, uint32_t tensors)
{
    return FIRST + (o < tensors ? o : o + tensors);
}

static heed_status infer_step(op_infer *c)
{
    const rule *r = c->op->data;
    uint32_t rest = c->n_in - FIRST, tensors = rest / r->groups;
    if (rest == 0 || rest % r->groups != 0 || c->n_out > tensors * (r->groups - 1))
        return infer_error(c, "a gradient and states for each tensor",
                           "%u inputs behind R and T, %u outputs", rest, c->n_out);
    for (uint32_t i = FIRST; i < c->n_in; i++) {
        const ir_type *x = infer_has(c, i) ? c->in[FIRST + (i - FIRST) % tensors] : NULL;
        if (!x || x->dtype != c->in[i]->dtype || !ir_shapes_may_agree(x, c->in[i]))
            return infer_error(c, "gradients and states of the tensor's type",
                               "input %u of another", i);
    }
    for (uint32_t o = 0; o < c->n_out; o++) {
        c->out[o].dtype = c->in[source(o, tensors)]->dtype;
        TRY(infer_set_like(c, o, source(o, tensors)));
    }
    return HEED_OK;
}

/* Tensor k, block by block. */
static void update_tensor(op_call *c, const rule *r, const step *p, uint32_t k, uint32_t tensors)
{
    double blocks[STATES_MAX][LOOP_BLOCK], s[STATES_MAX];
    int64_t total = tensor_count(c->in[FIRST + k]);
    for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        for (uint32_t g = 0; g < r->groups; g++)
            loop_load(c->in[FIRST + g * tensors + k], CLASS_F64, first, n, blocks[g]);
        for (int64_t i = 0; i < n; i++) {
            for (uint32_t g = 0; g < r->groups; g++)
                s[g] = blocks[g][i];
            r->update(p, s);
            for (uint32_t g = 0; g < r->groups; g++)
                blocks[g][i] = s[g];
        }
        for (uint32_t g = 0; g < r->groups; g++) {
            uint32_t o = g ? (g - 1) * tensors + k : k;
            if (g != 1 && call_out(c, o))
                loop_store(c->out[o], CLASS_F64, first, n, blocks[g]);
        }
    }
}

static heed_status run_step(op_call *c)
{
    const rule *r = c->node->op->data;
    uint32_t tensors = (c->n_in - FIRST) / r->groups;
    step p = {.norm = ir_attr_float(c->node, "norm_coefficient", 0),
              .epsilon = ir_attr_float(c->node, "epsilon", 0)};
    if (tensor_count(c->in[0]) != 1 || tensor_count(c->in[1]) != 1)
        return call_error(c, HEED_INVALID, "R and T are scalars");
    p.rate = tensor_get_float(c->in[0], 0);
    TRY(r->prepare(c, tensor_get_int(c->in[1], 0), &p));
    for (uint32_t k = 0; k < tensors; k++) {
        for (uint32_t g = 1; g < r->groups; g++)
            if (tensor_count(c->in[FIRST + g * tensors + k]) != tensor_count(c->in[FIRST + k]))
                return call_error(c, HEED_INVALID, "tensor %u and its states differ in shape", k);
        update_tensor(c, r, &p, k, tensors);
    }
    return HEED_OK;
}

// clang-format off
static const rule adagrad_rule = {3, prepare_adagrad, adagrad};
static const rule adam_rule = {4, prepare_adam, adam};
static const rule momentum_rule = {3, prepare_momentum, momentum};

#define TYPES "R=float32|float64 X=float32|float64"
static const op_def adagrad_op = {
    .domain = TRAINING, .name = "Adagrad", .since = 1, .data = &adagrad_rule,
    .signature = "R:R, T:int64, inputs:X** -> outputs:X**", .types = TYPES,
    .attrs = "decay_factor:float=0 epsilon:float=0.000001 norm_coefficient:float=0",
    .infer = infer_step, .run = run_step};
static const op_def adam_op = {
    .domain = TRAINING, .name = "Adam", .since = 1, .data = &adam_rule,
    .signature = "R:R, T:int64, inputs:X** -> outputs:X**", .types = TYPES,
    .attrs = "alpha:float=0.9 beta:float=0.999 epsilon:float=0.000001 norm_coefficient:float=0 "
             "norm_coefficient_post:float=0",
    .infer = infer_step, .run = run_step};
static const op_def momentum_op = {
    .domain = TRAINING, .name = "Momentum", .since = 1, .data = &momentum_rule,
    .signature = "R:R, T:int64, inputs:X** -> outputs:X**", .types = TYPES,
    .attrs = "alpha:float! beta:float! mode:string! norm_coefficient:float!",
    .infer = infer_step, .run = run_step};
// clang-format on

const op_def *const ops_optimizer[] = {&adagrad_op, &adam_op, &momentum_op, NULL};
