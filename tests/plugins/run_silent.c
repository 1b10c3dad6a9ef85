/* Takes every Neg and Abs, fails when it runs one or is asked for its workspace, and does not say
 * why. */
#include <string.h>

#include "heed/plugin.h"

static heed_status run(const heed_call *call)
{
    (void)call;
    return HEED_DEVICE;
}

static heed_status measure(void *device, void *state, const heed_call *shapes, uint64_t *bytes)
{
    (void)device;
    (void)state;
    (void)shapes;
    (void)bytes;
    return HEED_UNSUPPORTED;
}

static const heed_kernel neg = HEED_KERNEL(.op = "Neg", .run = run);
static const heed_kernel abs_kernel = HEED_KERNEL(.op = "Abs", .measure = measure, .run = run);
static const heed_kernel *const kernels[] = {&neg, &abs_kernel, NULL};
static const heed_backend backend = {
    .size = sizeof(backend), .name = "run_silent", .kernels = kernels};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(run_silent, .get = get);
