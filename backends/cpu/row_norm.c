/* See row_norm.h. A row is summed, widened, normalised and stored while it is in the first cache;
 * float32 without a sum is in kernels/norm.c, which has statistics and broadcasting too. */
#include "row_norm.h"

#include <string.h>

#include "half.h"
#include "loop.h"

struct cpu_row_norm {
    cpu_norm *norm;
    cpu_residual_norm *residual_norm;
    cpu_zip *add, *mul;
    cpu_half half;
    size_t bytes;
    int64_t axis;
    float epsilon;
    bool rms;
};

heed_status cpu_row_norm_new(void *device, const heed_node *node, cpu_row_norm **out)
{
    cpu_row_norm *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    const cpu_lanes *lanes = cpu_lanes_of(device);
    s->rms = !strcmp(node->op, "RMSNormalization") || cpu_attr_int(node, "rms", 0);
    s->norm = s->rms ? lanes->rms_norm : lanes->layer_norm;
    s->residual_norm = s->rms ? lanes->residual_rms_norm : lanes->residual_layer_norm;
    s->add = cpu_zip_find(lanes, "Add", HEED_FLOAT32)->run;
    s->mul = cpu_zip_find(lanes, "Mul", HEED_FLOAT32)->run;
    s->half = cpu_half_find(lanes, cpu_dtype(node->in[0]->dtype));
    s->bytes = cpu_element_bytes(node->in[0]->dtype);
    s->axis = cpu_attr_int(node, "axis", -1);
    s->epsilon = cpu_attr_float(node, "epsilon", 1e-5f);
    *out = s;
    return HEED_OK;
}

void cpu_row_norm_free(cpu_row_norm *norm)
{
    if (norm)
        cpu_host->free(norm, sizeof(*norm));
}

/* ---- Rows ------------------------------------------------------------------------------------ */

typedef struct row_job {
    const cpu_row_norm *state;
    const char *x, *residual;        /* residual NULL: no sum */
    const float *scale, *bias, *row; /* widened; bias and row may be NULL */
    char *y, *sum;                   /* sum may be NULL */
    size_t n;
} row_job;

/* x, or x + row + residual, as float32 into `to`. Sums of halves are rounded as Add rounds them. */
static void load_half(const row_job *job, size_t at, float *to)
{
    static const float none[2];
    const cpu_row_norm *s = job->state;
    float block[CPU_HALF_BLOCK];
    uint16_t rounded[CPU_HALF_BLOCK];
    for (size_t i = 0; i < job->n; i += CPU_HALF_BLOCK) {
        size_t m = job->n - i < CPU_HALF_BLOCK ? job->n - i : CPU_HALF_BLOCK;
        s->half.widen(to + i, job->x + (at + i) * 2, m, none);
        if (job->row) {
            s->add(to + i, to + i, job->row + i, m, CPU_ZIP_VV);
            s->half.narrow(rounded, to + i, m, none);
            s->half.widen(to + i, rounded, m, none);
        }
        if (!job->residual)
            continue;
        s->half.widen(block, job->residual + (at + i) * 2, m, none);
        s->add(to + i, to + i, block, m, CPU_ZIP_VV);
        s->half.narrow(rounded, to + i, m, none);
        s->half.widen(to + i, rounded, m, none);
        if (job->sum)
            memcpy(job->sum + (at + i) * 2, rounded, m * 2);
    }
}

/* An RMS norm is rounded before it is scaled, as the standard has it. */
static void store_half(const row_job *job, size_t at, float *row)
{
    static const float none[2];
    const cpu_row_norm *s = job->state;
    char *y = job->y + at * 2;
    s->half.narrow(y, row, job->n, none);
    if (!s->rms)
        return;
    s->half.widen(row, y, job->n, none);
    s->mul(row, row, job->scale, job->n, CPU_ZIP_VV);
    s->half.narrow(y, row, job->n, none);
}

static void half_row(const row_job *job, size_t at, float *row)
{
    const cpu_row_norm *s = job->state;
    float stats[2];
    load_half(job, at, row);
    s->norm(row, row, job->n, s->rms ? NULL : job->scale, s->rms ? NULL : job->bias, s->epsilon,
            stats);
    store_half(job, at, row);
}

/* The sum goes to its output, or to y, which is then normalised in place. */
static void float_row(const row_job *job, size_t at)
{
    float *y = (float *)(void *)job->y + at;
    float *sum = job->sum ? (float *)(void *)job->sum + at : y;
    const float *x = (const float *)(const void *)job->x + at;
    const float *residual = (const float *)(const void *)job->residual + at;
    job->state->residual_norm(y, sum, x, residual, job->row, job->n, job->scale, job->bias,
                              job->state->epsilon);
}

/* ---- Calls ---------------------------------------------------------------------------------- */

/* Rows are cut into at most so many slots, each with a row of float32 of its own. */
enum { MOST_SLOTS = 16 };

