/* What the machine reaches, measured in the run in which it is needed: rates wander on shared
 * machines, and a data sheet knows nothing of neighbours. For benchmarks. */
#ifndef MACHINE_LIMITS_H
#define MACHINE_LIMITS_H

#include <stddef.h>

/* GB/s at which `threads` threads read memory that no cache holds; the first call takes 256 MiB,
 * which stay. */
double limits_read(unsigned threads);

/* GB/s of one pass over 256 MiB: each thread, on a processor of its own, reads its share from end
 * to end. For probes between what is measured: a few milliseconds, and no best of many. */
double limits_probe(unsigned threads);

double limits_now(int alone); /* seconds; `alone`: of this thread only */

/* The time that a tenth of them stay below, which neighbours disturb little; sorts them. */
double limits_quick(double *seconds, size_t n);

#endif
