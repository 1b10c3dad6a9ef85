/* ports.h - inputs and outputs of a graph that come and go. */
#ifndef HEED_PASSES_PORTS_H
#define HEED_PASSES_PORTS_H

#include "passes/pass.h"

/* A new last input; the dims are copied. NULL on failure. */
ir_value *ports_add_input(ir_graph *g, const char *name, heed_dtype dtype, int32_t rank,
                          const ir_dim *dims);
/* The value becomes the last output, too. */
heed_status ports_add_output(ir_graph *g, const char *name, ir_value *v);
/* Inputs for which keep(self, input) is false leave the list; the others keep their order. */
void ports_keep_inputs(ir_graph *g, bool (*keep)(const void *self, const ir_value *v),
                       const void *self);
void ports_drop_outputs(ir_graph *g);

#endif
