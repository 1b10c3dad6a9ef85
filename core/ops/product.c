/* product.c - products of dense matrices in the few types in which arithmetic is done.
 *
 * Separate because MatMul, Gemm, Einsum, Conv and ConvTranspose all end in it. Plain loops: a panel
 * of b stays in the cache while the rows of a pass by, and the innermost loop is one that compilers
 * vectorise. Fast kernels live in backends; this is what they are checked against. */
#include "ops/product.h"

#include <string.h>

#include "base/pool.h"

enum { PANEL_COLUMNS = 256, PANEL_DEPTH = 128, CHUNK_WORK = 1 << 18 };

typedef void (*panel_fn)(int64_t m, int64_t n, int64_t k, int64_t columns, int64_t depth,
                         int64_t k0, int64_t n0, const void *a, const void *b, void *c);

/* One panel: depth rows and columns columns of b, from (k0, n0) on. */
static void panel_f32(int64_t m, int64_t n, int64_t k, int64_t columns, int64_t depth, int64_t k0,
                      int64_t n0, const void *a, const void *b, void *c)
{
    for (int64_t i = 0; i < m; i++) {
        const float *row = (const float *)a + i * k + k0;
        float *to = (float *)c + i * n + n0;
        for (int64_t p = 0; p < depth; p++) {
            const float *from = (const float *)b + (k0 + p) * n + n0;
            float x = row[p];
            for (int64_t j = 0; j < columns; j++)
                to[j] += x * from[j];
        }
    }
}

static void panel_f64(int64_t m, int64_t n, int64_t k, int64_t columns, int64_t depth, int64_t k0,
                      int64_t n0, const void *a, const void *b, void *c)
{
    for (int64_t i = 0; i < m; i++) {
        const double *row = (const double *)a + i * k + k0;
        double *to = (double *)c + i * n + n0;
        for (int64_t p = 0; p < depth; p++) {
            const double *from = (const double *)b + (k0 + p) * n + n0;
            double x = row[p];
            for (int64_t j = 0; j < columns; j++)
                to[j] += x * from[j];
        }
    }
}

static void panel_u64(int64_t m, int64_t n, int64_t k, int64_t columns, int64_t depth, int64_t k0,
                      int64_t n0, const void *a, const void *b, void *c)
{
    for (int64_t i = 0; i < m; i++) {
        const uint64_t *row = (const uint64_t *)a + i * k + k0;
        uint64_t *to = (uint64_t *)c + i * n + n0;
        for (int64_t p = 0; p < depth; p++) {
            const uint64_t *from = (const uint64_t *)b + (k0 + p) * n + n0;
            uint64_t x = row[p];
            for (int64_t j = 0; j < columns; j++)
                to[j] += x * from[j];
        }
    }
}

static void panels(panel_fn panel, int64_t m, int64_t n, int64_t k, const void *a, const void *b,
                   void *c)
{
    for (int64_t n0 = 0; n0 < n; n0 += PANEL_COLUMNS) {
        int64_t columns = n - n0 < PANEL_COLUMNS ? n - n0 : PANEL_COLUMNS;
        for (int64_t k0 = 0; k0 < k; k0 += PANEL_DEPTH) {
            int64_t depth = k - k0 < PANEL_DEPTH ? k - k0 : PANEL_DEPTH;
            panel(m, n, k, columns, depth, k0, n0, a, b, c);
        }
    }
}

static void multiply_f32(int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c)
{
    panels(panel_f32, m, n, k, a, b, c);
}

static void multiply_f64(int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c)
{
    panels(panel_f64, m, n, k, a, b, c);
}

static void multiply_u64(int64_t m, int64_t n, int64_t k, const void *a, const void *b, void *c)
{
    panels(panel_u64, m, n, k, a, b, c);
}

static const product_type type_f32 = {HEED_FLOAT32, sizeof(float), multiply_f32};
static const product_type type_f64 = {HEED_FLOAT64, sizeof(double), multiply_f64};
static const product_type type_i64 = {HEED_INT64, sizeof(int64_t), multiply_u64};

const product_type *product_for(heed_dtype dtype)
{
    static const product_type *const by_class[] = {
        [CLASS_F32] = &type_f32, [CLASS_F64] = &type_f64, [CLASS_I64] = &type_i64,
        [CLASS_U64] = &type_i64, [CLASS_C128] = NULL,
    };
    return by_class[dtype_get_class(dtype)];
}

/* ---- Over the pool ------------------------------------------------------------------------- */

typedef struct product_job {
    const product_type *type;
    int64_t m, n, k, rows; /* rows of one piece */
    const void *a, *b;
    void *c;
} product_job;

static void run_piece(void *arg, uint32_t i)
{
    const product_job *job = arg;
    int64_t first = (int64_t)i * job->rows;
    int64_t m = job->m - first < job->rows ? job->m - first : job->rows;
    size_t size = job->type->size;
    job->type->multiply(m, job->n, job->k, (const char *)job->a + (size_t)(first * job->k) * size,
                        job->b, (char *)job->c + (size_t)(first * job->n) * size);
}

void product_run(const product_type *type, int64_t m, int64_t n, int64_t k, const void *a,
                 const void *b, void *c)
{
    double per_row = (double)n * (double)k + 1.0;
    double rows = (double)CHUNK_WORK / per_row;
    product_job job = {type, m, n, k, rows < 1.0 ? 1 : (int64_t)rows + 1, a, b, c};
    int64_t pieces = (m + job.rows - 1) / job.rows;
    if (m <= 0 || n <= 0 || k <= 0)
        return;
    if (pieces <= 1 || pieces > UINT32_MAX)
        type->multiply(m, n, k, a, b, c);
    else
        pool_run(run_piece, &job, (uint32_t)pieces);
}

/* ---- Reading and writing ------------------------------------------------------------------- */

void product_load(const product_type *type, heed_dtype dtype, const void *data, int64_t first,
                  int64_t n, void *to)
{
    if (type == &type_f32)
        dtype_load_f32(dtype, data, first, n, to);
    else if (type == &type_f64)
        dtype_load_f64(dtype, data, first, n, to);
    else
        dtype_load_i64(dtype, data, first, n, to);
}

const void *product_read(op_call *c, const product_type *type, heed_dtype dtype, const void *data,
                         int64_t first, int64_t n)
{
    /* Weights lie where their file has them, which need not be aligned. */
    if (dtype == type->dtype && (uintptr_t)data % type->size == 0)
        return (const char *)data + (size_t)first * type->size;
    void *to = call_scratch(c, (size_t)n * type->size + 1);
    if (to)
        product_load(type, dtype, data, first, n, to);
    return to;
}

void product_write(const product_type *type, heed_dtype dtype, void *data, int64_t first, int64_t n,
                   const void *from)
{
    if (type == &type_f32)
        dtype_store_f32(dtype, data, first, n, from, true);
    else if (type == &type_f64)
        dtype_store_f64(dtype, data, first, n, from, true);
    else
        dtype_store_i64(dtype, data, first, n, from);
}
