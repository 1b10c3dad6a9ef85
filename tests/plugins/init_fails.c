/* Its init fails and says why. */
#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    return host->fail(HEED_DEVICE, "the driver is %d years old", 12);
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_PLUGIN(init_fails, .init = init, .get = get);
