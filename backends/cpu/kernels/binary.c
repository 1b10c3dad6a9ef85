/* Operators with two operands and broadcasting: arithmetic, comparisons, logic. Max and Min
 * take any number of operands by folding them into the output one after the other. */
#include <string.h>

#include "cpu.h"
#include "half.h"
#include "loop.h"

typedef struct binary_state {
    cpu_zip *run;
    cpu_half half; /* converters when the operands are halves */
    bool narrow;   /* the result is a half too (a comparison's is bool) */
} binary_state;

static const cpu_zip_row *find(void *device, const heed_node *node)
{
    heed_dtype dtype = cpu_dtype(node->in[0]->dtype);
    heed_dtype wide = cpu_half_is(dtype) ? HEED_FLOAT32 : dtype;
    return cpu_zip_find(cpu_lanes_of(device), node->op, wide);
}

static heed_status accepts(void *device, const heed_node *node)
{
    DLDataType first = node->in[0]->dtype;
    for (uint32_t i = 1; i < node->n_in; i++)
        if (cpu_dtype(node->in[i]->dtype) != cpu_dtype(first))
            return cpu_refuse_dtype(node, i);
    return find(device, node) ? HEED_OK : cpu_refuse_dtype(node, 0);
}

static heed_status prepare(void *device, const heed_node *node, void **state)
{
    const cpu_zip_row *row = find(device, node);
    if (!row)
        return cpu_refuse_dtype(node, 0);
    binary_state *s = cpu_state_new(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->run = row->run;
    s->half = cpu_half_find(cpu_lanes_of(device), cpu_dtype(node->in[0]->dtype));
    s->narrow = s->half.widen && row->out == HEED_FLOAT32;
    *state = s;
    return HEED_OK;
}

static void release(void *device, void *state)
{
    (void)device;
    cpu_host->free(state, sizeof(binary_state));
}

static unsigned form_of(const cpu_loop *loop)
{
    return !loop->step[1] ? CPU_ZIP_SV : !loop->step[2] ? CPU_ZIP_VS : CPU_ZIP_VV;
}

static void run_full(const void *arg, const cpu_loop *loop, char *const *p, size_t n)
{
    const binary_state *s = arg;
    s->run(p[0], p[1], p[2], n, form_of(loop));
}

static void run_half(const void *arg, const cpu_loop *loop, char *const *p, size_t n)
{
    static const float none[2];
    const binary_state *s = arg;
    float x[CPU_HALF_BLOCK], y[CPU_HALF_BLOCK];
    size_t step_x = loop->step[1], step_y = loop->step[2];
    for (size_t i = 0; i < n; i += CPU_HALF_BLOCK) {
        size_t m = n - i < CPU_HALF_BLOCK ? n - i : CPU_HALF_BLOCK;
        s->half.widen(x, p[1] + i * step_x * 2, step_x ? m : 1, none);
        s->half.widen(y, p[2] + i * step_y * 2, step_y ? m : 1, none);
        if (!s->narrow) {
            s->run(p[0] + i, x, y, m, form_of(loop));
            continue;
        }
        float z[CPU_HALF_BLOCK];
        s->run(z, x, y, m, form_of(loop));
        s->half.narrow(p[0] + i * 2, z, m, none);
    }
}

static heed_status combine(const binary_state *s, const DLTensor *out, const DLTensor *left,
                           const DLTensor *right)
{
    cpu_loop loop;
    const DLTensor *in[2] = {left, right};
    heed_status status = cpu_loop_plan(&loop, out, in, 2);
    if (!status)
        cpu_loop_run(&loop, s->half.widen ? run_half : run_full, s);
    return status;
}

static heed_status run(const heed_call *call)
{
    return combine(call->state, call->out[0], call->in[0], call->in[1]);
}

/* With one operand Max and Min copy it: max(x, x) = x, NaNs included. */
static heed_status fold_run(const heed_call *call)
{
    const DLTensor *second = call->in[call->n_in > 1 ? 1 : 0];
    heed_status status = combine(call->state, call->out[0], call->in[0], second);
    for (uint32_t i = 2; i < call->n_in && !status; i++)
        status = combine(call->state, call->out[0], call->out[0], call->in[i]);
    return status;
}

/* Operands beyond these are read after the output was written. */
#define EITHER (HEED_REUSE(0, 0) | HEED_REUSE(0, 1))

// clang-format off
#define BINARY(ident, name, how, runner)                                                           \
    static const heed_kernel binary_##ident =                                                      \
        HEED_KERNEL(.op = name, .since = 1, .accepts = accepts, .prepare = prepare, .reuse = how,  \
                    .run = runner, .release = release)

BINARY(add, "Add", EITHER, run);
BINARY(sub, "Sub", EITHER, run);
BINARY(mul, "Mul", EITHER, run);
BINARY(div, "Div", EITHER, run);
BINARY(pow, "Pow", EITHER, run);
BINARY(prelu, "PRelu", EITHER, run);
BINARY(max, "Max", EITHER, fold_run);
BINARY(min, "Min", EITHER, fold_run);
BINARY(and, "And", EITHER, run);
BINARY(or, "Or", EITHER, run);
BINARY(xor, "Xor", EITHER, run);
BINARY(equal, "Equal", 0, run);
BINARY(less, "Less", 0, run);
BINARY(less_equal, "LessOrEqual", 0, run);
BINARY(greater, "Greater", 0, run);
BINARY(greater_equal, "GreaterOrEqual", 0, run);

const heed_kernel *const kernels_binary[] = {
    &binary_add, &binary_sub, &binary_mul, &binary_div, &binary_pow, &binary_prelu, &binary_max,
    &binary_min, &binary_and, &binary_or, &binary_xor, &binary_equal, &binary_less,
    &binary_less_equal, &binary_greater, &binary_greater_equal, NULL,
};
// clang-format on
