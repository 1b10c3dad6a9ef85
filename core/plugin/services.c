/* services.c - finding what operators borrow from plugins (base/service.h). The plugin is named by
 * the interface: "heed.text/1" is offered by text.so. */
#include <stdio.h>
#include <string.h>

#include "plugin/module.h"
#include "plugin/registry.h"

enum { NAME_SIZE = 64 };

static heed_status name_of(const char *id, char name[NAME_SIZE])
{
    const char *from = strncmp(id, "heed.", 5) == 0 ? id + 5 : id;
    size_t n = strcspn(from, "/");
    if (n == 0 || n >= NAME_SIZE || from == id)
        return err_fail(HEED_INTERNAL, "\"%s\" is no id of a service", id);
    memcpy(name, from, n);
    name[n] = '\0';
    return HEED_OK;
}

static heed_status find(const char *id, const char *name, const void **out)
{
    plugin_module *m;
    TRY(plugin_module_by_name(name, &m));
    *out = m->entry->get(id);
    return *out ? HEED_OK : err_fail(HEED_NOTFOUND, "plugin \"%s\" does not offer %s", name, id);
}

heed_status plugin_find_service(const char *id, const void **out)
{
    char name[NAME_SIZE];
    *out = NULL;
    TRY(name_of(id, name));
    plugin_lock();
    heed_status status = find(id, name, out);
    plugin_unlock();
    if (status == HEED_OK || status == HEED_NOMEM)
        return status;
    char reason[256];
    snprintf(reason, sizeof(reason), "%s", err_get()->message);
    err_fail(HEED_UNSUPPORTED, "this needs the plugin \"%s\": %s", name, reason);
    return err_hint("add the folder of %s.so to HEED_PLUGIN_PATH", name);
}
