/* cpus.c - how many processors this process may use: affinity, and the CPU quota of its cgroup.
 *
 * A container with a quota of two processors on a machine of 64 shows all 64 to sysconf; a pool of
 * that size would be stopped by the kernel for most of every period. Read once, at pool start. */
#include "base/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, FILE_SIZE = 4096 };

static uint32_t affinity(void)
{
    cpu_set_t set; /* 1024 processors; the call fails on a larger machine */
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

/* The beginning of a small file as a string; false when it cannot be read. */
static bool read_small(const char *path, char *text, size_t size)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    size_t used = 0;
    while (used < size - 1) {
        ssize_t n = read(descriptor, text + used, size - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    close(descriptor);
    return used > 0;
}

static bool read_in(const char *folder, const char *name, char *text, size_t size)
{
    char path[PATH_SIZE + 32];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof(path) && read_small(path, text, size);
}

/* quota out of every period, in processors rounded up; 0 for none. */
static uint32_t share(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = quota / period + (quota % period != 0);
    return cpus > 1 << 20 ? 0 : (uint32_t)cpus;
}

/* cpu.max: "200000 100000" or "max 100000". */
static uint32_t quota_v2(const char *folder)
{
    char text[FILE_SIZE];
    if (!read_in(folder, "cpu.max", text, sizeof(text)))
        return 0;
    char *end = text;
    long long quota = strtoll(text, &end, 10);
    return end == text ? 0 : share(quota, strtoll(end, NULL, 10));
}

static uint32_t quota_v1(const char *folder)
{
    char quota[FILE_SIZE], period[FILE_SIZE];
    if (!read_in(folder, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
        !read_in(folder, "cpu.cfs_period_us", period, sizeof(period)))
        return 0;
    return share(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* The least quota of a group and all groups around it, up to the mount. In a container the path
 * may be one of the host that does not exist here; its upper ends still do. */
static uint32_t least_quota(const char *mount, const char *path,
                            uint32_t (*quota)(const char *folder))
{
    char folder[PATH_SIZE];
    int n = snprintf(folder, sizeof(folder), "%s%s", mount, path);
    if (n <= 0 || (size_t)n >= sizeof(folder))
        return quota(mount);
    size_t top = strlen(mount);
    uint32_t least = 0;
    for (;;) {
        least = smaller(least, quota(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + top)
            return least;
        *slash = '\0';
    }
}

/* Is "cpu" one of the comma-separated controllers? */
static bool has_cpu(const char *controllers)
{
    for (const char *c = controllers; *c; c += strcspn(c, ","), c += *c == ',') {
        if (strcspn(c, ",") == 3 && strncmp(c, "cpu", 3) == 0)
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/path" (version 2) or "4:cpu,cpuacct:/path". */
static uint32_t quota_of_line(char *line, const char *mount)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL)
        return 0;
    *path++ = '\0';
    controllers++;
    if (*controllers == '\0')
        return least_quota(mount, path, quota_v2);
    if (!has_cpu(controllers))
        return 0;
    char below[PATH_SIZE];
    int n = snprintf(below, sizeof(below), "%s/%s", mount, controllers);
    uint32_t quota = n > 0 && (size_t)n < sizeof(below) ? least_quota(below, path, quota_v1) : 0;
    n = snprintf(below, sizeof(below), "%s/cpu", mount);
    if (quota == 0 && n > 0 && (size_t)n < sizeof(below))
        quota = least_quota(below, path, quota_v1);
    return quota;
}

uint32_t cpus_quota(const char *membership, const char *mount)
{
    char text[FILE_SIZE];
    snprintf(text, sizeof(text), "%s", membership);
    uint32_t least = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        least = smaller(least, quota_of_line(line, mount));
    return least;
}

uint32_t cpus_allowed(void)
{
    char membership[FILE_SIZE];
    uint32_t cpus = affinity();
    if (read_small("/proc/self/cgroup", membership, sizeof(membership)))
        cpus = smaller(cpus, cpus_quota(membership, "/sys/fs/cgroup"));
    return cpus ? cpus : 1;
}
