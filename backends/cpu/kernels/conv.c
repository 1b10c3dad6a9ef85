/* Conv in one and two dimensions, float32: the input's windows are laid out as the columns of a
 * matrix (in the workspace, one image at a time), and each group is a matrix product with the
 * weights. A 1 x 1 window with no padding is the input itself, so nothing is laid out. */
#include <string.h>

#include "cpu.h"
#include "gemm.h"
#include "loop.h"

enum { AXES = 2 }; /* height and width; one-dimensional input has height 1 */

typedef struct conv_state {
    int64_t group;
    int64_t strides[AXES], dilations[AXES], before[AXES];
    bool same, same_lower; /* padding follows from the output's size */
} conv_state;

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    for (uint32_t i = 0; i < node->n_in; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != HEED_FLOAT32)
            return cpu_refuse_dtype(node, i);
    int rank = node->in[0]->ndim;
    if (rank != 3 && rank != 4)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: Conv of rank %d, not 3 or 4", rank);
    return HEED_OK;
}

/* The last `axes` of both arrays are filled; what an attribute leaves out stays. */
static void read_axes(const heed_node *node, const char *name, int axes, int64_t *values)
{
    const heed_attribute *a = node->attr(node, name);
    for (int d = 0; a && a->type == HEED_ATTR_INTS && d < axes && (uint64_t)d < a->n; d++)
        values[AXES - axes + d] = a->ints[d];
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(conv_state));
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    int axes = node->in[0]->ndim - 2;
    conv_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    *state = s;
    s->group = cpu_attr_int(node, "group", 1);
    for (int d = 0; d < AXES; d++)
        s->strides[d] = s->dilations[d] = 1;
    read_axes(node, "strides", axes, s->strides);
    read_axes(node, "dilations", axes, s->dilations);
    s->same_lower = cpu_attr_is(node, "auto_pad", "SAME_LOWER");
    s->same = s->same_lower || cpu_attr_is(node, "auto_pad", "SAME_UPPER");
    if (!s->same && !cpu_attr_is(node, "auto_pad", "VALID"))
        read_axes(node, "pads", axes, s->before);
    bool good = s->group > 0;
    for (int d = 0; d < AXES; d++)
        good &= s->strides[d] > 0 && s->dilations[d] > 0;
    if (good)
        return HEED_OK;
    release(device, s);
    *state = NULL;
    return cpu_host->fail(HEED_INVALID, "cpu: Conv needs group, strides and dilations above 0");
}

/* ---- Geometry ---------------------------------------------------------------------------------
 */

typedef struct conv_plan {
    int64_t in[AXES], out[AXES], window[AXES], stride[AXES], dilation[AXES], before[AXES];
    size_t images, groups;
    size_t channels, features; /* of one group: in and out */
    size_t pixels;             /* of the output */
    size_t taps;               /* rows of one group's matrix: channels x window */
    bool direct;               /* the input is the matrix */
    const float *x;
    float *columns;
} conv_plan;

static int64_t extent(const DLTensor *t, int axis)
{
    int d = t->ndim - AXES + axis;
    return d >= 2 ? t->shape[d] : 1;
}

static void plan_axis(conv_plan *p, const conv_state *s, const heed_call *call, int d)
{
    p->in[d] = extent(call->in[0], d);
    p->window[d] = extent(call->in[1], d);
    p->out[d] = extent(call->out[0], d);
    p->stride[d] = s->strides[d];
    p->dilation[d] = s->dilations[d];
    p->before[d] = s->before[d];
    if (!s->same)
        return;
    int64_t span = (p->window[d] - 1) * p->dilation[d] + 1;
    int64_t total = (p->out[d] - 1) * p->stride[d] + span - p->in[d];
    total = total < 0 ? 0 : total;
    p->before[d] = (total + (s->same_lower ? 1 : 0)) / 2;
}

