/* caches.h - what is known of a decoder's cache: the form that its file has, layer by layer, and
 * whether it can have pages. Made when somebody asks: it takes a second sweep of passes, over a
 * copy of the graph; nothing is placed or packed for it. */
#ifndef HEED_RUN_CACHES_H
#define HEED_RUN_CACHES_H

#include "run/compiled.h"

typedef struct cache_list {
    arena memory;
    heed_cache *items;
    size_t n;
    bool made;
} cache_list;

/* `form`: what a session runs. A model that is no decoder has no cache, and that is no failure. */
heed_status caches_make(const heed_model *m, const compile_options *options, const compiled *form,
                        cache_list *out);
void caches_free(cache_list *list);

#endif
