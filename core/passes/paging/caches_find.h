/* caches_find.h - what the files share that find a decoder's caches (caches.h). */
#ifndef HEED_PASSES_PAGING_CACHES_FIND_H
#define HEED_PASSES_PAGING_CACHES_FIND_H

#include "passes/paging/caches.h"

enum { FORM_UNCHANGED = -1 };

typedef struct cache_walk {
    const decoder_roles *r;
    uint8_t *seen; /* by id of values */
    cache_pair found;
} cache_walk;

typedef struct cache_finder {
    decoder_roles *r;
    cache_map *map;
    uint32_t *pair_of; /* by input: CACHE_NONE, or which */
    bool *taken;       /* by output */
    cache_walk walk;
} cache_finder;

/* caches_back.c: the input whose content an output has, into walk->found. */
bool caches_back(cache_walk *w, const ir_value *output);
bool caches_may_be(const decoder_roles *r, uint32_t i);

/* caches.c */
void caches_add(cache_finder *f, cache_pair pair, uint32_t output);
/* The first axis, but that of sequences, whose extent only a run tells; -1. */
int32_t caches_open_axis(const decoder_roles *r, const ir_type *type);
bool caches_could_be_next(const ir_type *now, const ir_type *next);

/* caches_states.c */
void caches_find_states(cache_finder *f);
heed_status caches_find_cross(cache_finder *f);

/* caches_roles.c */
heed_status caches_refine_roles(cache_finder *f);

#endif
