/* pool.h - the one thread pool of the process. The caller of pool_run works too; workers spin for
 * at most 50 us after their last piece, then sleep. Results must not depend on how many threads
 * there are: callers cut work by shape only. */
#ifndef HEED_BASE_POOL_H
#define HEED_BASE_POOL_H

#include "base/mem.h"

typedef void (*pool_body)(void *arg, uint32_t i);

/* Runs body(arg, i) for each i in [0, n); returns when all are done. Any thread, also from inside
 * a body. Without memory or threads it degrades to a loop. */
void pool_run(pool_body body, void *arg, uint32_t n);

/* n 0: what affinity and cgroup CPU quota allow. Waits until no job is under way. */
heed_status pool_set_threads(uint32_t n);
uint32_t pool_get_threads(void);
void pool_stop(void); /* joins the workers; the next pool_run starts them again */

/* True in a child that was forked while the pool of the parent existed. The pool itself restarts
 * in a child; sessions of the parent must not be used there. */
uint32_t pool_fork_generation(void);

#endif
