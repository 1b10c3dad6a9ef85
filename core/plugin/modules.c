/* modules.c - the plugins of this process: loaded on demand, once each, and what was refused.
 *
 * Separate from registry.c because backends and importers are both found through it. One mutex
 * guards the whole of core/plugin; everything here but plugin_lock expects it to be held. Modules
 * stay where they are until plugin_modules_stop. */
#include <pthread.h>
#include <string.h>

#include "base/log.h"
#include "plugin/module.h"

/* A file that was tried: `module` is NULL if it was refused. */
typedef struct attempt {
    plugin_module *module;
    char *path;
} attempt;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    attempt *attempts;
    size_t count, room;
} all;

void plugin_lock(void) { pthread_mutex_lock(&lock); }

void plugin_unlock(void) { pthread_mutex_unlock(&lock); }

char *plugin_copy_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = mem_alloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

/* The attempt at this very path, or at the file that it leads to. */
static attempt *find_attempt(const char *path)
{
    for (size_t i = 0; i < all.count; i++) {
        attempt *a = &all.attempts[i];
        if (strcmp(a->path, path) == 0 || (a->module && strcmp(a->module->path, path) == 0))
            return a;
    }
    return NULL;
}

/* Takes the module, also on failure. */
static heed_status remember(const char *path, plugin_module *module)
{
    heed_status status = mem_grow(&all.attempts, &all.room, all.count, sizeof(*all.attempts));
    char *copy = status == HEED_OK ? plugin_copy_text(path) : NULL;
    if (copy == NULL) {
        if (module)
            plugin_module_stop(module);
        mem_free(module);
        return HEED_NOMEM;
    }
    all.attempts[all.count++] = (attempt){.module = module, .path = copy};
    return HEED_OK;
}

/* Another path may have led to the same file. */
static plugin_module *find_module(const char *canonical)
{
    for (size_t i = 0; i < all.count; i++) {
        plugin_module *m = all.attempts[i].module;
        if (m && strcmp(m->path, canonical) == 0)
            return m;
    }
    return NULL;
}

static heed_status load_new(const char *path, plugin_module **out)
{
    char canonical[PATH_MAX];
    TRY(plugin_policy_file(path, canonical));
    *out = find_module(canonical);
    if (*out)
        return HEED_OK;
    plugin_module *module = mem_alloc(sizeof(*module));
    if (module == NULL)
        return HEED_NOMEM;
    heed_status status = plugin_module_load(path, module);
    if (status != HEED_OK) {
        mem_free(module);
        return status;
    }
    log_write(LOG_INFO, "loaded plugin %s %s from %s", module->entry->name,
              HEED_HAS(module->entry, version) ? module->entry->version : "", module->path);
    *out = module;
    return remember(path, module);
}

/* Loads a plugin that the user named: a refused one is tried again, its message is wanted. */
heed_status plugin_module_named(const char *path, plugin_module **out)
{
    const attempt *a = find_attempt(path);
    *out = a ? a->module : NULL;
    return *out ? HEED_OK : load_new(path, out);
}

/* A refusal is said once, to the log. Running out of memory is no refusal. */
heed_status plugin_module_found(const char *path, plugin_module **out)
{
    const attempt *a = find_attempt(path);
    *out = a ? a->module : NULL;
    if (a)
        return HEED_OK;
    heed_status status = load_new(path, out);
    if (status == HEED_OK || status == HEED_NOMEM)
        return status;
    *out = NULL;
    log_write(LOG_WARN, "%s", err_get()->message);
    return remember(path, NULL);
}

/* Every plugin file of a folder is tried. `visit` returns false to stop. */
heed_status plugin_visit_folder(arena *memory, const char *folder,
                                bool (*visit)(plugin_module *m, void *arg), void *arg)
{
    const char *const *files;
    TRY(plugin_search_files(memory, folder, &files));
    for (size_t i = 0; files[i]; i++) {
        plugin_module *m;
        TRY(plugin_module_found(files[i], &m));
        if (m && !visit(m, arg))
            break;
    }
    return HEED_OK;
}

/* One that was loaded from an explicit path comes before the folders. */
plugin_module *plugin_module_loaded(const char *name)
{
    for (size_t i = 0; i < all.count; i++) {
        plugin_module *m = all.attempts[i].module;
        if (m && strcmp(m->entry->name, name) == 0)
            return m;
    }
    return NULL;
}

bool plugin_visit_loaded(bool (*visit)(plugin_module *m, void *arg), void *arg)
{
    for (size_t i = 0; i < all.count; i++) {
        plugin_module *m = all.attempts[i].module;
        if (m && !visit(m, arg))
            return false;
    }
    return true;
}

void plugin_modules_stop(void)
{
    for (size_t i = 0; i < all.count; i++) {
        attempt *a = &all.attempts[i];
        if (a->module)
            plugin_module_stop(a->module);
        mem_free(a->module);
        mem_free(a->path);
    }
    mem_free(all.attempts);
    memset(&all, 0, sizeof(all));
}
