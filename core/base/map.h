/* map.h - a hash map from byte strings to pointers. Keys are borrowed, not copied. */
#ifndef HEED_BASE_MAP_H
#define HEED_BASE_MAP_H

#include "base/mem.h"

typedef struct map_entry {
    const void *key;
    size_t key_size;
    uint64_t hash;
    void *value;
} map_entry;

typedef struct map {
    map_entry *entries; /* open addressing; key NULL is free */
    size_t capacity;    /* a power of two, or 0 */
    size_t count;
} map; /* all zero is an empty map */

uint64_t map_hash(const void *bytes, size_t n);

void *map_get(const map *m, const void *key, size_t key_size); /* NULL: not there */
void *map_get_string(const map *m, const char *key);
heed_status map_put(map *m, const void *key, size_t key_size, void *value); /* replaces */
heed_status map_put_string(map *m, const char *key, void *value);
void map_remove(map *m, const void *key, size_t key_size);
void map_free(map *m);

#endif
