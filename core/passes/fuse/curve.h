/* curve.h - activations: functions of one number that models are made of, and which of them a
 * formula is. */
#ifndef HEED_PASSES_CURVE_H
#define HEED_PASSES_CURVE_H

#include "passes/fuse/formula.h"

typedef enum curve_kind {
    CURVE_GELU,
    CURVE_GELU_TANH,
    CURVE_SILU,
    CURVE_QUICK_GELU, /* x sigmoid(alpha x) with another alpha than 1 */
    CURVE_MISH,
    CURVE_HARD_SWISH,
    CURVE_NONE
} curve_kind;

/* Every value that is one of two curves becomes one node. */
heed_status curve_fuse(pass_run *p, curve_kind kind, curve_kind other);

#endif
