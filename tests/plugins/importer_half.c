/* An importer that cannot probe. */
#include <string.h>

#include "heed/importer.h"

static const char *const extensions[] = {".half", NULL};
static const heed_importer importer = {
    .size = sizeof(importer), .name = "half", .extensions = extensions};

static const void *get(const char *id)
{
    return strcmp(id, HEED_IMPORTER_ID) == 0 ? &importer : NULL;
}

HEED_PLUGIN(importer_half, .get = get);
