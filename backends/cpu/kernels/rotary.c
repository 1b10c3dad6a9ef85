/* heed.RotaryEmbedding: float32, and half types that are widened a row at a time. Each row of
 * channels finds its cosines and sines by strides, so that tables may leave out heads or batches.
 */
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"

typedef struct rotary_state {
    cpu_rotary *turn;
    cpu_half half; /* of the tensors; NULLs for float32 */
    size_t turned; /* channels; 0: all */
} rotary_state;

static heed_status accepts(void *device, const heed_node *node)
{
    heed_status status = cpu_accept_float(device, node);
    if (status || !cpu_half_is(cpu_dtype(node->in[0]->dtype)))
        return status;
    int32_t rank = node->in[0]->ndim;
    int64_t channels = rank > 0 ? node->in[0]->dims[rank - 1] : -1;
    if (channels < 0 || channels > CPU_HALF_BLOCK)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s of %lld channels in a half type", node->op,
                              (long long)channels);
    return HEED_OK;
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    rotary_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    const cpu_lanes *lanes = cpu_lanes_of(device);
    bool interleaved = cpu_attr_int(node, "interleaved", 0) != 0;
    s->turn = interleaved ? lanes->rotary_neighbours : lanes->rotary_halves;
    s->half = cpu_half_find(lanes, cpu_dtype(node->in[0]->dtype));
    s->turned = (size_t)cpu_attr_int(node, "rotary_dim", 0);
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(rotary_state));
}

/* ---- Rows ----------------------------------------------------------------------------------- */

typedef struct table {
    const char *data;
    unsigned wide;               /* a number for each channel, not for each pair */
    size_t width;                /* elements of a row */
    size_t stride[CPU_MAX_RANK]; /* bytes, by axis of x */
} table;

typedef struct rotary_job {
    const rotary_state *state;
    int rank; /* axes of rows */
    size_t dims[CPU_MAX_RANK];
    size_t channels, turned, bytes; /* bytes of an element */
    const char *x;
    char *y;
    table tables[2];
} rotary_job;

static void lay_out(table *t, const DLTensor *from, const rotary_job *job)
{
    int rank = from->ndim - 1;
    size_t next = t->width = (size_t)from->shape[rank];
    t->data = cpu_data(from);
    t->wide = t->width == job->turned;
    for (int d = job->rank - 1; d >= 0; d--) {
        int own = d - (job->rank - rank);
        size_t extent = own < 0 ? 1 : (size_t)from->shape[own];
        t->stride[d] = extent == 1 ? 0 : next * job->bytes;
        next *= extent;
    }
}

static void find_tables(const rotary_job *job, size_t row, const char *at[2])
{
    at[0] = job->tables[0].data;
    at[1] = job->tables[1].data;
    for (int d = job->rank - 1; d >= 0; d--) {
        size_t place = row % job->dims[d];
        row /= job->dims[d];
        at[0] += place * job->tables[0].stride[d];
        at[1] += place * job->tables[1].stride[d];
    }
}

static void float_rows(const void *arg, size_t first, size_t last)
{
    const rotary_job *job = arg;
    for (size_t i = first; i < last; i++) {
        const char *at[2];
        const float *x = (const float *)(const void *)job->x + i * job->channels;
        float *y = (float *)(void *)job->y + i * job->channels;
        find_tables(job, i, at);
        job->state->turn(y, x, (const void *)at[0], (const void *)at[1], job->turned / 2,
                         job->tables[0].wide);
        if (y != x)
            memcpy(y + job->turned, x + job->turned, (job->channels - job->turned) * sizeof(*y));
    }
}

static void half_rows(const void *arg, size_t first, size_t last)
{
    static const float none[2] = {0, 0};
    const rotary_job *job = arg;
    const cpu_half *half = &job->state->half;
    const char *held[2] = {NULL, NULL}; /* which rows of the tables are widened */
    float rows[3][CPU_HALF_BLOCK];
    for (size_t i = first; i < last; i++) {
        const char *at[2], *x = job->x + i * job->channels * job->bytes;
        char *y = job->y + i * job->channels * job->bytes;
        find_tables(job, i, at);
        for (int k = 0; k < 2; k++)
            if (at[k] != held[k])
                half->widen(rows[k], held[k] = at[k], job->tables[k].width, none);
        half->widen(rows[2], x, job->turned, none);
        job->state->turn(rows[2], rows[2], rows[0], rows[1], job->turned / 2, job->tables[0].wide);
        half->narrow(y, rows[2], job->turned, none);
        size_t done = job->turned * job->bytes;
        if (y != x)
            memcpy(y + done, x + done, job->channels * job->bytes - done);
    }
}

static heed_status run(const heed_call *call)
{
    const rotary_state *s = call->state;
    const DLTensor *x = call->in[0];
    if (x->ndim < 1 || x->ndim > CPU_MAX_RANK)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: RotaryEmbedding of rank %d", x->ndim);
    rotary_job job = {.state = s, .rank = x->ndim - 1, .x = cpu_data(x)};
    job.y = cpu_data(call->out[0]);
    job.bytes = cpu_element_bytes(x->dtype);
    job.channels = (size_t)x->shape[job.rank];
    job.turned = s->turned ? s->turned : job.channels;
    for (int d = 0; d < job.rank; d++)
        job.dims[d] = (size_t)x->shape[d];
    lay_out(&job.tables[0], call->in[1], &job);
    lay_out(&job.tables[1], call->in[2], &job);
    if (job.tables[0].wide != job.tables[1].wide)
        return cpu_host->fail(HEED_INVALID, "cpu: cosines for %zu channels, sines for %zu",
                              job.tables[0].width, job.tables[1].width);
    cpu_range_run(cpu_extent(x, 0, job.rank), cpu_rows_per_piece(job.channels),
                  s->half.widen ? half_rows : float_rows, &job);
    return HEED_OK;
}

// clang-format off
static const heed_kernel rotary = HEED_KERNEL(
    .domain = "heed", .op = "RotaryEmbedding", .since = 1, .flags = HEED_INPLACE,
    .accepts = accepts, .prepare = prepare, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_rotary[] = {&rotary, NULL};
