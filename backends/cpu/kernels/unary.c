/* Operators with one operand, y[i] = f(x[i]). The loops are rows of the device's tables
 * (lanes/maps.h); float16 and bfloat16 reach the float32 loops through a block on the stack. */
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"

typedef struct unary_state {
    cpu_map *run;
    cpu_half half;  /* converters when the type is a half */
    size_t in, out; /* bytes of an element */
    float parameters[2];
} unary_state;

/* Attributes that become parameters; the values are the standard's defaults. */
typedef struct parameter_row {
    const char *op;
    const char *name[2];
    float otherwise[2];
} parameter_row;

// clang-format off
static const parameter_row parameters[] = {
    {"LeakyRelu", {"alpha", NULL}, {0.01f, 0.0f}},
    {"ThresholdedRelu", {"alpha", NULL}, {1.0f, 0.0f}},
    {"Elu", {"alpha", NULL}, {1.0f, 0.0f}},
    {"Celu", {"alpha", NULL}, {1.0f, 0.0f}},
    {"Selu", {"alpha", "gamma"}, {1.67326319f, 1.05070102f}},
    {"HardSigmoid", {"alpha", "beta"}, {0.2f, 0.5f}},
    {"Swish", {"alpha", NULL}, {1.0f, 0.0f}},
};
// clang-format on

static const cpu_map_row *find(void *device, const heed_node *node)
{
    const char *op = node->op;
    if (!strcmp(op, "Gelu") && cpu_attr_is(node, "approximate", "tanh"))
        op = "Gelu/tanh";
    heed_dtype dtype = cpu_dtype(node->in[0]->dtype);
    const cpu_map_row *row = cpu_map_find(cpu_lanes_of(device), op, dtype);
    if (!row && cpu_half_is(dtype)) {
        row = cpu_map_find(cpu_lanes_of(device), op, HEED_FLOAT32);
        return row && row->out == HEED_FLOAT32 ? row : NULL;
    }
    return row;
}

static heed_status accepts(void *device, const heed_node *node)
{
    return find(device, node) ? HEED_OK : cpu_refuse_dtype(node, 0);
}

static void read_parameters(const heed_node *node, float *values)
{
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        const parameter_row *row = &parameters[i];
        if (strcmp(row->op, node->op))
            continue;
        for (size_t k = 0; k < 2 && row->name[k]; k++)
            values[k] = cpu_attr_float(node, row->name[k], row->otherwise[k]);
    }
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    const cpu_map_row *row = find(device, node);
    if (!row)
        return cpu_refuse_dtype(node, 0);
    unary_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->run = row->run;
    s->half = cpu_half_find(cpu_lanes_of(device), cpu_dtype(node->in[0]->dtype));
    s->in = cpu_element_bytes(node->in[0]->dtype);
    s->out = s->half.widen ? s->in : row->out == HEED_BOOL ? 1 : s->in;
    read_parameters(node, s->parameters);
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(unary_state));
}

typedef struct unary_job {
    const unary_state *state;
    const char *x;
    char *y;
} unary_job;

static void run_half(const unary_state *s, char *y, const char *x, size_t n)
{
    float block[CPU_HALF_BLOCK];
    for (size_t i = 0; i < n; i += CPU_HALF_BLOCK) {
        size_t m = n - i < CPU_HALF_BLOCK ? n - i : CPU_HALF_BLOCK;
        s->half.widen(block, x + i * 2, m, s->parameters);
        s->run(block, block, m, s->parameters);
        s->half.narrow(y + i * 2, block, m, s->parameters);
    }
}

static void run_range(const void *arg, size_t first, size_t last)
{
    const unary_job *job = arg;
    const unary_state *s = job->state;
    char *y = job->y + first * s->out;
    const char *x = job->x + first * s->in;
    if (s->half.widen)
        run_half(s, y, x, last - first);
    else
        s->run(y, x, last - first, s->parameters);
}

static heed_status run(const heed_call *call)
{
    unary_job job = {call->state, cpu_data(call->in[0]), cpu_data(call->out[0])};
    cpu_range_run(cpu_count(call->in[0]), cpu_rows_per_piece(1), run_range, &job);
    return HEED_OK;
}

