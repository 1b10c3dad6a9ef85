/* Its init fails and does not say why. */
#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    (void)host;
    return HEED_DEVICE;
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_PLUGIN(init_silent, .init = init, .get = get);
