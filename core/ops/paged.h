/* paged.h - what the bodies of paged attention share: tokens of many sequences one after the other,
 * and a cache in pages that a table assigns to sequences.
 *
 * Sequence b has the tokens from sums[b] to sums[b + 1], behind past[b] tokens in the cache.
 * Position p of it lies in page table[b][p / size], row p % size. A cache is
 * [pages, size, heads, D]. B sequences, T tokens. */
#ifndef HEED_OPS_PAGED_H
#define HEED_OPS_PAGED_H

#include "ops/body.h"

typedef struct paged {
    ir_value *starts, *past, *fresh; /* of each sequence, int64 [B]: first token, tokens before */
    ir_value *which, *row;           /* of each token: its sequence, its place in it, int64 [T] */
    ir_value *at;                    /* its position, past + row */
} paged;

/* tokens: their number, a scalar; sums [B + 1] and past [B] of any integer type. */
paged paged_place(op_body *b, ir_value *tokens, ir_value *sums, ir_value *past);
/* Where each token is written, page * size + row: int64 [T]. size: int64 [1]. */
ir_value *paged_slots(op_body *b, const paged *p, ir_value *table, ir_value *size);
/* The cache with the rows of x [T, ...] in these slots; a negative slot is nowhere. */
ir_value *paged_write(op_body *b, ir_value *cache, ir_value *slots, ir_value *x);
/* The rows of each sequence, [B, heads, pages of the table * size, D]. Pages that the table has
 * behind a sequence's own are any. */
ir_value *paged_read(op_body *b, ir_value *cache, ir_value *table);
/* [T, heads, D] to [B, heads, S, D], S being the most tokens of a sequence; and the way back, to
 * [T, heads * D]. */
ir_value *paged_pad(op_body *b, const paged *p, ir_value *x);
ir_value *paged_unpad(op_body *b, const paged *p, ir_value *y);

#endif
