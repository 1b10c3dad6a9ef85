/* file.c - mapped files, and files that a model names.
 *
 * A model is hostile: what it names is opened below its own folder only, by the kernel's own
 * containment where there is one, and every check is made on the descriptor that is then mapped,
 * so that nothing can be exchanged between the check and the use. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    READ_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
    TOUCH_PAGES = 4096 /* at once: 16 MiB */
};

/* ---- Mapping ------------------------------------------------------------------------------- */

static const char *kind_text(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a pipe";
    if (S_ISSOCK(mode))
        return "a socket";
    return S_ISLNK(mode) ? "a symbolic link" : "a device";
}

static heed_status map_descriptor(int descriptor, const struct stat *info, file_map *out)
{
    if (info->st_size == 0)
        return HEED_OK;
    size_t size = (size_t)info->st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (bytes == MAP_FAILED)
        return err_fail(errno == ENOMEM ? HEED_NOMEM : HEED_IO, "cannot be mapped: %s",
                        strerrordesc_np(errno));
    out->bytes = bytes;
    out->n_bytes = size;
    return HEED_OK;
}

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; an older one refuses it */
#endif

/* Are all of these pages in memory? For the files of others the kernel says yes without looking. */
static bool is_resident(char *from, size_t n, size_t page)
{
    unsigned char known[TOUCH_PAGES];
    if (mincore(from, n, known) != 0)
        return false;
    for (size_t i = 0; i < (n + page - 1) / page; i++)
        if (!(known[i] & 1))
            return false;
    return true;
}

void file_touch(const void *bytes, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), step = page * TOUCH_PAGES;
    char *from = (char *)((uintptr_t)bytes / page * page), *end = (char *)(uintptr_t)bytes + n;
    for (; from < end; from += step) {
        size_t rest = (size_t)(end - from), size = rest < step ? rest : step;
        if (is_resident(from, size, page) && madvise(from, size, MADV_POPULATE_READ) != 0)
            return;
    }
}

/* most_links 0: any number of hard links. */
static heed_status map_checked(int descriptor, nlink_t most_links, file_map *out)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0)
        return err_fail(HEED_IO, "cannot be examined: %s", strerrordesc_np(errno));
    if (!S_ISREG(info.st_mode))
        return err_expected(HEED_INVALID, "a regular file", kind_text(info.st_mode), NULL);
    if (most_links != 0 && info.st_nlink > most_links)
        return err_expected(HEED_INVALID, "a file with one hard link", "a file with several",
                            "a copy of the file has one link");
    return map_descriptor(descriptor, &info, out);
}

static heed_status open_failed(int code)
{
    heed_status status = code == ENOENT || code == ENOTDIR ? HEED_NOTFOUND : HEED_IO;
    if (code == ENOMEM)
        status = HEED_NOMEM;
    return err_fail(status, "cannot be opened: %s", strerrordesc_np(code));
}

heed_status file_map_open(const char *path, file_map *out)
{
    *out = (file_map){0};
    int descriptor = open(path, READ_FLAGS);
    heed_status status = HEED_OK;
    if (descriptor < 0)
        status = open_failed(errno);
    else
        status = map_checked(descriptor, 0, out);
    if (descriptor >= 0)
        close(descriptor);
    return status == HEED_OK ? HEED_OK : err_at(ERR_NO_OFFSET, "%s", path);
}

void file_map_close(file_map *map)
{
    if (map->bytes)
        munmap((void *)(uintptr_t)map->bytes, map->n_bytes);
    *map = (file_map){0};
}

/* ---- Folders ------------------------------------------------------------------------------- */

heed_status file_folder_open_dir(const char *folder, file_folder *out)
{
    out->descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (out->descriptor >= 0)
        return HEED_OK;
    open_failed(errno);
    return err_at(ERR_NO_OFFSET, "%s", folder);
}

