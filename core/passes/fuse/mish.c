/* mish.c - pass: a Mish in pieces becomes one.
 *
 * before: y = x Tanh(Softplus(x))      after: y = Mish(x)
 *
 * How it is found is in curve.c. */
#include "passes/fuse/curve.h"

static heed_status run(pass_run *p) { return curve_fuse(p, CURVE_MISH, CURVE_MISH); }

const pass_def pass_mish = {
    .name = "mish",
    .purpose = "a Mish in pieces becomes one",
    .fuses = "Mish",
    .order = 84,
    .run = run,
};
