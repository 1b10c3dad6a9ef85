/* row_norm.h - which normalisation of rows a formula is. */
#ifndef HEED_PASSES_ROW_NORM_H
#define HEED_PASSES_ROW_NORM_H

#include "passes/fuse/formula.h"

typedef enum row_norm_kind { ROW_NORM_LAYER, ROW_NORM_RMS } row_norm_kind;

/* Every value that is a normalisation of this kind becomes one node. */
heed_status row_norm_fuse(pass_run *p, row_norm_kind kind);

#endif
