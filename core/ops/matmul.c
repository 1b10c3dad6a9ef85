/* matmul.c - the matrix product of NumPy: MatMul. Leading axes broadcast; a vector on the left is a
 * row, on the right a column. */
#include "ops/matmul.h"

#include <string.h>

#include "ops/layout.h"
#include "ops/product.h"

/* ---- Inference ------------------------------------------------------------------------------ */

heed_status matmul_infer_of(op_infer *c, const ir_type *ta, const ir_type *tb)
{
    int32_t ra = ta->rank, rb = tb->rank, n = 0;
    ir_dim dims[TENSOR_MAX_RANK];
    if (ra < 0 || rb < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (ra == 0 || rb == 0)
        return infer_error(c, "inputs of rank 1 or more", "ranks %d and %d", ra, rb);
    const ir_dim *a = ta->dims, *b = tb->dims;
    ir_dim inner_a = a[ra - 1], inner_b = b[rb == 1 ? 0 : rb - 2];
    if (dim_known(inner_a) && dim_known(inner_b) && inner_a != inner_b)
        return infer_error(c, "equal inner extents", "%lld and %lld", (long long)inner_a,
                           (long long)inner_b);
    int32_t batch = (ra > rb ? ra : rb) - 2;
    for (int32_t i = 0; i < batch; i++, n++) {
        int32_t ia = i - (batch + 2 - ra), ib = i - (batch + 2 - rb);
        ir_dim da = ra > 2 && ia >= 0 ? a[ia] : 1, db = rb > 2 && ib >= 0 ? b[ib] : 1;
        if (!dims_broadcast(c->dims, da, db, &dims[n]))
            return infer_error(c, "batch extents that broadcast", "%lld and %lld", (long long)da,
                               (long long)db);
    }
    if (ra > 1)
        dims[n++] = a[ra - 2];
    if (rb > 1)
        dims[n++] = b[rb - 1];
    return infer_set(c, 0, 0, n, dims);
}

heed_status matmul_infer(op_infer *c) { return matmul_infer_of(c, c->in[0], c->in[1]); }

/* ---- Kernel --------------------------------------------------------------------------------- */

/* Steps of the leading axes of one side, counted in matrices. */
static void batch_steps(const heed_tensor *t, int32_t batch_rank, int64_t *steps)
{
    int32_t own = tensor_rank(t) - 2;
    int64_t step = 1;
    for (int32_t i = batch_rank - 1; i >= 0; i--) {
        int32_t k = i - (batch_rank - own);
        int64_t dim = own > 0 && k >= 0 ? t->dims[k] : 1;
        steps[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

void matmul_describe(const heed_tensor *a, const heed_tensor *b, const heed_tensor *out, matmul *w)
{
    int32_t ra = tensor_rank(a), rb = tensor_rank(b);
    w->m = ra > 1 ? a->dims[ra - 2] : 1;
    w->k = a->dims[ra - 1];
    w->n = rb > 1 ? b->dims[rb - 1] : 1;
    w->batch_rank = tensor_rank(out) - (ra > 1) - (rb > 1);
    memcpy(w->batch, out->dims, (size_t)w->batch_rank * sizeof(int64_t));
    batch_steps(a, w->batch_rank, w->a_step);
    batch_steps(b, w->batch_rank, w->b_step);
}

void matmul_at(const matmul *w, const int64_t *index, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    for (int32_t i = 0; i < w->batch_rank; i++) {
        *a += index[i] * w->a_step[i];
        *b += index[i] * w->b_step[i];
    }
}

static heed_status multiply_all(op_call *c, const matmul *w, const product_type *type)
{
    heed_tensor *out = c->out[0];
    const heed_tensor *a = c->in[0], *b = c->in[1];
    int64_t index[TENSOR_MAX_RANK] = {0}, at = 0;
    size_t bytes = (size_t)(w->m * w->n) * type->size;
    bool direct = out->dtype == type->dtype;
    void *own = direct ? NULL : call_scratch(c, bytes);
    const char *left = product_read(c, type, a->dtype, tensor_data(a), 0, tensor_count(a));
    const char *right = product_read(c, type, b->dtype, tensor_data(b), 0, tensor_count(b));
    if ((!direct && !own) || !left || !right)
        return err_get()->status;
    do {
        int64_t ia, ib;
        matmul_at(w, index, &ia, &ib);
        char *to = direct ? (char *)tensor_data(out) + (size_t)at * type->size : own;
        memset(to, 0, bytes);
        product_run(type, w->m, w->n, w->k, left + (size_t)(ia * w->m * w->k) * type->size,
                    right + (size_t)(ib * w->k * w->n) * type->size, to);
        if (!direct)
            product_write(type, out->dtype, tensor_data(out), at, w->m * w->n, to);
        at += w->m * w->n;
    } while (layout_next(w->batch_rank, w->batch, index));
    return HEED_OK;
}

static heed_status run_matmul(op_call *c)
{
    matmul w = {0};
    heed_tensor *out = call_out(c, 0);
    const product_type *type = product_for(c->in[0]->dtype);
    if (!type)
        return call_error(c, HEED_UNSUPPORTED, "no product of %s", dtype_name(c->in[0]->dtype));
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    matmul_describe(c->in[0], c->in[1], out, &w);
    return multiply_all(c, &w, type);
}

// clang-format off
static const op_def matmul_op = {
    .domain = "", .name = "MatMul", .since = 13,
    .signature = "A:T, B:T -> Y:T", .types = "T=real",
    .infer = matmul_infer, .run = run_matmul};
// clang-format on

const op_def *const ops_matmul[] = {&matmul_op, NULL};
