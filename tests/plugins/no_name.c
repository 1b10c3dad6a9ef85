/* Has no name. */
#include "heed/plugin.h"

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_EXPORT extern const heed_plugin heed_plugin_entry;
HEED_EXPORT const heed_plugin heed_plugin_entry = {
    .size = sizeof(heed_plugin), .abi = HEED_ABI, .get = get};
