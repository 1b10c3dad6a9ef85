/* Normalisations in float32: LayerNormalization and RMSNormalization over the trailing axes, and
 * BatchNormalization with the statistics that it is given. The first two send halves to
 * row_norm.h. */
#include <math.h>
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"
#include "row_norm.h"

typedef struct norm_state {
    cpu_norm *row;
    int64_t axis;
    float epsilon;
    cpu_row_norm *half; /* NULL: float32 */
} norm_state;

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != HEED_FLOAT32)
            return cpu_refuse_dtype(node, i);
    return HEED_OK;
}

static heed_status rows_accepts(void *device, const heed_node *node)
{
    if (cpu_half_is(cpu_dtype(node->in[0]->dtype)))
        return cpu_row_norm_accepts(node);
    return accepts(device, node);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    norm_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    const cpu_lanes *lanes = cpu_lanes_of(device);
    s->row = strcmp(node->op, "RMSNormalization") ? lanes->layer_norm : lanes->rms_norm;
    s->axis = cpu_attr_int(node, "axis", -1);
    s->epsilon = cpu_attr_float(node, "epsilon", 1e-5f);
    *state = s;
    if (!cpu_half_is(cpu_dtype(node->in[0]->dtype)))
        return HEED_OK;
    heed_status status = cpu_row_norm_new(device, node, &s->half);
    if (status)
        cpu_host->free(s, sizeof(*s));
    return status;
}

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    const norm_state *s = state;
    (void)device;
    *bytes = 0;
    return s->half ? cpu_row_norm_measure(s->half, shapes, bytes) : HEED_OK;
}

static void release(void *device, void *state)
{
    norm_state *s = state;
    (void)device;
    cpu_row_norm_free(s->half);
    cpu_host->free(s, sizeof(*s));
}

/* ---- Layer and RMS normalisation ----------------------------------------------------------- */

typedef struct norm_job {
    const norm_state *state;
    const float *x, *scale, *bias;
    float *y, *mean, *deviation;
    size_t n;
} norm_job;

static void run_rows(const void *arg, size_t first, size_t last)
{
    const norm_job *job = arg;
    for (size_t i = first; i < last; i++) {
        float stats[2];
        size_t at = i * job->n;
        job->state->row(job->y + at, job->x + at, job->n, job->scale, job->bias,
                        job->state->epsilon, stats);
        if (job->mean)
            job->mean[i] = stats[0];
        if (job->deviation)
            job->deviation[i] = stats[1];
    }
}

static void apply(const void *arg, const cpu_loop *loop, char *const *p, size_t n)
{
    const cpu_zip_row *row = arg;
    row->run(p[0], p[1], p[2], n, loop->step[2] ? CPU_ZIP_VV : CPU_ZIP_VS);
}

/* A scale or bias that broadcasts is applied to the finished rows. */
static heed_status broadcast(const heed_call *call, const char *op, const DLTensor *factor)
{
    if (!factor)
        return HEED_OK;
    cpu_loop loop;
    const DLTensor *in[2] = {call->out[0], factor};
    heed_status status = cpu_loop_plan(&loop, call->out[0], in, 2);
    if (!status)
        cpu_loop_run(&loop, apply, cpu_zip_find(cpu_lanes_of(call->device), op, HEED_FLOAT32));
    return status;
}

static float *optional_out(const heed_call *call, uint32_t i)
{
    return i < call->n_out && call->out[i] ? cpu_data(call->out[i]) : NULL;
}

static heed_status run(const heed_call *call)
{
    const norm_state *s = call->state;
    const DLTensor *x = call->in[0], *scale = call->n_in > 1 ? call->in[1] : NULL;
    const DLTensor *bias = call->n_in > 2 ? call->in[2] : NULL;
    if (s->half)
        return cpu_row_norm_run(s->half, call, false);
    int axis = cpu_axis(s->axis, x->ndim);
    if (axis < 0)
        return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)",
                              (long long)s->axis, x->ndim, x->ndim);
    norm_job job = {.state = s, .x = cpu_data(x), .y = cpu_data(call->out[0])};
    job.mean = optional_out(call, 1);
    job.deviation = optional_out(call, 2);
    job.n = cpu_extent(x, axis, x->ndim);
    bool whole = scale && cpu_count(scale) == job.n && (!bias || cpu_count(bias) == job.n);
    job.scale = whole ? cpu_data(scale) : NULL;
    job.bias = whole && bias ? cpu_data(bias) : NULL;
    cpu_range_run(cpu_extent(x, 0, axis), cpu_rows_per_piece(job.n), run_rows, &job);
    if (whole)
        return HEED_OK;
    heed_status status = broadcast(call, "Mul", scale);
    return status ? status : broadcast(call, "Add", bias);
}

/* ---- Batch normalisation -------------------------------------------------------------------- */

static heed_status batch_accepts(void *device, const heed_node *node)
{
    if (cpu_attr_int(node, "training_mode", 0))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: BatchNormalization in training mode");
    return accepts(device, node);
}

typedef struct batch_job {
    const cpu_lanes *lanes;
    const float *x, *scale, *bias, *mean, *variance;
    float *y, epsilon;
    size_t channels, n;
} batch_job;

static void batch_rows(const void *arg, size_t first, size_t last)
{
    const batch_job *job = arg;
    for (size_t i = first; i < last; i++) {
        size_t c = i % job->channels;
        float a = job->scale[c] / sqrtf(job->variance[c] + job->epsilon);
        float b = job->bias[c] - job->mean[c] * a;
        job->lanes->affine(job->y + i * job->n, job->x + i * job->n, job->n, a, b);
    }
}

static heed_status batch_run(const heed_call *call)
{
    const norm_state *s = call->state;
    const DLTensor *x = call->in[0];
    batch_job job = {.lanes = cpu_lanes_of(call->device), .epsilon = s->epsilon};
    job.x = cpu_data(x);
    job.y = cpu_data(call->out[0]);
    job.scale = cpu_data(call->in[1]);
    job.bias = cpu_data(call->in[2]);
    job.mean = cpu_data(call->in[3]);
    job.variance = cpu_data(call->in[4]);
    job.channels = x->ndim > 1 ? (size_t)x->shape[1] : 1;
    job.n = cpu_extent(x, x->ndim > 1 ? 2 : x->ndim, x->ndim);
    size_t rows = x->ndim > 1 ? cpu_extent(x, 0, 2) : cpu_count(x);
    cpu_range_run(rows, cpu_rows_per_piece(job.n), batch_rows, &job);
    return HEED_OK;
}

// clang-format off
#define NORM(ident, name, accept, runner)                                                          \
    static const heed_kernel ident =                                                               \
        HEED_KERNEL(.op = name, .since = 1, .flags = HEED_INPLACE, .accepts = accept,              \
                    .prepare = prepare, .measure = measure, .run = runner, .release = release)

NORM(layer_norm, "LayerNormalization", rows_accepts, run);
NORM(rms_norm, "RMSNormalization", rows_accepts, run);
NORM(batch_norm, "BatchNormalization", batch_accepts, batch_run);
// clang-format on

const heed_kernel *const kernels_norm[] = {&layer_norm, &rms_norm, &batch_norm, NULL};
