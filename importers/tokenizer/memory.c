/* memory.c - see memory.h. The one place of the plugin that calls host->alloc. */
#include "memory.h"

#include <string.h>

#include "chars.h"

enum { HEADER = 64, ROOM_FIRST = 64 };

const heed_host *tok_host;

void *tok_alloc(size_t bytes)
{
    if (bytes > SIZE_MAX - HEADER)
        return NULL;
    char *block = tok_host->alloc(bytes + HEADER);
    if (!block)
        return NULL;
    *(size_t *)(void *)block = bytes + HEADER;
    return block + HEADER;
}

void *tok_zeroed(size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return NULL;
    void *block = tok_alloc(n * size);
    if (block)
        memset(block, 0, n * size);
    return block;
}

void tok_free(void *block)
{
    if (!block)
        return;
    char *start = (char *)block - HEADER;
    tok_host->free(start, *(size_t *)(void *)start);
}

void *tok_grow(void *block, size_t *room, size_t need, size_t size)
{
    size_t more = *room ? *room : ROOM_FIRST;
    if (need <= *room)
        return block;
    while (more < need && more <= SIZE_MAX / 2)
        more *= 2;
    if (more < need || more > SIZE_MAX / size)
        return NULL;
    void *grown = tok_alloc(more * size);
    if (!grown)
        return NULL;
    if (block)
        memcpy(grown, block, *room * size);
    tok_free(block);
    *room = more;
    return grown;
}

heed_status tok_no_memory(void)
{
    return tok_host->fail(HEED_NOMEM, "out of memory for a tokenizer");
}

void tok_put(tok_text *text, const char *data, size_t n)
{
    if (text->failed)
        return;
    if (n > text->room - text->n) {
        void *grown =
            n > SIZE_MAX - text->n ? NULL : tok_grow(text->data, &text->room, text->n + n, 1);
        text->failed = !grown;
        if (!grown)
            return;
        text->data = grown;
    }
    if (n)
        memcpy(text->data + text->n, data, n);
    text->n += n;
}

void tok_put_char(tok_text *text, uint32_t c)
{
    char encoded[4];
    tok_put(text, encoded, chars_encode(c, encoded));
}

heed_status tok_text_status(const tok_text *text)
{
    return text->failed ? tok_no_memory() : HEED_OK;
}

void tok_push(tok_ids *ids, int32_t id)
{
    if (ids->failed)
        return;
    if (ids->n == ids->room) {
        void *grown = tok_grow(ids->data, &ids->room, ids->n + 1, sizeof *ids->data);
        ids->failed = !grown;
        if (!grown)
            return;
        ids->data = grown;
    }
    ids->data[ids->n++] = id;
}
