/* Has one device, which cannot be opened. */
#include <string.h>

#include "heed/plugin.h"

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_OK;
}

static const heed_host *host;

static heed_status init(const heed_host *from)
{
    host = from;
    return HEED_OK;
}

static heed_status describe(uint32_t index, heed_device_info *info)
{
    if (index > 0)
        return HEED_NOTFOUND;
    strcpy(info->description, "a broken device");
    return HEED_OK;
}

static heed_status open(uint32_t index, const char *options, void **device)
{
    (void)device;
    return host->fail(HEED_DEVICE, "device %u is on fire%s", (unsigned)index, options);
}

static const heed_kernel good = HEED_KERNEL(.op = "Relu", .run = run);
static const heed_kernel *const kernels[] = {&good, NULL};
static const heed_backend backend = {.size = sizeof(backend),
                                     .name = "device_broken",
                                     .describe = describe,
                                     .open = open,
                                     .kernels = kernels};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(device_broken, .init = init, .get = get);
