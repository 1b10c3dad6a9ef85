/* named.c - a plugin by its name: NAME.so in the first folder of the search that has it. */
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

/* Opens only NAME.so: the file name is the plugin's name. */
static heed_status load_by_name(arena *memory, const char *name, plugin_module **out)
{
    const char *const *folders;
    TRY(plugin_search_folders(memory, &folders));
    for (size_t i = 0; folders[i]; i++) {
        const char *path = arena_printf(memory, "%s/%s.so", folders[i], name);
        if (path == NULL)
            return HEED_NOMEM;
        heed_status status = plugin_module_named(path, out);
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
