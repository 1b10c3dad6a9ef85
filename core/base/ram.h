/* ram.h - how much memory this process may use. */
#ifndef HEED_BASE_RAM_H
#define HEED_BASE_RAM_H

#include <stdint.h>

/* The least of the machine's memory, the limits of the cgroups, and the limit on data and addresses
 * of the process. */
uint64_t ram_allowed(void);

/* The limit of the cgroups alone, 0 for none; see cgroup_least. */
uint64_t ram_limit(const char *membership, const char *mount);

#endif
