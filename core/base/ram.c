/* ram.c - see ram.h. What other programs hold is not looked at: it changes. */
#include "base/ram.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"

/* A number of bytes, or "max". */
static uint64_t read_bytes(const char *folder, const char *name)
{
    char text[64], *end = text;
    if (!cgroup_read(folder, name, text, sizeof(text)))
        return 0;
    unsigned long long bytes = strtoull(text, &end, 10);
    return end == text ? 0 : bytes;
}

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* memory.high is where a group is slowed down until it gives memory back. */
static uint64_t limit_v2(const char *folder)
{
    uint64_t most = read_bytes(folder, "memory.max"), high = read_bytes(folder, "memory.high");
    return most && high ? smaller(most, high) : most + high;
}

static uint64_t limit_v1(const char *folder) { return read_bytes(folder, "memory.limit_in_bytes"); }

static const cgroup_limit memory_limit = {.controller = "memory", .v2 = limit_v2, .v1 = limit_v1};

uint64_t ram_limit(const char *membership, const char *mount)
{
    return cgroup_least(&memory_limit, membership, mount);
}

static uint64_t least_of_process(void)
{
    struct rlimit space, data;
    uint64_t least = UINT64_MAX;
    if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY)
        least = space.rlim_cur;
    if (getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur != RLIM_INFINITY)
        least = smaller(least, data.rlim_cur);
    return least;
}

uint64_t ram_allowed(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t all = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : (uint64_t)1 << 32;
    uint64_t group = cgroup_least_here(&memory_limit);
    if (group)
        all = smaller(all, group);
    return smaller(all, least_of_process());
}
