/* layers.h - the tensors of a cache by layers of attention: which are keys, which are values, and
 * in which order they are read. For reports; nothing is computed by it. */
#ifndef HEED_PASSES_PAGING_LAYERS_H
#define HEED_PASSES_PAGING_LAYERS_H

#include "passes/paging/caches.h"

typedef struct cache_layer {
    int form;          /* CACHE_* */
    int32_t index;     /* among the layers of its form */
    cache_pair keys;   /* both the same where one tensor holds both */
    cache_pair values; /* input CACHE_NONE: a state, or what is no value of attention */
} cache_layer;

heed_status cache_find_layers(const decoder_roles *r, const cache_map *caches, cache_layer **out,
                              uint32_t *n);

#endif
