/* cgroup.h - limits that a container or a service manager has put on this process. */
#ifndef HEED_BASE_CGROUP_H
#define HEED_BASE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is limited, and how a group says it: 0 for no limit. */
typedef struct cgroup_limit {
    const char *controller; /* of version 1: "cpu" */
    uint64_t (*v2)(const char *folder);
    uint64_t (*v1)(const char *folder);
} cgroup_limit;

/* The least limit of the groups that the process is in and of all around them, 0 for none.
 * `membership` is the content of /proc/self/cgroup; the hierarchies lie below `mount`
 * (/sys/fs/cgroup): tests give others. */
uint64_t cgroup_least(const cgroup_limit *limit, const char *membership, const char *mount);
/* The same for this process. */
uint64_t cgroup_least_here(const cgroup_limit *limit);

/* The beginning of a small file as a string; false when it cannot be read. */
bool cgroup_read(const char *folder, const char *name, char *text, size_t size);

#endif
