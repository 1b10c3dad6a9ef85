/* words.c - the vocabulary: one hash table of spellings, and an array by id. */
#include "words.h"

#include <string.h>
#include <time.h>

enum { SLOTS_FIRST = 1 << 10 };

struct word_slot {
    uint32_t hash;
    uint32_t at, size;
    int32_t id; /* plus 1: 0 is an empty slot */
};

void words_init(words *w)
{
    struct timespec now = {0};
    *w = (words){0};
    timespec_get(&now, TIME_UTC);
    w->seed = ((uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec ^ (uint64_t)(uintptr_t)&now) *
                  UINT64_C(0x9E3779B97F4A7C15) |
              1;
}

void words_free(words *w)
{
    tok_free(w->spellings.data);
    tok_free(w->by_id);
    tok_free(w->slots);
}

static uint32_t finish(uint64_t hash)
{
    hash ^= hash >> 29;
    hash *= UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(hash >> 32);
}

static uint64_t hash_of(const words *w, const char *text, size_t n)
{
    uint64_t hash = w->seed;
    for (size_t i = 0; i < n; i++)
        hash = words_hash_add(hash, text[i]);
    return hash;
}

/* The slot of this text, or the empty one where it would be. */
static word_slot *slot_of(const words *w, uint32_t hash, const char *text, size_t n)
{
    size_t mask = w->n_slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        word_slot *s = &w->slots[i];
        if (!s->id)
            return s;
        if (s->hash == hash && s->size == n &&
            (n == 0 || memcmp(w->spellings.data + s->at, text, n) == 0))
            return s;
    }
}

static bool rehash(words *w)
{
    size_t n = w->n_slots ? w->n_slots * 2 : SLOTS_FIRST;
    word_slot *slots = tok_zeroed(n, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < w->n_slots; i++) {
        if (!w->slots[i].id)
            continue;
        size_t at = w->slots[i].hash & (n - 1);
        while (slots[at].id)
            at = (at + 1) & (n - 1);
        slots[at] = w->slots[i];
    }
    tok_free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    return true;
}

/* Room for an id; those between are unknown. */
static bool reach(words *w, size_t id)
{
    word *grown = tok_grow(w->by_id, &w->ids_room, id + 1, sizeof *grown);
    if (!grown)
        return false;
    w->by_id = grown;
    for (; w->n_ids <= id; w->n_ids++)
        grown[w->n_ids] = (word){0};
    return true;
}

heed_status words_set(words *w, const char *text, size_t n, int32_t id, uint32_t flags)
{
    if ((w->n_used * 2 >= w->n_slots && !rehash(w)) || !reach(w, (size_t)id))
        return tok_no_memory();
    uint32_t hash = finish(hash_of(w, text, n));
    word_slot *s = slot_of(w, hash, text, n);
    if (!s->id) {
        uint32_t at = (uint32_t)w->spellings.n;
        tok_put(&w->spellings, text, n);
        if (w->spellings.failed)
            return tok_no_memory();
        *s = (word_slot){.hash = hash, .at = at, .size = (uint32_t)n};
        w->n_used++;
        w->n_model += flags & WORD_MODEL;
    }
    s->id = id + 1;
    w->by_id[id] = (word){.at = s->at, .size = s->size, .flags = flags, .known = true};
    return HEED_OK;
}

int32_t words_find_hashed(const words *w, uint64_t hash, const char *text, size_t n, uint32_t flags)
{
    if (!w->n_slots)
        return -1;
    int32_t id = slot_of(w, finish(hash), text, n)->id - 1;
    return id >= 0 && (w->by_id[id].flags & flags) == flags ? id : -1;
}

int32_t words_find(const words *w, const char *text, size_t n, uint32_t flags)
{
    return words_find_hashed(w, hash_of(w, text, n), text, n, flags);
}

const char *words_spelling(const words *w, int32_t id, size_t *n)
{
    *n = 0;
    if (id < 0 || (size_t)id >= w->n_ids || !w->by_id[id].known)
        return NULL;
    *n = w->by_id[id].size;
    return w->spellings.data ? w->spellings.data + w->by_id[id].at : "";
}

heed_status words_show(words *w, int32_t id, const char *text, size_t n)
{
    w->by_id[id].shown_at = (uint32_t)w->spellings.n;
    w->by_id[id].shown_size = (uint32_t)n;
    tok_put(&w->spellings, text, n);
    return tok_text_status(&w->spellings);
}

const char *words_shown(const words *w, int32_t id, size_t *n)
{
    const char *spelling = words_spelling(w, id, n);
    if (!spelling || !w->by_id[id].shown_size)
        return spelling;
    *n = w->by_id[id].shown_size;
    return w->spellings.data + w->by_id[id].shown_at;
}

heed_status words_read(words *w, const tree *t, uint32_t model)
{
    int64_t id;
    size_t n;
    uint32_t vocab = tree_get(t, model, "vocab");
    if (tree_kind_of(t, vocab) != TREE_OBJECT)
        return tree_fail(t, HEED_INVALID, model, "\"vocab\" is missing, or is no object");
    for (uint32_t i = tree_first(t, vocab); i != TREE_NONE; i = tree_next(t, i)) {
        const char *text = tree_key(t, i, &n);
        if (!tree_int(t, i, &id) || id < 0)
            return tree_fail(t, HEED_INVALID, i, "is no token's number");
        if (id >= IDS_MAX)
            return tree_fail(t, HEED_UNSUPPORTED, i, "the number is not below %d", IDS_MAX);
        if (n > WORD_MAX_BYTES)
            return tree_fail(t, HEED_UNSUPPORTED, i, "a word of %zu bytes", n);
        heed_status status = words_set(w, text, n, (int32_t)id, WORD_MODEL);
        if (status)
            return status;
    }
    return HEED_OK;
}
