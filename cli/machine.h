/* machine.h - what the machine is and how much of it this process may use. */
#ifndef HEED_CLI_MACHINE_H
#define HEED_CLI_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void machine_cpu_name(char *out, size_t size);
void machine_isa(char *out, size_t size);    /* "avx2 fma avx512f", or "" */
unsigned machine_cpus(void);                 /* that affinity allows */
bool machine_cgroup_cpus(double *cpus);      /* the quota, when there is one */
uint64_t machine_memory(void);               /* bytes of RAM, 0 when unknown */
bool machine_cgroup_memory(uint64_t *bytes); /* the limit, when there is one */
uint64_t machine_peak_memory(void);          /* resident bytes of this process, the most so far */

#endif
