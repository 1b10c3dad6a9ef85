/* pages.c - counts of holders, the list of free pages, and names for sharing.
 *
 * A name is (serial number of the page before, tokens). Serial numbers are never used twice, so a
 * name found is exact: no two contents share one, whatever their hashes do. When a page loses its
 * name, those behind it can no longer be found, and leave as their turn comes. */
#include "generate/pages.h"

#include <string.h>

#include "base/map.h"

typedef struct page {
    uint32_t holders;
    page_id next, before; /* in the list of kept pages; `next` in the free list */
    uint64_t serial;      /* of the name, 0: none */
} page;

/* What a name is made of, as it lies in memory; `tokens` more follow. */
typedef struct name {
    uint64_t before; /* the serial number of the page before, or 0 */
    int32_t tokens[];
} name;

struct page_pool {
    uint32_t tokens, limit, room;
    uint32_t used, held, kept;
    page *pages;
    unsigned char *names; /* one for each page, name_size bytes apart */
    size_t capacity;      /* of both */
    size_t name_size;
    page_id free;           /* the list of pages that were given back */
    page_id oldest, newest; /* of the kept ones */
    uint64_t next_serial;
    map by_name; /* -> page id + 1 */
};

#define MAX_TOKENS 4096u

heed_status page_pool_new(uint32_t tokens, uint32_t limit, page_pool **out)
{
    *out = NULL;
    if (tokens == 0 || tokens > MAX_TOKENS || limit == 0 || limit > INT32_MAX)
        return err_fail(HEED_USAGE,
                        "a cache of %u pages of %u tokens cannot be: 1 to %d pages of "
                        "1 to %u tokens",
                        limit, tokens, INT32_MAX, MAX_TOKENS);
    page_pool *pool = mem_zero(sizeof(*pool));
    if (!pool)
        return HEED_NOMEM;
    pool->tokens = tokens;
    pool->limit = pool->room = limit;
    pool->name_size = (sizeof(name) + tokens * sizeof(int32_t) + 7) & ~(size_t)7;
    pool->free = pool->oldest = pool->newest = PAGE_NONE;
    pool->next_serial = 1;
    *out = pool;
    return HEED_OK;
}

void page_pool_free(page_pool *pool)
{
    if (!pool)
        return;
    map_free(&pool->by_name);
    mem_free(pool->names);
    mem_free(pool->pages);
    mem_free(pool);
}

void page_pool_set_room(page_pool *pool, uint32_t n)
{
    pool->room = n < pool->limit ? n : pool->limit;
}

uint32_t page_pool_tokens(const page_pool *pool) { return pool->tokens; }

static name *name_of(const page_pool *pool, page_id id)
{
    return (name *)(void *)(pool->names + (size_t)id * pool->name_size);
}

/* ---- Kept pages: named, held by nobody, in the order in which they were dropped ------------- */

static void keep(page_pool *pool, page_id id)
{
    page *p = &pool->pages[id];
    p->before = pool->newest;
    p->next = PAGE_NONE;
    if (pool->newest == PAGE_NONE)
        pool->oldest = id;
    else
        pool->pages[pool->newest].next = id;
    pool->newest = id;
    pool->kept++;
}

static void unkeep(page_pool *pool, page_id id)
{
    page *p = &pool->pages[id];
    if (p->before == PAGE_NONE)
        pool->oldest = p->next;
    else
        pool->pages[p->before].next = p->next;
    if (p->next == PAGE_NONE)
        pool->newest = p->before;
    else
        pool->pages[p->next].before = p->before;
    pool->kept--;
}

/* ---- Taking, holding, dropping -------------------------------------------------------------- */

/* Doubles the room for pages. Names move, and the map points to them. */
static heed_status grow(page_pool *pool)
{
    size_t room = pool->capacity ? 2 * pool->capacity : 64;
    room = room < pool->limit ? room : pool->limit;
    page *pages = mem_resize(pool->pages, pool->capacity * sizeof(page), room * sizeof(page));
    if (!pages)
        return HEED_NOMEM;
    pool->pages = pages;
    unsigned char *names = mem_zero(room * pool->name_size);
    map by_name = {0};
    heed_status status = names ? HEED_OK : HEED_NOMEM;
    if (!status && pool->used)
        memcpy(names, pool->names, pool->used * pool->name_size);
    for (uint32_t i = 0; !status && i < pool->used; i++)
        if (pages[i].serial)
            status = map_put(&by_name, names + i * pool->name_size, pool->name_size,
                             (void *)((uintptr_t)i + 1));
    if (status) {
        mem_free(names);
        map_free(&by_name);
        return status;
    }
    mem_free(pool->names);
    map_free(&pool->by_name);
    pool->names = names;
    pool->by_name = by_name;
    pool->capacity = room;
    return HEED_OK;
}

