/* Where: a choice of two operands by a third, all broadcast. Bits are moved, so every data type
 * of 1, 2, 4 or 8 bytes is served. */
#include "cpu.h"
#include "loop.h"

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    size_t bytes = cpu_element_bytes(node->in[1]->dtype);
    bool good = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
    return good ? HEED_OK : cpu_refuse_dtype(node, 1);
}

static void body(const void *arg, const cpu_loop *loop, char *const *p, size_t n)
{
    const cpu_lanes *lanes = arg;
    size_t step[3] = {loop->step[1], loop->step[2], loop->step[3]};
    lanes->choose(p[0], (const uint8_t *)p[1], p[2], p[3], n, step, loop->bytes[0]);
}

static heed_status run(const heed_call *call)
{
    cpu_loop loop;
    heed_status status = cpu_loop_plan(&loop, call->out[0], call->in, 3);
    if (!status)
        cpu_loop_run(&loop, body, cpu_lanes_of(call->device));
    return status;
}

static const heed_kernel where =
    HEED_KERNEL(.op = "Where", .since = 1, .accepts = accepts, .run = run,
                .reuse = HEED_REUSE(0, 1) | HEED_REUSE(0, 2));

const heed_kernel *const kernels_where[] = {&where, NULL};