typedef struct row_slots {
    row_job job;
    size_t rows, slots;
    float *memory; /* a row for each slot */
} row_slots;

static void run_slot(const row_slots *all, size_t slot)
{
    size_t first = all->rows * slot / all->slots, last = all->rows * (slot + 1) / all->slots;
    for (size_t i = first; i < last; i++) {
        if (all->job.state->half.widen)
            half_row(&all->job, i * all->job.n, all->memory + slot * all->job.n);
        else
            float_row(&all->job, i * all->job.n);
    }
}

static void run_slots(const void *arg, size_t first, size_t last)
{
    for (size_t slot = first; slot < last; slot++)
        run_slot(arg, slot);
}

static heed_status plan(const cpu_row_norm *s, const heed_call *call, row_slots *all)
{
    const DLTensor *x = call->in[0];
    int axis = cpu_axis(s->axis, x->ndim);
    if (axis < 0)
        return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)",
                              (long long)s->axis, x->ndim, x->ndim);
    size_t least;
    all->job.state = s;
    all->job.n = cpu_extent(x, axis, x->ndim);
    all->rows = cpu_extent(x, 0, axis);
    least = cpu_rows_per_piece(all->job.n);
    all->slots = (all->rows + least - 1) / least;
    all->slots = all->slots > MOST_SLOTS ? MOST_SLOTS : all->slots;
    return HEED_OK;
}

/* Halves need scale, bias and row in float32, and a row for each slot. */
heed_status cpu_row_norm_measure(const cpu_row_norm *norm, const heed_call *shapes, uint64_t *bytes)
{
    row_slots all = {0};
    heed_status status = plan(norm, shapes, &all);
    *bytes = norm->half.widen ? (all.slots + 3) * all.job.n * sizeof(float) : 0;
    return status;
}

/* A row of parameters as float32; one number is repeated. */
static const float *load_row(const cpu_row_norm *s, const DLTensor *t, size_t n, float *to)
{
    static const float none[2];
    if (!t || !s->half.widen)
        return t ? cpu_data(t) : NULL;
    size_t own = cpu_count(t);
    s->half.widen(to, cpu_data(t), own, none);
    for (size_t i = own; i < n; i++)
        to[i] = to[0];
    return to;
}

static const DLTensor *input(const heed_call *call, uint32_t i)
{
    return i < call->n_in ? call->in[i] : NULL;
}

heed_status cpu_row_norm_run(const cpu_row_norm *s, const heed_call *call, bool residual)
{
    row_slots all = {0};
    heed_status status = plan(s, call, &all);
    if (status || !all.rows || !all.job.n)
        return status;
    size_t n = all.job.n;
    uint32_t scale = residual ? 2 : 1;
    float *memory = call->workspace;
    all.job.x = cpu_data(call->in[0]);
    all.job.residual = residual ? cpu_data(call->in[1]) : NULL;
    all.job.scale = load_row(s, input(call, scale), n, memory);
    all.job.bias = load_row(s, input(call, scale + 1), n, memory ? memory + n : NULL);
    all.job.row = residual ? load_row(s, input(call, 4), n, memory ? memory + 2 * n : NULL) : NULL;
    all.job.y = cpu_data(call->out[0]);
    all.job.sum = residual && call->n_out > 1 && call->out[1] ? cpu_data(call->out[1]) : NULL;
    all.memory = memory ? memory + 3 * n : NULL;
    cpu_range_run(all.slots, 1, run_slots, &all);
    return HEED_OK;
}

/* ---- Which nodes ---------------------------------------------------------------------------- */

/* The parameter is one number, or a row of exactly the axes that are normalised. */
static bool is_row(const heed_value *x, const heed_value *v, int axis)
{
    int own = v->ndim, row = x->ndim - axis, skip = 0;
    while (own - skip > 0 && v->dims[skip] == 1)
        skip++;
    if (own >= 0 && own == skip)
        return true;
    for (int i = 1; i <= row && own - skip == row; i++)
        if (v->dims[own - i] < 1 || v->dims[own - i] != x->dims[x->ndim - i])
            return false;
    return own - skip == row;
}

heed_status cpu_row_norm_accepts(const heed_node *node)
{
    const heed_value *x = node->in[0];
    int axis = x->ndim < 1 ? -1 : cpu_axis(cpu_attr_int(node, "axis", -1), x->ndim);
    bool good = cpu_half_is(cpu_dtype(x->dtype)) && axis >= 0 && (node->n_out < 2 || !node->out[1]);
    good = good && (node->n_out < 3 || !node->out[2]);
    for (uint32_t i = 1; i < node->n_in && good; i++)
        if (node->in[i])
            good = cpu_dtype(node->in[i]->dtype) == cpu_dtype(x->dtype) &&
                   is_row(x, node->in[i], axis);
    return good ? HEED_OK : cpu_refuse_dtype(node, 0);
}
