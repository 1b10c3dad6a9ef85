/* svm.c - support vector machines of ai.onnx.ml: SVMRegressor, SVMClassifier.
 *
 * Without support vectors both are linear models. A classifier has one machine for each pair of
 * classes, which vote; their scores become probabilities by coupling (Wu, Lin and Weng 2004). */
#include <math.h>
#include <string.h>

#include "ops/loops.h"
#include "ops/scores.h"

#define ML "ai.onnx.ml"

/* ---- Kernels -------------------------------------------------------------------------------- */

typedef struct floats {
    int64_t n;
    const float *values;
} floats;

typedef struct machine {
    double (*kernel)(const struct machine *m, const double *x, const float *v);
    double gamma, coef0, degree;
    int64_t n_features, n_vectors;
    floats vectors, coefficients, rho;
    double *x;
    scores_fn *finish;
} machine;

static double linear(const machine *m, const double *x, const float *v)
{
    double sum = 0;
    for (int64_t i = 0; i < m->n_features; i++)
        sum += x[i] * (double)v[i];
    return sum;
}

static double poly(const machine *m, const double *x, const float *v)
{
    return pow(m->gamma * linear(m, x, v) + m->coef0, m->degree);
}

static double sigmoid(const machine *m, const double *x, const float *v)
{
    return tanh(m->gamma * linear(m, x, v) + m->coef0);
}

static double rbf(const machine *m, const double *x, const float *v)
{
    double sum = 0;
    for (int64_t i = 0; i < m->n_features; i++)
        sum += (x[i] - (double)v[i]) * (x[i] - (double)v[i]);
    return exp(-m->gamma * sum);
}

static const struct {
    const char *name;
    double (*kernel)(const machine *m, const double *x, const float *v);
} kernels[] = {{"LINEAR", linear}, {"POLY", poly}, {"RBF", rbf}, {"SIGMOID", sigmoid}};

/* ---- Attributes ----------------------------------------------------------------------------- */

static floats read_floats(const ir_node *n, const char *name)
{
    uint64_t count = 0;
    const float *values = ir_attr_floats(n, name, &count);
    return values ? (floats){(int64_t)count, values} : (floats){0};
}

static heed_status check_count(const op_call *c, const char *name, const floats *list,
                               int64_t wanted)
{
    if (list->n == wanted)
        return HEED_OK;
    return call_error(c, HEED_INVALID, "%s has %lld numbers, not %lld", name, (long long)list->n,
                      (long long)wanted);
}

/* All but the number of support vectors, which each operator says in its own way. */
static heed_status open_machine(op_call *c, machine *m)
{
    const ir_node *n = c->node;
    const char *kernel = ir_attr_string(n, "kernel_type", "LINEAR");
    const char *transform = ir_attr_string(n, "post_transform", "NONE");
    floats params = read_floats(n, "kernel_params");
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        if (strcmp(kernel, kernels[i].name) == 0)
            m->kernel = kernels[i].kernel;
    m->finish = scores_by_name(transform);
    if (!m->kernel || !m->finish)
        return call_error(c, HEED_INVALID, "kernel_type \"%.40s\", post_transform \"%.40s\"",
                          kernel, transform);
    if (params.n)
        TRY(check_count(c, "kernel_params", &params, 3));
    m->gamma = params.n ? (double)params.values[0] : 0;
    m->coef0 = params.n ? (double)params.values[1] : 0;
    m->degree = params.n ? trunc((double)params.values[2]) : 0;
    m->n_features = c->in[0]->dims[1];
    m->vectors = read_floats(n, "support_vectors");
    m->coefficients = read_floats(n, "coefficients");
    m->rho = read_floats(n, "rho");
    m->x = call_scratch(c, (size_t)m->n_features * sizeof *m->x + 1);
    return m->x ? HEED_OK : HEED_NOMEM;
}

static void load_row(const op_call *c, const machine *m, int64_t row)
{
    loop_load(c->in[0], CLASS_F64, row * m->n_features, m->n_features, m->x);
}

static heed_status check_features(op_infer *c)
{
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "features [batch, feature]", "rank %d", infer_rank(c, 0));
    return HEED_OK;
}

