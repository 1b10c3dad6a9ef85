/* gemm.c - alpha * A * B + beta * C with optional transposes: Gemm. */
#include <string.h>

#include "ops/layout.h"
#include "ops/product.h"

/* The two extents of input i after its transpose attribute. */
static void sides(const ir_node *n, const char *attr, const int64_t *dims, int64_t *rows,
                  int64_t *columns)
{
    bool flip = ir_attr_int(n, attr, 0) != 0;
    *rows = dims[flip ? 1 : 0];
    *columns = dims[flip ? 0 : 1];
}

static heed_status infer_gemm(op_infer *c)
{
    ir_dim dims[2], ka, kb, merged;
    for (uint32_t i = 0; i < 2; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 2)
            return infer_error(c, "matrices", "input %u of rank %d", i, infer_rank(c, i));
    if (infer_rank(c, 0) < 0 || infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, 0, 2);
    sides(c->node, "transA", c->in[0]->dims, &dims[0], &ka);
    sides(c->node, "transB", c->in[1]->dims, &kb, &dims[1]);
    if (dim_known(ka) && dim_known(kb) && ka != kb)
        return infer_error(c, "equal inner extents", "%lld and %lld", (long long)ka, (long long)kb);
    int32_t rank = infer_rank(c, 2);
    if (rank > 2)
        return infer_error(c, "C of at most rank 2", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim own = c->in[2]->dims[i], whole = dims[2 - rank + i];
        bool fits = dims_broadcast(c->dims, own, whole, &merged);
        if (!fits || (dim_known(own) && dim_known(whole) && merged != whole))
            return infer_error(c, "C to broadcast to the output", "%lld to %lld", (long long)own,
                               (long long)whole);
    }
    return infer_set(c, 0, 0, 2, dims);
}

/* Input i as a dense matrix in the product's type, transposed if asked for. */
static const void *matrix(op_call *c, const product_type *type, uint32_t i, const char *attr)
{
    const heed_tensor *t = c->in[i];
    const void *from = product_read(c, type, t->dtype, tensor_data(t), 0, tensor_count(t));
    if (!from || ir_attr_int(c->node, attr, 0) == 0)
        return from;
    void *to = call_scratch(c, (size_t)tensor_count(t) * type->size + 1);
    layout_box box = {.rank = 2,
                      .dims = {t->dims[1], t->dims[0]},
                      .dst = {t->dims[0], 1},
                      .src = {1, t->dims[1]}};
    if (to)
        layout_copy(type->dtype, &box, to, 0, from, 0);
    return to;
}

/* ---- Scaling and adding C ------------------------------------------------------------------ */

static void finish_f32(float *y, const float *c, int64_t n, int64_t step, double alpha, double beta)
{
    float a = (float)alpha, b = (float)beta;
    for (int64_t i = 0; i < n; i++)
        y[i] = a * y[i] + (c ? b * c[i * step] : 0.0f);
}

static void finish_f64(double *y, const double *c, int64_t n, int64_t step, double alpha,
                       double beta)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = alpha * y[i] + (c ? beta * c[i * step] : 0.0);
}

static int64_t scaled(int64_t value, double factor)
{
    double product = (double)value * factor;
    if (factor == 1.0 || !(product > -9e18 && product < 9e18))
        return value;
    return (int64_t)product;
}

static void finish_i64(int64_t *y, const int64_t *c, int64_t n, int64_t step, double alpha,
                       double beta)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t sum = (uint64_t)scaled(y[i], alpha);
        y[i] = (int64_t)(sum + (c ? (uint64_t)scaled(c[i * step], beta) : 0));
    }
}

static heed_status finish(op_call *c, const product_type *type, void *y, const int64_t *dims)
{
    double alpha = ir_attr_float(c->node, "alpha", 1.0), beta = ir_attr_float(c->node, "beta", 1.0);
    int64_t strides[2] = {0, 0};
    const char *bias = NULL;
    if (call_has(c, 2)) {
        const heed_tensor *t = c->in[2];
        bias = product_read(c, type, t->dtype, tensor_data(t), 0, tensor_count(t));
        if (!bias)
            return err_get()->status;
        layout_broadcast(t, 2, strides);
    }
    for (int64_t i = 0; i < dims[0]; i++) {
        void *row = (char *)y + (size_t)(i * dims[1]) * type->size;
        const void *add = bias ? bias + (size_t)(i * strides[0]) * type->size : NULL;
        if (type->dtype == HEED_FLOAT32)
            finish_f32(row, add, dims[1], strides[1], alpha, beta);
        else if (type->dtype == HEED_FLOAT64)
            finish_f64(row, add, dims[1], strides[1], alpha, beta);
        else
            finish_i64(row, add, dims[1], strides[1], alpha, beta);
    }
    return HEED_OK;
}

static heed_status run_gemm(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    const product_type *type = product_for(c->in[0]->dtype);
    int64_t m, n, k;
    if (!type)
        return call_error(c, HEED_UNSUPPORTED, "no product of %s", dtype_name(c->in[0]->dtype));
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    sides(c->node, "transA", c->in[0]->dims, &m, &k);
    n = out->dims[1];
    const void *a = matrix(c, type, 0, "transA"), *b = matrix(c, type, 1, "transB");
    bool direct = out->dtype == type->dtype;
    void *y = direct ? tensor_data(out) : call_scratch(c, (size_t)(m * n) * type->size);
    if (!a || !b || !y)
        return err_get()->status;
    memset(y, 0, (size_t)(m * n) * type->size);
    product_run(type, m, n, k, a, b, y);
    TRY(finish(c, type, y, out->dims));
    if (!direct)
        product_write(type, out->dtype, tensor_data(out), 0, m * n, y);
    return HEED_OK;
}

// clang-format off
static const op_def gemm = {
    .domain = "", .name = "Gemm", .since = 13,
    .signature = "A:T, B:T, C:T? -> Y:T", .types = "T=real",
    .attrs = "alpha:float=1.0 beta:float=1.0 transA:int=0 transB:int=0",
    .infer = infer_gemm, .run = run_gemm};
// clang-format on

const op_def *const ops_gemm[] = {&gemm, NULL};
