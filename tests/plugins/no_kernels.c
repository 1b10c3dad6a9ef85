/* A backend without a list of kernels. */
#include <string.h>

#include "heed/plugin.h"

static const heed_backend backend = {.size = sizeof(backend), .name = "no_kernels"};

static const void *get(const char *id)
{
    return strcmp(id, HEED_BACKEND_ID) == 0 ? &backend : NULL;
}

HEED_PLUGIN(no_kernels, .get = get);