/* ---- Regressor ------------------------------------------------------------------------------- */

static heed_status infer_regressor(op_infer *c)
{
    ir_dim dims[2] = {infer_dim(c, 0, 0), 1};
    TRY(check_features(c));
    return infer_set(c, 0, 0, 2, dims);
}

static heed_status open_regressor(op_call *c, machine *m)
{
    int64_t wanted;
    TRY(open_machine(c, m));
    m->n_vectors = ir_attr_int(c->node, "n_supports", 0);
    if (m->n_vectors < 0 || __builtin_mul_overflow(m->n_vectors, m->n_features, &wanted))
        return call_error(c, HEED_INVALID, "n_supports is %lld", (long long)m->n_vectors);
    if (m->n_vectors > 0)
        TRY(check_count(c, "support_vectors", &m->vectors, wanted));
    TRY(check_count(c, "coefficients", &m->coefficients,
                    m->n_vectors > 0 ? m->n_vectors : m->n_features));
    return check_count(c, "rho", &m->rho, 1);
}

static heed_status run_regressor(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    machine m = {.n_vectors = 0};
    bool one_class = ir_attr_int(c->node, "one_class", 0) != 0;
    if (!out)
        return HEED_OK;
    TRY(open_regressor(c, &m));
    for (int64_t row = 0; row < out->dims[0]; row++) {
        load_row(c, &m, row);
        double sum = (double)m.rho.values[0];
        if (m.n_vectors == 0)
            sum += linear(&m, m.x, m.coefficients.values);
        for (int64_t j = 0; j < m.n_vectors; j++)
            sum += (double)m.coefficients.values[j] *
                   m.kernel(&m, m.x, m.vectors.values + j * m.n_features);
        if (one_class)
            sum = sum > 0 ? 1 : -1;
        else
            m.finish(1, &sum);
        loop_store(out, CLASS_F64, row, 1, &sum);
    }
    return HEED_OK;
}

/* ---- Classifier ------------------------------------------------------------------------------ */

typedef struct classifier {
    machine m;
    scores_labels labels;
    int64_t classes, pairs, columns;
    uint64_t n_counts;
    const int64_t *counts; /* support vectors of each class; NULL: a linear model */
    bool probable;         /* scores become probabilities */
    floats prob_a, prob_b;
    double *kernels; /* of the row with each support vector */
    double *scores;  /* of classes or pairs; two at least */
    double *votes;
    double *r, *q, *p, *qp; /* coupling: two matrices, two vectors of the classes */
} classifier;

/* What follows from attributes alone. */
static void read_shape(const ir_node *n, classifier *k)
{
    k->labels = scores_labels_of(n, "classlabels_ints", "classlabels_strings");
    k->classes = k->labels.n ? (int64_t)k->labels.n : 1;
    k->pairs = k->classes * (k->classes - 1) / 2;
    k->counts = ir_attr_ints(n, "vectors_per_class", &k->n_counts);
    if (k->n_counts == 0)
        k->counts = NULL;
    k->prob_a = read_floats(n, "prob_a");
    k->prob_b = read_floats(n, "prob_b");
    k->probable = k->counts && k->prob_a.n > 0;
    k->columns = k->probable || !k->counts || k->pairs < 2 ? k->classes : k->pairs;
}

static heed_status infer_classifier(op_infer *c)
{
    classifier k = {.n_counts = 0};
    TRY(check_features(c));
    read_shape(c->node, &k);
    ir_dim dims[2] = {infer_dim(c, 0, 0), k.columns};
    TRY(infer_set(c, 1, 0, 2, dims));
    return scores_infer_labels(c, &k.labels, dims[0]);
}

static heed_status count_vectors(const op_call *c, classifier *k)
{
    if ((int64_t)k->n_counts != k->classes || k->classes < 2)
        return call_error(c, HEED_INVALID, "vectors_per_class for %llu of %lld classes",
                          (unsigned long long)k->n_counts, (long long)k->classes);
    for (int64_t i = 0; i < k->classes; i++) {
        if (k->counts[i] < 0 || k->counts[i] > k->m.vectors.n - k->m.n_vectors)
            return call_error(c, HEED_INVALID, "vectors_per_class counts more than there are");
        k->m.n_vectors += k->counts[i];
    }
    return HEED_OK;
}

