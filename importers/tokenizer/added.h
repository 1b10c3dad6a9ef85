/* added.h - "added_tokens": texts that are found as they stand, before the model sees the rest. */
#ifndef TOKENIZER_ADDED_H
#define TOKENIZER_ADDED_H

#include "normalize.h"
#include "words.h"

enum { ADDED_LONGEST = 1 << 12 }; /* bytes: a search costs that much for each byte of text */

typedef struct added_token {
    int32_t id;
    bool single_word, left, right; /* takes the spaces on its left, on its right */
} added_token;

typedef struct added_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t token;          /* plus 1 */
    unsigned char byte;
} added_node;

/* The tokens as a tree of bytes: the longest that begins at a place is the one. */
typedef struct added_tree {
    added_node *nodes; /* 0 is the root */
    size_t n, room;
    uint32_t start[256]; /* children of the root */
} added_tree;

typedef struct added {
    added_token *tokens;
    size_t n;
    added_tree plain;      /* found in the text */
    added_tree normalized; /* found in what the normalizer makes of it */
} added;

/* Also puts them into `w`, where their ids come from: the model's, or the next free ones. */
heed_status added_read(added *a, words *w, const normalizer *n, const tree *t, uint32_t root);
void added_free(added *a);

typedef struct added_match {
    size_t from, to;
    int32_t id;
} added_match;

/* The next match at or behind *at, which moves on. `done`: where the match before ended. */
bool added_next(const added *a, const added_tree *among, const char *text, size_t n, size_t *at,
                size_t done, added_match *out);

#endif
