/* alloc.h - memory from the host, for libraries that free without saying how much. */
#ifndef IMAGE_ALLOC_H
#define IMAGE_ALLOC_H

#include <stddef.h>

#include "heed/plugin.h"

extern const heed_host *image_host; /* set by init */

void *image_alloc(size_t bytes); /* NULL when exhausted */
void *image_resize(void *pointer, size_t bytes);
void image_free(void *pointer);

/* Some libraries have an allocator of their own. Before they take `bytes`, this asks whether the
 * host would give as much: HEED_NOMEM when it would not. */
heed_status image_afford(uint64_t bytes);

#endif
