/* input_parts.h - the parts of inputs.c: words, files, values written out.
 *
 * Functions that return int give EXIT_OK, or an exit code after a message. */
#ifndef HEED_CLI_INPUT_PARTS_H
#define HEED_CLI_INPUT_PARTS_H

#include "inputs.h"

/* Sorts words[first..] and every --shape into the items' texts and shapes, and into symbols. */
int input_add_words(input_set *set, const cli_args *args, size_t first);

int input_load_one(input_set *set, input_item *item, const char *path);
int input_load_all(input_set *set, const char *path); /* every input that the file holds */

/* Makes the tensor of an item whose text is values written out. */
int input_make_values(input_set *set, input_item *item);

/* The extent of an axis of an input that has no tensor yet; false when it is not known. */
bool input_find_extent(const input_set *set, const input_item *item, int32_t d, int64_t *out);

#endif
