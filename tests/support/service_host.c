/* The host of service_host.h. */
#include "service_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LIMIT = 1 << 30 };

service_state service = {.limit = LIMIT, .allocations = -1};

static heed_status host_fail(heed_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(service.reason, sizeof(service.reason), format, args);
    va_end(args);
    return status;
}

static void *host_alloc(size_t bytes)
{
    if (service.allocations == 0 || bytes > service.limit)
        return NULL;
    service.allocations -= service.allocations > 0;
    void *memory = malloc(bytes);
    service.live += memory ? bytes : 0;
    return memory;
}

static void host_free(void *pointer, size_t bytes)
{
    service.live -= pointer ? bytes : 0;
    free(pointer);
}

const heed_host service_host = {
    .size = sizeof(service_host),
    .abi = HEED_ABI,
    .fail = host_fail,
    .alloc = host_alloc,
    .free = host_free,
};

void service_reset(void)
{
    service.limit = LIMIT;
    service.allocations = -1;
    service.reason[0] = '\0';
}
