/* mem.h - the one allocator of the library. Everything that heed, its importers and its backends
 * take comes from here, so that it can be counted, limited, replaced, and made to fail by tests. */
#ifndef HEED_BASE_MEM_H
#define HEED_BASE_MEM_H

#include <stdbool.h>

#include "base/error.h"

#define MEM_ALIGNMENT 64u

/* 64-byte aligned; NULL when exhausted or over the limit, and then the error is set to
 * HEED_NOMEM. Zero bytes give a valid pointer. */
void *mem_alloc(size_t bytes);
void *mem_zero(size_t bytes);
/* n elements of `each` bytes, checked against overflow, zeroed. */
void *mem_array(size_t n, size_t each);
/* Like realloc; on failure the old block stays valid. */
void *mem_resize(void *pointer, size_t old_bytes, size_t bytes);
void mem_free(void *pointer);

/* For memory that comes from elsewhere and counts all the same: mapped spans. HEED_NOMEM when it
 * would exceed the limit. */
heed_status mem_charge(size_t bytes);
void mem_discharge(size_t bytes);
uint64_t mem_limit(void);  /* of all memory, in bytes; 0: none */
bool mem_is_default(void); /* the program has given no allocator of its own */

/* Makes room for one more element in a growing array: *items has *capacity elements of `each`
 * bytes, `count` are used. */
heed_status mem_grow(void *items, size_t *capacity, size_t count, size_t each);

/* Checked arithmetic on sizes: false when the result does not fit. */
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}

/* ---- Arena: memory that is dropped in one call ------------------------------------------- */

typedef struct arena_block arena_block;
typedef struct arena {
    arena_block *blocks; /* newest first */
    size_t used;         /* bytes of the newest block */
} arena;                 /* all zero is an empty arena */

void *arena_alloc(arena *a, size_t bytes); /* 16-byte aligned, zeroed; NULL: error is set */
void *arena_array(arena *a, size_t n, size_t each);
char *arena_copy(arena *a, const void *bytes, size_t n); /* n bytes and a NUL after them */
char *arena_string(arena *a, const char *text);          /* NULL gives NULL without an error */
char *arena_printf(arena *a, const char *format, ...) HEED_PRINTF(2, 3);
void arena_reset(arena *a); /* keeps the newest block for reuse */
void arena_free(arena *a);

#endif
