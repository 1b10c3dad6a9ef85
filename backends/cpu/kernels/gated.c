/* GatedActivation: the activation of one run of elements times another run, block by block, so
 * that what is between never leaves the first cache. Both runs may be halves of each row. */
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"

typedef struct gated_state {
    cpu_map *activation;
    cpu_zip *product;
    cpu_half half;
    size_t bytes; /* of an element */
    bool gate_first;
    float parameters[2];
} gated_state;

static const struct {
    const char *name, *row;
} activations[] = {{"swish", "Swish"}, {"gelu", "Gelu"}, {"gelu_tanh", "Gelu/tanh"}};

static cpu_map *find(void *device, const heed_node *node)
{
    for (size_t i = 0; i < sizeof(activations) / sizeof(activations[0]); i++)
        if (cpu_attr_is(node, "activation", activations[i].name))
            return cpu_map_find(cpu_lanes_of(device), activations[i].row, HEED_FLOAT32)->run;
    return NULL;
}

static heed_status accepts(void *device, const heed_node *node)
{
    if (!find(device, node))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s with an activation that is none",
                              node->op);
    return cpu_accept_float(device, node);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    gated_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->activation = find(device, node);
    s->product = cpu_zip_find(cpu_lanes_of(device), "Mul", HEED_FLOAT32)->run;
    s->half = cpu_half_find(cpu_lanes_of(device), cpu_dtype(node->in[0]->dtype));
    s->bytes = cpu_element_bytes(node->in[0]->dtype);
    s->gate_first = cpu_attr_int(node, "gate_first", 1) != 0;
    s->parameters[0] = cpu_attr_float(node, "alpha", 1.0f);
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(gated_state));
}

typedef struct gated_job {
    const gated_state *state;
    char *y;
    const char *gate, *up;
    size_t n, step; /* elements of a row, and from one row of the inputs to the next */
} gated_job;

static void run_run(const gated_state *s, char *y, const char *gate, const char *up, size_t n)
{
    float block[CPU_HALF_BLOCK], other[CPU_HALF_BLOCK];
    for (size_t i = 0; i < n; i += CPU_HALF_BLOCK) {
        size_t m = n - i < CPU_HALF_BLOCK ? n - i : CPU_HALF_BLOCK, at = i * s->bytes;
        if (!s->half.widen) {
            s->activation(block, gate + at, m, s->parameters);
            s->product(y + at, block, up + at, m, CPU_ZIP_VV);
            continue;
        }
        s->half.widen(block, gate + at, m, s->parameters);
        s->half.widen(other, up + at, m, s->parameters);
        s->activation(block, block, m, s->parameters);
        s->product(block, block, other, m, CPU_ZIP_VV);
        s->half.narrow(y + at, block, m, s->parameters);
    }
}

static void run_rows(const void *arg, size_t first, size_t last)
{
    const gated_job *job = arg;
    size_t row = job->n * job->state->bytes, step = job->step * job->state->bytes;
    for (size_t i = first; i < last; i++)
        run_run(job->state, job->y + i * row, job->gate + i * step, job->up + i * step, job->n);
}

static void run_elements(const void *arg, size_t first, size_t last)
{
    const gated_job *job = arg;
    size_t at = first * job->state->bytes;
    run_run(job->state, job->y + at, job->gate + at, job->up + at, last - first);
}

static heed_status run(const heed_call *call)
{
    const gated_state *s = call->state;
    const DLTensor *x = call->in[0], *y = call->out[0];
    bool pair = call->n_in > 1 && call->in[1];
    gated_job job = {.state = s, .y = cpu_data(y), .gate = cpu_data(x)};
    if (pair) {
        job.up = cpu_data(call->in[1]);
        cpu_range_run(cpu_count(y), cpu_rows_per_piece(1), run_elements, &job);
        return HEED_OK;
    }
    job.n = (size_t)y->shape[y->ndim - 1];
    job.step = 2 * job.n;
    job.up = job.gate + (s->gate_first ? job.n * s->bytes : 0);
    job.gate += s->gate_first ? 0 : job.n * s->bytes;
    cpu_range_run(cpu_extent(y, 0, y->ndim - 1), cpu_rows_per_piece(job.n), run_rows, &job);
    return HEED_OK;
}

// clang-format off
static const heed_kernel gated = HEED_KERNEL(
    .domain = "heed", .op = "GatedActivation", .since = 1, .accepts = accepts,
    .prepare = prepare, .run = run, .release = release,
    .reuse = HEED_REUSE(0, 0) | HEED_REUSE(0, 1));
// clang-format on

const heed_kernel *const kernels_gated[] = {&gated, NULL};
