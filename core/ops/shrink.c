/* shrink.c - Shrink: values near zero become zero, the others move towards it. Integers too, so it
 * is no row of activation.c. */
#include "ops/loops.h"

typedef struct shrinking {
    double bias, lambda;
} shrinking;

static double shrink(const void *args, double x)
{
    const shrinking *s = args;
    return x < -s->lambda ? x + s->bias : (x > s->lambda ? x - s->bias : 0);
}

/* Towards zero, as a cast does; beyond int64 the result stops at its ends. */
static int64_t whole(double x)
{
    if (x != x)
        return 0;
    return x >= 0x1p63 ? INT64_MAX : (x <= -0x1p63 ? INT64_MIN : (int64_t)x);
}

LOOP_MAP1(shrink_f64, double, double, shrink(args, x))
LOOP_MAP1(shrink_i64, int64_t, int64_t, whole(shrink(args, (double)x)))
LOOP_MAP1(shrink_u64, uint64_t, uint64_t, whole(shrink(args, (double)x)))

static loop_fn *const rows[LOOP_CLASSES] = {
    [CLASS_F64] = shrink_f64, [CLASS_I64] = shrink_i64, [CLASS_U64] = shrink_u64};

static heed_status run_shrink(op_call *c)
{
    const shrinking args = {.bias = ir_attr_float(c->node, "bias", 0),
                            .lambda = ir_attr_float(c->node, "lambd", 0.5)};
    const loop_map m = {.rows = rows, .args = &args};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

// clang-format off
static const op_def shrink_op = {
    .domain = "", .name = "Shrink", .since = 9, .flags = OP_ELEMENTWISE | OP_INPLACE,
    .signature = "input:T -> output:T", .types = "T=real", .attrs = "bias:float=0 lambd:float=0.5",
    .infer = infer_same, .run = run_shrink};
// clang-format on

const op_def *const ops_shrink[] = {&shrink_op, NULL};
