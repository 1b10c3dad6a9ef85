/* heed.PagedAttention: what the kernel takes, and its attributes. The meaning is that of
 * core/ops/paged_attention.c, the computation is in paged.h. Pages are written where their outputs
 * lie, which is where they are read, too, unless the caller has them apart. */
#include <string.h>

#include "attention_node.h"
#include "paged.h"

enum { Q, K, V, KEYS, VALUES, STARTS, PAST, TABLE, SINKS, KEY_SCALES, VALUE_SCALES, BIAS, INPUTS };

/* ---- What is taken -------------------------------------------------------------------------- */

static bool takes_dtype(const heed_node *node, uint32_t input)
{
    heed_dtype dtype = cpu_dtype(node->in[input]->dtype);
    if (input == KEYS || input == VALUES)
        return cpu_real_is(dtype) || dtype == HEED_INT8;
    if (input >= STARTS && input <= TABLE)
        return dtype == HEED_INT32 || dtype == HEED_INT64;
    if (input == KEY_SCALES || input == VALUE_SCALES)
        return dtype == HEED_FLOAT32;
    return cpu_real_is(dtype);
}

static bool has(const heed_node *node, uint32_t out) { return node->n_out > out && node->out[out]; }

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    for (uint32_t i = 0; i < node->n_in && i < INPUTS; i++)
        if (node->in[i] && !takes_dtype(node, i))
            return cpu_refuse_dtype(node, i);
    bool narrow = cpu_dtype(node->in[KEYS]->dtype) == HEED_INT8;
    if (!has(node, 1) || !has(node, 2) || (narrow && (!has(node, 3) || !has(node, 4))))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s whose pages are not kept", node->op);
    return HEED_OK;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    paged_rules *r = cpu_state_new(sizeof(*r));
    if (!r)
        return HEED_NOMEM;
    r->lanes = cpu_lanes_of(device);
    r->scale = attention_scale(node);
    r->cap = cpu_attr_float(node, "softcap", 0);
    r->left = cpu_attr_int(node, "left_window", -1);
    r->by_key = cpu_attr_is(node, "bias_by", "key");
    r->slots = attention_slots(FLASH_SLOTS);
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
    cpu_host->free(state, sizeof(paged_rules));
}

/* ---- Calls ---------------------------------------------------------------------------------- */

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    paged_job job = {0};
    return paged_measure(&job, state, shapes, bytes);
}

/* What no token of the call is written to stays as it is. */
static heed_status keep_pages(const heed_call *call)
{
    static const uint32_t from[5] = {0, KEYS, VALUES, KEY_SCALES, VALUE_SCALES};
    for (uint32_t o = 1; o < call->n_out && o < 5; o++) {
        const DLTensor *in = call->n_in > from[o] ? call->in[from[o]] : NULL, *out = call->out[o];
        if (!in || !out)
            continue;
        size_t bytes = cpu_count(in) * cpu_element_bytes(in->dtype);
        if (cpu_count(in) != cpu_count(out))
            return cpu_host->fail(HEED_INVALID, "cpu: pages of another size than before");
        if (bytes && cpu_data(in) != cpu_data(out))
            memcpy(cpu_data(out), cpu_data(in), bytes);
    }
    return HEED_OK;
}

static heed_status run(const heed_call *call)
{
    paged_job job = {0};
    uint64_t bytes;
    heed_status status = paged_measure(&job, call->state, call, &bytes);
    if (!status)
        status = paged_plan(&job, call->workspace);
    if (!status)
        status = keep_pages(call);
    if (!status)
        paged_attend(&job);
    return status;
}

/* Scales lie behind the inputs that HEED_REUSE can say, which costs nothing: pages are inputs and
 * outputs of a generator's graph, and it gives both the same memory. */
static const heed_kernel paged =
    HEED_KERNEL(.domain = "heed", .op = "PagedAttention", .since = 1, .accepts = accepts,
                .prepare = prepare, .measure = measure, .run = run, .release = release,
                .reuse = HEED_REUSE(1, KEYS) | HEED_REUSE(2, VALUES));

const heed_kernel *const kernels_paged[] = {&paged, NULL};
