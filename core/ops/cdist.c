/* cdist.c - CDist of com.microsoft: distances between all rows of two matrices. */
#include <math.h>
#include <string.h>

#include "ops/loops.h"

static double square(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static double euclidean(int64_t n, const double *a, const double *b)
{
    return sqrt(square(n, a, b));
}

static double cityblock(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(a[i] - b[i]);
    return sum;
}

static double chebyshev(int64_t n, const double *a, const double *b)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static double cosine(int64_t n, const double *a, const double *b)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return 1 - ab / sqrt(aa * bb);
}

typedef struct metric {
    const char *name;
    double (*of)(int64_t n, const double *a, const double *b);
} metric;

static const metric metrics[] = {
    {"sqeuclidean", square},  {"euclidean", euclidean}, {"cityblock", cityblock},
    {"chebyshev", chebyshev}, {"cosine", cosine},
};

static const metric *metric_of(const ir_node *n)
{
    const char *name = ir_attr_string(n, "metric", "sqeuclidean");
    for (size_t i = 0; i < sizeof(metrics) / sizeof(*metrics); i++)
        if (strcmp(metrics[i].name, name) == 0)
            return &metrics[i];
    return NULL;
}

static heed_status infer_cdist(op_infer *c)
{
    if (!metric_of(c->node))
        return infer_error(c, "a metric of CDist that has a kernel", "\"%.40s\"",
                           ir_attr_string(c->node, "metric", ""));
    ir_dim dims[] = {infer_dim(c, 0, 0), infer_dim(c, 1, 0)};
    for (uint32_t i = 0; i < 2; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 2)
            return infer_error(c, "two matrices", "rank %d", infer_rank(c, i));
    if (infer_rank(c, 0) < 0 || infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, 0, 2);
    ir_dim n = infer_dim(c, 0, 1), m = infer_dim(c, 1, 1);
    if (dim_known(n) && dim_known(m) && n != m)
        return infer_error(c, "rows of one length", "%lld and %lld", (long long)n, (long long)m);
    return infer_set(c, 0, 0, 2, dims);
}

static heed_status run_cdist(op_call *c)
{
    const heed_tensor *a = c->in[0], *b = c->in[1];
    int64_t rows = a->dims[0], columns = b->dims[0], n = a->dims[1];
    const metric *distance = metric_of(c->node);
    size_t bytes = sizeof(double);
    double *x = call_scratch(c, bytes * (size_t)n + 1);
    double *y = call_scratch(c, bytes * (size_t)tensor_count(b) + 1);
    double *line = call_scratch(c, bytes * (size_t)columns + 1);
    if (!x || !y || !line)
        return HEED_NOMEM;
    loop_load(b, CLASS_F64, 0, tensor_count(b), y);
    for (int64_t i = 0; i < rows; i++) {
        loop_load(a, CLASS_F64, i * n, n, x);
        for (int64_t j = 0; j < columns; j++)
            line[j] = distance->of(n, x, y + j * n);
        loop_store(c->out[0], CLASS_F64, i * columns, columns, line);
    }
    return HEED_OK;
}

// clang-format off
static const op_def cdist = {
    .domain = "com.microsoft", .name = "CDist", .since = 1,
    .signature = "A:T, B:T -> C:T", .types = "T=float", .attrs = "metric:string=sqeuclidean",
    .infer = infer_cdist, .run = run_cdist};
// clang-format on

const op_def *const ops_cdist[] = {&cdist, NULL};
