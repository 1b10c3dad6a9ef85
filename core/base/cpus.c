/* cpus.c - how many processors this process may use: affinity, and the CPU quota of its cgroup.
 *
 * A container with a quota of two processors on a machine of 64 shows all 64 to sysconf; a pool of
 * that size would be stopped by the kernel for most of every period. Read once, at pool start. */
#include "base/cpus.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cgroup.h"

enum { FILE_SIZE = 4096 };

static uint32_t affinity(void)
{
    cpu_set_t set; /* 1024 processors; the call fails on a larger machine */
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

/* quota out of every period, in processors rounded up; 0 for none. */
static uint64_t share(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = quota / period + (quota % period != 0);
    return cpus > 1 << 20 ? 0 : (uint64_t)cpus;
}

/* cpu.max: "200000 100000" or "max 100000". */
static uint64_t quota_v2(const char *folder)
{
    char text[FILE_SIZE];
    if (!cgroup_read(folder, "cpu.max", text, sizeof(text)))
        return 0;
    char *end = text;
    long long quota = strtoll(text, &end, 10);
    return end == text ? 0 : share(quota, strtoll(end, NULL, 10));
}

static uint64_t quota_v1(const char *folder)
{
    char quota[FILE_SIZE], period[FILE_SIZE];
    if (!cgroup_read(folder, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
        !cgroup_read(folder, "cpu.cfs_period_us", period, sizeof(period)))
        return 0;
    return share(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static const cgroup_limit cpu_limit = {.controller = "cpu", .v2 = quota_v2, .v1 = quota_v1};

uint32_t cpus_quota(const char *membership, const char *mount)
{
    return (uint32_t)cgroup_least(&cpu_limit, membership, mount);
}

uint32_t cpus_allowed(void)
{
    uint32_t cpus = affinity(), quota = (uint32_t)cgroup_least_here(&cpu_limit);
    if (cpus == 0 || (quota && quota < cpus))
        cpus = quota;
    return cpus ? cpus : 1;
}
