/* bpe.h - byte pair encoding (Sennrich 2016, arXiv 1508.07909): merges by rank. */
#ifndef TOKENIZER_BPE_H
#define TOKENIZER_BPE_H

#include "words.h"

enum { BPE_DIRECT = 0x180, BPE_NONE = -1, BPE_LOST = -2 };

typedef struct bpe_merge bpe_merge;

typedef struct bpe {
    const words *words;
    bpe_merge *merges; /* a hash table by pair */
    size_t n_slots;
    uint64_t seed;
    tok_text prefix, suffix, unk; /* of words that continue, of words that end; unknown */
    int32_t unk_id;               /* BPE_NONE: unknown characters vanish; BPE_LOST: an error */
    bool fuse_unk, byte_fallback, ignore_merges;
    int32_t bytes[256];         /* <0x00> .. <0xFF>, or BPE_NONE */
    int32_t direct[BPE_DIRECT]; /* of the first characters of Unicode */
} bpe;

/* What a thread works in, kept from word to word. */
typedef struct bpe_room {
    void *symbols, *heap;
    size_t n_symbols, n_heap;
    tok_text spelled;
} bpe_room;

heed_status bpe_read(bpe *b, const words *w, const tree *t, uint32_t model);
void bpe_free(bpe *b);
heed_status bpe_encode(const bpe *b, bpe_room *room, const char *text, size_t n, tok_ids *out);
void bpe_room_free(bpe_room *room);

#endif
