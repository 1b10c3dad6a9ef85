/* layout.h - offsets of values in one arena, by lifetime. */
#ifndef HEED_PLAN_LAYOUT_H
#define HEED_PLAN_LAYOUT_H

#include "base/mem.h"

typedef struct layout {
    struct layout_hole *holes; /* free ranges below `top`, by offset */
    size_t n_holes, capacity;
    size_t top;  /* end of the highest block in use */
    size_t peak; /* the most that top ever was: the arena's size */
} layout;        /* all zero is empty */

/* Takes `bytes` (rounded up to the alignment of a tensor) from the best fitting hole. */
heed_status layout_take(layout *l, size_t bytes, size_t *offset);
heed_status layout_give(layout *l, size_t offset, size_t bytes);
void layout_free(layout *l);

#endif