/* ---- Clip: its bounds are inputs ----------------------------------------------------------- */

static float bound(const heed_call *call, uint32_t i, float otherwise)
{
    if (i >= call->n_in || !call->in[i])
        return otherwise;
    float value;
    memcpy(&value, cpu_data(call->in[i]), sizeof(value));
    return value;
}

static heed_status clip_accepts(void *device, const heed_node *node)
{
    return cpu_accept_f32(device, node);
}

static heed_status clip_run(const heed_call *call)
{
    unary_state s = {.in = sizeof(float), .out = sizeof(float)};
    s.run = cpu_map_find(cpu_lanes_of(call->device), "Clip", HEED_FLOAT32)->run;
    s.parameters[0] = bound(call, 1, -__builtin_inff());
    s.parameters[1] = bound(call, 2, __builtin_inff());
    unary_job job = {&s, cpu_data(call->in[0]), cpu_data(call->out[0])};
    cpu_range_run(cpu_count(call->in[0]), cpu_rows_per_piece(1), run_range, &job);
    return HEED_OK;
}

// clang-format off
#define UNARY(ident, name, how)                                                                    \
    static const heed_kernel unary_##ident =                                                       \
        HEED_KERNEL(.op = name, .since = 1, .flags = how, .accepts = accepts, .prepare = prepare,  \
                    .run = run, .release = release)

UNARY(abs, "Abs", HEED_INPLACE);
UNARY(neg, "Neg", HEED_INPLACE);
UNARY(sqrt, "Sqrt", HEED_INPLACE);
UNARY(reciprocal, "Reciprocal", HEED_INPLACE);
UNARY(exp, "Exp", HEED_INPLACE);
UNARY(log, "Log", HEED_INPLACE);
UNARY(erf, "Erf", HEED_INPLACE);
UNARY(tanh, "Tanh", HEED_INPLACE);
UNARY(sigmoid, "Sigmoid", HEED_INPLACE);
UNARY(relu, "Relu", HEED_INPLACE);
UNARY(leaky_relu, "LeakyRelu", HEED_INPLACE);
UNARY(thresholded_relu, "ThresholdedRelu", HEED_INPLACE);
UNARY(elu, "Elu", HEED_INPLACE);
UNARY(celu, "Celu", HEED_INPLACE);
UNARY(selu, "Selu", HEED_INPLACE);
UNARY(gelu, "Gelu", HEED_INPLACE);
UNARY(swish, "Swish", HEED_INPLACE);
UNARY(hard_sigmoid, "HardSigmoid", HEED_INPLACE);
UNARY(hard_swish, "HardSwish", HEED_INPLACE);
UNARY(softplus, "Softplus", HEED_INPLACE);
UNARY(mish, "Mish", HEED_INPLACE);
UNARY(softsign, "Softsign", HEED_INPLACE);
UNARY(sin, "Sin", HEED_INPLACE);
UNARY(cos, "Cos", HEED_INPLACE);
UNARY(floor, "Floor", HEED_INPLACE);
UNARY(ceil, "Ceil", HEED_INPLACE);
UNARY(round, "Round", HEED_INPLACE);
UNARY(sign, "Sign", HEED_INPLACE);
UNARY(not, "Not", HEED_INPLACE);
UNARY(is_nan, "IsNaN", 0);
static const heed_kernel clip = HEED_KERNEL(
    .op = "Clip", .since = 1, .flags = HEED_INPLACE, .accepts = clip_accepts, .run = clip_run);

const heed_kernel *const kernels_unary[] = {
    &unary_abs, &unary_neg, &unary_sqrt, &unary_reciprocal, &unary_exp, &unary_log, &unary_erf,
    &unary_tanh, &unary_sigmoid, &unary_relu, &unary_leaky_relu, &unary_thresholded_relu,
    &unary_elu, &unary_celu, &unary_selu, &unary_gelu, &unary_swish, &unary_hard_sigmoid,
    &unary_hard_swish, &unary_softplus, &unary_mish, &unary_softsign, &unary_sin, &unary_cos,
    &unary_floor, &unary_ceil, &unary_round, &unary_sign, &unary_not, &unary_is_nan, &clip, NULL,
};
// clang-format on
