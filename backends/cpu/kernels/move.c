/* Operators that move elements and compute nothing: Transpose, Concat, Split, Slice, Expand.
 * Each describes itself as strided copies (copy.h); any data type of 1, 2, 4 or 8 bytes. */
#include <string.h>

#include "copy.h"
#include "cpu.h"

static heed_status begin(cpu_copy *copy, const DLTensor *shape, const DLTensor *any)
{
    if (shape->ndim > CPU_MAX_RANK)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: rank %d is above %d", shape->ndim,
                              CPU_MAX_RANK);
    *copy = (cpu_copy){.rank = shape->ndim, .bytes = cpu_element_bytes(any->dtype)};
    for (int d = 0; d < shape->ndim; d++)
        copy->dims[d] = (size_t)shape->shape[d];
    return HEED_OK;
}

static heed_status bad_axis(int64_t axis, int rank)
{
    return cpu_host->fail(HEED_INVALID, "cpu: axis %lld is not in [-%d, %d)", (long long)axis, rank,
                          rank);
}

/* ---- State: one axis, or a permutation ------------------------------------------------------ */

typedef struct move_state {
    int64_t axis;
    size_t n_perm; /* 0: reversed */
    int64_t perm[CPU_MAX_RANK];
} move_state;

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    (void)device;
    const heed_attribute *perm = node->attr(node, "perm");
    size_t n = perm && perm->type == HEED_ATTR_INTS ? (size_t)perm->n : 0;
    if (n > CPU_MAX_RANK)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: rank %zu is above %d", n, CPU_MAX_RANK);
    move_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->axis = cpu_attr_int(node, "axis", 0);
    s->n_perm = n;
    for (size_t d = 0; d < n; d++)
        s->perm[d] = perm->ints[d];
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(move_state));
}

/* ---- Transpose and Expand -------------------------------------------------------------------- */

static heed_status transpose_run(const heed_call *call)
{
    const move_state *s = call->state;
    const DLTensor *x = call->in[0], *y = call->out[0];
    cpu_copy copy;
    heed_status status = begin(&copy, y, x);
    if (status)
        return status;
    if (s->n_perm && s->n_perm != (size_t)x->ndim)
        return cpu_host->fail(HEED_INVALID, "cpu: perm has %zu axes, the input %d", s->n_perm,
                              x->ndim);
    ptrdiff_t strides[CPU_MAX_RANK];
    cpu_dense_strides(x, strides);
    cpu_dense_strides(y, copy.to_stride);
    for (int d = 0; d < x->ndim; d++) {
        int axis = s->n_perm ? cpu_axis(s->perm[d], x->ndim) : x->ndim - 1 - d;
        if (axis < 0)
            return bad_axis(s->perm[d], x->ndim);
        copy.from_stride[d] = strides[axis];
    }
    copy.to = cpu_data(y);
    copy.from = cpu_data(x);
    cpu_copy_run(&copy);
    return HEED_OK;
}

static heed_status expand_run(const heed_call *call)
{
    const DLTensor *x = call->in[0], *y = call->out[0];
    cpu_copy copy;
    heed_status status = begin(&copy, y, x);
    if (status)
        return status;
    ptrdiff_t strides[CPU_MAX_RANK];
    cpu_dense_strides(x, strides);
    cpu_dense_strides(y, copy.to_stride);
    for (int d = 0; d < x->ndim; d++)
        copy.from_stride[y->ndim - x->ndim + d] = x->shape[d] == 1 ? 0 : strides[d];
    copy.to = cpu_data(y);
    copy.from = cpu_data(x);
    cpu_copy_run(&copy);
    return HEED_OK;
}

/* ---- Concat and Split: parts along one axis -------------------------------------------------- */

/* Copies `part` to, or from, the place `at` along the axis of `whole`. */
static heed_status copy_part(const DLTensor *whole, const DLTensor *part, int axis, int64_t at,
                             bool join)
{
    cpu_copy copy;
    heed_status status = begin(&copy, part, whole);
    if (status)
        return status;
    cpu_dense_strides(join ? whole : part, copy.to_stride);
    cpu_dense_strides(join ? part : whole, copy.from_stride);
    ptrdiff_t *strides = join ? copy.to_stride : copy.from_stride;
    char *place = (char *)cpu_data(whole) + at * strides[axis] * (ptrdiff_t)copy.bytes;
    copy.to = join ? place : cpu_data(part);
    copy.from = join ? cpu_data(part) : place;
    cpu_copy_run(&copy);
    return HEED_OK;
}

