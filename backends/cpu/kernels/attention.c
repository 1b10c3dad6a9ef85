/* heed.FlashAttention, heed.MultiHeadAttention and heed.GroupedQueryAttention: what the kernels
 * take, and their attributes. The computation is in flash.h, and in scores.h for the two that have
 * their scores in memory.
 *
 * The meaning is that of core/ops/attention.c, with float32 inside tiles whatever the type of the
 * tensors. Memory behind a sequence's length is never read, unless the fill makes it count. */
#include <math.h>
#include <string.h>

#include "attention_node.h"
#include "scores.h"

enum { Q, K, V, BIAS, LENGTHS, OFFSETS, SINKS, MASK, FACTOR, MORE, INPUTS };

/* A fill from here on absorbs scores that it is added to. */
#define ABSORBS (-1e30f)

/* ---- What is taken -------------------------------------------------------------------------- */

static bool takes_dtype(const heed_node *node, uint32_t input)
{
    heed_dtype dtype = cpu_dtype(node->in[input]->dtype);
    heed_dtype first = cpu_dtype(node->in[Q]->dtype);
    if (input == BIAS)
        return dtype == HEED_BOOL || cpu_real_is(dtype);
    if (input == MORE)
        return cpu_real_is(dtype);
    if (input == MASK)
        return dtype == HEED_BOOL;
    if (input == LENGTHS || input == OFFSETS)
        return dtype == HEED_INT32 || dtype == HEED_INT64;
    return cpu_real_is(dtype) && dtype == first;
}

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    int64_t precision = cpu_attr_int(node, "softmax_precision", 0);
    if (precision != 0 && precision != HEED_FLOAT32)
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s has its softmax in float32", node->op);
    float fill = cpu_attr_float(node, "fill", -INFINITY);
    if (!(fill < INFINITY))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s with a fill of %g", node->op,
                              (double)fill);
    if (cpu_attr_int(node, "relative", 0) && (node->n_in <= BIAS || !node->in[BIAS]))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s without its bias", node->op);
    for (uint32_t i = 0; i < node->n_in && i < INPUTS; i++)
        if (node->in[i] && !takes_dtype(node, i))
            return cpu_refuse_dtype(node, i);
    return HEED_OK;
}

static heed_status flash_accepts(void *device, const heed_node *node)
{
    float fill = cpu_attr_float(node, "fill", -INFINITY);
    if (node->n_out > 1 && node->out[1])
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s does not keep the scores", node->op);
    bool sums = cpu_attr_int(node, "fill_first", 0) != 0;
    if (cpu_attr_int(node, "fill_added", 0) && fill > (sums ? 0 : ABSORBS))
        return cpu_host->fail(HEED_UNSUPPORTED, "cpu: %s that adds a fill of %g", node->op,
                              (double)fill);
    return accepts(device, node);
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static void read_window(const heed_node *node, flash_rules *r)
{
    r->left = cpu_attr_int(node, "left_window", -1);
    r->right = cpu_attr_int(node, "right_window", -1);
    if (cpu_attr_int(node, "causal", 0))
        r->right = 0;
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    scores_rules *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    flash_rules *r = &s->rules;
    s->stacked = strcmp(node->op, "GroupedQueryAttention") == 0;
    s->stage = cpu_attr_int(node, "scores", 0);
    r->lanes = cpu_lanes_of(device);
    r->brain = strcmp(node->op, "FlashAttention") ? NULL : cpu_brain_of(device);
    s->add = cpu_zip_find(r->lanes, "Add", HEED_FLOAT32)->run;
    s->multiply = cpu_zip_find(r->lanes, "Mul", HEED_FLOAT32)->run;
    s->max = cpu_fold_find(r->lanes, "ReduceMax");
    r->scale = attention_scale(node);
    r->cap = cpu_attr_float(node, "softcap", 0);
    r->least = cpu_attr_float(node, "scores_min", -INFINITY);
    r->most = cpu_attr_float(node, "scores_max", INFINITY);
    r->fill = cpu_attr_float(node, "fill", -INFINITY);
    r->infinite = isinf(r->fill) != 0;
    r->fill_first = cpu_attr_int(node, "fill_first", 0) && !r->infinite;
    r->adds_fill = cpu_attr_int(node, "fill_added", 0) != 0;
    r->zeroes = cpu_attr_int(node, "fill_zeroed", 0) && !r->adds_fill && !r->infinite;
    r->sums = r->fill_first && r->adds_fill;
    r->fill_first &= !r->sums;
    r->relative = cpu_attr_int(node, "relative", 0) != 0;
    r->empty = cpu_attr_is(node, "empty", "nan")     ? FLASH_NAN
               : cpu_attr_is(node, "empty", "guard") ? FLASH_GUARD
               : cpu_attr_is(node, "empty", "share") ? FLASH_SHARE
                                                     : FLASH_ZERO;
    read_window(node, r);
    r->slots = attention_slots(FLASH_SLOTS);
    heed_status status = attention_places(node, r->place);
    if (status) {
        cpu_host->free(s, sizeof(*s));
        return status;
    }
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(scores_rules));
}

