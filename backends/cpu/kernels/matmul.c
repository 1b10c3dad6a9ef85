/* MatMul and Gemm in float32; of 16 bits by way of it. B is read where it lies, constant or not;
 * only a constant B that Gemm transposes is turned once, in prepare, into the row-major form that
 * the tiles want. */
#include <string.h>

#include "cpu.h"
#include "gemm.h"
#include "widen.h"

typedef struct matmul_state {
    bool transpose_a, transpose_b;
    float alpha, beta;
    float *turned; /* B as [k, n], or NULL: B is used as it is */
    size_t turned_bytes;
} matmul_state;

/* ---- MatMul ------------------------------------------------------------------------------- */

/* The extent of dimension d of a batch of rank `rank`, right-aligned; the last two are left out.
 */
static size_t batch_extent(const DLTensor *t, int d, int rank)
{
    int own = t->ndim - 2, place = d - (rank - own);
    return own > 0 && place >= 0 ? (size_t)t->shape[place] : 1;
}

static void plan_batch(cpu_gemm *g, const DLTensor *a, const DLTensor *b)
{
    int rank_a = a->ndim > 2 ? a->ndim - 2 : 0, rank_b = b->ndim > 2 ? b->ndim - 2 : 0;
    g->batch_rank = rank_a > rank_b ? rank_a : rank_b;
    size_t next_a = g->m * g->k, next_b = g->k * g->n;
    for (int d = g->batch_rank - 1; d >= 0; d--) {
        size_t ea = batch_extent(a, d, g->batch_rank), eb = batch_extent(b, d, g->batch_rank);
        g->batch[d] = ea == 1 ? eb : ea;
        g->a_stride[d] = ea == 1 ? 0 : next_a;
        g->b_stride[d] = eb == 1 ? 0 : next_b;
        next_a *= ea;
        next_b *= eb;
    }
}

/* One matrix B for all of the batch: the rows of the batch are rows of one product. */
static void join_batch(cpu_gemm *g, const DLTensor *b)
{
    if (b->ndim > 2 && cpu_extent(b, 0, b->ndim - 2) != 1)
        return;
    for (int d = 0; d < g->batch_rank; d++)
        g->m *= g->batch[d];
    g->batch_rank = 0;
}

/* All but where the operands are. */
static heed_status plan_matmul(cpu_gemm *g, const DLTensor *a, const DLTensor *b)
{
    if (a->ndim > CPU_MAX_RANK || b->ndim > CPU_MAX_RANK || a->ndim < 1 || b->ndim < 1)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: MatMul of ranks %d and %d", a->ndim, b->ndim);
    g->alpha = 1.0f;
    g->m = a->ndim > 1 ? (size_t)a->shape[a->ndim - 2] : 1;
    g->k = (size_t)a->shape[a->ndim - 1];
    g->n = b->ndim > 1 ? (size_t)b->shape[b->ndim - 1] : 1;
    g->lda = g->k;
    g->ldb = g->n;
    plan_batch(g, a, b);
    join_batch(g, b);
    return HEED_OK;
}

static heed_status run_matmul(const heed_call *call)
{
    cpu_gemm g = {.lanes = cpu_lanes_of(call->device)};
    heed_status status = plan_matmul(&g, call->in[0], call->in[1]);
    if (status)
        return status;
    g.a = cpu_data(call->in[0]);
    g.b = cpu_data(call->in[1]);
    g.y = cpu_data(call->out[0]);
    g.parts = g.batch_rank ? NULL : call->workspace;
    return cpu_gemm_run(&g);
}

static heed_status matmul_measure(void *device, void *state, const heed_call *shapes,
                                  uint64_t *bytes)
{
    cpu_gemm g = {0};
    heed_status status = plan_matmul(&g, shapes->in[0], shapes->in[1]);
    if (!status)
        status = cpu_widen_measure(device, state, shapes, bytes);
    if (!status && !g.batch_rank)
        *bytes += cpu_gemm_parts(g.m, g.n, g.k) * sizeof(float);
    return status;
}

/* ---- Gemm --------------------------------------------------------------------------------- */

static void release(void *device, void *state)
{
    (void)device;
    matmul_state *s = state;
    if (!s)
        return;
    cpu_host->free(s->turned, s->turned_bytes);
    cpu_host->free(s, sizeof(*s));
}

