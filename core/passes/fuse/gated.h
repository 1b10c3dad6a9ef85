/* gated.h - for the passes swiglu and geglu: an activation that gates another value. */
#ifndef HEED_PASSES_GATED_H
#define HEED_PASSES_GATED_H

#include "passes/pass.h"

/* Products of this activation, "Swish" or "Gelu", and a value of its shape become one node. */
heed_status gated_fuse(pass_run *p, const char *activation);

#endif
