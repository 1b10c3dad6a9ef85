/* Refuses every node and does not say why. */
#include <string.h>

#include "heed/plugin.h"

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_OK;
}

static heed_status accepts(void *device, const heed_node *node)
{
    (void)device;
    (void)node;
    return HEED_UNSUPPORTED;
}

static const heed_kernel bad = HEED_KERNEL(.op = "Relu", .accepts = accepts, .run = run);
static const heed_kernel *const kernels[] = {&bad, NULL};
static const heed_backend backend = {
    .size = sizeof(backend), .name = "accepts_silent", .kernels = kernels};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(accepts_silent, .get = get);
