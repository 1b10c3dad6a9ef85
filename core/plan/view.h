/* view.h - a node as a plugin sees it. */
#ifndef HEED_PLAN_VIEW_H
#define HEED_PLAN_VIEW_H

#include "graph/ir.h"

typedef struct node_view {
    heed_node node; /* first: attr() leads back from it */
    const ir_node *ir;
} node_view;

/* Built in `memory`; NULL: the error is set. */
const heed_node *node_view_new(const ir_node *n, arena *memory);

#endif
