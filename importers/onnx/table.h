/* table.h - a hash table from texts to pointers, in an arena. Keys are borrowed. */
#ifndef ONNX_TABLE_H
#define ONNX_TABLE_H

#include "alloc.h"

typedef struct onnx_table_row {
    const char *key; /* NULL: free */
    size_t size;
    const void *value;
} onnx_table_row;

typedef struct onnx_table {
    onnx_table_row *rows; /* a power of two */
    size_t capacity, count;
} onnx_table;

/* Adds or replaces. Returns 0 when out of memory. */
int onnx_table_put(onnx_table *t, onnx_arena *a, const char *key, size_t size, const void *value);
const void *onnx_table_get(const onnx_table *t, const char *key, size_t size);

#endif
