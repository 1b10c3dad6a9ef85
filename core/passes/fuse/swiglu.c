/* swiglu.c - pass: a Swish times another value becomes one node.
 *
 * before: y = Mul(Swish(a), b)      after: y = heed.GatedActivation(a, b)
 *
 * How it is found is in gated.c. */
#include "passes/fuse/gated.h"

static heed_status run(pass_run *p) { return gated_fuse(p, "Swish"); }

const pass_def pass_swiglu = {
    .name = "swiglu",
    .purpose = "a Swish times another value becomes one node",
    .fuses = "SwiGLU",
    .order = 85,
    .run = run,
};
