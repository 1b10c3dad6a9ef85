/* cpus.h - how many processors this process may use at once. */
#ifndef HEED_BASE_CPUS_H
#define HEED_BASE_CPUS_H

#include <stdint.h>

/* The smaller of the affinity mask and the cgroup quota (rounded up), at least 1. */
uint32_t cpus_allowed(void);

/* The quota alone, in processors, 0 for none. `membership` is the content of /proc/self/cgroup;
 * the hierarchies lie below `mount` (/sys/fs/cgroup): tests give others. */
uint32_t cpus_quota(const char *membership, const char *mount);

#endif
