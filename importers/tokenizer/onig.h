/* onig.h - Oniguruma's regular expressions, in which tokenizer.json writes its own, for PCRE2. */
#ifndef TOKENIZER_ONIG_H
#define TOKENIZER_ONIG_H

#include "memory.h"

/* Appends to `out`. NULL, or what cannot be written, and its place in the pattern. */
const char *onig_translate(const char *pattern, size_t n, tok_text *out, size_t *place);

#endif
