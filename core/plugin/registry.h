/* registry.h - which plugins there are, and finding a backend or an importer among them.
 *
 * Order of search: an explicit path, HEED_PLUGIN_PATH (secure_getenv), the install folder
 * <folder of libheed.so>/heed/plugins-1/. Never the current directory, never a name from a model.
 */
#ifndef HEED_PLUGIN_REGISTRY_H
#define HEED_PLUGIN_REGISTRY_H

#include "base/mem.h"
#include "heed/importer.h"
#include "heed/plugin.h"

/* A backend that was opened. One a (plugin, device options) pair; shared by all sessions. */
typedef struct plugin_backend {
    const char *name;
    const heed_backend *api;
    void *device; /* what open returned, or NULL */
} plugin_backend;

/* `spec` is "cpu", "cpu:threads=2" or an absolute path to a plugin, options after its ".so:".
 * Loads the plugin on first use and opens its device 0. Borrowed until plugin_shutdown.
 * HEED_DEVICE with the reason (not found: the places searched) when it cannot be had. */
heed_status plugin_open_backend(const char *spec, const plugin_backend **out);

/* The backends that a default chain has, in order of preference: every "heed.backend/1" plugin of
 * the install folder that loads. Ends with NULL. A plugin that does not load is logged. */
heed_status plugin_default_backends(const plugin_backend *const **out);

/* The importer that is surest about these bytes; `path` (may be NULL) gives the extension.
 * HEED_UNSUPPORTED when nobody wants them, with the known extensions. */
heed_status plugin_find_importer(const uint8_t *bytes, uint64_t n_bytes, const char *path,
                                 const heed_importer **out);

/* The kernel of a backend for an operator, checked (size, run present); NULL: none. */
const heed_kernel *plugin_find_kernel(const plugin_backend *backend, const char *domain,
                                      const char *op, int64_t version);

/* A service of a plugin, for base/service.h. */
heed_status plugin_find_service(const char *id, const void **out);

/* Calls fini of all; the registry starts anew afterwards. */
void plugin_shutdown(void);

/* The table that plugins get. */
const heed_host *plugin_host(void);

#endif
