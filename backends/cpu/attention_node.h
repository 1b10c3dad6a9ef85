/* What the nodes of all attention say alike: how the axes of their operands lie, the scale, and how
 * many threads work on a call. flash.h, scores.h, paged.h and additive.h have the rest. */
#ifndef CPU_ATTENTION_NODE_H
#define CPU_ATTENTION_NODE_H

#include "cpu.h"

/* place[i]: which axes of q, k, v and y are b, h, s and d, from the attributes `q_layout` and so
 * on; HEED_UNSUPPORTED when one of them is no order of the four. */
heed_status attention_places(const heed_node *node, int place[4][4]);

/* 0: the node has none. */
double attention_scale(const heed_node *node);

/* Threads that work at once: as many as there are cores, `most` at most. */
size_t attention_slots(size_t most);
/* Of so many threads, those that there are now; what is shared out by it may not show. */
size_t attention_ready(size_t slots);

#endif
