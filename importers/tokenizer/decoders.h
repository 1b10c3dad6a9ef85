/* decoders.h - "decoder": from the spellings of tokens back to text. */
#ifndef TOKENIZER_DECODERS_H
#define TOKENIZER_DECODERS_H

#include "pattern.h"

enum { DECODERS_MAX = 32 };

/* Texts one after another. */
typedef struct decoder_pieces {
    tok_text text;
    size_t *ends;
    size_t n, room;
    bool failed;
} decoder_pieces;

void decoder_piece_end(decoder_pieces *p); /* what was put into p->text since is a piece */

typedef struct decoder decoder;
struct decoder {
    heed_status (*run)(const decoder *d, const decoder_pieces *in, decoder_pieces *out);
    pattern *pattern;
    tok_text text; /* a prefix, suffix, mark or content */
    bool cleanup, keep_first;
    size_t start, stop;
};

typedef struct decoders {
    decoder items[DECODERS_MAX];
    size_t n;
    bool none; /* spellings with spaces between them */
} decoders;

heed_status decoders_read(decoders *d, const tree *t, uint32_t node);
void decoders_free(decoders *d);
/* The text is all of out->text. `a` and `b` are worked in; `a` has the spellings. */
heed_status decoders_run(const decoders *d, decoder_pieces *a, decoder_pieces *b,
                         decoder_pieces **out);

#endif
