/* check.c - is what a plugin shows complete? Every table is walked once, before anything in it is
 * used, so that the rest of the runtime needs no such questions.
 *
 * Sizes are tested before fields: a plugin may have been built with a shorter, older header. What
 * is required here is what ABI 1 had on its first day; all else is tested by HEED_HAS where used.
 */
#include <stdio.h>
#include <string.h>

#include "plugin/module.h"

enum { MOST_KERNELS = 1 << 16, MOST_EXTENSIONS = 1 << 10 };

/* The smallest size that has the field. */
#define UP_TO(type, field) (offsetof(type, field) + sizeof(((const type *)0)->field))

static heed_status too_small(const char *what, uint32_t size, size_t needed)
{
    return err_fail(HEED_INVALID, "%s says that it has %u bytes, and ABI %u needs %zu", what,
                    (unsigned)size, HEED_ABI, needed);
}

static heed_status missing(const char *what, const char *field)
{
    return err_fail(HEED_INVALID, "%s has no %s", what, field);
}

/* Is the plugin cpu in a file cpu.so? */
static bool names_file(const char *name, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    size_t n = strlen(name);
    return strncmp(file, name, n) == 0 && strcmp(file + n, ".so") == 0;
}

heed_status plugin_check_entry(const heed_plugin *entry, const char *path)
{
    if (entry->abi != HEED_ABI)
        return err_fail(HEED_UNSUPPORTED, "built for ABI %u, this runtime speaks ABI %u (heed %s)",
                        (unsigned)entry->abi, HEED_ABI, heed_version());
    if (entry->size < UP_TO(heed_plugin, get))
        return too_small("heed_plugin_entry", entry->size, UP_TO(heed_plugin, get));
    if (entry->name == NULL)
        return missing("heed_plugin_entry", "name");
    if (!names_file(entry->name, path))
        return err_fail(HEED_INVALID, "the plugin calls itself \"%s\": its file must be %s.so",
                        entry->name, entry->name);
    if (entry->get == NULL)
        return missing("heed_plugin_entry", "get");
    return HEED_OK;
}

static heed_status check_kernel(const heed_kernel *kernel, size_t i)
{
    char what[200];
    snprintf(what, sizeof(what), "kernel %zu", i);
    if (kernel->size < UP_TO(heed_kernel, run))
        return too_small(what, kernel->size, UP_TO(heed_kernel, run));
    if (kernel->op == NULL || kernel->op[0] == '\0')
        return missing(what, "op");
    snprintf(what, sizeof(what), "kernel %zu (%s.%s)", i,
             kernel->domain && kernel->domain[0] ? kernel->domain : "ai.onnx", kernel->op);
    if (kernel->run == NULL)
        return missing(what, "run");
    if (kernel->until != 0 && kernel->until < kernel->since)
        return err_fail(HEED_INVALID, "%s serves opsets %lld to %lld, which is none", what,
                        (long long)kernel->since, (long long)kernel->until);
    return HEED_OK;
}

static heed_status check_kernels(const heed_kernel *const *kernels)
{
    for (size_t i = 0; kernels[i]; i++) {
        if (i == MOST_KERNELS)
            return err_fail(HEED_INVALID, "the list of kernels does not end with NULL");
        TRY(check_kernel(kernels[i], i));
    }
    return HEED_OK;
}

static heed_status check_memory(const heed_memory *memory)
{
    if (memory->size < UP_TO(heed_memory, copy))
        return too_small("memory", memory->size, UP_TO(heed_memory, copy));
    if (!memory->alloc || !memory->free || !memory->copy)
        return missing("memory", "alloc, free or copy");
    return HEED_OK;
}

heed_status plugin_check_backend(const heed_backend *backend, const char *name)
{
    if (backend->size < UP_TO(heed_backend, kernels))
        return too_small("the backend", backend->size, UP_TO(heed_backend, kernels));
    if (backend->name == NULL)
        return missing("the backend", "name");
    if (strcmp(backend->name, name) != 0)
        return err_fail(HEED_INVALID, "the backend calls itself \"%s\", its plugin \"%s\"",
                        backend->name, name);
    if (backend->describe && !backend->open)
        return missing("the backend, which describes devices,", "open");
    if (backend->kernels == NULL)
        return missing("the backend", "kernels");
    TRY(check_kernels(backend->kernels));
    return HEED_HAS(backend, memory) ? check_memory(backend->memory) : HEED_OK;
}

heed_status plugin_check_importer(const heed_importer *importer)
{
    if (importer->size < UP_TO(heed_importer, load))
        return too_small("the importer", importer->size, UP_TO(heed_importer, load));
    if (importer->name == NULL)
        return missing("the importer", "name");
    if (importer->extensions == NULL)
        return missing("the importer", "extensions");
    if (importer->probe == NULL || importer->load == NULL)
        return missing("the importer", "probe or load");
    for (size_t i = 0; importer->extensions[i]; i++) {
        if (i == MOST_EXTENSIONS)
            return err_fail(HEED_INVALID, "the list of extensions does not end with NULL");
    }
    return HEED_OK;
}
