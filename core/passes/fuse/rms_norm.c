/* rms_norm.c - pass: a norm by the root of mean squares becomes one.
 *
 * before: y = x / Sqrt(ReduceMean(x^2) + e) * w
 * after:  y = RMSNormalization(x, w)
 *
 * How it is found is in row_norm.c. */
#include "passes/fuse/row_norm.h"

static heed_status run(pass_run *p) { return row_norm_fuse(p, ROW_NORM_RMS); }

const pass_def pass_rms_norm = {
    .name = "rms_norm",
    .purpose = "a norm by the root of mean squares becomes one",
    .fuses = "RMSNorm",
    .order = 84,
    .run = run,
};
