/* Its init reads from nowhere. */
#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    const volatile heed_status *volatile nowhere = (const volatile heed_status *)8;
    (void)host;
    return *nowhere;
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_PLUGIN(init_crashes, .init = init, .get = get);
