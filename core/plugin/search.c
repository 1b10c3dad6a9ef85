/* search.c - where plugins are looked for. Only in places that the user or the installation
 * chose: never in the current folder, never beside a model. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "plugin/module.h"

static const char subfolder[] = "heed/plugins-1";

/* A growing NULL-terminated list of strings. */
typedef struct strings {
    const char **items;
    size_t count, capacity;
} strings;

static heed_status strings_add(strings *s, const char *text)
{
    if (text == NULL)
        return HEED_NOMEM;
    TRY(mem_grow(&s->items, &s->capacity, s->count, sizeof(*s->items)));
    s->items[s->count++] = text;
    return HEED_OK;
}

static bool strings_has(const strings *s, const char *text)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->items[i], text) == 0)
            return true;
    return false;
}

/* Hands the list over to the arena. */
static heed_status strings_finish(strings *s, heed_status status, arena *memory,
                                  const char *const **out)
{
    const char **kept = arena_array(memory, s->count + 1, sizeof(*kept));
    if (kept && s->count > 0)
        memcpy(kept, s->items, s->count * sizeof(*kept));
    mem_free(s->items);
    *out = kept;
    if (status != HEED_OK)
        return status;
    return kept ? HEED_OK : HEED_NOMEM;
}

bool plugin_search_off(void)
{
    const char *off = getenv("HEED_NO_PLUGINS");
    return off && strcmp(off, "1") == 0;
}

/* FOLDER/heed/plugins-1 beside the library; for a program that the library is linked into
 * statically, PROGRAM/../lib/heed/plugins-1. */
bool plugin_search_installed(char folder[PATH_MAX])
{
    static const char anchor = 0;
    char path[PATH_MAX];
    Dl_info info;
    if (dladdr(&anchor, &info) == 0 || info.dli_fname == NULL)
        return false;
    if (realpath(info.dli_fname, path) == NULL && realpath("/proc/self/exe", path) == NULL)
        return false;
    char *slash = strrchr(path, '/');
    bool library = strncmp(slash + 1, "libheed.", 8) == 0;
    slash[1] = '\0';
    char wanted[PATH_MAX + 32] = "";
    const char *parts[] = {path, library ? "" : "../lib/", subfolder};
    size_t used = 0;
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(parts[i]);
        memcpy(wanted + used, parts[i], n + 1);
        used += n;
    }
    return used < sizeof(wanted) && realpath(wanted, folder) != NULL;
}

/* The parts of HEED_PLUGIN_PATH; ignored by set-id programs. */
static heed_status add_configured(arena *memory, strings *s)
{
    const char *path = secure_getenv("HEED_PLUGIN_PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        if (path[0] == '/')
            TRY(strings_add(s, arena_copy(memory, path, n)));
        else if (n > 0)
            log_write(LOG_WARN, "HEED_PLUGIN_PATH: \"%.*s\" is not absolute and is not searched",
                      (int)n, path);
        path += n + (path[n] == ':');
    }
    return HEED_OK;
}

heed_status plugin_search_folders(arena *memory, const char *const **folders)
{
    strings s = {0};
    char installed[PATH_MAX];
    heed_status status = HEED_OK;
    if (!plugin_search_off()) {
        status = add_configured(memory, &s);
        if (status == HEED_OK && plugin_search_installed(installed) && !strings_has(&s, installed))
            status = strings_add(&s, arena_string(memory, installed));
    }
    return strings_finish(&s, status, memory, folders);
}

static bool is_plugin_name(const char *name)
{
    size_t n = strlen(name);
    return n > 3 && name[0] != '.' && strcmp(name + n - 3, ".so") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static heed_status list_folder(arena *memory, const char *folder, strings *s)
{
    DIR *listing = opendir(folder);
    if (listing == NULL)
        return HEED_OK;
    heed_status status = HEED_OK;
    for (struct dirent *e = readdir(listing); e && status == HEED_OK; e = readdir(listing)) {
        if (is_plugin_name(e->d_name))
            status = strings_add(s, arena_printf(memory, "%s/%s", folder, e->d_name));
    }
    closedir(listing);
    if (s->count > 1)
        qsort(s->items, s->count, sizeof(*s->items), by_name);
    return status;
}

heed_status plugin_search_files(arena *memory, const char *folder, const char *const **files)
{
    strings s = {0};
    heed_status status = plugin_policy_folder(folder);
    if (status == HEED_OK) {
        status = list_folder(memory, folder, &s);
    } else {
        if (status != HEED_NOTFOUND)
            log_write(LOG_WARN, "%s", err_get()->message);
        status = HEED_OK;
    }
    return strings_finish(&s, status, memory, files);
}
