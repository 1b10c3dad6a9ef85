/* memory.h - memory from the host, and the two things that grow: text and tokens. */
#ifndef TOKENIZER_MEMORY_H
#define TOKENIZER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/plugin.h"

extern const heed_host *tok_host; /* set by init */

/* Blocks know their size, since PCRE2 does not hand it back. */
void *tok_alloc(size_t bytes); /* NULL when exhausted */
void *tok_zeroed(size_t n, size_t size);
void tok_free(void *block); /* NULL is legal */

/* `block` with room for at least `need` items, or NULL, and `block` stays as it is. */
void *tok_grow(void *block, size_t *room, size_t need, size_t size);

/* Always HEED_NOMEM. */
heed_status tok_no_memory(void);

/* Once an allocation failed nothing more is put in; who fills it asks at the end. */
typedef struct tok_text {
    char *data;
    size_t n, room;
    bool failed;
} tok_text;

void tok_put(tok_text *text, const char *data, size_t n);
void tok_put_char(tok_text *text, uint32_t c); /* as UTF-8 */
heed_status tok_text_status(const tok_text *text);

typedef struct tok_ids {
    int32_t *data;
    size_t n, room;
    bool failed;
} tok_ids;

void tok_push(tok_ids *ids, int32_t id);

#endif
