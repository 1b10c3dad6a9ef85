/* summary.h - an output in a line: dtype, shape, least, mean and largest value, the first few. */
#ifndef HEED_CLI_SUMMARY_H
#define HEED_CLI_SUMMARY_H

#include "cli.h"
#include "json.h"
#include "print.h"

/* The table's head, and a row for a tensor, or one for each item of a sequence. */
void summary_head(print_table *table);
void summary_add(print_table *table, const char *name, const heed_tensor *tensor);
void summary_json(json_out *out, const char *name, const heed_tensor *tensor);

#endif
