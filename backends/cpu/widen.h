/* Kernels of float32 for float16 and bfloat16 as well: operands become float32 in the workspace,
 * the kernel runs on those, and its result is rounded. */
#ifndef CPU_WIDEN_H
#define CPU_WIDEN_H

#include "cpu.h"

/* Input 0 is float32, float16 or bfloat16, and so are all that are one of these. */
heed_status cpu_widen_accepts(void *device, const heed_node *node);
heed_status cpu_widen_measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes);
/* Runs `run`, with operands that are widened where they have 16 bits; its workspace begins behind
 * what cpu_widen_measure asks for. */
heed_status cpu_widen_run(const heed_call *call, heed_status (*run)(const heed_call *call));

#endif
