/* heed/text.h - text services, interface "heed.text/1": regular expressions and letter case.
 *
 * The plugin text.so offers it; operators borrow it when they need it. Text is UTF-8 with an
 * explicit size, and may hold NUL bytes. The rules of heed/plugin.h hold. */
#ifndef HEED_TEXT_H
#define HEED_TEXT_H

#include "heed/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HEED_TEXT_ID "heed.text/1"

enum { HEED_TEXT_LOWER = 1, HEED_TEXT_UPPER = 2 };

typedef struct heed_regex heed_regex; /* a compiled pattern; read-only after compile */

typedef struct heed_text {
    uint32_t size;
    uint32_t flags; /* 0 */
    /* A pattern in RE2's syntax (github.com/google/re2/wiki/Syntax). HEED_INVALID with the reason
     * and the place in the pattern when it is none. [any] */
    heed_status (*regex_compile)(const char *pattern, uint64_t bytes, heed_regex **out);
    /* *matches is 1 when the pattern matches the whole text, else 0; text that is not UTF-8 matches
     * nothing. Time is bounded by the size of text times that of the pattern squared, whatever the
     * pattern. HEED_UNSUPPORTED when the pattern needs too much memory. [any] */
    heed_status (*regex_full_match)(const heed_regex *regex, const char *text, uint64_t bytes,
                                    int32_t *matches);
    void (*regex_free)(heed_regex *regex); /* NULL is legal [any] */
    /* Maps every character to lower or upper case by Unicode's simple case mapping, in no locale.
     * *needed is the size of the result; it is written to `out` when it fits into `capacity`, so
     * that a first call may ask. HEED_INVALID when the text is not UTF-8. [any] */
    heed_status (*change_case)(uint32_t to, const char *text, uint64_t bytes, char *out,
                               uint64_t capacity, uint64_t *needed);
} heed_text;

#ifdef __cplusplus
}
#endif
#endif
