/* loss.c - losses of classifiers: NegativeLogLikelihoodLoss, and SoftmaxCrossEntropyLoss in terms
 * of it. Scores are [batch, classes, ...], labels [batch, ...]. */
#include <string.h>

#include "ops/body.h"
#include "ops/layout.h"

static bool reduced(const ir_node *n)
{
    return strcmp(ir_attr_string(n, "reduction", "mean"), "none") != 0;
}

static heed_status check_labels(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), labels = infer_rank(c, 1);
    if (rank >= 0 && rank < 2)
        return infer_error(c, "scores of at least two dimensions", "%d", rank);
    if (rank >= 0 && labels >= 0 && labels != rank - 1)
        return infer_error(c, "labels of the rank of scores without the class axis",
                           "ranks %d and %d", labels, rank);
    for (int32_t i = 0; i < labels && rank >= 0; i++) {
        ir_dim a = c->in[0]->dims[i ? i + 1 : 0], b = c->in[1]->dims[i];
        if (dim_known(a) && dim_known(b) && a != b)
            return infer_error(c, "a label for each place", "%lld for %lld on axis %d",
                               (long long)b, (long long)a, i);
    }
    ir_dim classes = infer_dim(c, 0, 1), weights = infer_dim(c, 2, 0);
    if (infer_rank(c, 2) >= 0 && infer_rank(c, 2) != 1)
        return infer_error(c, "a list of weights", "rank %d", infer_rank(c, 2));
    if (dim_known(classes) && dim_known(weights) && classes != weights)
        return infer_error(c, "a weight for each class", "%lld for %lld", (long long)weights,
                           (long long)classes);
    return HEED_OK;
}

static heed_status infer_loss(op_infer *c)
{
    const char *reduction = ir_attr_string(c->node, "reduction", "mean");
    if (strcmp(reduction, "none") && strcmp(reduction, "sum") && strcmp(reduction, "mean"))
        return infer_error(c, "the reduction none, sum or mean", "\"%s\"", reduction);
    TRY(check_labels(c));
    TRY(infer_set_like(c, 1, 0)); /* log_prob */
    if (reduced(c->node))
        return infer_set(c, 0, 0, 0, NULL);
    heed_dtype dtype = c->in[0]->dtype;
    if (infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, dtype, infer_rank(c, 0) - 1);
    return infer_set(c, 0, dtype, c->in[1]->rank, c->in[1]->dims);
}

/* ---- NegativeLogLikelihoodLoss --------------------------------------------------------------- */

typedef struct likelihood {
    const op_call *call;
    int64_t classes, inner; /* scores are [batch, classes, inner] */
    const int64_t *labels;
    const ir_attr *ignore;
} likelihood;

/* Loss and weight of place i; both are 0 where the label is ignored. */
static heed_status loss_of(const likelihood *l, int64_t i, double *loss, double *weight)
{
    const op_call *c = l->call;
    int64_t label = l->labels[i];
    *loss = *weight = 0;
    if (l->ignore && label == l->ignore->view.i)
        return HEED_OK;
    if (label < 0 || label >= l->classes)
        return call_error(c, HEED_INVALID, "label %lld of %lld classes", (long long)label,
                          (long long)l->classes);
    int64_t at = (i / l->inner * l->classes + label) * l->inner + i % l->inner;
    *weight = call_has(c, 2) ? tensor_get_float(c->in[2], label) : 1;
    *loss = -*weight * tensor_get_float(c->in[0], at);
    return HEED_OK;
}

static heed_status run_loss(op_call *c)
{
    const heed_tensor *scores = c->in[0];
    heed_tensor *out = call_out(c, 0);
    double sum = 0, weights = 0, loss, weight;
    likelihood l = {.call = c,
                    .classes = scores->dims[1],
                    .inner = layout_product(scores->dims, 2, tensor_rank(scores)),
                    .labels = call_ints(c, 1),
                    .ignore = ir_node_attr(c->node, "ignore_index")};
    if (!l.labels || !out)
        return l.labels ? HEED_OK : err_get()->status;
    for (int64_t i = 0, n = tensor_count(c->in[1]); i < n; i++) {
        TRY(loss_of(&l, i, &loss, &weight));
        sum += loss;
        weights += weight;
        if (!reduced(c->node))
            dtype_store_f64(out->dtype, tensor_data(out), i, 1, &loss, true);
    }
    if (strcmp(ir_attr_string(c->node, "reduction", "mean"), "mean") == 0)
        sum /= weights;
    if (reduced(c->node))
        dtype_store_f64(out->dtype, tensor_data(out), 0, 1, &sum, true);
    return HEED_OK;
}

/* ---- SoftmaxCrossEntropyLoss ----------------------------------------------------------------- */

static void decompose_cross_entropy(op_body *b)
{
    ir_value *log_prob = body_1(b, body_in(b, 0), "LogSoftmax axis=1");
    const ir_attr *ignore = ir_node_attr(b->node, "ignore_index");
    const char *reduction = body_word(b, "reduction", "mean");
    ir_value *in[] = {log_prob, body_in(b, 1), body_in(b, 2)};
    ir_value *loss =
        ignore ? body_n(b, 3, in, "NegativeLogLikelihoodLoss reduction=%s ignore_index=%lld",
                        reduction, (long long)ignore->view.i)
               : body_n(b, 3, in, "NegativeLogLikelihoodLoss reduction=%s", reduction);
    body_set(b, 0, loss);
    body_set(b, 1, log_prob);
}

// clang-format off
static const op_def likelihood_loss = {
    .domain = "", .name = "NegativeLogLikelihoodLoss", .since = 22,
    .signature = "input:T, target:I, weight:T? -> loss:T", .types = "T=float I=int32|int64",
    .attrs = "ignore_index:int reduction:string=mean",
    .infer = infer_loss, .run = run_loss};
static const op_def cross_entropy = {
    .domain = "", .name = "SoftmaxCrossEntropyLoss", .since = 13,
    .signature = "scores:T, labels:I, weights:T? -> output:T, log_prob:T?",
    .types = "T=float I=int32|int64", .attrs = "ignore_index:int reduction:string=mean",
    .infer = infer_loss, .decompose = decompose_cross_entropy};

const op_def *const ops_loss[] = {&likelihood_loss, &cross_entropy, NULL};
// clang-format on
