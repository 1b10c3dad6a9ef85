/* quick_gelu.c - pass: x times the sigmoid of a multiple of x becomes one node.
 *
 * before: y = x Sigmoid(1.702 x)      after: y = Swish(x, alpha = 1.702)
 *
 * How it is found is in curve.c. */
#include "passes/fuse/curve.h"

static heed_status run(pass_run *p) { return curve_fuse(p, CURVE_QUICK_GELU, CURVE_QUICK_GELU); }

const pass_def pass_quick_gelu = {
    .name = "quick_gelu",
    .purpose = "x times the sigmoid of a multiple of x becomes one node",
    .fuses = "QuickGelu",
    .order = 84,
    .run = run,
};