static heed_status check_machines(const op_call *c, classifier *k)
{
    machine *m = &k->m;
    if (!k->counts) {
        TRY(check_count(c, "coefficients", &m->coefficients, k->classes * m->n_features));
        if (m->rho.n < 1)
            return call_error(c, HEED_INVALID, "rho has no number");
        return HEED_OK;
    }
    TRY(count_vectors(c, k));
    TRY(check_count(c, "support_vectors", &m->vectors, m->n_vectors * m->n_features));
    TRY(check_count(c, "coefficients", &m->coefficients, (k->classes - 1) * m->n_vectors));
    TRY(check_count(c, "rho", &m->rho, k->pairs));
    if (k->probable) {
        TRY(check_count(c, "prob_a", &k->prob_a, k->pairs));
        TRY(check_count(c, "prob_b", &k->prob_b, k->pairs));
    }
    return HEED_OK;
}

static heed_status take(op_call *c, int64_t n, double **out)
{
    *out = call_scratch(c, ((size_t)n + 2) * sizeof **out);
    return *out ? HEED_OK : HEED_NOMEM;
}

static heed_status open_classifier(op_call *c, classifier *k)
{
    read_shape(c->node, k);
    TRY(open_machine(c, &k->m));
    TRY(check_machines(c, k));
    TRY(take(c, k->m.n_vectors, &k->kernels));
    TRY(take(c, k->pairs > k->classes ? k->pairs : k->classes, &k->scores));
    TRY(take(c, k->classes, &k->votes));
    if (!k->probable)
        return HEED_OK;
    TRY(take(c, k->classes * k->classes, &k->r));
    TRY(take(c, k->classes * k->classes, &k->q));
    TRY(take(c, k->classes, &k->p));
    return take(c, k->classes, &k->qp);
}

/* The part of a pair's score that the vectors from `first` on give. */
static double part(const classifier *k, int64_t row, int64_t first, int64_t n)
{
    const float *w = k->m.coefficients.values + row * k->m.n_vectors;
    double sum = 0;
    for (int64_t i = first; i < first + n; i++)
        sum += (double)w[i] * k->kernels[i];
    return sum;
}

/* Scores of all pairs, and how many of them each class wins. */
static void score_pairs(classifier *k)
{
    int64_t pair = 0, first_i = 0;
    for (int64_t j = 0; j < k->m.n_vectors; j++)
        k->kernels[j] = k->m.kernel(&k->m, k->m.x, k->m.vectors.values + j * k->m.n_features);
    for (int64_t i = 0; i < k->classes; i++)
        k->votes[i] = 0;
    for (int64_t i = 0; i < k->classes; first_i += k->counts[i], i++) {
        int64_t first_j = first_i + k->counts[i];
        for (int64_t j = i + 1; j < k->classes; first_j += k->counts[j], j++, pair++) {
            double score = (double)k->m.rho.values[pair];
            score += part(k, j - 1, first_i, k->counts[i]) + part(k, i, first_j, k->counts[j]);
            k->scores[pair] = score;
            k->votes[score > 0 ? i : j]++;
        }
    }
}

/* ---- Probabilities from pairs -----------------------------------------------------------------
 */

static void fill_coupling(classifier *k)
{
    int64_t n = k->classes, pair = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++, pair++) {
            double z = k->scores[pair] * (double)k->prob_a.values[pair];
            double p = 1 / (1 + exp(z + (double)k->prob_b.values[pair]));
            p = fmin(fmax(p, 1e-7), 1 - 1e-7);
            k->r[i * n + j] = p;
            k->r[j * n + i] = 1 - p;
        }
    for (int64_t t = 0; t < n; t++) {
        k->q[t * n + t] = 0;
        k->p[t] = 1 / (double)n;
        for (int64_t j = 0; j < n; j++) {
            if (j == t)
                continue;
            k->q[t * n + t] += k->r[j * n + t] * k->r[j * n + t];
            k->q[t * n + j] = -k->r[j * n + t] * k->r[t * n + j];
        }
    }
}