static void unname(page_pool *pool, page_id id)
{
    map_remove(&pool->by_name, name_of(pool, id), pool->name_size);
    pool->pages[id].serial = 0;
}

/* A page without holders: one that was given back, a fresh one, or the longest unused. */
static heed_status find_room(page_pool *pool, page_id *out)
{
    if (pool->free != PAGE_NONE) {
        *out = pool->free;
        pool->free = pool->pages[*out].next;
        return HEED_OK;
    }
    if (pool->used < pool->room) {
        if (pool->used == pool->capacity)
            TRY(grow(pool));
        *out = (page_id)pool->used++;
        return HEED_OK;
    }
    if (pool->oldest == PAGE_NONE)
        return err_fail(HEED_NOMEM,
                        "all %u pages of the KV cache are held, of %u tokens each: it is full "
                        "(kv_memory)",
                        pool->held, pool->tokens);
    *out = pool->oldest;
    unkeep(pool, *out);
    unname(pool, *out);
    return HEED_OK;
}

heed_status page_take(page_pool *pool, page_id *out)
{
    *out = PAGE_NONE;
    TRY(find_room(pool, out));
    pool->pages[*out] = (page){.holders = 1, .next = PAGE_NONE, .before = PAGE_NONE};
    pool->held++;
    return HEED_OK;
}

void page_hold(page_pool *pool, page_id id)
{
    page *p = &pool->pages[id];
    if (p->holders++ == 0) {
        unkeep(pool, id);
        pool->held++;
    }
}

void page_drop(page_pool *pool, page_id id)
{
    page *p = &pool->pages[id];
    if (--p->holders > 0)
        return;
    pool->held--;
    if (p->serial) {
        keep(pool, id);
        return;
    }
    p->next = pool->free;
    pool->free = id;
}

bool page_is_own(const page_pool *pool, page_id id)
{
    return pool->pages[id].holders == 1 && pool->pages[id].serial == 0;
}

uint32_t page_holders(const page_pool *pool, page_id id) { return pool->pages[id].holders; }

/* ---- Names ---------------------------------------------------------------------------------- */

/* Writes the name that such a page has; false when there can be none. */
static bool spell(const page_pool *pool, page_id before, const int32_t *tokens, name *out)
{
    memset(out, 0, pool->name_size);
    out->before = before == PAGE_NONE ? 0 : pool->pages[before].serial;
    memcpy(out->tokens, tokens, pool->tokens * sizeof(*tokens));
    return before == PAGE_NONE || out->before != 0;
}

heed_status page_name(page_pool *pool, page_id id, page_id before, const int32_t *tokens)
{
    if (pool->pages[id].serial)
        return HEED_OK;
    name *own = name_of(pool, id);
    if (!spell(pool, before, tokens, own) || map_get(&pool->by_name, own, pool->name_size))
        return HEED_OK;
    TRY(map_put(&pool->by_name, own, pool->name_size, (void *)((uintptr_t)id + 1)));
    pool->pages[id].serial = pool->next_serial++;
    return HEED_OK;
}

page_id page_find(page_pool *pool, page_id before, const int32_t *tokens)
{
    _Alignas(name) unsigned char room[sizeof(name) + MAX_TOKENS * sizeof(int32_t) + 8];
    name *wanted = (name *)(void *)room;
    if (!spell(pool, before, tokens, wanted))
        return PAGE_NONE;
    uintptr_t found = (uintptr_t)map_get(&pool->by_name, wanted, pool->name_size);
    if (!found)
        return PAGE_NONE;
    page_id id = (page_id)(found - 1);
    page_hold(pool, id);
    return id;
}

page_counts page_pool_count(const page_pool *pool)
{
    return (page_counts){
        .held = pool->held,
        .kept = pool->kept,
        .free = pool->limit - pool->held - pool->kept,
        .used = pool->used,
    };
}
