/* failing_alloc.h - an allocator whose n-th allocation fails: once, or that one and all after it.
 *
 * A test walks n up from 0 until it is not reached: then every allocation of what it does has
 * failed in turn. Any number of threads allocate. */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stdbool.h>

/* Before anything is allocated. False: it was too late. */
bool failing_install(void);
void failing_arm(long long at, bool ever); /* counts from 0 again; at < 0: none fails */
/* None fails from now on. Was the one that should fail reached since it was armed? */
bool failing_disarm(void);
long long failing_count(void); /* allocations since it was armed */
long long failing_live(void);  /* bytes that were not given back */
/* At the end of main, with cmocka's result: everything must have been given back. */
int failing_end(int failed);

#endif
