/* dataset.h - folders of test data: input_0.pb, output_0.pb, ... beside a model. */
#ifndef HEED_CLI_DATASET_H
#define HEED_CLI_DATASET_H

#include "cli.h"

/* Files of a kind ("input", "output") in a folder: those numbered below `limit`. */
size_t dataset_count(const char *folder, const char *kind, size_t limit);
/* Does the file with this number exist? */
bool dataset_has(const char *folder, const char *kind, size_t i);

/* Loads the inputs of a folder into the slots of the model's inputs; slots without a file stay
 * NULL. False, with *why a message to free. Loaded tensors are the caller's either way. */
bool dataset_load_inputs(const heed_model *model, const char *folder, heed_tensor **by_input,
                         char **why);
/* The expected output i, as the model's output i. */
bool dataset_load_output(const heed_model *model, const char *folder, size_t i, heed_tensor **out,
                         char **why);

#endif
