/* arenas.h - the memory that runs of a session take in turn: a run gets the smallest idle block
 * that is large enough, so that a session holds about as many blocks as it has runs at once. */
#ifndef HEED_RUN_ARENAS_H
#define HEED_RUN_ARENAS_H

#include "base/mem.h"

typedef struct arena_block_idle arena_block_idle;
typedef struct arenas {
    arena_block_idle *idle;
} arenas; /* not thread-safe: its owner locks */

void *arenas_take(arenas *a, size_t bytes); /* NULL: error is set */
void arenas_give(arenas *a, void *memory);  /* NULL is legal */
void arenas_trim(arenas *a);

#endif
