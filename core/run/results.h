/* results.h - what a run computed becomes the caller's. */
#ifndef HEED_RUN_RESULTS_H
#define HEED_RUN_RESULTS_H

#include "base/tensor.h"

/* Of the `n` results in `all`, those `asked` for go to `out`; the others are dropped, and on
 * failure all of them. Where out[i] is a caller's tensor, the result is in it already.
 *
 * Each result that is handed over has memory of its own: a caller who writes to it, or to an input
 * later, changes neither a constant of the session nor another result. */
heed_status results_hand_over(heed_tensor **all, uint32_t n, const uint32_t *asked, size_t n_out,
                              heed_tensor **out);

#endif
