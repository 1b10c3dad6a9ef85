/* input_files.h - inputs that come from files: .npy, .npz, .pb, folders of test data. */
#ifndef HEED_CLI_INPUT_FILES_H
#define HEED_CLI_INPUT_FILES_H

#include "inputs.h"

/* Each returns EXIT_OK, or an exit code after a message. */
int input_load_one(input_set *set, input_item *item, const char *path);
int input_load_all(input_set *set, const char *path); /* every input that the file holds */

#endif
