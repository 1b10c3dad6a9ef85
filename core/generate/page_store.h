/* page_store.h - the bytes of pages: for each attention keys and values, [pages, heads, tokens a
 * page, channels], and scales where they are int8.
 *
 * Where every reader finds its page by itself, the store takes addresses for all pages that there
 * may be and memory as they are used: nothing moves, and the shape of the tensors stays, for which
 * steps are planned. Where readers take the whole tensor, it grows by copying. */
#ifndef HEED_GENERATE_PAGE_STORE_H
#define HEED_GENERATE_PAGE_STORE_H

#include "generate/page_table.h"
#include "graph/ir.h"

typedef struct page_store page_store;

/* Tensors like these values, whose first extent is pages. limit: most pages, 0: not known, they
 * grow by copying. `values` must outlive the store. */
heed_status page_store_new(size_t n, const ir_value *const *values, uint32_t page_tokens,
                           uint32_t limit, page_store **out);
void page_store_free(page_store *s);
uint64_t page_store_page_bytes(const page_store *s); /* of all tensors together */

/* Room for pages 0 to n - 1. What is there stays. */
heed_status page_store_reserve(page_store *s, uint32_t n);
uint32_t page_store_room(const page_store *s);
/* Tensor i; a reserve may change it. */
heed_tensor *page_store_tensor(const page_store *s, size_t i);

void page_store_copy(page_store *s, const page_copy *copy);
/* page_store_page_bytes each. */
void page_store_read(const page_store *s, page_id page, char *to);
void page_store_write(page_store *s, page_id page, const char *from);

#endif