/* p Q p, and Q p on the way; true when all of Q p are as good as equal to it. */
static bool measure(classifier *k, double *pqp)
{
    int64_t n = k->classes;
    double worst = 0;
    *pqp = 0;
    for (int64_t t = 0; t < n; t++) {
        k->qp[t] = 0;
        for (int64_t j = 0; j < n; j++)
            k->qp[t] += k->q[t * n + j] * k->p[j];
        *pqp += k->p[t] * k->qp[t];
    }
    for (int64_t t = 0; t < n; t++)
        worst = fmax(worst, fabs(k->qp[t] - *pqp));
    return worst < 0.005 / (double)n;
}

static void couple(classifier *k)
{
    int64_t n = k->classes;
    double pqp;
    fill_coupling(k);
    for (int64_t round = 0; round < (n > 100 ? n : 100) && !measure(k, &pqp); round++)
        for (int64_t t = 0; t < n; t++) {
            double own = k->q[t * n + t], step = (pqp - k->qp[t]) / own;
            k->p[t] += step;
            pqp = (pqp + step * (step * own + 2 * k->qp[t])) / ((1 + step) * (1 + step));
            for (int64_t j = 0; j < n; j++) {
                k->qp[j] = (k->qp[j] + step * k->q[t * n + j]) / (1 + step);
                k->p[j] /= 1 + step;
            }
        }
    memcpy(k->scores, k->p, (size_t)n * sizeof *k->p);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static int64_t classify_linear(classifier *k)
{
    const float *row = k->m.coefficients.values;
    for (int64_t i = 0; i < k->classes; i++, row += k->m.n_features)
        k->scores[i] = (double)k->m.rho.values[0] + linear(&k->m, k->m.x, row);
    int64_t class = k->classes == 1 ? k->scores[0] > 0 : scores_best(k->classes, k->scores);
    k->m.finish(k->classes, k->scores);
    return class;
}

static int64_t classify_pairs(classifier *k)
{
    score_pairs(k);
    int64_t class = scores_best(k->classes, k->votes);
    if (k->probable)
        couple(k);
    if (!k->probable && k->pairs == 1)
        scores_pair(k->m.finish, true, k->scores[0], k->scores);
    else
        k->m.finish(k->columns, k->scores);
    return class;
}

static heed_status run_classifier(op_call *c)
{
    static const scores_labels numbers = {0};
    classifier k = {.n_counts = 0};
    heed_tensor *out = call_out(c, 1);
    TRY(open_classifier(c, &k));
    for (int64_t row = 0; row < c->in[0]->dims[0]; row++) {
        load_row(c, &k.m, row);
        int64_t class = k.counts ? classify_pairs(&k) : classify_linear(&k);
        bool only = k.classes == 1 && !k.labels.texts; /* is it, or is it not? */
        TRY(scores_set_label(c, only ? &numbers : &k.labels, row, class));
        if (out)
            loop_store(out, CLASS_F64, row * k.columns, k.columns, k.scores);
    }
    return HEED_OK;
}

// clang-format off
static const op_def regressor = {
    .domain = ML, .name = "SVMRegressor", .since = 1,
    .signature = "X:T -> Y:float32", .types = "T=float32|float64|int64|int32",
    .attrs = "coefficients:floats kernel_params:floats kernel_type:string=LINEAR n_supports:int=0 "
             "one_class:int=0 post_transform:string=NONE rho:floats support_vectors:floats",
    .infer = infer_regressor, .run = run_regressor};
static const op_def classifier_op = {
    .domain = ML, .name = "SVMClassifier", .since = 1,
    .signature = "X:T -> Y:L, Z:float32", .types = "T=float32|float64|int64|int32 L=string|int64",
    .attrs = "classlabels_ints:ints classlabels_strings:strings coefficients:floats "
             "kernel_params:floats kernel_type:string=LINEAR post_transform:string=NONE "
             "prob_a:floats prob_b:floats rho:floats support_vectors:floats vectors_per_class:ints",
    .infer = infer_classifier, .run = run_classifier};
// clang-format on

const op_def *const ops_svm[] = {&regressor, &classifier_op, NULL};
