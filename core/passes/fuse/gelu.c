/* gelu.c - pass: a Gelu in pieces, by erf or tanh, becomes one.
 *
 * before: y = x / 2 (1 + Erf(x / sqrt(2))), however it is written      after: y = Gelu(x)
 *
 * How it is found is in curve.c. */
#include "passes/fuse/curve.h"

static heed_status run(pass_run *p) { return curve_fuse(p, CURVE_GELU, CURVE_GELU_TANH); }

const pass_def pass_gelu = {
    .name = "gelu",
    .purpose = "a Gelu in pieces, by erf or tanh, becomes one",
    .fuses = "Gelu",
    .order = 84,
    .run = run,
};
