/* frame.h - "post_processor": the tokens that stand around a text. */
#ifndef TOKENIZER_FRAME_H
#define TOKENIZER_FRAME_H

#include "tree.h"

enum { FRAMES_MAX = 8, FRAME_TEXT = -1 };

/* Each frame is a list of tokens, in which FRAME_TEXT is what the frames before gave. */
typedef struct frames {
    tok_ids items[FRAMES_MAX];
    size_t n;
} frames;

heed_status frames_read(frames *f, const tree *t, uint32_t node);
void frames_free(frames *f);
/* plain: without the tokens around it. */
heed_status frames_run(const frames *f, bool plain, tok_ids *ids);

#endif
