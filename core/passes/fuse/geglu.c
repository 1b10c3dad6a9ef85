/* geglu.c - pass: a Gelu times another value becomes one node.
 *
 * before: y = Mul(Gelu(a), b)      after: y = heed.GatedActivation(a, b)
 *
 * How it is found is in gated.c. */
#include "passes/fuse/gated.h"

static heed_status run(pass_run *p) { return gated_fuse(p, "Gelu"); }

const pass_def pass_geglu = {
    .name = "geglu",
    .purpose = "a Gelu times another value becomes one node",
    .fuses = "GeGLU",
    .order = 85,
    .run = run,
};
