/* chars.h - UTF-8, and the 256 letters that byte-level vocabularies spell bytes with. */
#ifndef TOKENIZER_CHARS_H
#define TOKENIZER_CHARS_H

#include "memory.h"

/* The first byte that is not UTF-8 (RFC 3629), or n. */
size_t chars_valid(const char *text, size_t n);
/* The character at *at, which moves behind it. Text is UTF-8, and *at < n. */
uint32_t chars_next(const char *text, size_t *at);
/* Where the character before `at` begins; at > 0. */
size_t chars_before(const char *text, size_t at);
size_t chars_count(const char *text, size_t n);
size_t chars_encode(uint32_t c, char out[4]); /* its bytes */
bool chars_ascii(const char *text, size_t n);
/* What is no UTF-8 becomes U+FFFD, one for each maximal part of a character (Unicode 3.9). */
void chars_put_lossy(tok_text *out, const char *text, size_t n);

/* GPT-2's spelling of bytes (Radford 2019): printable Latin-1 is itself, the rest follows U+0100.
 */
uint32_t chars_of_byte(uint8_t byte);
int chars_to_byte(uint32_t c); /* or -1 */

#endif
