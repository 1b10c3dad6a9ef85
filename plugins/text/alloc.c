/* alloc.c - the one place of the plugin that calls host->alloc. A header before each block keeps
 * its size, since PCRE2 does not hand it back. */
#include "alloc.h"

#include <stdint.h>

enum { HEADER = 64 };

const heed_host *text_host;

void *text_alloc(size_t bytes, void *unused)
{
    (void)unused;
    if (bytes > SIZE_MAX - HEADER)
        return NULL;
    char *block = text_host->alloc(bytes + HEADER);
    if (!block)
        return NULL;
    *(size_t *)(void *)block = bytes + HEADER;
    return block + HEADER;
}

void text_free(void *pointer, void *unused)
{
    (void)unused;
    if (!pointer)
        return;
    char *block = (char *)pointer - HEADER;
    text_host->free(block, *(size_t *)(void *)block);
}
