/* cgroup.c - see cgroup.h. Both versions, and both at once. */
#include "base/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, FILE_SIZE = 4096 };

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

bool cgroup_read(const char *folder, const char *name, char *text, size_t size)
{
    char path[PATH_SIZE + 32];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    return n > 0 && (size_t)n < sizeof(path) && read_small(path, text, size);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* The least limit of a group and all groups around it, up to the mount. In a container the path
 * may be one of the host that does not exist here; its upper ends still do. */
static uint64_t least_of_groups(const char *mount, const char *path,
                                uint64_t (*limit)(const char *folder))
{
    char folder[PATH_SIZE];
    int n = snprintf(folder, sizeof(folder), "%s%s", mount, path);
    if (n <= 0 || (size_t)n >= sizeof(folder))
        return limit(mount);
    size_t top = strlen(mount);
    uint64_t least = 0;
    for (;;) {
        least = smaller(least, limit(folder));
        char *slash = strrchr(folder, '/');
        if (slash == NULL || slash < folder + top)
            return least;
        *slash = '\0';
    }
}

/* Is it one of the comma-separated controllers? */
static bool has_controller(const char *controllers, const char *wanted)
{
    size_t length = strlen(wanted);
    for (const char *c = controllers; *c; c += strcspn(c, ","), c += *c == ',') {
        if (strcspn(c, ",") == length && strncmp(c, wanted, length) == 0)
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/path" (version 2) or "4:cpu,cpuacct:/path". */
static uint64_t limit_of_line(const cgroup_limit *limit, char *line, const char *mount)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL)
        return 0;
    *path++ = '\0';
    controllers++;
    if (*controllers == '\0')
        return least_of_groups(mount, path, limit->v2);
    if (!has_controller(controllers, limit->controller))
        return 0;
    const char *const folders[] = {controllers, limit->controller};
    uint64_t least = 0;
    for (int i = 0; i < 2 && least == 0; i++) {
        char below[PATH_SIZE];
        int n = snprintf(below, sizeof(below), "%s/%s", mount, folders[i]);
        if (n > 0 && (size_t)n < sizeof(below))
            least = least_of_groups(below, path, limit->v1);
    }
    return least;
}

uint64_t cgroup_least(const cgroup_limit *limit, const char *membership, const char *mount)
{
    char text[FILE_SIZE];
    snprintf(text, sizeof(text), "%s", membership);
    uint64_t least = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        least = smaller(least, limit_of_line(limit, line, mount));
    return least;
}

uint64_t cgroup_least_here(const cgroup_limit *limit)
{
    char membership[FILE_SIZE];
    if (!cgroup_read("/proc/self", "cgroup", membership, sizeof(membership)))
        return 0;
    return cgroup_least(limit, membership, "/sys/fs/cgroup");
}
