/* Shorter than the first header of ABI 1 ever was. */
#include "heed/plugin.h"

static const void *get(const char *id)
{
    (void)id;
    return NULL;
}

HEED_EXPORT extern const heed_plugin heed_plugin_entry;
HEED_EXPORT const heed_plugin heed_plugin_entry = {
    .size = 16, .abi = HEED_ABI, .name = "small_size", .get = get};
