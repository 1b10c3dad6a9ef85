/* align.h - weights at addresses that a kernel can read as their type.
 *
 * A weight lies where its file has it, at any byte. Reference kernels and kernels with
 * HEED_UNALIGNED read it there; for all others it is copied once. */
#ifndef HEED_PLAN_ALIGN_H
#define HEED_PLAN_ALIGN_H

#include "graph/ir.h"

/* Is the value a constant that lies at an address which is none of its type? */
bool align_needed(const ir_value *v);
/* Every constant input of the node is aligned to its elements from now on. */
heed_status align_constants(ir_node *n);
/* The same for one value: the default of an input is handed to kernels like a caller's tensor. */
heed_status align_value(ir_value *v);

#endif
