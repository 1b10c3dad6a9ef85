/* graph_view.h - a graph as public structs, for tools that show it (heed_graph in heed.h). */
#ifndef HEED_RUN_GRAPH_VIEW_H
#define HEED_RUN_GRAPH_VIEW_H

#include "run/sites.h"

/* places and sites: of a session, or NULL. */
heed_status graph_view_new(const ir_model *m, const place_table *places, const site_list *sites,
                           heed_graph **out);

#endif
