/* words.h - the vocabulary: from spellings to ids and back. */
#ifndef TOKENIZER_WORDS_H
#define TOKENIZER_WORDS_H

#include "tree.h"

enum {
    WORD_MODEL = 1,  /* the model may give it; without, only a match in the text does */
    WORD_SPECIAL = 2 /* left out when decoding, unless asked for */
};

enum { IDS_MAX = 1 << 24, WORD_MAX_BYTES = 1 << 20 };

typedef struct word {
    uint32_t at, size;             /* in `spellings` */
    uint32_t shown_at, shown_size; /* what decoders see, where it differs */
    uint32_t flags;
    bool known;
} word;

typedef struct word_slot word_slot;

typedef struct words {
    tok_text spellings;
    word *by_id;
    size_t n_ids, ids_room; /* all ids are below n_ids */
    word_slot *slots;
    size_t n_slots, n_used; /* a power of two, or 0 */
    uint64_t seed;          /* so that nobody can write a vocabulary that collides */
    size_t n_model;         /* words of the model */
} words;

void words_init(words *w);
void words_free(words *w);
/* A spelling that is there gets the new id and flags. HEED_NOMEM. id < IDS_MAX. */
heed_status words_set(words *w, const char *text, size_t n, int32_t id, uint32_t flags);
/* -1: none with all of these flags. */
int32_t words_find(const words *w, const char *text, size_t n, uint32_t flags);
const char *words_spelling(const words *w, int32_t id, size_t *n); /* or NULL */
/* An added token that is looked for in normalized text is decoded from its normalized form. */
heed_status words_show(words *w, int32_t id, const char *text, size_t n);
const char *words_shown(const words *w, int32_t id, size_t *n); /* or NULL */

/* The hash of a text, byte by byte: start, add all, then ask. */
static inline uint64_t words_hash_add(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * UINT64_C(0x9E3779B97F4A7C15);
}
int32_t words_find_hashed(const words *w, uint64_t hash, const char *text, size_t n,
                          uint32_t flags);

/* {"spelling": id, ...} as words of the model. */
heed_status words_read(words *w, const tree *t, uint32_t model);

#endif
