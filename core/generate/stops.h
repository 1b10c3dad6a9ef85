/* stops.h - texts that end a generation, looked for in text that comes in pieces.
 *
 * Which one ends it does not depend on the pieces: the one that is complete first; of those that
 * end at the same byte the longest. */
#ifndef HEED_GENERATE_STOPS_H
#define HEED_GENERATE_STOPS_H

#include "base/mem.h"

typedef struct stops stops; /* read-only once made */

/* The texts are copied. No texts give NULL. HEED_INVALID for one that is empty, or that begins
 * within a character. */
heed_status stops_new(const char *const *texts, size_t n, stops **out);
stops *stops_hold(stops *s); /* one holder more; NULL is legal, here and below */
void stops_drop(stops *s);

/* Where the first stop begins that ends in text[from..n), or n. */
size_t stops_find(const stops *s, const char *text, size_t from, size_t n);
/* How many bytes at the end of text[0..n) may be the beginning of a stop. */
size_t stops_may_begin(const stops *s, const char *text, size_t n);

#endif
