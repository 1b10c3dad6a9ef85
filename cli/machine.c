/* machine.c - what the machine is and how much of it this process may use (Linux). */
#include "machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The rest of the first line that starts with `key`, without colon and spaces. */
static bool find_line(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    bool found = false;
    FILE *file = fopen(path, "r");
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)))
            continue;
        const char *value = line + strlen(key);
        value += strspn(value, " \t:");
        snprintf(out, size, "%.*s", (int)strcspn(value, "\n"), value);
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

void machine_cpu_name(char *out, size_t size)
{
    snprintf(out, size, "unknown");
    if (!find_line("/proc/cpuinfo", "model name", out, size))
        find_line("/proc/cpuinfo", "CPU implementer", out, size);
}

#if defined(__x86_64__)
void machine_isa(char *out, size_t size)
{
    const struct {
        const char *name;
        int there;
    } parts[] = {
        {"sse4.2", __builtin_cpu_supports("sse4.2")},
        {"avx", __builtin_cpu_supports("avx")},
        {"avx2", __builtin_cpu_supports("avx2")},
        {"fma", __builtin_cpu_supports("fma")},
        {"avx512f", __builtin_cpu_supports("avx512f")},
        {"avx512bw", __builtin_cpu_supports("avx512bw")},
        {"avx512vnni", __builtin_cpu_supports("avx512vnni")},
        {"avx512bf16", __builtin_cpu_supports("avx512bf16")},
    };
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].there && n < size)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " " : "", parts[i].name);
}
#else
void machine_isa(char *out, size_t size)
{
    if (!find_line("/proc/cpuinfo", "Features", out, size))
        out[0] = 0;
}
#endif

unsigned machine_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

/* The first line of a control file of this process's cgroup (version 2), or of the root's. */
static bool cgroup_line(const char *name, char *out, size_t size)
{
    char group[256] = "", path[512];
    find_line("/proc/self/cgroup", "0::", group, sizeof group);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", group, name);
    if (find_line(path, "", out, size))
        return true;
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s", name);
    return find_line(path, "", out, size);
}

bool machine_cgroup_cpus(double *cpus)
{
    char line[64];
    char *end;
    if (!cgroup_line("cpu.max", line, sizeof line))
        return false;
    double quota = strtod(line, &end);
    double period = strtod(end, NULL);
    *cpus = period > 0 ? quota / period : 0;
    return end != line && period > 0; /* "max 100000": no limit */
}

bool machine_cgroup_memory(uint64_t *bytes)
{
    char line[64];
    char *end;
    if (!cgroup_line("memory.max", line, sizeof line))
        return false;
    *bytes = strtoull(line, &end, 10);
    return end != line;
}

uint64_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}

uint64_t machine_peak_memory(void)
{
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) ? 0 : (uint64_t)use.ru_maxrss * 1024;
}
