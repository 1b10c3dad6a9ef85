/* Softmax and LogSoftmax in float32; of 16 bits by way of it. Along the last axis a row is one
 * call; along another axis blocks of neighbouring columns are worked on together, so that the loops
 * stay vector code. */
#include <string.h>

#include "cpu.h"
#include "loop.h"
#include "widen.h"

enum { BLOCK = 256 };

typedef struct softmax_state {
    int64_t axis;
    bool log;
    cpu_map *exp, *ln;
    cpu_zip *sub, *div;
    const cpu_fold_row *max, *sum;
    const cpu_lanes *lanes;
} softmax_state;

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    softmax_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->lanes = cpu_lanes_of(device);
    s->axis = cpu_attr_int(node, "axis", -1);
    s->log = !strcmp(node->op, "LogSoftmax");
    s->exp = cpu_map_find(s->lanes, "Exp", HEED_FLOAT32)->run;
    s->ln = cpu_map_find(s->lanes, "Log", HEED_FLOAT32)->run;
    s->sub = cpu_zip_find(s->lanes, "Sub", HEED_FLOAT32)->run;
    s->div = cpu_zip_find(s->lanes, "Div", HEED_FLOAT32)->run;
    s->max = cpu_fold_find(s->lanes, "ReduceMax");
    s->sum = cpu_fold_find(s->lanes, "ReduceSum");
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(softmax_state));
}

typedef struct softmax_job {
    const softmax_state *state;
    const float *x;
    float *y;
    size_t n, inner, across; /* axis, elements after it, blocks of columns */
} softmax_job;

static void run_rows(const void *arg, size_t first, size_t last)
{
    const softmax_job *job = arg;
    const cpu_lanes *lanes = job->state->lanes;
    void (*row)(float *, const float *, size_t) =
        job->state->log ? lanes->log_softmax : lanes->softmax;
    for (size_t i = first; i < last; i++)
        row(job->y + i * job->n, job->x + i * job->n, job->n);
}

/* exp(x - peak) into y, and the sums of the columns. */
static void exponentials(const softmax_job *job, float *y, const float *x, size_t w,
                         const float *peak, float *sum)
{
    static const float none[2];
    float block[BLOCK];
    const softmax_state *s = job->state;
    memset(sum, 0, w * sizeof(*sum));
    for (size_t k = 0; k < job->n; k++) {
        float *to = s->log ? block : y + k * job->inner;
        s->sub(to, x + k * job->inner, peak, w, CPU_ZIP_VV);
        s->exp(to, to, w, none);
        s->sum->into(sum, to, w);
    }
}

static void run_block(const softmax_job *job, float *y, const float *x, size_t w)
{
    static const float none[2];
    const softmax_state *s = job->state;
    float peak[BLOCK], sum[BLOCK];
    memcpy(peak, x, w * sizeof(*peak));
    for (size_t k = 1; k < job->n; k++)
        s->max->into(peak, x + k * job->inner, w);
    exponentials(job, y, x, w, peak, sum);
    if (s->log)
        s->ln(sum, sum, w, none);
    for (size_t k = 0; k < job->n; k++) {
        float *to = y + k * job->inner;
        if (s->log)
            s->sub(to, x + k * job->inner, peak, w, CPU_ZIP_VV);
        (s->log ? s->sub : s->div)(to, to, sum, w, CPU_ZIP_VV);
    }
}

static void run_blocks(const void *arg, size_t first, size_t last)
{
    const softmax_job *job = arg;
    for (size_t i = first; i < last; i++) {
        size_t col = i % job->across * BLOCK;
        size_t at = i / job->across * job->n * job->inner + col;
        size_t w = job->inner - col < BLOCK ? job->inner - col : BLOCK;
        run_block(job, job->y + at, job->x + at, w);
    }
}

static heed_status run_float(const heed_call *call)
{
    const DLTensor *x = call->in[0];
    const softmax_state *s = call->state;
    softmax_job job = {.state = s, .x = cpu_data(x), .y = cpu_data(call->out[0])};
    int axis = x->ndim ? cpu_axis(s->axis, x->ndim) : 0;
    if (axis < 0)
        return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)",
                              (long long)s->axis, x->ndim, x->ndim);
    size_t rows = cpu_extent(x, 0, axis);
    job.n = x->ndim ? (size_t)x->shape[axis] : 1;
    job.inner = x->ndim ? cpu_extent(x, axis + 1, x->ndim) : 1;
    job.across = (job.inner + BLOCK - 1) / BLOCK;
    if (!rows || !job.n || !job.inner)
        return HEED_OK;
    if (job.inner == 1)
        cpu_range_run(rows, cpu_rows_per_piece(job.n), run_rows, &job);
    else
        cpu_range_run(rows * job.across, cpu_rows_per_piece(job.n * BLOCK), run_blocks, &job);
    return HEED_OK;
}

static heed_status run(const heed_call *call) { return cpu_widen_run(call, run_float); }

// clang-format off
static const heed_kernel softmax = HEED_KERNEL(
    .op = "Softmax", .since = 1, .flags = HEED_INPLACE, .accepts = cpu_widen_accepts,
    .prepare = prepare, .measure = cpu_widen_measure, .run = run, .release = release);
static const heed_kernel log_softmax = HEED_KERNEL(
    .op = "LogSoftmax", .since = 1, .flags = HEED_INPLACE, .accepts = cpu_widen_accepts,
    .prepare = prepare, .measure = cpu_widen_measure, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_softmax[] = {&softmax, &log_softmax, NULL};
