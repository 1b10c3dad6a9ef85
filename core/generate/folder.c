/* folder.c - see folder.h. */
#include "generate/folder.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool folder_is(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

const char *folder_of(const char *path, arena *memory)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ".";
    return slash == path ? "/" : arena_copy(memory, path, (size_t)(slash - path));
}

bool folder_same_file(const char *a, const char *b)
{
    struct stat s, t;
    return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

typedef struct path_list {
    const char **items;
    size_t n, capacity;
} path_list;

static bool is_model_name(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && name[0] != '.' && strcmp(name + n - 5, ".onnx") == 0;
}

static heed_status list(DIR *listing, const char *folder, arena *memory, path_list *all)
{
    for (struct dirent *e = readdir(listing); e; e = readdir(listing)) {
        if (!is_model_name(e->d_name))
            continue;
        TRY(mem_grow(&all->items, &all->capacity, all->n, sizeof(*all->items)));
        all->items[all->n] = arena_printf(memory, "%s/%s", folder, e->d_name);
        if (!all->items[all->n])
            return HEED_NOMEM;
        all->n++;
    }
    return HEED_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

heed_status folder_models(const char *folder, arena *memory, const char *const **out, size_t *n)
{
    path_list all = {0};
    DIR *listing = opendir(folder);
    heed_status status = listing ? list(listing, folder, memory, &all) : HEED_OK;
    const char **items = arena_array(memory, all.n, sizeof(*items));
    if (listing)
        closedir(listing);
    if (!status && !items)
        status = HEED_NOMEM;
    if (!status && all.n) {
        qsort(all.items, all.n, sizeof(*all.items), by_name);
        memcpy(items, all.items, all.n * sizeof(*items));
    }
    *out = items;
    *n = status ? 0 : all.n;
    mem_free(all.items);
    return status;
}
