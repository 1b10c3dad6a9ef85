/* beginning.h - what a decoder's inputs are for a sequence from its beginning, all tokens at once:
 * nothing before, nothing masked but what comes later, places 0, 1, ... */
#ifndef HEED_PASSES_PAGING_BEGINNING_H
#define HEED_PASSES_PAGING_BEGINNING_H

#include "passes/paging/caches.h"

typedef struct beginning {
    pass_run *run;
    ir_graph *g;
    decoder_roles roles;
    cache_map caches;
    ir_dim batch;  /* how many sequences the file takes */
    ir_dim *pasts; /* symbols of their tokens */
    uint32_t n_pasts;
    ir_dim *places; /* symbols of the places of caches that are written */
    uint32_t n_places;
} beginning;

/* Input i gets the value that it has then, where the graph is to read it no more. */
heed_status beginning_take(beginning *d, uint32_t i);

#endif
