/* builder.h - the table that importers call, and what comes of it: a graph.
 *
 * The builder knows no operators; the caller gives it a resolver that does. */
#ifndef HEED_GRAPH_BUILDER_H
#define HEED_GRAPH_BUILDER_H

#include "graph/ir.h"

typedef struct ir_resolver {
    const struct op_def *(*find)(const char *domain, const char *op); /* NULL: unknown */
    heed_status (*check)(ir_node *n); /* against its schema, fills in defaults */
} ir_resolver;

typedef struct ir_fact {
    const char *key, *value;
} ir_fact;

typedef struct ir_builder ir_builder;

ir_builder *ir_builder_new(const ir_resolver *resolver); /* NULL: error is set */
heed_builder *ir_builder_table(ir_builder *b);
/* Connects names, sorts nodes, checks schemas; the model is the caller's. */
heed_status ir_builder_finish(ir_builder *b, ir_model **out);
/* Facts live in the model's arena. */
size_t ir_builder_facts(const ir_builder *b, const ir_fact **out);
void ir_builder_free(ir_builder *b);

#endif
