/* onig.h - Oniguruma's regular expressions, in which tokenizer.json writes its own, for PCRE2. */
#ifndef TOKENIZER_ONIG_H
#define TOKENIZER_ONIG_H

#include "memory.h"

/* Appends to `out`. HEED_UNSUPPORTED or HEED_INVALID names what cannot be written, and where. */
heed_status onig_translate(const char *pattern, size_t n, tok_text *out);

#endif
