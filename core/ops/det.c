/* det.c - Det and com.microsoft's Inverse: of the matrices on the last two axes, by elimination
 * with the largest pivot of each column. */
#include <math.h>
#include <string.h>

#include "ops/op.h"

static heed_status check_square(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank >= 0 && rank < 2)
        return infer_error(c, "rank 2 or more", "rank %d", rank);
    ir_dim rows = infer_dim(c, 0, rank - 2), columns = infer_dim(c, 0, rank - 1);
    if (rank >= 2 && dim_known(rows) && dim_known(columns) && rows != columns)
        return infer_error(c, "square matrices", "%lldx%lld", (long long)rows, (long long)columns);
    return HEED_OK;
}

static heed_status infer_det(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    TRY(check_square(c));
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    return infer_set(c, 0, 0, rank - 2, c->in[0]->dims);
}

static heed_status infer_inverse(op_infer *c)
{
    TRY(check_square(c));
    return infer_same(c);
}

static void swap_rows(double *a, double *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double held = a[i];
        a[i] = b[i];
        b[i] = held;
    }
}

/* Makes the left n columns of n rows upper triangular and gives their determinant; `width` columns
 * are carried along. */
static double eliminate(double *m, int64_t n, int64_t width)
{
    double result = 1.0;
    for (int64_t k = 0; k < n; k++) {
        int64_t pivot = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(m[i * width + k]) > fabs(m[pivot * width + k]))
                pivot = i;
        if (pivot != k) {
            swap_rows(m + k * width, m + pivot * width, width);
            result = -result;
        }
        result *= m[k * width + k];
        if (m[k * width + k] == 0.0)
            return 0.0;
        for (int64_t i = k + 1; i < n; i++) {
            double factor = m[i * width + k] / m[k * width + k];
            for (int64_t j = k; j < width; j++)
                m[i * width + j] -= factor * m[k * width + j];
        }
    }
    return result;
}

/* The right half of [A I] becomes the inverse of A; of a singular matrix, what is not finite. */
static void invert(double *m, int64_t n)
{
    int64_t width = 2 * n;
    eliminate(m, n, width);
    for (int64_t k = n - 1; k >= 0; k--) {
        for (int64_t j = n; j < width; j++)
            m[k * width + j] /= m[k * width + k];
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = n; j < width; j++)
                m[i * width + j] -= m[i * width + k] * m[k * width + j];
    }
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
        double value = eliminate(m, n, n);
        dtype_store_f64(out->dtype, tensor_data(out), i, 1, &value, true);
    }
    return HEED_OK;
}

static heed_status run_inverse(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    int32_t rank = tensor_rank(in);
    int64_t n = in->dims[rank - 1];
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    double *m = call_scratch(c, 2 * (size_t)(n * n) * sizeof(double));
    if (!m)
        return err_get()->status;
    for (int64_t first = 0; first < tensor_count(out); first += n * n) {
        memset(m, 0, 2 * (size_t)(n * n) * sizeof(double));
        for (int64_t i = 0; i < n; i++) {
            dtype_load_f64(in->dtype, tensor_data(in), first + i * n, n, m + 2 * n * i);
            m[2 * n * i + n + i] = 1.0;
        }
        invert(m, n);
        for (int64_t i = 0; i < n; i++)
            dtype_store_f64(out->dtype, tensor_data(out), first + i * n, n, m + 2 * n * i + n,
                            false);
    }
    return HEED_OK;
}

// clang-format off
static const op_def det = {
    .domain = "", .name = "Det", .since = 22, .signature = "X:T -> Y:T", .types = "T=float",
    .infer = infer_det, .run = run_det};
static const op_def inverse = {
    .domain = "com.microsoft", .name = "Inverse", .since = 1, .signature = "X:T -> Y:T",
    .types = "T=float", .infer = infer_inverse, .run = run_inverse};
// clang-format on

const op_def *const ops_det[] = {&det, &inverse, NULL};
