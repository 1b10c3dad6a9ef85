/* ms_mask.h - the integer masks of com.microsoft's attention operators, in all their shapes. */
#ifndef HEED_OPS_MS_MASK_H
#define HEED_OPS_MS_MASK_H

#include "ops/attend.h"

typedef struct ms_mask {
    ir_value *mask;  /* NULL: none */
    ir_value *past;  /* rows before the first query, int64 [1]; NULL: none */
    ir_value *total; /* keys, int64 [1] */
} ms_mask;

/* Adds to a->bias what the mask adds to the scores, and chooses a->fill and a->offsets: keys that
 * the causal bound hides count even less than those that the mask hides. a->q and a->causal are
 * set. The node's mask_filter_value is the value. */
void ms_mask_apply(op_body *b, const ms_mask *m, attend *a);

#endif
