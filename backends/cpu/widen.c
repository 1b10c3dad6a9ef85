/* The copies in float32 of widen.h: all inputs behind each other in the workspace, then output 0.
 */
#include "widen.h"

#include "half.h"
#include "loop.h"

enum { MOST = 8, LEAST = 1 << 14 /* elements that are worth a thread's while */ };

static bool is_half(const DLTensor *t) { return t && cpu_half_is(cpu_dtype(t->dtype)); }

heed_status cpu_widen_accepts(void *device, const heed_node *node)
{
    heed_dtype first = cpu_dtype(node->in[0]->dtype);
    heed_status status = cpu_accept_float(device, node);
    for (uint32_t i = 1; i < node->n_in && !status; i++) {
        heed_dtype dtype = node->in[i] ? cpu_dtype(node->in[i]->dtype) : first;
        status = cpu_real_is(dtype) && dtype != first ? cpu_refuse_dtype(node, i) : HEED_OK;
    }
    return status ? status : node->n_in > MOST ? cpu_refuse_dtype(node, MOST) : HEED_OK;
}

static size_t bytes_of(const DLTensor *t)
{
    return is_half(t) ? (cpu_count(t) * sizeof(float) + 63) / 64 * 64 : 0;
}

heed_status cpu_widen_measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    (void)state;
    *bytes = bytes_of(shapes->out[0]);
    for (uint32_t i = 0; i < shapes->n_in; i++)
        *bytes += bytes_of(shapes->in[i]);
    return HEED_OK;
}

typedef struct convert_job {
    cpu_map *run;
    char *to;
    const char *from;
    size_t to_bytes, from_bytes;
} convert_job;

static void convert(const void *arg, size_t first, size_t last)
{
    const convert_job *job = arg;
    job->run(job->to + first * job->to_bytes, job->from + first * job->from_bytes, last - first,
             NULL);
}

/* The tensor in float32, where `at` is. */
static DLTensor widened(const DLTensor *t, char *at)
{
    DLTensor wide = *t;
    wide.dtype = (DLDataType){kDLFloat, 32, 1};
    wide.data = at;
    wide.byte_offset = 0;
    return wide;
}

heed_status cpu_widen_run(const heed_call *call, heed_status (*run)(const heed_call *call))
{
    DLTensor wide[MOST], y, *out[MOST] = {&y};
    const DLTensor *in[MOST];
    char *at = call->workspace;
    if (!is_half(call->in[0]))
        return run(call);
    if (!at) /* nothing has elements */
        return HEED_OK;
    cpu_half half = cpu_half_find(cpu_lanes_of(call->device), cpu_dtype(call->in[0]->dtype));
    for (uint32_t i = 0; i < call->n_in; i++) {
        in[i] = call->in[i];
        if (!is_half(in[i]))
            continue;
        convert_job job = {half.widen, at, cpu_data(in[i]), sizeof(float), sizeof(uint16_t)};
        cpu_range_run(cpu_count(in[i]), LEAST, convert, &job);
        wide[i] = widened(in[i], at);
        in[i] = &wide[i];
        at += bytes_of(call->in[i]);
    }
    y = widened(call->out[0], at);
    heed_call same = *call;
    same.in = in;
    same.out = out;
    same.workspace = at + bytes_of(call->out[0]);
    heed_status status = run(&same);
    convert_job job = {half.narrow, cpu_data(call->out[0]), at, sizeof(uint16_t), sizeof(float)};
    if (!status)
        cpu_range_run(cpu_count(call->out[0]), LEAST, convert, &job);
    return status;
}
