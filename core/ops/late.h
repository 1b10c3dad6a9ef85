/* late.h - shapes that wait for data. */
#ifndef HEED_OPS_LATE_H
#define HEED_OPS_LATE_H

#include "ops/op.h"

/* For the first line of a kernel whose inference may be late: when the outputs are not planned,
 * infers their types from the inputs, whose content is there now, and shapes them. */
heed_status late_shape(op_call *c);

/* The integers of input i, widened into scratch memory; NULL with the error set. */
int64_t *late_ints(op_call *c, uint32_t i);

#endif
