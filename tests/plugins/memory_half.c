/* Has memory of its own that cannot be freed. */
#include <string.h>

#include "heed/plugin.h"

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_OK;
}

static const heed_kernel good = HEED_KERNEL(.op = "Relu", .run = run);
static const heed_kernel *const kernels[] = {&good, NULL};
static const heed_memory memory = {.size = sizeof(memory), .alignment = 64};
static const heed_backend backend = {
    .size = sizeof(backend), .name = "memory_half", .kernels = kernels, .memory = &memory};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(memory_half, .get = get);
