/* late.h - nodes that could not be planned: shapes that wait for data, control flow, sequences. */
#ifndef HEED_RUN_LATE_H
#define HEED_RUN_LATE_H

#include "run/execute.h"

/* Runs `n` of program `p` on tensors that are all there. out[i]: new tensors that own their memory,
 * NULL where the node leaves an output out. */
heed_status late_run(const run_call *r, plan_context *c, const program *p, const ir_node *n,
                     const heed_tensor *const *in, heed_tensor **out);

#endif
