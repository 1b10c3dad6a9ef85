/* pages.h - the pages of a KV cache: who holds which.
 *
 * A page has room for the keys and values of `tokens` consecutive tokens, in all layers of a model.
 * This file knows numbers and counts; the bytes lie elsewhere (see page_store.h). Any number of
 * sequences may hold a page; one that nobody holds is free. A full page may be named by the
 * tokens in it and by the page before it: then another sequence that begins with the same tokens
 * finds it, and it is kept while nobody holds it, until its room is needed, the longest unused
 * first.
 *
 * Source: Kwon 2023 (arXiv 2309.06180), parts 4.2 to 4.5. A pool is used by one thread at a time.
 */
#ifndef HEED_GENERATE_PAGES_H
#define HEED_GENERATE_PAGES_H

#include "base/mem.h"

typedef int32_t page_id;
#define PAGE_NONE ((page_id)-1)

typedef struct page_pool page_pool;

/* tokens: 1..4096 a page; limit: most pages, 1..2^31-1. Memory is taken as pages are. */
heed_status page_pool_new(uint32_t tokens, uint32_t limit, page_pool **out);
void page_pool_free(page_pool *pool);
uint32_t page_pool_tokens(const page_pool *pool);

/* Ids from n on are not given: their bytes have no room. */
void page_pool_set_room(page_pool *pool, uint32_t n);

/* A page with one holder, its content unknown. HEED_NOMEM when all are held. Ids are small: a new
 * one is used only when no page was given back and nothing was kept. */
heed_status page_take(page_pool *pool, page_id *out);
void page_hold(page_pool *pool, page_id page); /* one holder more */
void page_drop(page_pool *pool, page_id page); /* one less */
/* Held once and without a name: its holder may write into it. */
bool page_is_own(const page_pool *pool, page_id page);
uint32_t page_holders(const page_pool *pool, page_id page);

/* Says that the page holds these tokens (as many as fit), after the named page `before`, or at a
 * sequence's start when that is PAGE_NONE. Where the same content is known already the page just
 * stays without a name, and so it does when `before` has none. */
heed_status page_name(page_pool *pool, page_id page, page_id before, const int32_t *tokens);
/* The page with that name, held once more; PAGE_NONE when there is none. */
page_id page_find(page_pool *pool, page_id before, const int32_t *tokens);

typedef struct page_counts {
    uint32_t held, kept, free; /* they add up to the limit */
    uint32_t used;             /* ids ever given are below this: what a store must have room for */
    uint64_t tokens;           /* places in use, in the pages that are held; a pool leaves it 0 */
} page_counts;
page_counts page_pool_count(const page_pool *pool);

#endif