static conv_plan plan(const heed_call *call)
{
    const conv_state *s = call->state;
    const DLTensor *x = call->in[0], *w = call->in[1];
    conv_plan p = {.images = (size_t)x->shape[0], .groups = (size_t)s->group};
    p.channels = (size_t)w->shape[1];
    p.features = (size_t)w->shape[0] / (p.groups ? p.groups : 1);
    for (int d = 0; d < AXES; d++)
        plan_axis(&p, s, call, d);
    p.pixels = (size_t)(p.out[0] * p.out[1]);
    p.taps = p.channels * (size_t)(p.window[0] * p.window[1]);
    p.direct = true;
    for (int d = 0; d < AXES; d++)
        p.direct &= p.window[d] == 1 && p.stride[d] == 1 && p.before[d] == 0 && p.in[d] == p.out[d];
    return p;
}

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    heed_call call = *shapes;
    call.state = state;
    conv_plan p = plan(&call);
    *bytes = p.direct ? 0 : (uint64_t)p.groups * p.taps * p.pixels * sizeof(float);
    return HEED_OK;
}

/* ---- Layout ------------------------------------------------------------------------------------
 */

/* One line of the output's pixels for one tap: the input at every stride, zeros outside. */
static void lay_line(const conv_plan *p, const float *line, int64_t tap, float *to)
{
    int64_t stride = p->stride[1], first = tap * p->dilation[1] - p->before[1];
    int64_t from = first < 0 ? (-first + stride - 1) / stride : 0;
    int64_t until = p->in[1] > first ? (p->in[1] - first + stride - 1) / stride : 0;
    from = from < p->out[1] ? from : p->out[1];
    until = until < p->out[1] ? until : p->out[1];
    until = until < from ? from : until;
    memset(to, 0, (size_t)from * sizeof(*to));
    if (stride == 1)
        memcpy(to + from, line + first + from, (size_t)(until - from) * sizeof(*to));
    else
        for (int64_t i = from; i < until; i++)
            to[i] = line[first + i * stride];
    memset(to + until, 0, (size_t)(p->out[1] - until) * sizeof(*to));
}

/* Rows [first, last) of the matrix: one channel and one tap of the window each. */
static void lay_rows(const void *arg, size_t first, size_t last)
{
    const conv_plan *p = arg;
    int64_t window = p->window[0] * p->window[1];
    for (size_t row = first; row < last; row++) {
        int64_t channel = (int64_t)row / window, tap = (int64_t)row % window;
        const float *x = p->x + channel * p->in[0] * p->in[1];
        float *to = p->columns + row * p->pixels;
        for (int64_t y = 0; y < p->out[0]; y++, to += p->out[1]) {
            int64_t at = y * p->stride[0] - p->before[0] + tap / p->window[1] * p->dilation[0];
            if (at < 0 || at >= p->in[0])
                memset(to, 0, (size_t)p->out[1] * sizeof(*to));
            else
                lay_line(p, x + at * p->in[1], tap % p->window[1], to);
        }
    }
}

static heed_status run(const heed_call *call)
{
    conv_plan p = plan(call);
    const DLTensor *bias = call->n_in > 2 ? call->in[2] : NULL;
    size_t image = p.groups * p.channels * (size_t)(p.in[0] * p.in[1]);
    cpu_gemm g = {.lanes = cpu_lanes_of(call->device), .alpha = 1.0f, .beta = 1.0f};
    g.m = p.features, g.k = p.taps, g.n = p.pixels;
    g.lda = g.k, g.ldb = g.n;
    g.a = cpu_data(call->in[1]);
    g.bias = bias ? cpu_data(bias) : NULL;
    g.bias_row = 1, g.bias_entry = p.features;
    g.batch_rank = 1, g.batch[0] = p.groups;
    g.a_stride[0] = g.m * g.k, g.b_stride[0] = g.k * g.n;
    p.columns = call->workspace;
    heed_status status = HEED_OK;
    for (size_t i = 0; i < p.images && !status && p.pixels; i++) {
        p.x = (const float *)cpu_data(call->in[0]) + i * image;
        if (!p.direct)
            cpu_range_run(p.groups * p.taps, cpu_rows_per_piece(p.pixels), lay_rows, &p);
        g.b = p.direct ? p.x : p.columns;
        g.y = (float *)cpu_data(call->out[0]) + i * p.groups * g.m * g.n;
        status = cpu_gemm_run(&g);
    }
    return status;
}

// clang-format off
static const heed_kernel conv = HEED_KERNEL(
    .op = "Conv", .since = 1, .accepts = accepts, .prepare = prepare, .measure = measure,
    .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_conv[] = {&conv, NULL};
