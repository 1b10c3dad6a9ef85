/* unicode.h - properties, letter case and normal forms of characters, as of the Unicode that
 * tokenizers are made with (ages.h). */
#ifndef TOKENIZER_UNICODE_H
#define TOKENIZER_UNICODE_H

#include "memory.h"

bool uni_space(uint32_t c);       /* White_Space */
bool uni_numeric(uint32_t c);     /* Nd, Nl, No */
bool uni_punctuation(uint32_t c); /* P*, and all of ASCII that is neither letter nor digit */
bool uni_nonspacing(uint32_t c);  /* Mn */
bool uni_mark(uint32_t c);        /* Mn, Mc, Me */
bool uni_other(uint32_t c);       /* Cc, Cf, Co */
bool uni_word(uint32_t c);        /* Alphabetic, M, Nd, Pc, Join_Control (UTS 18) */
bool uni_han(uint32_t c);         /* what BERT puts spaces around */

/* Lower case by the full mapping (SpecialCasing) without conditions: one character or two. */
size_t uni_lower(uint32_t c, uint32_t out[2]);

enum { UNI_COMPOSE = 1, UNI_COMPATIBLE = 2 };
/* NFD, and with the flags NFC, NFKD, NFKC (UAX 15). `text` is UTF-8. */
heed_status uni_normal_form(int flags, const char *text, size_t n, tok_text *out);

#endif
