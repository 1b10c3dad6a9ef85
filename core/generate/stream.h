/* stream.h - tokens in, text out, as soon as it is known.
 *
 * What all calls give, one after the other, is what decoding all tokens at once gives, up to a stop
 * if there is one. No character is split. Text is held back while a character is not complete (it
 * ends in U+FFFD), and while it may be the beginning of a stop. A call's cost does not depend on
 * how much came before: only the last tokens are decoded again, enough of them that spaces between
 * words are right.
 *
 * What was given is never taken back. A tokenizer whose decoder changes earlier characters when
 * later bytes are wrong (byte fallback gives U+FFFD for all of a run with a wrong byte in it) so
 * differs from decoding all at once, there and nowhere else. */
#ifndef HEED_GENERATE_STREAM_H
#define HEED_GENERATE_STREAM_H

#include "base/mem.h"

/* As heed_tokenizer_decode: *bytes is what there is, as much as fits is written. */
typedef heed_status stream_decode(const void *tokenizer, const int32_t *tokens, size_t n,
                                  uint32_t flags, char *text, size_t capacity, size_t *bytes);

typedef struct stream_options {
    stream_decode *decode;
    const void *tokenizer; /* its first argument; borrowed */
    uint32_t flags;        /* its flags */
    const char *const *stops;
    size_t n_stops;
} stream_options;

typedef struct stream stream; /* of one sequence; used by one thread at a time */

typedef struct stream_text {
    const char *text; /* ends with a NUL besides; lives until the next call */
    size_t bytes;
    bool stopped; /* a stop was found: nothing comes after this */
} stream_text;

heed_status stream_new(const stream_options *options, stream **out);
/* A second stream that has seen the same. Its flags and stops are those of `options`; NULL: as
 * before. */
heed_status stream_fork(const stream *s, const stream_options *options, stream **out);
void stream_free(stream *s);

/* What stands before the first token. Its text is given (with the next tokens) only when `echo`,
 * and no stop is looked for in it. */
heed_status stream_begin(stream *s, const int32_t *tokens, size_t n, bool echo);
/* The next tokens. After a failure none of the tokens that follow the one that failed were taken,
 * and no text is lost. */
heed_status stream_push(stream *s, const int32_t *tokens, size_t n, stream_text *out);
/* There are no more: gives what was held back. */
heed_status stream_end(stream *s, stream_text *out);

#endif
