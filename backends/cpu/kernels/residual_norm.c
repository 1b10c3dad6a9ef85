/* ResidualNormalization: a sum and its norm in one sweep over each row (row_norm.h). */
#include "loop.h"
#include "row_norm.h"

static heed_status accepts(void *device, const heed_node *node)
{
    if (cpu_attr_int(node, "rms", 0) && node->n_in > 3 && node->in[3])
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: an RMS norm with a bias");
    return cpu_accept_float(device, node);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    cpu_row_norm *norm = NULL;
    heed_status status = cpu_row_norm_new(device, node, &norm);
    *state = norm;
    return status;
}

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    return cpu_row_norm_measure(state, shapes, bytes);
}

static heed_status run(const heed_call *call) { return cpu_row_norm_run(call->state, call, true); }

static void release(void *device, void *state)
{
    (void)device;
    cpu_row_norm_free(state);
}

// clang-format off
static const heed_kernel residual = HEED_KERNEL(
    .domain = "heed", .op = "ResidualNormalization", .since = 1, .accepts = accepts,
    .prepare = prepare, .measure = measure, .run = run, .release = release,
    .reuse = HEED_REUSE(0, 0) | HEED_REUSE(0, 1) | HEED_REUSE(1, 0) | HEED_REUSE(1, 1));
// clang-format on

const heed_kernel *const kernels_residual_norm[] = {&residual, NULL};
