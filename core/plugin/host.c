/* host.c - the table of services that every plugin gets. Thin: each service is a base module's. */
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/pool.h"
#include "plugin/registry.h"

enum { TEXT_SIZE = 512 };

static heed_status host_fail(heed_status status, const char *format, ...) HEED_PRINTF(2, 3);
static void host_log(uint32_t level, const char *format, ...) HEED_PRINTF(2, 3);

static heed_status host_fail(heed_status status, const char *format, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return err_fail(status, "%s", n < 0 ? "" : text);
}

static void host_log(uint32_t level, const char *format, ...)
{
    char text[TEXT_SIZE];
    if (!log_enabled(level))
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n >= 0)
        log_write(level, "%s", text);
}

/* No host-side interface exists yet. */
static const void *host_get(const char *id)
{
    (void)id;
    return NULL;
}

static void host_free(void *pointer, size_t bytes)
{
    (void)bytes; /* the allocator keeps it itself */
    mem_free(pointer);
}

static const heed_host host = {
    .size = sizeof(heed_host),
    .abi = HEED_ABI,
    .fail = host_fail,
    .log = host_log,
    .parallel = pool_run,
    .get = host_get,
    .alloc = mem_alloc,
    .free = host_free,
    .threads = pool_get_threads,
};

const heed_host *plugin_host(void) { return &host; }
