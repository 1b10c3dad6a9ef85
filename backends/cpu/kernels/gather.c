/* Gather: whole rows by index, any data type; and GatherElements, element by element. An index
 * that is out of range is an error that names it, never a read outside the tensor. */
#include <string.h>

#include "cpu.h"
#include "loop.h"

typedef struct gather_state {
    int64_t axis;
} gather_state;

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    (void)device;
    gather_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->axis = cpu_attr_int(node, "axis", 0);
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(gather_state));
}

typedef struct gather_job {
    const char *x;
    char *y;
    const DLTensor *indices;
    size_t n;      /* indices a slab */
    size_t extent; /* of the axis */
    size_t row;    /* bytes behind the axis */
    size_t bytes;  /* of an element */
} gather_job;

static size_t wrap(int64_t index, size_t extent)
{
    return index < 0 ? (size_t)(index + (int64_t)extent) : (size_t)index;
}

/* All indices are checked before anything is copied. */
static heed_status check(const DLTensor *indices, size_t extent)
{
    size_t n = cpu_count(indices);
    int64_t limit = (int64_t)extent;
    for (size_t i = 0; i < n; i++) {
        int64_t index = cpu_integer(indices, i);
        if (index < -limit || index >= limit)
            return cpu_host->fail(HEED_INVALID,
                                  "cpu: index %lld (number %zu) is not in [-%zu, %zu)",
                                  (long long)index, i, extent, extent);
    }
    return HEED_OK;
}

static void gather_rows(const void *arg, size_t first, size_t last)
{
    const gather_job *job = arg;
    for (size_t i = first; i < last; i++) {
        size_t outer = i / job->n;
        size_t index = wrap(cpu_integer(job->indices, i % job->n), job->extent);
        memcpy(job->y + i * job->row, job->x + (outer * job->extent + index) * job->row, job->row);
    }
}

static heed_status plan(gather_job *job, const heed_call *call, int *axis)
{
    const gather_state *s = call->state;
    const DLTensor *x = call->in[0];
    *axis = cpu_axis(s->axis, x->ndim);
    if (*axis < 0)
        return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)",
                              (long long)s->axis, x->ndim, x->ndim);
    job->x = cpu_data(x);
    job->y = cpu_data(call->out[0]);
    job->indices = call->in[1];
    job->bytes = cpu_element_bytes(x->dtype);
    job->extent = (size_t)x->shape[*axis];
    return cpu_count(call->out[0]) ? check(job->indices, job->extent) : HEED_OK;
}

static heed_status gather_run(const heed_call *call)
{
    int axis;
    gather_job job = {0};
    heed_status status = plan(&job, call, &axis);
    if (status || !cpu_count(call->out[0]))
        return status;
    job.n = cpu_count(job.indices);
    job.row = cpu_extent(call->in[0], axis + 1, call->in[0]->ndim) * job.bytes;
    cpu_range_run(cpu_extent(call->in[0], 0, axis) * job.n, cpu_rows_per_piece(job.row / 4 + 1),
                  gather_rows, &job);
    return HEED_OK;
}

/* Output element i stands at (outer, place, inner) of the index tensor; x may be longer in the
 * outer and inner dimensions, so it is addressed dimension by dimension. */
typedef struct elements_job {
    gather_job gather;
    const DLTensor *x;
    int axis;
} elements_job;

static void gather_elements(const void *arg, size_t first, size_t last)
{
    const elements_job *job = arg;
    const gather_job *g = &job->gather;
    const DLTensor *at = g->indices;
    for (size_t i = first; i < last; i++) {
        size_t rest = i, from = 0, stride = 1;
        for (int d = at->ndim - 1; d >= 0; d--) {
            size_t place = rest % (size_t)at->shape[d];
            rest /= (size_t)at->shape[d];
            if (d == job->axis)
                place = wrap(cpu_integer(at, i), g->extent);
            from += place * stride;
            stride *= (size_t)job->x->shape[d];
        }
        memcpy(g->y + i * g->bytes, g->x + from * g->bytes, g->bytes);
    }
}

static heed_status elements_run(const heed_call *call)
{
    elements_job job = {.x = call->in[0]};
    heed_status status = plan(&job.gather, call, &job.axis);
    if (!status)
        cpu_range_run(cpu_count(call->out[0]), cpu_rows_per_piece(16), gather_elements, &job);
    return status;
}

// clang-format off
static const heed_kernel gather = HEED_KERNEL(
    .op = "Gather", .since = 1, .flags = HEED_UNALIGNED, .accepts = cpu_accept_bytes,
    .prepare = prepare, .run = gather_run, .release = release);
static const heed_kernel elements = HEED_KERNEL(
    .op = "GatherElements", .since = 1, .accepts = cpu_accept_bytes,
    .prepare = prepare, .run = elements_run, .release = release);
// clang-format on

const heed_kernel *const kernels_gather[] = {&gather, &elements, NULL};
