/* hard_swish.c - pass: a HardSwish in pieces becomes one.
 *
 * before: y = x Clip(x + 3, 0, 6) / 6      after: y = HardSwish(x)
 *
 * How it is found is in curve.c. */
#include "passes/fuse/curve.h"

static heed_status run(pass_run *p) { return curve_fuse(p, CURVE_HARD_SWISH, CURVE_HARD_SWISH); }

const pass_def pass_hard_swish = {
    .name = "hard_swish",
    .purpose = "a HardSwish in pieces becomes one",
    .fuses = "HardSwish",
    .order = 84,
    .run = run,
};
