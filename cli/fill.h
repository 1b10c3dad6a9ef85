/* fill.h - values for a tensor: rules such as rand and zeros, and numbers written out. */
#ifndef HEED_CLI_FILL_H
#define HEED_CLI_FILL_H

#include "cli.h"
#include "shapes.h"

/* Is the text "rand", "rand:7", "zeros", "ones", "range"? */
bool fill_is_rule(const char *text);
/* Fills by the rule; `name` makes inputs differ from each other under one seed. */
bool fill_by_rule(heed_tensor *tensor, const char *text, const char *name);
/* Fills an input that nobody gave: floats at random, everything else with ones. */
bool fill_default(heed_tensor *tensor, const char *name, uint64_t seed);

/* Values written out: `2x2xf32=1 2 3 4`, `f32=1`, `1 2 3`, `7`. */
typedef struct fill_values {
    heed_dtype dtype; /* HEED_UNDEFINED when not said */
    bool shaped;
    shape_dims shape;
    size_t n;
    char **words;
} fill_values;

bool fill_parse(const char *text, fill_values *out); /* false when there is no value in it */
/* Writes the words; one word fills the whole tensor. False with the bad word, or NULL when their
 * number is wrong. */
bool fill_write(heed_tensor *tensor, const fill_values *values, const char **bad);
void fill_free(fill_values *values);

#endif