static heed_status gemm_prepare(void *device, const heed_node *node, void **state)
{
    matmul_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->transpose_a = cpu_attr_int(node, "transA", 0) != 0;
    s->transpose_b = cpu_attr_int(node, "transB", 0) != 0;
    s->alpha = cpu_attr_float(node, "alpha", 1.0f);
    s->beta = cpu_attr_float(node, "beta", 1.0f);
    const DLTensor *b = node->in[1]->constant;
    heed_status status = HEED_OK;
    bool plain = b && cpu_dtype(b->dtype) == HEED_FLOAT32;
    if (plain && s->transpose_b && b->ndim == 2)
        status = cpu_gemm_turn(b, &s->turned);
    s->turned_bytes = s->turned ? cpu_count(b) * sizeof(float) : 0;
    if (status) {
        release(device, s);
        return status;
    }
    *state = s;
    return HEED_OK;
}

/* C broadcasts to [m, n] from any rank up to 2. */
static void add_bias(cpu_gemm *g, const DLTensor *c)
{
    size_t cols = c->ndim > 0 ? (size_t)c->shape[c->ndim - 1] : 1;
    size_t rows = c->ndim > 1 ? (size_t)c->shape[c->ndim - 2] : 1;
    g->bias = cpu_data(c);
    g->bias_col = cols == 1 ? 0 : 1;
    g->bias_row = rows == 1 ? 0 : cols;
}

/* All but where the operands are. */
static heed_status plan_gemm(cpu_gemm *g, const matmul_state *s, const heed_call *call)
{
    const DLTensor *a = call->in[0], *b = call->in[1];
    const DLTensor *c = call->n_in > 2 ? call->in[2] : NULL;
    if (a->ndim != 2 || b->ndim != 2 || (c && c->ndim > 2))
        return cpu_host->fail(HEED_INVALID, "cpu: Gemm of ranks %d and %d", a->ndim, b->ndim);
    g->alpha = s->alpha;
    g->beta = s->beta;
    g->transpose_a = s->transpose_a;
    g->transpose_b = s->transpose_b && !s->turned;
    g->m = (size_t)a->shape[s->transpose_a ? 1 : 0];
    g->k = (size_t)a->shape[s->transpose_a ? 0 : 1];
    g->n = (size_t)b->shape[s->transpose_b ? 0 : 1];
    g->lda = (size_t)a->shape[1];
    g->ldb = g->transpose_b ? g->k : g->n;
    return HEED_OK;
}

static heed_status run_gemm(const heed_call *call)
{
    const matmul_state *s = call->state;
    const DLTensor *c = call->n_in > 2 ? call->in[2] : NULL;
    cpu_gemm g = {.lanes = cpu_lanes_of(call->device)};
    heed_status status = plan_gemm(&g, s, call);
    if (status)
        return status;
    g.a = cpu_data(call->in[0]);
    g.b = s->turned ? s->turned : cpu_data(call->in[1]);
    g.y = cpu_data(call->out[0]);
    g.parts = call->workspace;
    if (c && s->beta != 0.0f)
        add_bias(&g, c);
    return cpu_gemm_run(&g);
}

static heed_status gemm_measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    cpu_gemm g = {0};
    heed_status status = plan_gemm(&g, state, shapes);
    if (!status)
        status = cpu_widen_measure(device, state, shapes, bytes);
    if (!status)
        *bytes += cpu_gemm_parts(g.m, g.n, g.k) * sizeof(float);
    return status;
}

static heed_status matmul_run(const heed_call *call) { return cpu_widen_run(call, run_matmul); }

static heed_status gemm_run(const heed_call *call) { return cpu_widen_run(call, run_gemm); }

// clang-format off
static const heed_kernel matmul = HEED_KERNEL(
    .op = "MatMul", .since = 1, .flags = HEED_UNALIGNED,
    .accepts = cpu_widen_accepts, .measure = matmul_measure, .run = matmul_run);
static const heed_kernel gemm = HEED_KERNEL(
    .op = "Gemm", .since = 1, .flags = HEED_UNALIGNED, .accepts = cpu_widen_accepts,
    .prepare = gemm_prepare, .measure = gemm_measure, .run = gemm_run, .release = release);
// clang-format on

const heed_kernel *const kernels_matmul[] = {&matmul, &gemm, NULL};
