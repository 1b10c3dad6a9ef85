/* scores.c - see scores.h. */
#include "ops/scores.h"

#include <math.h>
#include <string.h>

#include "ops/strings.h"

/* ---- Transforms ----------------------------------------------------------------------------- */

static void none(int64_t n, double *x)
{
    (void)n;
    (void)x;
}

static double logistic_of(double x)
{
    double v = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - v : v;
}

static void logistic(int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = logistic_of(x[i]);
}

static double greatest(int64_t n, const double *x)
{
    double most = -(double)INFINITY;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static void softmax(int64_t n, double *x)
{
    double most = greatest(n, x), sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] = exp(x[i] - most);
    for (int64_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* A score of zero stays zero and takes no part. */
static void softmax_zero(int64_t n, double *x)
{
    double most = greatest(n, x), sum = 0;
    for (int64_t i = 0; i < n; i++) {
        bool zero = fabs(x[i]) <= 1e-7;
        sum += x[i] = zero ? x[i] * exp(-most) : exp(x[i] - most);
    }
    for (int64_t i = 0; i < n; i++)
        x[i] = sum > 0 || sum < 0 ? x[i] / sum : 0.5;
}

/* Winitzki's approximation of the inverse error function, by which the standard's evaluator goes.
 */
static double inverse_erf(double x)
{
    double l = log((1 - x) * (1 + x)), v = 2 / (3.14159265358979323846 * 0.147) + 0.5 * l;
    double root = sqrt(-v + sqrt(v * v - l / 0.147));
    return x < 0 ? -root : root;
}

static void probit(int64_t n, double *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 1.41421356 * inverse_erf(2 * x[i] - 1);
}

/* In the order of TreeEnsemble's numbers. */
static const struct {
    const char *name;
    scores_fn *run;
} transforms[] = {{"NONE", none},
                  {"SOFTMAX", softmax},
                  {"LOGISTIC", logistic},
                  {"SOFTMAX_ZERO", softmax_zero},
                  {"PROBIT", probit}};
enum { N_TRANSFORMS = sizeof(transforms) / sizeof(transforms[0]) };

scores_fn *scores_by_name(const char *name)
{
    for (size_t i = 0; i < N_TRANSFORMS; i++)
        if (strcmp(name, transforms[i].name) == 0)
            return transforms[i].run;
    return NULL;
}

void scores_pair(scores_fn *finish, bool margin, double score, double *out)
{
    bool share = !margin && (finish == none || finish == probit);
    out[0] = share ? 1 - score : -score;
    out[1] = score;
    finish(2, out);
}

int64_t scores_best(int64_t n, const double *scores)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}

scores_fn *scores_by_number(int64_t number)
{
    return number >= 0 && number < N_TRANSFORMS ? transforms[number].run : NULL;
}

/* ---- Labels --------------------------------------------------------------------------------- */

scores_labels scores_labels_of(const ir_node *n, const char *numbers, const char *texts)
{
    const ir_attr *text = ir_node_attr(n, texts);
    scores_labels l = {0};
    if (text && text->view.n) {
        l.n = text->view.n;
        l.texts = text->view.strings;
    } else {
        l.numbers = ir_attr_ints(n, numbers, &l.n);
        l.n = l.numbers ? l.n : 0;
    }
    return l;
}

heed_status scores_infer_labels(op_infer *c, const scores_labels *l, ir_dim rows)
{
    if (l->texts)
        strings_infer_made(c);
    return infer_set(c, 0, l->texts ? HEED_STRING : HEED_INT64, 1, &rows);
}

heed_status scores_set_label(op_call *c, const scores_labels *l, int64_t i, int64_t class)
{
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    if (l->n && (class < 0 || (uint64_t) class >= l->n))
        return call_error(c, HEED_INVALID, "class %lld has no label", (long long)class);
    if (l->texts)
        return tensor_set_string(out, i, l->texts[class].size ? l->texts[class].data : "",
                                 l->texts[class].size);
    int64_t label = l->numbers ? l->numbers[class] : class;
    dtype_store_i64(out->dtype, tensor_data(out), i, 1, &label);
    return HEED_OK;
}
