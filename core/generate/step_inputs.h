/* step_inputs.h - what a paged graph is told in a step: tokens, where they stand, whose they are,
 * and the pages. Tensors stay from step to step, so that a step of a size that was there allocates
 * nothing. */
#ifndef HEED_GENERATE_STEP_INPUTS_H
#define HEED_GENERATE_STEP_INPUTS_H

#include "generate/paged_model.h"

typedef struct step_inputs step_inputs;

/* Both must outlive it. */
heed_status step_inputs_new(const ir_graph *g, const pass_paging *about, step_inputs **out);
void step_inputs_free(step_inputs *s);

/* The graph's inputs that are pages, in its order. */
size_t step_inputs_pages(const step_inputs *s, const ir_value *const **out);

/* in: one for each input of the graph; those of pages are left to the caller (NULL). HEED_USAGE
 * names an input that is missing. */
heed_status step_inputs_fill(step_inputs *s, const paged_step *step, const heed_tensor **in);

#endif
