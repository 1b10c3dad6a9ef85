/* bpe.h - a byte-level BPE tokenizer, read from a Hugging Face tokenizer.json.
 *
 * Small on purpose: text is split as GPT-2 does, every byte has a token, and merges are applied in
 * the order of their ranks (Sennrich 2016, Radford 2019). */
#ifndef VERSE_BPE_H
#define VERSE_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bpe bpe;

/* NULL, after a message to stderr, when the file is not a byte-level BPE. */
bpe *bpe_load(const char *path);
void bpe_free(bpe *tokenizer);
size_t bpe_get_size(const bpe *tokenizer); /* tokens */
/* Ids of the text; *n of them. The caller frees them. NULL when out of memory. */
int64_t *bpe_encode(const bpe *tokenizer, const char *text, size_t *n);
/* The bytes of a token, *size of them; NULL for an id that has none. */
const char *bpe_get_bytes(const bpe *tokenizer, int64_t id, size_t *size);
/* Is it a token that stands for no text, such as the end of a text? */
bool bpe_is_special(const bpe *tokenizer, int64_t id);

#endif
