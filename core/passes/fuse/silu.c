/* silu.c - pass: x times its sigmoid becomes one node.
 *
 * before: y = x Sigmoid(x), or x / (1 + Exp(-x))      after: y = Swish(x)
 *
 * How it is found is in curve.c. */
#include "passes/fuse/curve.h"

static heed_status run(pass_run *p) { return curve_fuse(p, CURVE_SILU, CURVE_SILU); }

const pass_def pass_silu = {
    .name = "silu",
    .purpose = "x times its sigmoid becomes one node",
    .fuses = "Silu",
    .order = 84,
    .run = run,
};
