/* Built for another ABI. Its init crashes: it must not be called. */
#include "heed/plugin.h"

static heed_status init(const heed_host *host)
{
    *(volatile int *)0 = host != NULL; /* nobody may come here */
    return HEED_OK;
}

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_EXPORT extern const heed_plugin heed_plugin_entry;
HEED_EXPORT const heed_plugin heed_plugin_entry = {
    .size = sizeof(heed_plugin), .abi = 2, .name = "wrong_abi", .init = init, .get = get};
