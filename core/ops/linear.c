/* linear.c - LinearRegressor and LinearClassifier: rows of features times coefficients that are
 * attributes. */
#include <string.h>

#include "ops/loops.h"
#include "ops/scores.h"

#define ML "ai.onnx.ml"

typedef struct linear {
    int64_t n_features, n_scores;
    const float *coefficients, *intercepts; /* intercepts may be NULL */
    double *x, *scores;
    scores_fn *finish;
} linear;

static heed_status open_linear(op_call *c, linear *l)
{
    uint64_t n = 0, n_intercepts = 0;
    const char *transform = ir_attr_string(c->node, "post_transform", "NONE");
    const heed_tensor *x = c->in[0];
    l->n_features = x->dims[tensor_rank(x) - 1];
    l->coefficients = ir_attr_floats(c->node, "coefficients", &n);
    l->intercepts = ir_attr_floats(c->node, "intercepts", &n_intercepts);
    l->finish = scores_by_name(transform);
    l->n_scores = l->n_features && l->coefficients ? (int64_t)n / l->n_features : 0;
    if (!l->finish)
        return call_error(c, HEED_INVALID, "the post_transform is \"%.40s\"", transform);
    if (l->n_scores == 0 || (int64_t)n != l->n_scores * l->n_features)
        return call_error(c, HEED_INVALID, "%llu coefficients for %lld features",
                          (unsigned long long)n, (long long)l->n_features);
    if (!l->intercepts || n_intercepts == 0)
        l->intercepts = NULL;
    else if ((int64_t)n_intercepts != l->n_scores)
        return call_error(c, HEED_INVALID, "%llu intercepts for %lld scores",
                          (unsigned long long)n_intercepts, (long long)l->n_scores);
    l->x = call_scratch(c, (size_t)l->n_features * sizeof *l->x);
    l->scores = call_scratch(c, ((size_t)l->n_scores + 1) * sizeof *l->scores);
    return l->x && l->scores ? HEED_OK : HEED_NOMEM;
}

static void score_row(const op_call *c, const linear *l, int64_t row)
{
    loop_load(c->in[0], CLASS_F64, row * l->n_features, l->n_features, l->x);
    for (int64_t k = 0; k < l->n_scores; k++) {
        const float *w = l->coefficients + k * l->n_features;
        double sum = l->intercepts ? (double)l->intercepts[k] : 0;
        for (int64_t i = 0; i < l->n_features; i++)
            sum += l->x[i] * (double)w[i];
        l->scores[k] = sum;
    }
}

/* A vector is one row. */
static heed_status infer_scores(op_infer *c, uint32_t o, int64_t columns, ir_dim *rows)
{
    int32_t rank = infer_rank(c, 0);
    if (rank >= 0 && (rank < 1 || rank > 2))
        return infer_error(c, "features [batch, feature]", "rank %d", rank);
    *rows = rank == 1 ? 1 : infer_dim(c, 0, 0);
    ir_dim dims[2] = {*rows, columns};
    return infer_set(c, o, 0, 2, dims);
}

static int64_t count_rows(const heed_tensor *x) { return tensor_rank(x) == 2 ? x->dims[0] : 1; }

/* ---- Regressor ------------------------------------------------------------------------------- */

static heed_status infer_regressor(op_infer *c)
{
    ir_dim rows = DIM_UNKNOWN;
    int64_t targets = ir_attr_int(c->node, "targets", 1);
    if (targets < 1)
        return infer_error(c, "at least 1 target", "%lld", (long long)targets);
    return infer_scores(c, 0, targets, &rows);
}

static heed_status run_regressor(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    linear l;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(open_linear(c, &l));
    if (l.n_scores != out->dims[1])
        return call_error(c, HEED_INVALID, "coefficients for %lld targets, not %lld",
                          (long long)l.n_scores, (long long)out->dims[1]);
    for (int64_t row = 0; row < out->dims[0]; row++) {
        score_row(c, &l, row);
        l.finish(l.n_scores, l.scores);
        loop_store(out, CLASS_F64, row * l.n_scores, l.n_scores, l.scores);
    }
    return HEED_OK;
}

/* ---- Classifier ------------------------------------------------------------------------------ */

/* Without labels there are as many classes as intercepts. */
static int64_t count_classes(const ir_node *n, scores_labels *l)
{
    uint64_t count = 0;
    *l = scores_labels_of(n, "classlabels_ints", "classlabels_strings");
    if (l->n == 0 && !ir_attr_floats(n, "intercepts", &count))
        count = 1;
    return (int64_t)(l->n ? l->n : count);
}

static heed_status infer_classifier(op_infer *c)
{
    scores_labels l;
    ir_dim rows = DIM_UNKNOWN;
    TRY(infer_scores(c, 1, count_classes(c->node, &l), &rows));
    return scores_infer_labels(c, &l, rows);
}

/* One score tells two classes apart: it is the second one's. */
static int64_t finish_row(linear *l, int64_t classes)
{
    int64_t class = l->n_scores == 1 ? l->scores[0] > 0 : scores_best(classes, l->scores);
    if (l->n_scores == 1 && classes == 2)
        scores_pair(l->finish, false, l->scores[0], l->scores);
    else
        l->finish(classes, l->scores);
    return class;
}

static heed_status run_classifier(op_call *c)
{
    heed_tensor *out = call_out(c, 1);
    scores_labels labels;
    linear l;
    int64_t classes = count_classes(c->node, &labels), n = count_rows(c->in[0]);
    if (n == 0)
        return HEED_OK;
    TRY(open_linear(c, &l));
    if (l.n_scores != classes && !(l.n_scores == 1 && classes == 2))
        return call_error(c, HEED_INVALID, "coefficients for %lld classes, labels for %lld",
                          (long long)l.n_scores, (long long)classes);
    for (int64_t row = 0; row < n; row++) {
        score_row(c, &l, row);
        TRY(scores_set_label(c, &labels, row, finish_row(&l, classes)));
        if (out)
            loop_store(out, CLASS_F64, row * classes, classes, l.scores);
    }
    return HEED_OK;
}

// clang-format off
static const op_def regressor = {
    .domain = ML, .name = "LinearRegressor", .since = 1,
    .signature = "X:T -> Y:float32", .types = "T=float32|float64|int64|int32",
    .attrs = "coefficients:floats intercepts:floats post_transform:string=NONE targets:int=1",
    .infer = infer_regressor, .run = run_regressor};
static const op_def classifier = {
    .domain = ML, .name = "LinearClassifier", .since = 1,
    .signature = "X:T -> Y:L, Z:float32", .types = "T=float32|float64|int64|int32 L=string|int64",
    .attrs = "classlabels_ints:ints classlabels_strings:strings coefficients:floats! "
             "intercepts:floats multi_class:int=0 post_transform:string=NONE",
    .infer = infer_classifier, .run = run_classifier};
// clang-format on

const op_def *const ops_linear[] = {&regressor, &classifier, NULL};
