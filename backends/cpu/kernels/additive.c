/* heed.AdditiveAttention: the node, and the threads of a call. See additive.h. */
#include <math.h>

#include "additive.h"
#include "attention_node.h"

enum { MOST_SLOTS = 64 };

/* ---- The node ------------------------------------------------------------------------------- */

static heed_status accepts(void *device, const heed_node *node)
{
    int place[4][4];
    int64_t precision = cpu_attr_int(node, "softmax_precision", 0);
    heed_status status = cpu_accept_float(device, node);
    heed_dtype type = status ? HEED_UNDEFINED : cpu_dtype(node->in[ADDITIVE_Q]->dtype);
    for (uint32_t i = 0; i < node->n_in && i < ADDITIVE_IN && !status; i++)
        if (node->in[i] && cpu_dtype(node->in[i]->dtype) != (i == ADDITIVE_MASK ? HEED_BOOL : type))
            status = cpu_refuse_dtype(node, i);
    if (status)
        return status;
    if (precision != 0 && precision != HEED_FLOAT32)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s has its softmax in float32", node->op);
    status = attention_places(node, place);
    if (status)
        return status;
    if (place[ADDITIVE_V][ADDITIVE_D] != 3 || place[3][ADDITIVE_D] != 3)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s with channels that are not the last axis",
                              node->op);
    return HEED_OK;
}

static float rounded(const additive_rules *r, float x)
{
    uint16_t half;
    if (!r->half.narrow)
        return x;
    r->half.narrow(&half, &x, 1, NULL);
    r->half.widen(&x, &half, 1, NULL);
    return x;
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    additive_rules *r = cpu_state_new(sizeof(*r));
    if (!r)
        return HEED_NOMEM;
    r->lanes = cpu_lanes_of(device);
    r->scale = cpu_attr_float(node, "scale", 1.0f);
    r->half = cpu_half_find(r->lanes, cpu_dtype(node->in[ADDITIVE_Q]->dtype));
    r->bytes = cpu_element_bytes(node->in[ADDITIVE_Q]->dtype);
    r->fill = rounded(r, cpu_attr_float(node, "fill", -INFINITY));
    r->late = cpu_attr_int(node, "fill_first", 0) != 0;
    r->guard = cpu_attr_is(node, "empty", "guard");
    r->slots = attention_slots(MOST_SLOTS);
    heed_status status = attention_places(node, r->place);
    if (status) {
        cpu_host->free(r, sizeof(*r));
        return status;
    }
    *state = r;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(additive_rules));
}

/* ---- Threads -------------------------------------------------------------------------------- */

static void take_pieces(additive_job *j, float *memory)
{
    additive_bench x = additive_bench_in(j, memory);
    for (size_t n; (n = atomic_fetch_add(&j->next, 1)) < j->n_runs;)
        j->run(j, &x, n);
}

static void work(void *arg, uint32_t slot)
{
    additive_job *j = arg;
    take_pieces(j, j->slot + slot * j->slot_floats);
}

static void work_on_stack(void *arg, uint32_t slot)
{
    _Alignas(64) float memory[ADDITIVE_STACK];
    (void)slot;
    take_pieces(arg, memory);
}

static void run_all(additive_job *j, additive_run *run, size_t n, size_t slots)
{
    void (*run_slot)(void *arg, uint32_t slot) = j->on_stack ? work_on_stack : work;
    j->run = run;
    j->n_runs = n;
    atomic_init(&j->next, 0);
    if (slots > 1)
        cpu_host->parallel(run_slot, j, (uint32_t)slots);
    else
        run_slot(j, 0);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    additive_job j = {0};
    return additive_plan(&j, state, shapes, bytes);
}

static heed_status run(const heed_call *call)
{
    additive_job j = {0};
    uint64_t bytes;
    heed_status status = additive_plan(&j, call->state, call, &bytes);
    if (status)
        return status;
    j.slot = call->workspace;
    j.all = j.slot + (j.on_stack ? 0 : j.slots * j.slot_floats);
    if (j.cuts > 1)
        run_all(&j, additive_run_cut, j.pieces * j.cuts, j.slots);
    run_all(&j, additive_run_piece, j.pieces, j.slots < j.pieces ? j.slots : j.pieces);
    return HEED_OK;
}

// clang-format off
static const heed_kernel additive = HEED_KERNEL(
    .domain = "heed", .op = "AdditiveAttention", .since = 1, .accepts = accepts, .prepare = prepare,
    .measure = measure, .run = run, .release = release);
// clang-format on

const heed_kernel *const kernels_additive[] = {&additive, NULL};