heed_status file_folder_open(const char *path_of_a_file_in_it, file_folder *out)
{
    const char *slash = strrchr(path_of_a_file_in_it, '/');
    if (slash == NULL)
        return file_folder_open_dir(".", out);
    size_t n = slash == path_of_a_file_in_it ? 1 : (size_t)(slash - path_of_a_file_in_it);
    out->descriptor = -1;
    char *folder = mem_alloc(n + 1);
    if (folder == NULL)
        return HEED_NOMEM;
    memcpy(folder, path_of_a_file_in_it, n);
    folder[n] = '\0';
    heed_status status = file_folder_open_dir(folder, out);
    mem_free(folder);
    return status;
}

void file_folder_close(file_folder *folder)
{
    if (folder->descriptor >= 0)
        close(folder->descriptor);
    folder->descriptor = -1;
}

/* ---- Files below a folder ------------------------------------------------------------------- */

/* The descriptor, or -1 with errno. */
static int open_beneath(int folder, const char *location)
{
    struct open_how how = {
        .flags = READ_FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long descriptor;
    int tries = 0;
    do /* a rename elsewhere in the tree makes the kernel give up; it may be asked again */
        descriptor = syscall(SYS_openat2, folder, location, &how, sizeof(how));
    while (descriptor < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < 32);
    return (int)descriptor;
}

/* Opens one component, which may not be a link. */
static int open_part(int folder, const char *part, size_t n, int flags)
{
    char name[NAME_MAX + 1];
    if (n > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, part, n);
    name[n] = '\0';
    return openat(folder, name, O_NOFOLLOW | flags);
}

/* The same by hand, one component after the other. */
static int walk_beneath(int folder, const char *location)
{
    int at = folder;
    for (;;) {
        size_t n = strcspn(location, "/");
        size_t slashes = strspn(location + n, "/");
        bool last = location[n + slashes] == '\0';
        int next = open_part(at, location, n, last ? READ_FLAGS : O_PATH | O_CLOEXEC);
        int code = errno;
        if (at != folder)
            close(at);
        errno = code;
        if (next < 0 || last)
            return next;
        at = next;
        location += n + slashes;
    }
}

/* Old kernels lack openat2, and some sandboxes refuse it. */
static int open_below(int folder, const char *location)
{
    int descriptor = open_beneath(folder, location);
    if (descriptor < 0 && (errno == ENOSYS || errno == EPERM))
        descriptor = walk_beneath(folder, location);
    return descriptor;
}

/* What is wrong with the text of a location, or NULL. The kernel contains it anyhow; this gives
 * the better message. */
static const char *bad_location(const char *location)
{
    if (location[0] == '\0')
        return "an empty location";
    if (location[0] == '/')
        return "an absolute path";
    for (const char *part = location;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return "a path with \"..\"";
        part += n;
        if (*part == '\0')
            return NULL;
    }
}

static heed_status below_failed(int code)
{
    static const char expected[] = "a regular file inside the folder of the model";
    const char *found = strerrordesc_np(code);
    if (code == ENOENT)
        found = "no such file";
    if (code == ELOOP || code == ENOTDIR)
        found = "a symbolic link or a file on the way";
    if (code == EXDEV)
        found = "a path that leaves it";
    bool environment = code == EACCES || code == EIO || code == EMFILE || code == ENFILE;
    const char *hint = code == ENOENT ? "the data file belongs beside the model" : NULL;
    return err_expected(environment ? HEED_IO : HEED_INVALID, expected, found, hint);
}

static heed_status map_below(const file_folder *folder, const char *location, file_map *out)
{
    const char *bad = bad_location(location);
    if (bad)
        return err_expected(HEED_INVALID, "a relative path inside the folder of the model", bad,
                            NULL);
    if (folder->descriptor < 0)
        return err_expected(HEED_INVALID, "a model without external data",
                            "a model in memory that names a file",
                            "give the folder in which its files may lie");
    int descriptor = open_below(folder->descriptor, location);
    if (descriptor < 0)
        return below_failed(errno);
    heed_status status = map_checked(descriptor, 1, out);
    close(descriptor);
    return status;
}

heed_status file_map_below(const file_folder *folder, const char *location, file_map *out)
{
    *out = (file_map){0};
    if (map_below(folder, location, out) == HEED_OK)
        return HEED_OK;
    return err_at(ERR_NO_OFFSET, "external data \"%s\"", location);
}
