/* shapes.h - shapes as people write them, and the symbols of symbolic dimensions.
 *
 * Three dialects: `x:1x128`, `X:[1,128]`, `batch=1`. A symbol has one value in all inputs; a
 * dimension may be an expression over symbols, such as `past + seq`. */
#ifndef HEED_CLI_SHAPES_H
#define HEED_CLI_SHAPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHAPE_MAX = 16, SHAPE_ANY = -1 /* a dim left to be found */ };

typedef struct shape_dims {
    int32_t ndim;
    int64_t dims[SHAPE_MAX];
} shape_dims;

/* "1x128", "[1,128]", "[1, ?]", "scalar", "[]". */
bool shapes_parse(const char *text, shape_dims *out);

/* Copies the next item of a comma list, brackets respected, and steps past it. False at the end,
 * or, with *cursor left where it is, when an item is longer than `size`. */
bool shapes_next_item(const char **cursor, char *out, size_t size);

typedef struct shape_symbol {
    char *name;
    int64_t value;
    bool guessed;
    char *origin; /* who said so, for messages: "input x", "--shape" */
} shape_symbol;

typedef struct shape_env {
    size_t n;
    shape_symbol *symbols;
} shape_env;

const shape_symbol *shapes_find(const shape_env *env, const char *name);
/* False when the symbol has another value already; the old one stays. */
bool shapes_bind(shape_env *env, const char *name, int64_t value, bool guessed, const char *origin);
void shapes_free(shape_env *env);

/* The value of a symbol or an expression (+ - * // parentheses, max, min); false when a symbol
 * in it is not known, or the value is negative or too large. */
bool shapes_eval(const shape_env *env, const char *text, int64_t *value);
/* Binds every unknown symbol of the expression to a guess: past 0, batch 1, a first axis 1, all
 * others 128. */
void shapes_guess(shape_env *env, const char *text, bool first_axis);
/* Is the text one symbol by itself, rather than an expression over some? */
bool shapes_is_symbol(const char *text);
/* Is `name` a symbol of the expression? */
bool shapes_mentions(const char *text, const char *name);

#endif
