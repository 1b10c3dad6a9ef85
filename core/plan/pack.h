/* pack.h - offsets for blocks whose lives are known from birth to death. Separate from layout.h,
 * which gives offsets while lives are still found out: the planner takes the better of both. */
#ifndef HEED_PLAN_PACK_H
#define HEED_PLAN_PACK_H

#include "base/mem.h"

enum { PACK_MOST = 4096 }; /* blocks; the time grows with the square */

typedef struct pack_block {
    size_t bytes, offset;
    uint32_t born, dies; /* both are within the life */
} pack_block;

/* Blocks that live at the same time get no byte in common. Up to PACK_MOST of them. */
heed_status pack_blocks(pack_block *blocks, size_t n, size_t *peak);

#endif
