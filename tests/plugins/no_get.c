/* Offers no way to ask for anything. */
#include "heed/plugin.h"

HEED_EXPORT extern const heed_plugin heed_plugin_entry;
HEED_EXPORT const heed_plugin heed_plugin_entry = {
    .size = sizeof(heed_plugin), .abi = HEED_ABI, .name = "no_get"};
