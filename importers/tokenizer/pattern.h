/* pattern.h - what a text is searched for: a regular expression, or a text. */
#ifndef TOKENIZER_PATTERN_H
#define TOKENIZER_PATTERN_H

#include "tree.h"

typedef struct pattern pattern; /* read-only once it is made */

/* `node` is named when the pattern is wrong. */
heed_status pattern_regex(const tree *t, uint32_t node, const char *text, size_t n, pattern **out);
heed_status pattern_literal(const tree *t, uint32_t node, const char *text, size_t n,
                            pattern **out);
/* {"Regex": "..."} or {"String": "..."} under "pattern". */
heed_status pattern_read(const tree *t, uint32_t object, pattern **out);
void pattern_free(pattern *p);

/* A search through one text, match by match. */
typedef struct pattern_search {
    const pattern *pattern;
    const char *text;
    size_t n, at;
    size_t last; /* the end of the match before, or SIZE_MAX */
    void *matches;
} pattern_search;

heed_status pattern_begin(const pattern *p, const char *text, size_t n, pattern_search *out);
/* The next match, which may be empty; *found false: no more. HEED_UNSUPPORTED when it takes too
 * many steps. */
heed_status pattern_next(pattern_search *s, bool *found, size_t *from, size_t *to);
void pattern_end(pattern_search *s);

#endif
