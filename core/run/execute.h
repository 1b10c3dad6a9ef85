/* execute.h - running a program: the steps of its stretches, late nodes, nested graphs. */
#ifndef HEED_RUN_EXECUTE_H
#define HEED_RUN_EXECUTE_H

#include "run/plans.h"

/* What the runs of one call share. */
typedef struct run_call {
    plan_store *store;
    program *const *programs; /* all of the session, for finding nested ones */
    uint32_t n_programs;
    uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
    const heed_cancel *cancel;
} run_call;

struct heed_cancel {
    _Atomic int cancelled;
};

/* `in`: the graph inputs, then the captures, of `p`. `out`: one new tensor for each graph output,
 * or on entry a caller's tensor of the right type to write into. On failure, none is made. */
heed_status execute_program(const run_call *r, const program *p, const heed_tensor *const *in,
                            heed_tensor **out);

#endif
