/* arena.c - memory that is dropped in one call: a chain of blocks, filled from the newest.
 *
 * Separate from mem.c because it is only a client of it. Blocks double in size, so that a graph of
 * any size takes few of them; a request that is large against its block gets a block of its own,
 * so that the rest of the current one is not lost. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ALIGNMENT = 16, SMALLEST = 1024 - MEM_ALIGNMENT, LARGEST = 1 << 20 };

struct arena_block {
    _Alignas(ALIGNMENT) arena_block *next;
    size_t size; /* bytes after this struct */
};

static arena_block *block_new(size_t size)
{
    size_t bytes;
    if (!size_add(size, sizeof(arena_block), &bytes)) {
        err_nomem(SIZE_MAX);
        return NULL;
    }
    arena_block *block = mem_alloc(bytes);
    if (block)
        *block = (arena_block){.size = size};
    return block;
}

static size_t next_size(const arena *a)
{
    if (a->blocks == NULL)
        return SMALLEST;
    size_t size = a->blocks->size;
    return size < LARGEST / 2 ? 2 * size : LARGEST;
}

/* A block of its own, put behind the newest one. */
static void *alloc_apart(arena *a, size_t bytes)
{
    arena_block *block = block_new(bytes);
    if (block == NULL)
        return NULL;
    block->next = a->blocks->next;
    a->blocks->next = block;
    return block + 1;
}

static void *alloc_fresh(arena *a, size_t bytes)
{
    size_t size = next_size(a);
    if (a->blocks && bytes > size / 4)
        return alloc_apart(a, bytes);
    arena_block *block = block_new(bytes > size ? bytes : size);
    if (block == NULL)
        return NULL;
    block->next = a->blocks;
    a->blocks = block;
    a->used = bytes;
    return block + 1;
}

void *arena_alloc(arena *a, size_t bytes)
{
    size_t rounded;
    if (!size_add(bytes ? bytes : 1, ALIGNMENT - 1, &rounded)) {
        err_nomem(bytes);
        return NULL;
    }
    rounded -= rounded % ALIGNMENT;
    void *pointer;
    if (a->blocks && rounded <= a->blocks->size - a->used) {
        pointer = (char *)(a->blocks + 1) + a->used;
        a->used += rounded;
    } else {
        pointer = alloc_fresh(a, rounded);
    }
    return pointer ? memset(pointer, 0, rounded) : NULL;
}

void *arena_array(arena *a, size_t n, size_t each)
{
    size_t bytes;
    if (!size_mul(n, each, &bytes)) {
        err_nomem(SIZE_MAX);
        return NULL;
    }
    return arena_alloc(a, bytes);
}

char *arena_copy(arena *a, const void *bytes, size_t n)
{
    size_t size;
    if (!size_add(n, 1, &size)) {
        err_nomem(n);
        return NULL;
    }
    char *copy = arena_alloc(a, size);
    if (copy && n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

char *arena_string(arena *a, const char *text)
{
    return text ? arena_copy(a, text, strlen(text)) : NULL;
}

char *arena_printf(arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        err_fail(HEED_INTERNAL, "a text could not be formatted");
        return NULL;
    }
    char *text = arena_alloc(a, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

/* Bytes of all blocks. */
static size_t room(const arena *a)
{
    size_t total = 0;
    for (const arena_block *b = a->blocks; b; b = b->next)
        total += b->size;
    return total;
}

/* Several blocks become one that is as large as all of them: whoever fills and resets an arena
 * again and again soon allocates nothing. */
void arena_reset(arena *a)
{
    if (a->blocks && a->blocks->next) {
        size_t total = room(a);
        arena_free(a);
        a->blocks = block_new(total);
    }
    a->used = 0;
}

void arena_free(arena *a)
{
    arena_block *block = a->blocks;
    *a = (arena){0};
    while (block) {
        arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
}
