/* alloc.c - arenas: the one place of the importer that calls host->alloc.
 *
 * Blocks form a stack. A mark remembers the top block and how full it was; going back gives the
 * blocks above it to the host. The budget bounds what a small file can make us take. */
#include "alloc.h"

#include <string.h>

enum { BLOCK_BYTES = 64 * 1024, ALIGNMENT = 16 };

static uint8_t *block_bytes(onnx_arena_block *block)
{
    return (uint8_t *)(block + 1) + (ALIGNMENT - sizeof(onnx_arena_block) % ALIGNMENT) % ALIGNMENT;
}

static size_t block_total(size_t size) { return sizeof(onnx_arena_block) + ALIGNMENT + size; }

static onnx_arena_block *block_push(onnx_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2 || block_total(size) > a->budget - a->held)
        return NULL;
    onnx_arena_block *block = a->host->alloc(block_total(size));
    if (!block)
        return NULL;
    *block = (onnx_arena_block){.next = a->head, .size = size};
    a->held += block_total(size);
    a->head = block;
    return block;
}

static void block_pop(onnx_arena *a)
{
    onnx_arena_block *block = a->head;
    a->head = block->next;
    a->held -= block_total(block->size);
    a->host->free(block, block_total(block->size));
}

static void *take(onnx_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    onnx_arena_block *block = a->head;
    if (!block || block->size - block->used < rounded)
        block = block_push(a, rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES);
    if (!block)
        return NULL;
    uint8_t *memory = block_bytes(block) + block->used;
    block->used += rounded;
    return memory;
}

static void *protobuf_take(void *data, size_t bytes) { return take(data, bytes); }

static void protobuf_drop(void *data, void *memory)
{
    (void)data; /* given back with the arena */
    (void)memory;
}

void onnx_arena_init(onnx_arena *a, const heed_host *host, uint64_t budget)
{
    *a = (onnx_arena){.host = host, .budget = budget};
    a->protobuf = (ProtobufCAllocator){protobuf_take, protobuf_drop, a};
}

void onnx_arena_free(onnx_arena *a)
{
    while (a->head)
        block_pop(a);
}

void *onnx_arena_alloc(onnx_arena *a, size_t bytes)
{
    void *memory = take(a, bytes);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *onnx_arena_array(onnx_arena *a, uint64_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    return onnx_arena_alloc(a, bytes);
}

char *onnx_arena_text(onnx_arena *a, const char *text, size_t size)
{
    char *copy = size < SIZE_MAX ? take(a, size + 1) : NULL;
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

onnx_arena_mark onnx_arena_save(const onnx_arena *a)
{
    return (onnx_arena_mark){a->head, a->head ? a->head->used : 0};
}

void onnx_arena_restore(onnx_arena *a, onnx_arena_mark mark)
{
    /* The first block stays when the mark is an empty arena: the next element needs it again. */
    while (a->head != mark.head && (mark.head || a->head->next))
        block_pop(a);
    if (a->head)
        a->head->used = mark.head ? mark.used : 0;
}
