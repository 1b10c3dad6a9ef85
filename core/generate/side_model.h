/* side_model.h - what all steps of a sequence share, computed once: the graph from a decoder's side
 * inputs (an encoder's results) to keys and values of cross attention (passes/paging/split.c).
 *
 * Immutable; any number of threads may run it. */
#ifndef HEED_GENERATE_SIDE_MODEL_H
#define HEED_GENERATE_SIDE_MODEL_H

#include "passes/paging/paging.h"
#include "run/compiled.h"

typedef struct side_model side_model;

/* `steps` is what the compiled form of steps says; *out is NULL where it wants nothing. */
heed_status side_model_new(const heed_model *m, const compile_options *options,
                           const pass_paging *steps, side_model **out);
void side_model_free(side_model *s);

/* The results, and their names: inputs of steps. Names live as long as the model. 0 for NULL. */
uint32_t side_model_count(const side_model *s);
const char *side_model_name(const side_model *s, uint32_t i);
bool side_model_reads(const side_model *s, const char *name);

/* Of one sequence: tensors by the names of the file's inputs, those that the graph does not read
 * among them. out: side_model_count new tensors. HEED_USAGE names an input that is missing or has
 * another shape. */
heed_status side_model_run(const side_model *s, size_t n, const char *const *names,
                           const heed_tensor *const *inputs, heed_tensor **out);

#endif