static heed_status concat_run(const heed_call *call)
{
    const move_state *s = call->state;
    const DLTensor *y = call->out[0];
    int axis = cpu_axis(s->axis, y->ndim);
    if (axis < 0)
        return bad_axis(s->axis, y->ndim);
    int64_t at = 0;
    for (uint32_t i = 0; i < call->n_in; i++) {
        heed_status status = copy_part(y, call->in[i], axis, at, true);
        if (status)
            return status;
        at += call->in[i]->shape[axis];
    }
    return HEED_OK;
}

/* How long part `i` is, also where nobody reads it. */
static int64_t part_length(const heed_call *call, uint32_t i, int axis)
{
    if (call->out[i])
        return call->out[i]->shape[axis];
    if (call->n_in > 1 && call->in[1] && i < cpu_count(call->in[1]))
        return cpu_integer(call->in[1], i);
    int64_t parts = call->n_out;
    return (call->in[0]->shape[axis] + parts - 1) / parts;
}

static heed_status split_run(const heed_call *call)
{
    const move_state *s = call->state;
    const DLTensor *x = call->in[0];
    int axis = cpu_axis(s->axis, x->ndim);
    if (axis < 0)
        return bad_axis(s->axis, x->ndim);
    int64_t at = 0;
    for (uint32_t i = 0; i < call->n_out; i++) {
        heed_status status = HEED_OK;
        if (call->out[i])
            status = copy_part(x, call->out[i], axis, at, false);
        if (status)
            return status;
        at += part_length(call, i, axis);
    }
    return HEED_OK;
}

/* ---- Slice ---------------------------------------------------------------------------------- */

/* The first element taken, by the standard's clamping; the output's extent says how many. */
static int64_t clamp_start(int64_t start, int64_t step, int64_t extent)
{
    if (start < 0)
        start += extent;
    int64_t last = step < 0 ? extent - 1 : extent;
    start = start > last ? last : start;
    return start < 0 ? 0 : start;
}

static heed_status slice_run(const heed_call *call)
{
    const DLTensor *x = call->in[0], *y = call->out[0], *starts = call->in[1];
    const DLTensor *axes = call->n_in > 3 ? call->in[3] : NULL;
    const DLTensor *steps = call->n_in > 4 ? call->in[4] : NULL;
    cpu_copy copy;
    heed_status status = begin(&copy, y, x);
    if (status)
        return status;
    cpu_dense_strides(x, copy.from_stride);
    cpu_dense_strides(y, copy.to_stride);
    ptrdiff_t first = 0;
    size_t n = cpu_count(starts);
    if ((axes && cpu_count(axes) != n) || (steps && cpu_count(steps) != n))
        return cpu_host->fail(HEED_INVALID, "cpu: Slice needs one axis and step for each start");
    for (size_t i = 0; i < n; i++) {
        int64_t wanted = axes ? cpu_integer(axes, i) : (int64_t)i;
        int64_t step = steps ? cpu_integer(steps, i) : 1;
        int axis = cpu_axis(wanted, x->ndim);
        if (axis < 0)
            return bad_axis(wanted, x->ndim);
        int64_t start = clamp_start(cpu_integer(starts, i), step, x->shape[axis]);
        first += start * copy.from_stride[axis];
        copy.from_stride[axis] = copy.dims[axis] > 1 ? copy.from_stride[axis] * step : 0;
    }
    copy.to = cpu_data(y);
    copy.from = (const char *)cpu_data(x) + first * (ptrdiff_t)copy.bytes;
    cpu_copy_run(&copy);
    return HEED_OK;
}

// clang-format off
static const heed_kernel transpose = HEED_KERNEL(
    .op = "Transpose", .since = 1, .accepts = cpu_accept_bytes,
    .prepare = prepare, .run = transpose_run, .release = release);
static const heed_kernel expand = HEED_KERNEL(
    .op = "Expand", .since = 1, .accepts = cpu_accept_bytes, .run = expand_run);
static const heed_kernel concat = HEED_KERNEL(
    .op = "Concat", .since = 1, .accepts = cpu_accept_bytes,
    .prepare = prepare, .run = concat_run, .release = release);
static const heed_kernel split = HEED_KERNEL(
    .op = "Split", .since = 1, .accepts = cpu_accept_bytes,
    .prepare = prepare, .run = split_run, .release = release);
static const heed_kernel slice = HEED_KERNEL(
    .op = "Slice", .since = 1, .accepts = cpu_accept_bytes, .run = slice_run);
// clang-format on

const heed_kernel *const kernels_move[] = {&transpose, &expand, &concat, &split, &slice, NULL};
