/* place_limit.h - how many tokens of a sequence a decoder's tables of positions have rows for. */
#ifndef HEED_GENERATE_PLACE_LIMIT_H
#define HEED_GENERATE_PLACE_LIMIT_H

#include "graph/ir.h"
#include "passes/paging/paging.h"

/* -1: no table limits it, or none that is read by a position plus a constant. */
int64_t place_limit(const ir_graph *g, const pass_paging *about);

#endif
