/* moe.c - mixtures of experts: routing, activations, and MoE of com.microsoft. */
#include "ops/moe.h"

#include <math.h>
#include <string.h>

#include "ops/layout.h"

/* ---- Activations ---------------------------------------------------------------------------- */

typedef struct gating {
    float (*f)(float x); /* NULL: SwiGLU with the numbers below */
    bool gated;          /* FC1's output holds two for each, when there is no FC3 */
    int64_t fusion;      /* 1: they alternate; 2: one half after the other */
    float alpha, beta, limit;
} gating;

static float relu(float x) { return x > 0 ? x : 0; }

static float relu2(float x) { return x > 0 ? x * x : 0; }

static float gelu(float x)
{
    return 0.5f * x * (1.0f + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

static float silu(float x) { return x / (1.0f + expf(-x)); }

static float identity(float x) { return x; }

typedef struct named_activation {
    const char *name;
    float (*f)(float x);
    bool gated;
} named_activation;

static const named_activation named[] = {
    {"relu", relu, false}, {"relu2", relu2, false},       {"gelu", gelu, false},
    {"silu", silu, false}, {"identity", identity, false}, {"swiglu", NULL, true},
    {"geglu", gelu, true},
};

static heed_status read_gating(const op_call *c, gating *g)
{
    const char *name = ir_attr_string(c->node, "activation_type", "relu");
    g->fusion = ir_attr_int(c->node, "swiglu_fusion", 0);
    g->alpha = (float)ir_attr_float(c->node, "activation_alpha", 1.0);
    g->beta = (float)ir_attr_float(c->node, "activation_beta", 0.0);
    g->limit = (float)ir_attr_float(c->node, "swiglu_limit", HUGE_VAL);
    if (ir_attr_int(c->node, "use_sparse_mixer", 0) != 0 ||
        ir_attr_int(c->node, "swiglu_limit_after_activation", 0) != 0)
        return call_error(c, HEED_UNSUPPORTED, "use_sparse_mixer or swiglu_limit_after_activation");
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (strcmp(named[i].name, name) == 0) {
            g->f = named[i].f;
            g->gated = named[i].gated;
            return HEED_OK;
        }
    return call_error(c, HEED_INVALID, "no activation_type \"%.32s\"", name);
}

static float gate(const gating *g, float x, float linear)
{
    if (g->f)
        return g->f(x) * linear;
    x = fminf(x, g->limit);
    linear = fmaxf(-g->limit, fminf(linear, g->limit));
    return x / (1.0f + expf(-g->alpha * x)) * (linear + g->beta);
}

/* n values of one token: from FC1's, and FC3's when it is there. `out` may be `first`. */
static void activate(const gating *g, int64_t n, const float *first, const float *third, float *out)
{
    bool both = g->gated && !third;
    for (int64_t i = 0; i < n; i++) {
        float x = first[both && g->fusion == 1 ? 2 * i : i];
        if (both)
            out[i] = gate(g, x, first[g->fusion == 1 ? 2 * i + 1 : n + i]);
        else
            out[i] = third ? gate(g, x, third[i]) : g->f(x);
    }
}

/* ---- Routing -------------------------------------------------------------------------------- */

typedef struct routes {
    int64_t tokens, experts, k, hidden, inner;
    float *weights; /* [tokens, experts]; 0 where a token does not go */
} routes;

static void softmax(int64_t n, float *x)
{
    float most = x[0], sum = 0;
    for (int64_t i = 1; i < n; i++)
        most = fmaxf(most, x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += x[i] = expf(x[i] - most);
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* Marks the k largest; of equal ones the last. */
static void choose(int64_t n, int64_t k, const float *x, bool *chosen)
{
    memset(chosen, 0, (size_t)n);
    for (int64_t i = 0; i < k; i++) {
        int64_t best = -1;
        for (int64_t j = 0; j < n; j++)
            if (!chosen[j] && (best < 0 || !(x[j] < x[best])))
                best = j;
        chosen[best] = true;
    }
}

static heed_status route(op_call *c, const moe *m, routes *r)
{
    const heed_tensor *logits = c->in[1];
    bool normalise = ir_attr_int(c->node, "normalize_routing_weights", 0) != 0;
    bool *chosen = call_scratch(c, (size_t)r->experts);
    r->weights = call_scratch(c, (size_t)(r->tokens * r->experts) * sizeof(float) + 1);
    if (!chosen || !r->weights)
        return HEED_NOMEM;
    for (int64_t t = 0; t < r->tokens; t++) {
        float *w = r->weights + t * r->experts, sum = 0;
        dtype_load_f32(logits->dtype, tensor_data(logits), t * r->experts, r->experts, w);
        choose(r->experts, r->k, w, chosen);
        if (m->mixing)
            dtype_load_f32(m->mixing->dtype, tensor_data(m->mixing), t * r->experts, r->experts, w);
        else
            softmax(r->experts, w);
        for (int64_t e = 0; e < r->experts; e++) {
            w[e] = chosen[e] ? w[e] : 0;
            sum += w[e];
        }
        for (int64_t e = 0; e < r->experts && normalise; e++)
            w[e] = sum != 0 ? w[e] / sum : 0;
    }
    return HEED_OK;
}

/* ---- Experts -------------------------------------------------------------------------------- */

/* Room for all tokens of one expert. */
typedef struct work {
    int64_t n, *tokens;
    float *in, *first, *third, *out;
} work;

static void add_bias(const moe_matrix *m, int64_t expert, int64_t n, float *y)
{
    for (int64_t i = 0; m->bias && i < m->out; i++) {
        float bias;
        dtype_load_f32(m->bias->dtype, tensor_data(m->bias), expert * m->out + i, 1, &bias);
        for (int64_t t = 0; t < n; t++)
            y[t * m->out + i] += bias;
    }
}

static void multiply(moe_matrix *m, int64_t expert, int64_t n, const float *x, float *y)
{
    rows_multiply(m->open(m, expert), n, m->out, m->in, x, y);
    add_bias(m, expert, n, y);
}

/* The tokens that go to an expert, next to each other. */
static void gather(const op_call *c, const routes *r, int64_t expert, work *w)
{
    w->n = 0;
    for (int64_t t = 0; t < r->tokens; t++) {
        if (r->weights[t * r->experts + expert] == 0)
            continue;
        dtype_load_f32(c->in[0]->dtype, tensor_data(c->in[0]), t * r->hidden, r->hidden,
                       w->in + w->n * r->hidden);
        w->tokens[w->n++] = t;
    }
}

static void run_expert(const moe *m, const gating *g, const routes *r, int64_t expert, work *w,
                       float *sum)
{
    moe_matrix *fc1 = m->fc[MOE_FC1], *fc3 = m->fc[MOE_FC3];
    multiply(fc1, expert, w->n, w->in, w->first);
    if (fc3)
        multiply(fc3, expert, w->n, w->in, w->third);
    for (int64_t t = 0; t < w->n; t++) /* writes before what it reads next */
        activate(g, r->inner, w->first + t * fc1->out, fc3 ? w->third + t * fc3->out : NULL,
                 w->first + t * r->inner);
    multiply(m->fc[MOE_FC2], expert, w->n, w->first, w->out);
    for (int64_t t = 0; t < w->n; t++) {
        float weight = r->weights[w->tokens[t] * r->experts + expert];
        for (int64_t i = 0; i < r->hidden; i++)
            sum[w->tokens[t] * r->hidden + i] += weight * w->out[t * r->hidden + i];
    }
}

/* ---- All of it ------------------------------------------------------------------------------ */

static bool bias_fits(const moe_matrix *m)
{
    return !m->bias || tensor_count(m->bias) == m->experts * m->out;
}

static heed_status check(const op_call *c, const moe *m, const gating *g, routes *r)
{
    const heed_tensor *x = c->in[0], *logits = c->in[1];
    const moe_matrix *fc1 = m->fc[MOE_FC1], *fc2 = m->fc[MOE_FC2], *fc3 = m->fc[MOE_FC3];
    bool both = g->gated && !fc3;
    int32_t rank = tensor_rank(x);
    if (rank < 2 || tensor_rank(logits) != 2)
        return call_error(c, HEED_INVALID, "tokens of rank %d and a router of rank %d", rank,
                          tensor_rank(logits));
    *r = (routes){.tokens = layout_product(x->dims, 0, rank - 1),
                  .experts = logits->dims[1],
                  .k = ir_attr_int(c->node, "k", 1),
                  .hidden = x->dims[rank - 1],
                  .inner = fc2->in};
    bool fits = logits->dims[0] == r->tokens && fc1->experts == r->experts && bias_fits(fc1) &&
                fc2->experts == r->experts && bias_fits(fc2) && fc1->in == r->hidden &&
                fc2->out == r->hidden && fc1->out == r->inner * (both ? 2 : 1);
    if (fc3)
        fits = fits && fc3->experts == r->experts && bias_fits(fc3) && fc3->in == r->hidden &&
               fc3->out == r->inner;
    if (m->mixing)
        fits = fits && tensor_count(m->mixing) == r->tokens * r->experts;
    if (!fits)
        return call_error(c, HEED_INVALID, "the shapes of tokens, router and experts do not fit");
    if (both && g->fusion != 1 && g->fusion != 2)
        return call_error(c, HEED_INVALID, "a gated activation without FC3 and swiglu_fusion");
    if (r->k < 1 || r->k > r->experts)
        return call_error(c, HEED_INVALID, "%lld of %lld experts for a token", (long long)r->k,
                          (long long)r->experts);
    return HEED_OK;
}

static float *room(op_call *c, int64_t lines, int64_t columns)
{
    size_t bytes;
    if (size_mul((size_t)lines * sizeof(float), (size_t)columns, &bytes))
        return call_scratch(c, bytes + 1);
    call_error(c, HEED_NOMEM, "too many tokens for one run");
    return NULL;
}

heed_status moe_run(op_call *c, const moe *m)
{
    heed_tensor *out = call_out(c, 0);
    gating g = {0};
    routes r = {0};
    TRY(read_gating(c, &g));
    TRY(check(c, m, &g, &r));
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(route(c, m, &r));
    work w = {.in = room(c, r.tokens, r.hidden), .out = room(c, r.tokens, r.hidden)};
    w.first = room(c, r.tokens, m->fc[MOE_FC1]->out);
    w.third = m->fc[MOE_FC3] ? room(c, r.tokens, r.inner) : w.first;
    w.tokens = call_scratch(c, (size_t)r.tokens * sizeof(int64_t));
    float *sum = room(c, r.tokens, r.hidden); /* scratch is zeroed */
    if (!w.in || !w.out || !w.first || !w.third || !w.tokens || !sum)
        return err_get()->status;
    for (int64_t e = 0; e < r.experts; e++) {
        gather(c, &r, e, &w);
        if (w.n > 0)
            run_expert(m, &g, &r, e, &w, sum);
    }
    dtype_store_f32(out->dtype, tensor_data(out), 0, tensor_count(out), sum, false);
    return HEED_OK;
}

/* ---- MoE: weights as they are --------------------------------------------------------------- */

typedef struct dense {
    moe_matrix matrix; /* first */
    row_source rows;
    const heed_tensor *weights; /* [experts, out, in] */
    int64_t expert;
} dense;

static void load_dense(const row_source *r, int64_t row, int64_t first, int64_t n, float *out)
{
    const dense *d = r->self;
    int64_t at = (d->expert * d->matrix.out + row) * d->matrix.in + first;
    dtype_load_f32(d->weights->dtype, tensor_data(d->weights), at, n, out);
}

static const row_source *open_dense(moe_matrix *m, int64_t expert)
{
    dense *d = (dense *)(void *)m;
    d->expert = expert;
    d->rows = (row_source){load_dense, d};
    return &d->rows;
}

static heed_status read_dense(const op_call *c, uint32_t i, dense *d)
{
    const heed_tensor *w = c->in[i];
    if (tensor_rank(w) != 3)
        return call_error(c, HEED_INVALID, "experts' weights of rank %d", tensor_rank(w));
    d->matrix = (moe_matrix){.experts = w->dims[0],
                             .out = w->dims[1],
                             .in = w->dims[2],
                             .bias = call_has(c, i + 1) ? c->in[i + 1] : NULL,
                             .open = open_dense};
    d->weights = w;
    return HEED_OK;
}

static heed_status run_moe(op_call *c)
{
    dense fc[3];
    moe m = {.mixing = NULL};
    for (uint32_t i = 0; i < 3; i++) {
        if (!call_has(c, 2 + 2 * i))
            continue;
        TRY(read_dense(c, 2 + 2 * i, &fc[i]));
        m.fc[i] = &fc[i].matrix;
    }
    return moe_run(c, &m);
}

// clang-format off
static const op_def moe_op = {
    .domain = "com.microsoft", .name = "MoE", .since = 1,
    .signature = "input:T, router_probs:T, fc1_experts_weights:T, fc1_experts_bias:T?, "
                 "fc2_experts_weights:T, fc2_experts_bias:T?, fc3_experts_weights:T?, "
                 "fc3_experts_bias:T? -> output:T",
    .types = "T=float32|float16|bfloat16",
    .attrs = "activation_alpha:float=1.0 activation_beta:float=0.0 activation_type:string=relu "
             "k:int=1 normalize_routing_weights:int=0 swiglu_fusion:int=0 swiglu_limit:float "
             "use_sparse_mixer:int=0",
    .infer = infer_same, .run = run_moe};

const op_def *const ops_moe[] = {&moe_op, NULL};
// clang-format on
