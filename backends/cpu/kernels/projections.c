/* heed.Projections in float32: the products of one input with several matrices are one job, so that
 * threads share all of their tiles evenly, and biases are added where the tiles are made. The
 * matrices are read where they lie; constant ones that are stored the other way round are turned
 * once, in prepare. */
#include "cpu.h"
#include "gemm.h"

typedef struct projections_state {
    bool transposed;
    float *turned[CPU_GEMM_MOST]; /* [k, n], or NULL */
    size_t bytes[CPU_GEMM_MOST];
} projections_state;

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    if (node->n_out > CPU_GEMM_MOST)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %u products in one", node->n_out);
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != HEED_FLOAT32)
            return cpu_refuse_dtype(node, i);
    return HEED_OK;
}

static void release(void *device, void *state)
{
    projections_state *s = state;
    (void)device;
    for (size_t i = 0; i < CPU_GEMM_MOST; i++)
        cpu_host->free(s->turned[i], s->bytes[i]);
    cpu_host->free(s, sizeof(*s));
}

static heed_status turn_all(projections_state *s, const heed_node *node)
{
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < node->n_out && !status; i++) {
        const DLTensor *w = node->in[1 + i]->constant;
        if (!w || w->ndim != 2)
            continue;
        status = cpu_gemm_turn(w, &s->turned[i]);
        s->bytes[i] = s->turned[i] ? cpu_count(w) * sizeof(float) : 0;
    }
    return status;
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    projections_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->transposed = cpu_attr_int(node, "transposed", 0) != 0;
    if (s->transposed) {
        heed_status status = turn_all(s, node);
        if (status) {
            release(device, s);
            return status;
        }
    }
    *state = s;
    return HEED_OK;
}

/* What output i needs for sums of parts. */
static size_t parts_of(const projections_state *s, const heed_call *call, uint32_t i)
{
    const DLTensor *x = call->in[0], *w = call->in[1 + i];
    return cpu_gemm_parts(cpu_extent(x, 0, x->ndim - 1), (size_t)w->shape[s->transposed ? 0 : 1],
                          (size_t)x->shape[x->ndim - 1]);
}

static heed_status check(const heed_call *call)
{
    if (call->in[0]->ndim < 1 || call->n_out > CPU_GEMM_MOST || call->n_in != 1 + 2 * call->n_out)
        return cpu_host->fail(HEED_INVALID, "cpu: %u operands for %u products", call->n_in,
                              call->n_out);
    return HEED_OK;
}

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    heed_status status = check(shapes);
    *bytes = 0;
    for (uint32_t i = 0; !status && i < shapes->n_out; i++)
        *bytes += parts_of(state, shapes, i) * sizeof(float);
    return status;
}

/* Output i of the call. */
static cpu_gemm describe(const heed_call *call, uint32_t i)
{
    const projections_state *s = call->state;
    const DLTensor *x = call->in[0], *w = call->in[1 + i], *bias = call->in[1 + call->n_out + i];
    cpu_gemm g = {.lanes = cpu_lanes_of(call->device), .alpha = 1.0f, .beta = 1.0f};
    g.m = cpu_extent(x, 0, x->ndim - 1);
    g.k = g.lda = (size_t)x->shape[x->ndim - 1];
    g.n = (size_t)w->shape[s->transposed ? 0 : 1];
    g.transpose_b = s->transposed && !s->turned[i];
    g.ldb = g.transpose_b ? g.k : g.n;
    g.a = cpu_data(x);
    g.b = s->turned[i] ? s->turned[i] : cpu_data(w);
    g.bias = bias ? cpu_data(bias) : NULL;
    g.bias_col = 1;
    g.y = cpu_data(call->out[i]);
    return g;
}

static heed_status run(const heed_call *call)
{
    cpu_gemm gemms[CPU_GEMM_MOST];
    float *parts = call->workspace;
    heed_status status = check(call);
    if (status)
        return status;
    size_t n = 0;
    for (uint32_t i = 0; i < call->n_out; i++) {
        if (!call->out[i])
            continue;
        gemms[n] = describe(call, i);
        gemms[n++].parts = parts;
        parts += parts_of(call->state, call, i);
    }
    return cpu_gemm_run_all(gemms, n);
}

// clang-format off
static const heed_kernel projections = HEED_KERNEL(
    .domain = "heed", .op = "Projections", .since = 1, .flags = HEED_UNALIGNED,
    .accepts = accepts, .prepare = prepare, .measure = measure, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_projections[] = {&projections, NULL};
