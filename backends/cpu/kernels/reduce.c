/* Reductions in float32 (of 16 bits by way of it) over any axes. Neighbouring axes that are all
 * kept or all reduced are one; a shape then alternates, and its innermost group decides the loop: a
 * reduced one is folded row by row, a kept one is a row of totals that other rows are folded into.
 */
#include <math.h>
#include <string.h>

#include "cpu.h"
#include "loop.h"
#include "widen.h"

typedef struct reduce_state {
    const cpu_fold_row *fold;
    bool mean, root;
    bool noop; /* no axes means "none" rather than "all" */
} reduce_state;

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    reduce_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->fold = cpu_fold_find(cpu_lanes_of(device), node->op);
    s->mean = !strcmp(node->op, "ReduceMean");
    s->root = !strcmp(node->op, "ReduceL2");
    s->noop = cpu_attr_int(node, "noop_with_empty_axes", 0) != 0;
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(reduce_state));
}

/* ---- Plan --------------------------------------------------------------------------------- */

typedef struct walk {
    int rank; /* the outermost first */
    size_t count, dims[CPU_MAX_RANK], stride[CPU_MAX_RANK];
} walk;

typedef struct reduce_job {
    const reduce_state *state;
    const float *x;
    float *y;
    walk kept, reduced; /* without the innermost group */
    size_t row;         /* elements of a reduced innermost group, or 1 */
    size_t cols;        /* elements of a kept innermost group, or 1 */
    size_t width;       /* columns of a piece */
    float factor;       /* 1 / elements a total, for the mean */
} reduce_job;

static heed_status read_axes(const heed_call *call, bool noop, bool *reduced)
{
    const DLTensor *x = call->in[0], *axes = call->n_in > 1 ? call->in[1] : NULL;
    size_t n = axes ? cpu_count(axes) : 0;
    for (int d = 0; d < x->ndim; d++)
        reduced[d] = n == 0 && !noop;
    for (size_t i = 0; i < n; i++) {
        int64_t wanted = cpu_integer(axes, i);
        int axis = cpu_axis(wanted, x->ndim);
        if (axis < 0)
            return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)",
                                  (long long)wanted, x->ndim, x->ndim);
        reduced[axis] = true;
    }
    return HEED_OK;
}

static void append(walk *w, size_t dim, size_t stride)
{
    w->dims[w->rank] = dim;
    w->stride[w->rank++] = stride;
    w->count *= dim;
}

/* From the innermost axis outwards; walks end up with the innermost first. */
static void plan(reduce_job *job, const DLTensor *x, const bool *reduced)
{
    job->kept = (walk){.count = 1};
    job->reduced = (walk){.count = 1};
    job->row = job->cols = 1;
    size_t stride = 1, total = 1;
    int d = x->ndim - 1;
    while (d >= 0) {
        bool kind = reduced[d], innermost = d == x->ndim - 1;
        size_t extent = 1;
        for (; d >= 0 && reduced[d] == kind; d--)
            extent *= (size_t)x->shape[d];
        if (kind)
            total *= extent;
        if (innermost)
            *(kind ? &job->row : &job->cols) = extent;
        else
            append(kind ? &job->reduced : &job->kept, extent, stride);
        stride *= extent;
    }
    job->factor = job->state->mean ? 1.0f / (float)total : 1.0f;
}

/* Offset of item `i` of a walk. */
static size_t offset_of(const walk *w, size_t i)
{
    size_t offset = 0;
    for (int d = 0; d < w->rank; d++) {
        offset += i % w->dims[d] * w->stride[d];
        i /= w->dims[d];
    }
    return offset;
}

/* ---- Run ---------------------------------------------------------------------------------- */

static void finish(const reduce_state *s, float *y, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++) {
        if (s->root)
            y[i] = sqrtf(y[i]);
        if (s->mean)
            y[i] *= factor;
    }
}

static void fold_rows(const reduce_job *job, float *y, const float *x)
{
    const cpu_fold_row *fold = job->state->fold;
    *y = fold->first;
    for (size_t i = 0; i < job->reduced.count; i++) {
        float part = fold->row(x + offset_of(&job->reduced, i), job->row);
        if (job->reduced.count == 1)
            *y = part;
        else
            fold->join(y, &part, 1);
    }
}

static void fold_columns(const reduce_job *job, float *y, const float *x, size_t n)
{
    const cpu_fold_row *fold = job->state->fold;
    for (size_t i = 0; i < n; i++)
        y[i] = fold->first;
    for (size_t i = 0; i < job->reduced.count; i++)
        fold->into(y, x + offset_of(&job->reduced, i), n);
}

static void run_items(const void *arg, size_t first, size_t last)
{
    const reduce_job *job = arg;
    size_t across = (job->cols + job->width - 1) / job->width;
    for (size_t i = first; i < last; i++) {
        size_t item = i / across, col = i % across * job->width;
        size_t n = job->cols - col < job->width ? job->cols - col : job->width;
        const float *x = job->x + offset_of(&job->kept, item) + col;
        float *y = job->y + item * job->cols + col;
        if (job->cols > 1)
            fold_columns(job, y, x, n);
        else
            fold_rows(job, y, x);
        finish(job->state, y, n, job->factor);
    }
}

static heed_status run_float(const heed_call *call)
{
    const DLTensor *x = call->in[0];
    bool reduced[CPU_MAX_RANK];
    if (x->ndim > CPU_MAX_RANK)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: rank %d is above %d", x->ndim, CPU_MAX_RANK);
    reduce_job job = {.state = call->state, .x = cpu_data(x), .y = cpu_data(call->out[0])};
    heed_status status = read_axes(call, job.state->noop, reduced);
    if (status)
        return status;
    plan(&job, x, reduced);
    if (!job.kept.count || !job.cols)
        return HEED_OK;
    job.width = job.cols < 4096 ? job.cols : 1024;
    size_t across = (job.cols + job.width - 1) / job.width;
    size_t each = cpu_rows_per_piece(job.width * job.row * job.reduced.count);
    cpu_range_run(job.kept.count * across, each, run_items, &job);
    return HEED_OK;
}

static heed_status run(const heed_call *call) { return cpu_widen_run(call, run_float); }

// clang-format off
#define REDUCE(ident, name)                                                                        \
    static const heed_kernel reduce_##ident =                                                      \
        HEED_KERNEL(.op = name, .since = 1, .accepts = cpu_widen_accepts, .prepare = prepare,      \
                    .measure = cpu_widen_measure, .run = run, .release = release)

REDUCE(sum, "ReduceSum");
REDUCE(mean, "ReduceMean");
REDUCE(max, "ReduceMax");
REDUCE(min, "ReduceMin");
REDUCE(l1, "ReduceL1");
REDUCE(l2, "ReduceL2");
REDUCE(sum_square, "ReduceSumSquare");

const heed_kernel *const kernels_reduce[] = {
    &reduce_sum, &reduce_mean, &reduce_max, &reduce_min, &reduce_l1, &reduce_l2,
    &reduce_sum_square, NULL,
};
// clang-format on
