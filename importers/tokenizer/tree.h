/* tree.h - JSON (RFC 8259) as a tree, within limits, and errors that name an element.
 *
 * Strings are unescaped in place, so that a node is a few numbers: a tokenizer has a million. */
#ifndef TOKENIZER_TREE_H
#define TOKENIZER_TREE_H

#include "memory.h"

typedef enum tree_kind {
    TREE_NULL,
    TREE_FALSE,
    TREE_TRUE,
    TREE_NUMBER,
    TREE_TEXT,
    TREE_LIST,
    TREE_OBJECT
} tree_kind;

typedef struct tree_node {
    uint32_t kind;
    uint32_t key, key_size; /* in an object */
    uint32_t at, size;      /* a text or number in the source; a first child and their number */
    uint32_t next, parent;  /* TREE_NONE */
} tree_node;

#define TREE_NONE UINT32_MAX

typedef struct tree {
    char *text; /* owned */
    size_t n;
    const char *name; /* of the file, for errors */
    tree_node *nodes;
    size_t n_nodes, room;
} tree;

/* Takes `text` (from tok_alloc) whatever comes. Node 0 is the root. HEED_INVALID with the place. */
heed_status tree_parse(tree *t, const char *name, char *text, size_t n);
/* A file as a tree. HEED_NOTFOUND, without a message, when there is none. */
heed_status tree_read(tree *t, const char *name, const char *path);
void tree_free(tree *t);

/* Nodes are numbers; TREE_NONE is legal where a node is asked for something, and is null. */
tree_kind tree_kind_of(const tree *t, uint32_t node);
uint32_t tree_get(const tree *t, uint32_t object, const char *key); /* the last of this name */
uint32_t tree_first(const tree *t, uint32_t parent); /* child; the others by tree_next */
uint32_t tree_next(const tree *t, uint32_t node);
const char *tree_text(const tree *t, uint32_t node, size_t *n); /* of TREE_TEXT, or NULL */
bool tree_is(const tree *t, uint32_t node, const char *text);
const char *tree_key(const tree *t, uint32_t node, size_t *n);
bool tree_int(const tree *t, uint32_t node, int64_t *out); /* false: no whole number */

/* host->fail with the element's path: "tokenizer.json: model.merges[17]: ...". */
heed_status tree_fail(const tree *t, heed_status status, uint32_t node, const char *format, ...)
    HEED_PRINTF(4, 5);

/* HEED_UNSUPPORTED with the "type" that is not known, or HEED_INVALID when there is none. */
heed_status tree_fail_type(const tree *t, uint32_t node, const char *what);

/* What a key must or may be; errors name it. */
heed_status tree_want_text(const tree *t, uint32_t object, const char *key, const char **out,
                           size_t *n);
heed_status tree_want_bool(const tree *t, uint32_t object, const char *key, bool *out); /* kept
                                                                                when absent */
heed_status tree_want_list(const tree *t, uint32_t object, const char *key, uint32_t *out);

#endif
