/* map.c - the hash map: open addressing, linear probing, deletion by shifting back.
 *
 * Keys come from files that may be hostile, so the hash is seeded by the process: nobody can
 * prepare a million names that collide. The order of entries therefore differs from run to run;
 * nothing may depend on it. */
#include "base/map.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

__extension__ typedef unsigned __int128 wide;

#define PRIME_A 0x9E3779B97F4A7C15u
#define PRIME_B 0xD1B54A32D192ED03u

static uint64_t seed(void)
{
    static atomic_uint_fast64_t kept;
    uint64_t value = atomic_load_explicit(&kept, memory_order_relaxed);
    if (value != 0)
        return value;
    /* Sixteen random bytes that the kernel gives to every process: no call, no failure. */
    unsigned long address = getauxval(AT_RANDOM);
    if (address != 0)
        memcpy(&value, (const void *)address, sizeof(value));
    value |= 1;
    atomic_store_explicit(&kept, value, memory_order_relaxed);
    return value;
}

/* Both halves of the product of two 64-bit numbers, folded. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t map_hash(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t hash = seed() ^ mix(n ^ PRIME_A, PRIME_B);
    uint64_t word;
    for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        hash = mix(hash ^ word ^ PRIME_A, PRIME_B);
    }
    if (n > 0) {
        word = 0;
        memcpy(&word, p, n);
        hash = mix(hash ^ word ^ PRIME_B, PRIME_A);
    }
    return mix(hash ^ PRIME_B, PRIME_A);
}

/* The entry of the key, or the free entry where it belongs. The map has room. */
static map_entry *slot_of(const map *m, const void *key, size_t key_size, uint64_t hash)
{
    size_t mask = m->capacity - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        map_entry *e = &m->entries[i];
        if (e->key == NULL)
            return e;
        if (e->hash == hash && e->key_size == key_size && memcmp(e->key, key, key_size) == 0)
            return e;
    }
}

void *map_get(const map *m, const void *key, size_t key_size)
{
    if (m->count == 0)
        return NULL;
    const void *bytes = key ? key : "";
    const map_entry *e = slot_of(m, bytes, key_size, map_hash(bytes, key_size));
    return e->key ? e->value : NULL;
}

void *map_get_string(const map *m, const char *key) { return map_get(m, key, strlen(key)); }

static heed_status grow(map *m)
{
    map bigger = {.capacity = m->capacity ? 2 * m->capacity : 16, .count = m->count};
    bigger.entries = mem_array(bigger.capacity, sizeof(map_entry));
    if (bigger.entries == NULL)
        return HEED_NOMEM;
    for (size_t i = 0; i < m->capacity; i++) {
        const map_entry *e = &m->entries[i];
        if (e->key)
            *slot_of(&bigger, e->key, e->key_size, e->hash) = *e;
    }
    mem_free(m->entries);
    *m = bigger;
    return HEED_OK;
}

heed_status map_put(map *m, const void *key, size_t key_size, void *value)
{
    /* At most two thirds full: probes stay short, and a search always meets a free entry. */
    if (3 * (m->count + 1) > 2 * m->capacity)
        TRY(grow(m));
    const void *bytes = key ? key : "";
    uint64_t hash = map_hash(bytes, key_size);
    map_entry *e = slot_of(m, bytes, key_size, hash);
    if (e->key == NULL)
        m->count++;
    *e = (map_entry){.key = bytes, .key_size = key_size, .hash = hash, .value = value};
    return HEED_OK;
}

heed_status map_put_string(map *m, const char *key, void *value)
{
    return map_put(m, key, strlen(key), value);
}

/* Moves later entries of the run into the hole, so that no search stops too early. */
static void close_hole(map *m, size_t hole)
{
    size_t mask = m->capacity - 1;
    for (size_t i = (hole + 1) & mask; m->entries[i].key; i = (i + 1) & mask) {
        size_t home = (size_t)m->entries[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->entries[hole] = m->entries[i];
        hole = i;
    }
    m->entries[hole] = (map_entry){0};
}

void map_remove(map *m, const void *key, size_t key_size)
{
    if (m->count == 0)
        return;
    const void *bytes = key ? key : "";
    const map_entry *e = slot_of(m, bytes, key_size, map_hash(bytes, key_size));
    if (e->key == NULL)
        return;
    m->count--;
    close_hole(m, (size_t)(e - m->entries));
}

void map_free(map *m)
{
    mem_free(m->entries);
    *m = (map){0};
}
