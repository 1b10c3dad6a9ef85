/* plugin.c - the plugin's table: what the runtime sees of the image formats. */
#include <string.h>

#include "format.h"

#ifndef HEED_VERSION
#define HEED_VERSION "0"
#endif

static const heed_image services = {
    .size = sizeof services,
    .measure = image_measure,
    .decode = image_decode,
};

static heed_status init(const heed_host *given)
{
    if (given->abi != HEED_ABI || !HEED_HAS(given, fail))
        return HEED_UNSUPPORTED;
    if (!HEED_HAS(given, alloc) || !HEED_HAS(given, free))
        return given->fail(HEED_UNSUPPORTED, "the plugin image needs alloc and free of the host");
    image_host = given;
    return HEED_OK;
}

static const void *get(const char *id) { return strcmp(id, HEED_IMAGE_ID) == 0 ? &services : NULL; }

HEED_PLUGIN(image, .version = HEED_VERSION, .vendor = "heed", .init = init, .get = get);
