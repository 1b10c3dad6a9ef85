/* registry.c - finding and opening backends by what the user calls them. An opened backend is
 * shared by all sessions and stays until plugin_shutdown. */
#include "plugin/registry.h"

#include <string.h>

#include "base/log.h"
#include "plugin/module.h"

typedef struct opened {
    plugin_backend view;
    const plugin_module *module;
    char *options;
} opened;

/* Guarded by plugin_lock. */
static struct {
    opened **backends;
    size_t count, room;
    const plugin_backend **defaults; /* NULL-terminated; NULL: not determined yet */
} all;

/* ---- Backends by name ------------------------------------------------------------------------ */

/* A spec taken apart. */
typedef struct request {
    char name[PATH_MAX]; /* or an absolute path */
    const char *options; /* "" for none */
} request;

static size_t name_length(const char *spec)
{
    if (spec[0] != '/')
        return strcspn(spec, ":");
    const char *end = strstr(spec, ".so:");
    return end ? (size_t)(end - spec) + 3 : strlen(spec);
}

static heed_status parse(const char *spec, request *r)
{
    size_t n = name_length(spec);
    if (n == 0 || n >= sizeof(r->name))
        return err_fail(HEED_USAGE, "\"%s\" names no backend", spec);
    memcpy(r->name, spec, n);
    r->name[n] = '\0';
    r->options = spec[n] == ':' ? spec + n + 1 : "";
    if (r->name[0] == '/')
        return HEED_OK;
    for (const char *c = r->name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_' || *c == '-';
        if (!plain)
            return err_fail(HEED_USAGE,
                            "\"%s\" is neither the name of a backend nor an absolute path", spec);
    }
    return HEED_OK;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static heed_status open_device(const plugin_module *m, const char *options, void **device)
{
    const heed_backend *api = m->backend;
    heed_device_info info = {.size = sizeof(info)};
    *device = NULL;
    err_clear();
    if (HEED_HAS(api, memory))
        return err_fail(HEED_DEVICE,
                        "%s has memory of its own; this version moves no tensors there", api->name);
    if (api->describe) {
        heed_status status = api->describe(0, &info);
        if (status == HEED_NOTFOUND)
            return err_fail(HEED_DEVICE, "%s: there is no device", api->name);
        TRY(plugin_blame(status, api->name, "describe"));
    }
    if (api->open)
        return plugin_blame(api->open(0, options, device), api->name, "open");
    if (options[0])
        return err_fail(HEED_USAGE, "%s takes no options, found \"%s\"", api->name, options);
    return HEED_OK;
}

static void close_device(const opened *o)
{
    if (o->view.api->close)
        o->view.api->close(o->view.device);
}

static heed_status keep_backend(opened *o, const plugin_module *m, const char *options)
{
    TRY(mem_grow(&all.backends, &all.room, all.count, sizeof(*all.backends)));
    o->options = plugin_copy_text(options);
    if (o->options == NULL)
        return HEED_NOMEM;
    o->module = m;
    o->view.name = m->backend->name;
    o->view.api = m->backend;
    heed_status status = open_device(m, options, &o->view.device);
    if (status == HEED_OK)
        all.backends[all.count++] = o;
    else
        mem_free(o->options);
    return status;
}

static heed_status open_module(const plugin_module *m, const char *options,
                               const plugin_backend **out)
{
    for (size_t i = 0; i < all.count; i++) {
        const opened *o = all.backends[i];
        if (o->module == m && strcmp(o->options, options) == 0) {
            *out = &o->view;
            return HEED_OK;
        }
    }
    opened *o = mem_zero(sizeof(*o));
    if (o == NULL)
        return HEED_NOMEM;
    heed_status status = keep_backend(o, m, options);
    if (status == HEED_OK)
        *out = &o->view;
    else
        mem_free(o);
    return status;
}

static heed_status open_spec(const char *spec, const plugin_backend **out)
{
    request r;
    plugin_module *m = NULL;
    TRY(parse(spec, &r));
    heed_status status = plugin_module_by_name(r.name, &m);
    if (status == HEED_OK && m->backend == NULL)
        status = err_fail(HEED_DEVICE, "plugin \"%s\" is no backend", m->entry->name);
    if (status == HEED_OK)
        status = open_module(m, r.options, out);
    if (status == HEED_OK || status == HEED_NOMEM || status == HEED_USAGE)
        return status;
    return err_fail(HEED_DEVICE, "backend \"%s\" cannot be had: %s", r.name, err_get()->message);
}

heed_status plugin_open_backend(const char *spec, const plugin_backend **out)
{
    *out = NULL;
    plugin_lock();
    heed_status status = open_spec(spec, out);
    plugin_unlock();
    return status;
}

/* ---- The default chain ---------------------------------------------------------------------- */

typedef struct chain {
    const plugin_backend **items;
    size_t count, room;
    heed_status status;
} chain;

static bool add_default(plugin_module *m, void *arg)
{
    chain *c = arg;
    const plugin_backend *backend = NULL;
    if (m->backend == NULL)
        return true;
    c->status = open_module(m, "", &backend);
    if (c->status == HEED_NOMEM)
        return false;
    if (c->status != HEED_OK) {
        log_write(LOG_WARN, "%s", err_get()->message);
        c->status = HEED_OK;
        return true;
    }
    c->status = mem_grow(&c->items, &c->room, c->count + 1, sizeof(*c->items));
    if (c->status == HEED_OK)
        c->items[c->count++] = backend;
    return c->status == HEED_OK;
}

/* Backends with memory of their own (devices) come before those that compute in host memory; the
 * order is by file name otherwise. */
static void sort_devices_first(chain *c)
{
    size_t place = 0;
    for (size_t i = 0; i < c->count; i++) {
        const plugin_backend *b = c->items[i];
        if (!HEED_HAS(b->api, memory))
            continue;
        memmove(c->items + place + 1, c->items + place, (i - place) * sizeof(*c->items));
        c->items[place++] = b;
    }
}

static heed_status find_defaults(void)
{
    chain c = {0};
    c.status = mem_grow(&c.items, &c.room, 0, sizeof(*c.items));
    char folder[PATH_MAX];
    arena memory = {0};
    if (c.status == HEED_OK && !plugin_search_off() && plugin_search_installed(folder)) {
        heed_status status = plugin_visit_folder(&memory, folder, add_default, &c);
        c.status = c.status != HEED_OK ? c.status : status;
    }
    arena_free(&memory);
    if (c.status != HEED_OK) {
        mem_free(c.items);
        return c.status;
    }
    if (c.count == 0 && !plugin_search_off())
        log_write(LOG_WARN, "no backend stands beside the library (heed/plugins-1): everything "
                            "runs on the plain kernels, slowly, unless a session names a backend");
    sort_devices_first(&c);
    c.items[c.count] = NULL;
    all.defaults = c.items;
    return HEED_OK;
}

heed_status plugin_default_backends(const plugin_backend *const **out)
{
    plugin_lock();
    heed_status status = all.defaults ? HEED_OK : find_defaults();
    *out = status == HEED_OK ? all.defaults : NULL;
    plugin_unlock();
    return status;
}

/* ---- Kernels -------------------------------------------------------------------------------- */

static const char *plain_domain(const char *domain)
{
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

const heed_kernel *plugin_find_kernel(const plugin_backend *backend, const char *domain,
                                      const char *op, int64_t version)
{
    const char *wanted = plain_domain(domain);
    for (const heed_kernel *const *k = backend->api->kernels; *k; k++) {
        const heed_kernel *kernel = *k;
        if (strcmp(kernel->op, op) == 0 && strcmp(plain_domain(kernel->domain), wanted) == 0 &&
            kernel->since <= version && (kernel->until == 0 || version <= kernel->until))
            return kernel;
    }
    return NULL;
}

void plugin_shutdown(void)
{
    plugin_lock();
    for (size_t i = 0; i < all.count; i++) {
        opened *o = all.backends[i];
        close_device(o);
        mem_free(o->options);
        mem_free(o);
    }
    mem_free(all.backends);
    mem_free(all.defaults);
    memset(&all, 0, sizeof(all));
    plugin_modules_stop();
    plugin_unlock();
    plugin_list_clear();
}
