/* made_decoder.h - decoders that are made of text (onnx_text.h), for tests of generators: the file,
 * what its own graph gives token by token, and what a generator gives.
 *
 * The graph: ids int64 [b, s] -> y float32 [b, s, vocabulary]; where there are two inputs, the
 * other is `at`, the places of the tokens, also int64 [b, s]. */
#ifndef MADE_DECODER_H
#define MADE_DECODER_H

#include "heed/heed.h"

enum { MADE_DECODER_WORDS = 23 }; /* the vocabulary of all of them */

/* path: a name for mkstemps that ends with ".onnx". */
heed_status made_decoder_save(const char *text, char *path);

/* The likeliest tokens behind the first n_prompt, up to n: the whole sequence again for each. */
heed_status made_decoder_run(const char *text, uint32_t n_inputs, size_t n_prompt, size_t n,
                             int32_t *tokens);

/* The same from a generator: n - n_prompt tokens into out. */
heed_status made_decoder_generate(heed_generator *g, const int32_t *tokens, size_t n_prompt,
                                  size_t n, int32_t *out);

#endif