/* A row of results is written where the row of its query lies, when that was read: the rows of a
 * panel, and those of a box of heads. */
static uint64_t reuses(void *device, const void *state)
{
    (void)device;
    const scores_rules *s = state;
    bool alike = memcmp(s->rules.place[Q], s->rules.place[3], sizeof(s->rules.place[Q])) == 0;
    return alike ? HEED_REUSE(0, Q) : 0;
}

/* ---- Calls ---------------------------------------------------------------------------------- */

static heed_status flash_measure(void *device, void *state, const heed_call *shapes,
                                 uint64_t *bytes)
{
    (void)device;
    const scores_rules *s = state;
    flash_job job = {0};
    return flash_plan(&job, &s->rules, shapes, bytes);
}

static heed_status flash_call(const heed_call *call)
{
    const scores_rules *s = call->state;
    flash_job job = {0};
    uint64_t bytes;
    heed_status status = flash_plan(&job, &s->rules, call, &bytes);
    if (status)
        return status;
    flash_take_workspace(&job, call->workspace);
    flash_run(&job);
    return HEED_OK;
}

static heed_status scores_measure(void *device, void *state, const heed_call *shapes,
                                  uint64_t *bytes)
{
    (void)device;
    const scores_rules *s = state;
    scores_job job = {0};
    return scores_plan(&job, s, shapes, bytes);
}

static heed_status scores_call(const heed_call *call)
{
    const scores_rules *s = call->state;
    scores_job job = {0};
    uint64_t bytes;
    heed_status status = scores_plan(&job, s, call, &bytes);
    if (status)
        return status;
    scores_take_workspace(&job, call->workspace);
    return scores_run(&job);
}

// clang-format off
static const heed_kernel flash = HEED_KERNEL(
    .domain = "heed", .op = "FlashAttention", .since = 1, .accepts = flash_accepts,
    .prepare = prepare, .measure = flash_measure, .run = flash_call, .release = release,
    .reuses = reuses);
static const heed_kernel multi_head = HEED_KERNEL(
    .domain = "heed", .op = "MultiHeadAttention", .since = 1, .accepts = accepts,
    .prepare = prepare, .measure = scores_measure, .run = scores_call, .release = release,
    .reuses = reuses);
static const heed_kernel grouped_query = HEED_KERNEL(
    .domain = "heed", .op = "GroupedQueryAttention", .since = 1, .accepts = accepts,
    .prepare = prepare, .measure = scores_measure, .run = scores_call, .release = release,
    .reuses = reuses);
// clang-format on

const heed_kernel *const kernels_attention[] = {&flash, &multi_head, &grouped_query, NULL};
