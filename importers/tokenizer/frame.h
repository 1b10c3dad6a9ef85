/* frame.h - "post_processor": the tokens that stand around a text. */
#ifndef TOKENIZER_FRAME_H
#define TOKENIZER_FRAME_H

#include "tree.h"

enum { FRAME_TEXT = -1 };

/* A list of tokens, in which FRAME_TEXT is those of the text. */
typedef struct frame {
    tok_ids items;
    bool framed; /* without it the text stands alone */
} frame;

heed_status frame_read(frame *f, const tree *t, uint32_t node);
void frame_free(frame *f);
/* plain: without the tokens around it. */
heed_status frame_run(const frame *f, bool plain, tok_ids *ids);

#endif
