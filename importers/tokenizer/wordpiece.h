/* wordpiece.h - WordPiece (Schuster 2012; Devlin 2018): the longest piece first. And WordLevel,
 * which takes a word as a whole or not at all. */
#ifndef TOKENIZER_WORDPIECE_H
#define TOKENIZER_WORDPIECE_H

#include "words.h"

enum { WORDPIECE_LONGEST = 1 << 12 };

typedef struct wordpiece {
    const words *words;
    tok_text prefix, unk;
    int32_t unk_id; /* -1: an unknown word is an error */
    size_t longest; /* in characters; longer words are unknown */
    bool whole;     /* WordLevel */
} wordpiece;

heed_status wordpiece_read(wordpiece *p, const words *w, const tree *t, uint32_t model);
heed_status wordlevel_read(wordpiece *p, const words *w, const tree *t, uint32_t model);
void wordpiece_free(wordpiece *p);
/* `room` is what it works in. */
heed_status wordpiece_encode(const wordpiece *p, tok_text *room, const char *text, size_t n,
                             tok_ids *out);

#endif
