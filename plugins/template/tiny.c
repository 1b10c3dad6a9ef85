/* tiny - a backend of three operators, to be copied: Relu, Add and MatMul in float32.
 * What it does not list, or refuses, runs elsewhere; `heed explain` shows the reasons. */
#include <string.h>

#include "heed/plugin.h"

static const heed_host *host;

static float *floats(const DLTensor *t) { return (float *)((char *)t->data + t->byte_offset); }

static int64_t count(const DLTensor *t)
{
    int64_t n = 1;
    for (int32_t i = 0; i < t->ndim; i++)
        n *= t->shape[i];
    return n;
}

/* ---- What is refused: asked once a node, before there is data; a dim of -1 is not known yet.  */
static heed_status only_float(void *device, const heed_node *node)
{
    (void)device;
    for (uint32_t i = 0; i < node->n_in; i++) {
        if (node->in[i]->dtype.code != kDLFloat || node->in[i]->dtype.bits != 32)
            return host->fail(HEED_UNSUPPORTED, "input %u is not float32", (unsigned)i);
    }
    return HEED_OK;
}

static heed_status only_same_shape(void *device, const heed_node *node)
{
    const heed_value *a = node->in[0], *b = node->in[1];
    int same = a->ndim == b->ndim && a->ndim >= 0;
    for (int32_t i = 0; same && i < a->ndim; i++)
        same = a->dims[i] == b->dims[i] && a->dims[i] >= 0;
    if (!same)
        return host->fail(HEED_UNSUPPORTED, "broadcasting, or a shape that is not known yet");
    return only_float(device, node);
}

static heed_status only_matrices(void *device, const heed_node *node)
{
    if (node->in[0]->ndim != 2 || node->in[1]->ndim != 2)
        return host->fail(HEED_UNSUPPORTED, "ranks are %d and %d, not 2", (int)node->in[0]->ndim,
                          (int)node->in[1]->ndim);
    return only_float(device, node);
}

/* ---- What is computed: inputs are dense; outputs are shaped and allocated. ------------------ */
static heed_status relu(const heed_call *call)
{
    const float *x = floats(call->in[0]);
    float *y = floats(call->out[0]);
    for (int64_t i = 0, n = count(call->in[0]); i < n; i++)
        y[i] = x[i] <= 0 ? 0 : x[i]; /* NaN stays NaN */
    return HEED_OK;
}

static heed_status add(const heed_call *call)
{
    const float *a = floats(call->in[0]), *b = floats(call->in[1]);
    float *y = floats(call->out[0]);
    for (int64_t i = 0, n = count(call->in[0]); i < n; i++)
        y[i] = a[i] + b[i];
    return HEED_OK;
}

static heed_status matmul(const heed_call *call)
{
    int64_t m = call->in[0]->shape[0], k = call->in[0]->shape[1], n = call->in[1]->shape[1];
    const float *a = floats(call->in[0]), *b = floats(call->in[1]);
    float *y = floats(call->out[0]);
    for (int64_t at = 0; at < m * n; at++) {
        y[at] = 0;
        for (int64_t i = 0; i < k; i++)
            y[at] += a[at / n * k + i] * b[i * n + at % n];
    }
    return HEED_OK;
}

// clang-format off
static const heed_kernel
    relu_row = HEED_KERNEL(.op = "Relu", .since = 1, .accepts = only_float, .run = relu),
    add_row = HEED_KERNEL(.op = "Add", .since = 7, .accepts = only_same_shape, .run = add),
    matmul_row = HEED_KERNEL(.op = "MatMul", .since = 1, .accepts = only_matrices, .run = matmul);
static const heed_kernel *const kernels[] = {&relu_row, &add_row, &matmul_row, NULL};
static const heed_backend backend = {.size = sizeof(backend), .name = "tiny", .kernels = kernels};

static heed_status init(const heed_host *from) { host = from; return HEED_OK; }

static const void *get(const char *id) { return strcmp(id, HEED_BACKEND_ID) ? NULL : &backend; }
// clang-format on

HEED_PLUGIN(tiny, .version = "1.0", .vendor = "you", .init = init, .get = get);
