/* table.c - open addressing with linear probing (see table.h). The hash is seeded with the address
 * of the table, which a file's author cannot know, so that colliding names cannot be prepared. */
#include "table.h"

#include <string.h>

static uint64_t hash(const onnx_table_row *rows, const char *key, size_t size)
{
    uint64_t h = (uint64_t)(uintptr_t)rows * 0x9e3779b97f4a7c15u ^ size;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (uint8_t)key[i]) * 0x100000001b3u ^ (h >> 29);
    return h ^ (h >> 32);
}

static onnx_table_row *find(onnx_table_row *rows, size_t capacity, const char *key, size_t size)
{
    size_t i = (size_t)hash(rows, key, size) & (capacity - 1);
    while (rows[i].key && (rows[i].size != size || memcmp(rows[i].key, key, size) != 0))
        i = (i + 1) & (capacity - 1);
    return &rows[i];
}

static int grow(onnx_table *t, onnx_arena *a)
{
    size_t capacity = t->capacity ? 2 * t->capacity : 64;
    onnx_table_row *rows = onnx_arena_array(a, capacity, sizeof *rows);
    if (!rows)
        return 0;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->rows[i].key)
            *find(rows, capacity, t->rows[i].key, t->rows[i].size) = t->rows[i];
    t->rows = rows;
    t->capacity = capacity;
    return 1;
}

int onnx_table_put(onnx_table *t, onnx_arena *a, const char *key, size_t size, const void *value)
{
    if (2 * (t->count + 1) > t->capacity && !grow(t, a))
        return 0;
    onnx_table_row *row = find(t->rows, t->capacity, key, size);
    t->count += !row->key;
    *row = (onnx_table_row){key, size, value};
    return 1;
}

const void *onnx_table_get(const onnx_table *t, const char *key, size_t size)
{
    return t->capacity ? find(t->rows, t->capacity, key, size)->value : NULL;
}
