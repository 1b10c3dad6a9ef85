/* named.c - a plugin by its name: NAME.so in the first folder of the search that has it, itself or
 * in its services. */
#include <string.h>

#include "plugin/module.h"

static heed_status not_found(arena *memory, const char *name, const char *const *folders)
{
    if (plugin_search_off())
        return err_fail(HEED_NOTFOUND, "no plugin \"%s\": HEED_NO_PLUGINS turns plugins off", name);
    const char *places = folders[0];
    for (size_t i = 1; places && folders[i]; i++)
        places = arena_printf(memory, "%s, %s", places, folders[i]);
    err_fail(HEED_NOTFOUND, "no plugin \"%s\" in %s", name, places ? places : "any folder");
    return err_hint("add its folder to HEED_PLUGIN_PATH, or give the path of %s.so", name);
}

static heed_status load_from(arena *memory, const char *folder, const char *below, const char *name,
                             plugin_module **out)
{
    const char *path = arena_printf(memory, "%s%s/%s.so", folder, below, name);
    return path ? plugin_module_named(path, out) : HEED_NOMEM;
}

/* Opens only NAME.so: the file name is the plugin's name. */
static heed_status load_by_name(arena *memory, const char *name, plugin_module **out)
{
    const char *const *folders;
    TRY(plugin_search_folders(memory, &folders));
    for (size_t i = 0; folders[i]; i++) {
        heed_status status = load_from(memory, folders[i], "", name, out);
        if (status == HEED_NOTFOUND)
            status = load_from(memory, folders[i], "/" PLUGIN_SERVICES, name, out);
        if (status != HEED_NOTFOUND)
            return status;
    }
    return not_found(memory, name, folders);
}

heed_status plugin_module_by_name(const char *name, plugin_module **out)
{
    if (name[0] == '/')
        return plugin_module_named(name, out);
    *out = plugin_module_loaded(name);
    if (*out)
        return HEED_OK;
    arena memory = {0};
    heed_status status = load_by_name(&memory, name, out);
    arena_free(&memory);
    return status;
}
