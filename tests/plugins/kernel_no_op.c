/* One of its kernels has no operator. */
#include <string.h>

#include "heed/plugin.h"

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_OK;
}

static const heed_kernel good = HEED_KERNEL(.op = "Relu", .run = run);
static const heed_kernel bad = HEED_KERNEL(.run = run);
static const heed_kernel *const kernels[] = {&good, &bad, NULL};
static const heed_backend backend = {
    .size = sizeof(backend), .name = "kernel_no_op", .kernels = kernels};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(kernel_no_op, .get = get);
