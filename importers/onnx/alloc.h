/* alloc.h - the importer's memory: arenas on host->alloc, with a byte budget.
 *
 * Everything that the importer takes lives in one of two arenas: `keep` for the length of the
 * load, `scratch` for one element of the file. An onnx_arena is given back as a whole, so nothing
 * is freed one by one and a hostile message tree cannot make freeing recurse. */
#ifndef ONNX_ALLOC_H
#define ONNX_ALLOC_H

#include <protobuf-c/protobuf-c.h>

#include "heed/plugin.h"

typedef struct onnx_arena_block {
    struct onnx_arena_block *next; /* the block filled before this one */
    size_t size, used;             /* of the bytes behind this header */
} onnx_arena_block;

typedef struct onnx_arena {
    const heed_host *host;
    onnx_arena_block *head;
    uint64_t held;   /* bytes taken from the host */
    uint64_t budget; /* the most that may be taken */
    ProtobufCAllocator protobuf;
} onnx_arena;

/* A point to go back to. */
typedef struct onnx_arena_mark {
    onnx_arena_block *head;
    size_t used;
} onnx_arena_mark;

void onnx_arena_init(onnx_arena *a, const heed_host *host, uint64_t budget);
void onnx_arena_free(onnx_arena *a);

/* Zeroed memory aligned to 16 bytes, or NULL when the budget or the host's memory is spent. */
void *onnx_arena_alloc(onnx_arena *a, size_t bytes);
/* The same for n elements; NULL as well when the product overflows. */
void *onnx_arena_array(onnx_arena *a, uint64_t n, size_t size);
/* A copy with a zero behind it. */
char *onnx_arena_text(onnx_arena *a, const char *text, size_t size);

onnx_arena_mark onnx_arena_save(const onnx_arena *a);
void onnx_arena_restore(onnx_arena *a, onnx_arena_mark mark);

#endif
