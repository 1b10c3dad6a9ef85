/* bpe_table.h - the table of merges: who fills it and who merges share it. */
#ifndef TOKENIZER_BPE_TABLE_H
#define TOKENIZER_BPE_TABLE_H

#include "bpe.h"

struct bpe_merge {
    uint32_t left, right, rank;
    int32_t made; /* plus 1: 0 is an empty slot */
};

/* The slot of a pair, or the empty one where it would be. */
static inline bpe_merge *bpe_slot(const bpe *b, uint32_t left, uint32_t right)
{
    uint64_t hash = ((uint64_t)left << 32 | right) ^ b->seed;
    hash = (hash ^ hash >> 31) * UINT64_C(0x9E3779B97F4A7C15);
    hash ^= hash >> 32;
    for (size_t i = hash & (b->n_slots - 1);; i = (i + 1) & (b->n_slots - 1)) {
        bpe_merge *m = &b->merges[i];
        if (!m->made || (m->left == left && m->right == right))
            return m;
    }
}

#endif
