/* heed.Projections in float32: the products of one input with several matrices are one job, so that
 * threads share all of their tiles evenly, and biases are added where the tiles are made. The
 * matrices are read where they lie. */
#include "cpu.h"
#include "gemm.h"

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

static heed_status run(const heed_call *call)
{
    const DLTensor *x = call->in[0];
    cpu_gemm gemms[CPU_GEMM_MOST];
    size_t n = 0;
    if (x->ndim < 1 || call->n_out > CPU_GEMM_MOST || call->n_in != 1 + 2 * call->n_out)
        return cpu_host->fail(HEED_INVALID, "cpu: %u operands for %u products", call->n_in,
                              call->n_out);
    for (uint32_t i = 0; i < call->n_out; i++) {
        const DLTensor *w = call->in[1 + i], *bias = call->in[1 + call->n_out + i];
        if (!call->out[i])
            continue;
        cpu_gemm g = {.lanes = cpu_lanes_of(call->device), .alpha = 1.0f, .beta = 1.0f};
        g.m = cpu_extent(x, 0, x->ndim - 1);
        g.k = g.lda = (size_t)x->shape[x->ndim - 1];
        g.n = g.ldb = (size_t)w->shape[1];
        g.a = cpu_data(x);
        g.b = cpu_data(w);
        g.bias = bias ? cpu_data(bias) : NULL;
        g.bias_col = 1;
        g.y = cpu_data(call->out[i]);
        gemms[n++] = g;
    }
    return cpu_gemm_run_all(gemms, n);
}

// clang-format off
static const heed_kernel projections = HEED_KERNEL(
    .domain = "heed", .op = "Projections", .since = 1, .flags = HEED_UNALIGNED,
    .accepts = accepts, .run = run);
// clang-format on

const heed_kernel *const kernels_projections[] = {&projections, NULL};
