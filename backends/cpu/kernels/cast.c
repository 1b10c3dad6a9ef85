/* Cast between the data types that models mix: float32 with the halves, float64, the integers
 * and bool. Pairs without a loop of their own are refused. */
#include <string.h>

#include "cpu.h"
#include "loop.h"

static heed_status accepts(void *device, const heed_node *node)
{
    heed_dtype from = cpu_dtype(node->in[0]->dtype);
    heed_dtype to = (heed_dtype)cpu_attr_int(node, "to", 0);
    if (from == to && from != HEED_UNDEFINED)
        return HEED_OK;
    if (cpu_convert_find(cpu_lanes_of(device), from, to))
        return HEED_OK;
    return cpu_host->fail(HEED_UNSUPPORTED, "cpu: no fast Cast from data type %u to %u", from, to);
}

typedef struct cast_job {
    cpu_map *run; /* NULL: the types are equal */
    size_t in, out;
    const char *x;
    char *y;
} cast_job;

static void run_range(const void *arg, size_t first, size_t last)
{
    static const float none[2];
    const cast_job *job = arg;
    if (job->run)
        job->run(job->y + first * job->out, job->x + first * job->in, last - first, none);
    else
        memcpy(job->y + first * job->out, job->x + first * job->in, (last - first) * job->in);
}

static heed_status run(const heed_call *call)
{
    DLDataType from = call->in[0]->dtype, to = call->out[0]->dtype;
    cast_job job = {.in = cpu_element_bytes(from), .out = cpu_element_bytes(to)};
    job.run = cpu_convert_find(cpu_lanes_of(call->device), cpu_dtype(from), cpu_dtype(to));
    job.x = cpu_data(call->in[0]);
    job.y = cpu_data(call->out[0]);
    cpu_range_run(cpu_count(call->in[0]), cpu_rows_per_piece(1), run_range, &job);
    return HEED_OK;
}

static const heed_kernel cast =
    HEED_KERNEL(.op = "Cast", .since = 1, .accepts = accepts, .run = run);

const heed_kernel *const kernels_cast[] = {&cast, NULL};
