/* page_table.c - growing, forking, cutting and sharing the pages of a sequence. */
#include "generate/page_table.h"

#include <string.h>

static heed_status reserve(page_table *table, size_t n_pages)
{
    if (n_pages <= table->capacity)
        return HEED_OK;
    size_t room = 2 * table->capacity > n_pages ? 2 * table->capacity : n_pages;
    page_id *pages =
        mem_resize(table->pages, table->capacity * sizeof(*pages), room * sizeof(*pages));
    if (!pages)
        return HEED_NOMEM;
    table->pages = pages;
    table->capacity = room;
    return HEED_OK;
}

/* Drops the last pages until n are left: the last first, so that of a kept sequence its beginning
 * stays longest. */
static void drop_pages(page_table *table, page_pool *pool, size_t n)
{
    while (table->n_pages > n)
        page_drop(pool, table->pages[--table->n_pages]);
    if (table->n_named > n)
        table->n_named = n;
}

/* Makes page i the table's own. */
static heed_status own_page(page_table *table, page_pool *pool, size_t i, page_copy *copy)
{
    page_id *page = &table->pages[i];
    if (page_is_own(pool, *page))
        return HEED_OK;
    page_id own;
    TRY(page_take(pool, &own));
    copy->from = *page;
    copy->to = own;
    *page = own;
    page_drop(pool, copy->from); /* a name keeps it at least until the next page is taken */
    if (table->n_named > i)
        table->n_named = i;
    return HEED_OK;
}

/* Pages until there are n. */
static heed_status add_pages(page_table *table, page_pool *pool, size_t n)
{
    TRY(reserve(table, n));
    for (; table->n_pages < n; table->n_pages++)
        TRY(page_take(pool, &table->pages[table->n_pages]));
    return HEED_OK;
}

heed_status page_table_extend(page_table *table, page_pool *pool, size_t n, page_copy *copy)
{
    size_t each = page_pool_tokens(pool), before = table->n_pages, total;
    *copy = (page_copy){.from = PAGE_NONE, .to = PAGE_NONE};
    copy->tokens = (uint32_t)(table->n_tokens % each);
    if (!size_add(table->n_tokens, n, &total) || total > INT32_MAX)
        return err_fail(HEED_USAGE, "a sequence of %zu + %zu tokens is too long", table->n_tokens,
                        n);
    heed_status status = add_pages(table, pool, (total + each - 1) / each);
    if (!status && n > 0 && copy->tokens > 0)
        status = own_page(table, pool, before - 1, copy);
    if (status) {
        drop_pages(table, pool, before);
        return status;
    }
    table->n_tokens = total;
    return HEED_OK;
}

void page_table_cut(page_table *table, page_pool *pool, size_t n)
{
    size_t each = page_pool_tokens(pool);
    if (n >= table->n_tokens)
        return;
    drop_pages(table, pool, (n + each - 1) / each);
    table->n_tokens = n;
}

void page_table_free(page_table *table, page_pool *pool)
{
    drop_pages(table, pool, 0);
    mem_free(table->pages);
    *table = (page_table){0};
}

heed_status page_table_fork(const page_table *table, page_pool *pool, page_table *out)
{
    *out = (page_table){0};
    TRY(reserve(out, table->n_pages));
    for (size_t i = 0; i < table->n_pages; i++) {
        page_hold(pool, table->pages[i]);
        out->pages[i] = table->pages[i];
    }
    out->n_pages = table->n_pages;
    out->n_tokens = table->n_tokens;
    out->n_named = table->n_named;
    return HEED_OK;
}

static page_id page_before(const page_table *table, size_t i)
{
    return i == 0 ? PAGE_NONE : table->pages[i - 1];
}

/* Two sequences may have computed the same page at the same time: then one copy of it is enough. */
static heed_status name_page(page_table *table, page_pool *pool, size_t i, const int32_t *tokens)
{
    page_id *own = &table->pages[i], before = page_before(table, i);
    page_id known = page_find(pool, before, tokens);
    if (known == PAGE_NONE)
        return page_name(pool, *own, before, tokens);
    page_drop(pool, *own);
    *own = known;
    return HEED_OK;
}

heed_status page_table_name(page_table *table, page_pool *pool, const int32_t *tokens)
{
    size_t each = page_pool_tokens(pool), full = table->n_tokens / each;
    for (; table->n_named < full; table->n_named++)
        TRY(name_page(table, pool, table->n_named, tokens + table->n_named * each));
    return HEED_OK;
}

heed_status page_table_find(page_table *table, page_pool *pool, const int32_t *tokens, size_t n)
{
    size_t each = page_pool_tokens(pool);
    for (size_t i = 0; i < n / each; i++) {
        TRY(reserve(table, i + 1));
        page_id found = page_find(pool, page_before(table, i), tokens + i * each);
        if (found == PAGE_NONE)
            break;
        table->pages[i] = found;
        table->n_named = table->n_pages = i + 1;
        table->n_tokens = (i + 1) * each;
    }
    return HEED_OK;
}
