/* normalize.h - "normalizer": what becomes of a text before it is split. */
#ifndef TOKENIZER_NORMALIZE_H
#define TOKENIZER_NORMALIZE_H

#include "pattern.h"

enum { NORMALIZE_STEPS = 32 };

typedef struct normalize_step normalize_step;
typedef struct normalize_kind normalize_kind;

struct normalize_step {
    heed_status (*run)(const normalize_step *s, const char *text, size_t n, tok_text *out,
                       bool *first);
    int flags;        /* of a normal form; sides to strip */
    pattern *pattern; /* what is replaced */
    tok_text content; /* what comes instead, or before */
};

typedef struct normalizer {
    normalize_step steps[NORMALIZE_STEPS];
    size_t n;
} normalizer;

heed_status normalize_read(normalizer *n, const tree *t, uint32_t node);
void normalize_free(normalizer *n);

/* Two texts to work in, kept from call to call. */
typedef struct normalize_room {
    tok_text text[2];
} normalize_room;

/* The result lies in `room`, or is `text` itself. *first, when it is set, stays set while the
 * result's first character comes from the text's first. */
heed_status normalize_run(const normalizer *n, normalize_room *room, const char *text, size_t size,
                          const char **out, size_t *out_size, bool *first);
void normalize_room_free(normalize_room *room);

#endif
