/* place.h - who computes each node: the first backend of the chain whose kernel accepts it, and at
 * the end the reference kernel. Decided once a session, by node; weights are prepared here. */
#ifndef HEED_PLAN_PLACE_H
#define HEED_PLAN_PLACE_H

#include "graph/ir.h"
#include "plugin/registry.h"

typedef struct place {
    const plugin_backend *backend; /* NULL: the reference kernel, or the host itself */
    const heed_kernel *kernel;
    void *state;         /* what prepare returned */
    const char *refusal; /* of the first backend that would not, or NULL */
} place;

typedef struct place_table {
    const ir_model *model;
    place *by_node;        /* node id -> place */
    const ir_node **nodes; /* in the order of placement, nested graphs too */
    uint32_t n_nodes;
    const plugin_backend **chain;
    size_t n_chain;
    arena memory;
} place_table;

/* `backends` is a comma list: names, paths, "cpu:threads=2"; NULL: the default chain. The reference
 * stands at the end, named or not. Constants of the model may move (align.h). A named backend that
 * cannot be had is HEED_DEVICE. */
heed_status place_new(const char *backends, place_table **out);
/* Some backend of the chain accepts this node. */
heed_status place_takes(place_table *t, ir_node *n, bool *taken);
/* Places every node of the model, once. */
heed_status place_nodes(place_table *t, ir_model *m);
void place_free(place_table *t);

/* What a failure of the backend's kernel on this node is called, also when it gave no reason. */
heed_status place_error(const place *where, const ir_node *n, heed_status status);

/* "cpu", "reference", or "host" for what needs no kernel. */
const char *place_name(const place_table *t, const ir_node *n);

#endif
