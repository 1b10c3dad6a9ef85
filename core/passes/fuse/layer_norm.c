/* layer_norm.c - pass: a layer norm in pieces becomes one.
 *
 * before: d = x - ReduceMean(x); y = d / Sqrt(ReduceMean(d^2) + e) * w + b
 * after:  y = LayerNormalization(x, w, b)
 *
 * How it is found is in row_norm.c. */
#include "passes/fuse/row_norm.h"

static heed_status run(pass_run *p) { return row_norm_fuse(p, ROW_NORM_LAYER); }

const pass_def pass_layer_norm = {
    .name = "layer_norm",
    .purpose = "a layer norm in pieces becomes one",
    .fuses = "LayerNorm",
    .order = 84,
    .run = run,
};
