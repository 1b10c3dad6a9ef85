/* page_table.h - the pages of one sequence, in the order of its tokens (the block table of
 * Kwon 2023). Token i lies in page i / page_pool_tokens, at i % page_pool_tokens. */
#ifndef HEED_GENERATE_PAGE_TABLE_H
#define HEED_GENERATE_PAGE_TABLE_H

#include "generate/pages.h"

typedef struct page_table {
    page_id *pages;
    size_t n_pages, capacity;
    size_t n_tokens; /* that have their place */
    size_t n_named;  /* pages that were named or looked up, from the start */
} page_table;        /* all zero is a sequence without tokens */

/* Bytes to copy before anything is written: the first `tokens` tokens of `from`. */
typedef struct page_copy {
    page_id from, to; /* PAGE_NONE: nothing to copy */
    uint32_t tokens;
} page_copy;

/* Places for n more tokens. The page that they begin in may be shared: then they get a copy of it,
 * and *copy says which. On failure (HEED_NOMEM) nothing has changed. */
heed_status page_table_extend(page_table *table, page_pool *pool, size_t n, page_copy *copy);
/* Gives up all tokens from n on. */
void page_table_cut(page_table *table, page_pool *pool, size_t n);
/* Gives up everything, and the table's own memory. */
void page_table_free(page_table *table, page_pool *pool);
/* A second sequence of the same tokens. No page is copied before one of the two writes. */
heed_status page_table_fork(const page_table *table, page_pool *pool, page_table *out);

/* Names the pages that are full, so that others find them; `tokens` are those of the sequence. */
heed_status page_table_name(page_table *table, page_pool *pool, const int32_t *tokens);
/* Fills an empty table with known pages of a sequence that begins with these tokens, at most n of
 * them. What it found is table->n_tokens. */
heed_status page_table_find(page_table *table, page_pool *pool, const int32_t *tokens, size_t n);

#endif
