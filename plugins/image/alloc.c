/* alloc.c - the one place of the plugin that calls host->alloc. A header before each block keeps
 * its size, since the libraries do not hand it back. */
#include "alloc.h"

#include <stdint.h>
#include <string.h>

enum { HEADER = 64 };

const heed_host *image_host;

static size_t *header_of(void *pointer) { return (size_t *)(void *)((char *)pointer - HEADER); }

void *image_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - HEADER)
        return NULL;
    char *block = image_host->alloc(bytes + HEADER);
    if (!block)
        return NULL;
    *header_of(block + HEADER) = bytes + HEADER;
    return block + HEADER;
}

void *image_resize(void *pointer, size_t bytes)
{
    void *grown = image_alloc(bytes);
    if (grown && pointer) {
        size_t held = *header_of(pointer) - HEADER;
        memcpy(grown, pointer, held < bytes ? held : bytes);
        image_free(pointer);
    }
    return grown;
}

void image_free(void *pointer)
{
    if (pointer)
        image_host->free(header_of(pointer), *header_of(pointer));
}

heed_status image_afford(uint64_t bytes)
{
    void *block = bytes < SIZE_MAX ? image_host->alloc((size_t)bytes) : NULL;
    if (!block)
        return image_host->fail(HEED_NOMEM, "an image needs %llu bytes to be decoded",
                                (unsigned long long)bytes);
    image_host->free(block, (size_t)bytes);
    return HEED_OK;
}
