/* load.c - one plugin, from its path to its checked interfaces.
 *
 * The order is the contract: policy before dlopen, the ABI number before any other field, every
 * check before the first call, init before get. A plugin is never unloaded: code of it may still
 * stand on some thread's stack, and libraries under it may not survive it. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "plugin/module.h"
#include "plugin/registry.h"

heed_status plugin_blame(heed_status status, const char *name, const char *what)
{
    if (status == HEED_OK)
        return HEED_OK;
    if (err_get()->status == HEED_OK)
        return err_fail(status, "%s: %s failed (%s) and gave no reason", name, what,
                        heed_status_name(status));
    return err_fail(status, "%s: %s", name, err_get()->message);
}

/* dlerror repeats the path, which the message has already. */
static const char *loader_text(const char *path)
{
    const char *text = dlerror();
    size_t n = strlen(path);
    if (text == NULL)
        return "dlopen failed";
    if (strncmp(text, path, n) == 0 && text[n] == ':')
        text += n + 1;
    return text + strspn(text, " ");
}

static heed_status open_file(const char *path, const heed_plugin **entry)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return err_fail(HEED_INVALID, "%s", loader_text(path));
    *entry = dlsym(library, "heed_plugin_entry");
    if (*entry == NULL)
        return err_fail(HEED_INVALID, "exports no heed_plugin_entry: this is no plugin of heed");
    return HEED_OK;
}

static heed_status call_init(const heed_plugin *entry)
{
    if (entry->init == NULL)
        return HEED_OK;
    err_clear();
    heed_status status = entry->init(plugin_host());
    return plugin_blame(status, entry->name, "init");
}

static const void *get_service(const heed_plugin *entry)
{
    char id[80];
    int n = snprintf(id, sizeof(id), "heed.%s/1", entry->name);
    return n > 0 && (size_t)n < sizeof(id) ? entry->get(id) : NULL;
}

static heed_status get_interfaces(plugin_module *m)
{
    m->backend = m->entry->get(HEED_BACKEND_ID);
    m->importer = m->entry->get(HEED_IMPORTER_ID);
    if (m->backend)
        TRY(plugin_check_backend(m->backend, m->entry->name));
    if (m->importer)
        TRY(plugin_check_importer(m->importer));
    m->service = get_service(m->entry);
    if (!m->backend && !m->importer && !m->service)
        return err_fail(HEED_UNSUPPORTED, "offers neither " HEED_BACKEND_ID " nor " HEED_IMPORTER_ID
                                          " nor a service of its own name");
    return HEED_OK;
}

static heed_status load(plugin_module *m)
{
    TRY(open_file(m->path, &m->entry));
    TRY(plugin_check_entry(m->entry, m->path));
    TRY(call_init(m->entry));
    heed_status status = get_interfaces(m);
    if (status != HEED_OK)
        plugin_module_stop(m);
    return status;
}

heed_status plugin_module_load(const char *path, plugin_module *out)
{
    memset(out, 0, sizeof(*out));
    if (plugin_search_off())
        return err_fail(HEED_USAGE, "%s: plugins are turned off by HEED_NO_PLUGINS", path);
    TRY(plugin_policy_file(path, out->path));
    if (load(out) == HEED_OK)
        return HEED_OK;
    return err_at(ERR_NO_OFFSET, "%s", out->path);
}

void plugin_module_stop(plugin_module *module)
{
    if (HEED_HAS(module->entry, fini))
        module->entry->fini();
}
