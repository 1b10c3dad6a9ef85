/* syntax.h - RE2's syntax for regular expressions, written as PCRE2 reads it. */
#ifndef TEXT_SYNTAX_H
#define TEXT_SYNTAX_H

#include "heed/types.h"

/* *out is from text_alloc. HEED_INVALID names what RE2 does not have, and where. */
heed_status syntax_translate(const char *pattern, uint64_t bytes, char **out, size_t *size);

#endif
