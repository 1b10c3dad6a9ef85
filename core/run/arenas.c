/* arenas.c - see arenas.h. A block carries its size in front. */
#include "run/arenas.h"

struct arena_block_idle {
    size_t bytes; /* of the block after this header */
    arena_block_idle *next;
};

#define HEADER ((size_t)MEM_ALIGNMENT)

void *arenas_take(arenas *a, size_t bytes)
{
    arena_block_idle **best = NULL, *block;
    for (arena_block_idle **i = &a->idle; *i && !(best && (*best)->bytes == bytes); i = &(*i)->next)
        if ((*i)->bytes >= bytes && (!best || (*i)->bytes < (*best)->bytes))
            best = i;
    if (best) {
        block = *best;
        *best = block->next;
    } else {
        size_t all;
        arenas_trim(a); /* blocks that are too small would only pile up */
        if (!size_add(bytes, HEADER, &all) || !(block = mem_alloc(all)))
            return NULL;
        block->bytes = bytes;
    }
    return (char *)block + HEADER;
}

void arenas_give(arenas *a, void *memory)
{
    if (!memory)
        return;
    arena_block_idle *block = (arena_block_idle *)(void *)((char *)memory - HEADER);
    block->next = a->idle;
    a->idle = block;
}

void arenas_trim(arenas *a)
{
    while (a->idle) {
        arena_block_idle *block = a->idle;
        a->idle = block->next;
        mem_free(block);
    }
}
