/* det.c - Det: determinants of the matrices on the last two axes, by elimination with the largest
 * pivot of each column. */
#include <math.h>

#include "ops/op.h"

static heed_status infer_det(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 2)
        return infer_error(c, "rank 2 or more", "rank %d", rank);
    ir_dim rows = infer_dim(c, 0, rank - 2), columns = infer_dim(c, 0, rank - 1);
    if (dim_known(rows) && dim_known(columns) && rows != columns)
        return infer_error(c, "square matrices", "%lldx%lld", (long long)rows, (long long)columns);
    return infer_set(c, 0, 0, rank - 2, c->in[0]->dims);
}

static void swap_rows(double *a, double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double held = a[i];
        a[i] = b[i];
        b[i] = held;
    }
}

/* Destroys the matrix. */
static double determinant(double *m, int64_t n)
{
    double result = 1.0;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(m[i * n + k]) > fabs(m[pivot * n + k]))
                pivot = i;
        if (pivot != k) {
            swap_rows(m + k * n, m + pivot * n, n);
            result = -result;
        }
        result *= m[k * n + k];
        if (m[k * n + k] == 0.0)
            return 0.0;
        for (int64_t i = k + 1; i < n; i++) {
            double factor = m[i * n + k] / m[k * n + k];
            for (int64_t j = k; j < n; j++)
                m[i * n + j] -= factor * m[k * n + j];
        }
    }
    return result;
}

static heed_status run_det(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    int32_t rank = tensor_rank(in);
    int64_t n = in->dims[rank - 1], size = n * n;
    double *m = call_scratch(c, (size_t)size * sizeof(double) + 1);
    if (!m)
        return err_get()->status;
    for (int64_t i = 0; i < tensor_count(out); i++) {
        dtype_load_f64(in->dtype, tensor_data(in), i * size, size, m);
        double value = determinant(m, n);
        dtype_store_f64(out->dtype, tensor_data(out), i, 1, &value, true);
    }
    return HEED_OK;
}

// clang-format off
static const op_def det = {
    .domain = "", .name = "Det", .since = 22, .signature = "X:T -> Y:T", .types = "T=float",
    .infer = infer_det, .run = run_det};
// clang-format on

const op_def *const ops_det[] = {&det, NULL};
