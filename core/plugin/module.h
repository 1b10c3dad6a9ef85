/* module.h - one loaded plugin, and the steps of loading it. Internal to core/plugin; nothing here
 * locks: registry.c does, and a child process of list.c must not. */
#ifndef HEED_PLUGIN_MODULE_H
#define HEED_PLUGIN_MODULE_H

#include <limits.h>

#include "base/mem.h"
#include "heed/importer.h"
#include "heed/plugin.h"

typedef struct plugin_module {
    char path[PATH_MAX]; /* absolute, without links */
    const heed_plugin *entry;
    const heed_backend *backend;   /* or NULL */
    const heed_importer *importer; /* or NULL */
    const void *service;           /* the interface of its own name, "heed.NAME/1", or NULL */
} plugin_module;

/* policy.c: may this file be loaded? `canonical` gets its path without links. */
heed_status plugin_policy_file(const char *path, char canonical[PATH_MAX]);
heed_status plugin_policy_folder(const char *folder);

/* check.c: is what the plugin shows us complete? Messages name the field; the caller adds the
 * path. The two interface checks may follow every pointer of the table. */
heed_status plugin_check_entry(const heed_plugin *entry, const char *path);
heed_status plugin_check_backend(const heed_backend *backend, const char *name);
heed_status plugin_check_importer(const heed_importer *importer);

/* load.c: policy, dlopen, checks, init, interfaces. On failure the plugin is not initialised. */
heed_status plugin_module_load(const char *path, plugin_module *out);
void plugin_module_stop(plugin_module *module); /* fini */

/* Passes a plugin's status on, making sure that there is a message that names the plugin.
 * err_clear must have been called before the plugin was. */
heed_status plugin_blame(heed_status status, const char *name, const char *what);

/* search.c: the folders, in order; NULL-terminated, in arena memory. None with HEED_NO_PLUGINS. */
heed_status plugin_search_folders(arena *memory, const char *const **folders);
/* The plugin files of a folder, sorted by name; NULL-terminated, absolute paths. A folder that
 * does not exist is empty, one that is refused too, with a warning in the log. */
heed_status plugin_search_files(arena *memory, const char *folder, const char *const **files);
/* The folder that was installed with the library; false when there is none. */
bool plugin_search_installed(char folder[PATH_MAX]);
bool plugin_search_off(void); /* HEED_NO_PLUGINS=1 */
/* Below each folder: plugins that are loaded when something asks for them by name, not before. */
#define PLUGIN_SERVICES "services"

/* modules.c: all plugins of the process. The lock is held around everything but itself. */
void plugin_lock(void);
void plugin_unlock(void);
/* One that the user named: a refused one is tried again, for its message. */
heed_status plugin_module_named(const char *path, plugin_module **out);
/* One that was found in a folder: NULL if it is refused, which the log says once. */
heed_status plugin_module_found(const char *path, plugin_module **out);
plugin_module *plugin_module_loaded(const char *name); /* NULL: no such one is loaded */
/* named.c: by name, loaded when it is not yet, or by absolute path. HEED_NOTFOUND says where it was
 * looked for. */
heed_status plugin_module_by_name(const char *name, plugin_module **out);
/* Loads every plugin of a folder; `visit` returns false to stop. */
heed_status plugin_visit_folder(arena *memory, const char *folder,
                                bool (*visit)(plugin_module *m, void *arg), void *arg);
bool plugin_visit_loaded(bool (*visit)(plugin_module *m, void *arg), void *arg);
void plugin_modules_stop(void);
char *plugin_copy_text(const char *text);

/* list.c: forgets the last scan. */
void plugin_list_clear(void);

#endif
