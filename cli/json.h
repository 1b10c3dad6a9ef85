/* json.h - writing JSON, and finding one value in it. */
#ifndef HEED_CLI_JSON_H
#define HEED_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* One value after another on one line; commas are written by themselves. */
typedef struct json_out {
    FILE *file;
    bool started; /* something stands before the next value in this object or array */
    bool page;    /* it goes into an HTML page: no text may look like a tag */
} json_out;

/* Keys are NULL inside arrays and at the top. */
void json_open(json_out *out, const char *key, char bracket); /* '{' or '[' */
void json_close(json_out *out, char bracket);                 /* '}' or ']' */
void json_text(json_out *out, const char *key, const char *text);
void json_text_n(json_out *out, const char *key, const char *text, size_t n); /* may hold NULs */
void json_int(json_out *out, const char *key, int64_t value);
void json_real(json_out *out, const char *key, double value); /* NaN, infinities: null */
void json_bool(json_out *out, const char *key, bool value);
void json_null(json_out *out, const char *key);
void json_texts(json_out *out, const char *key, const char *const *texts, size_t n);
void json_ints(json_out *out, const char *key, const int64_t *numbers, size_t n);
void json_reals(json_out *out, const char *key, const double *numbers, size_t n);
void json_end(json_out *out); /* the line's end */

/* The value of `key` in the top object of `text`, as it stands there; NULL when there is none.
 * Broken JSON is never read past its end. */
const char *json_find(const char *text, size_t size, const char *key, size_t *value_size);
/* Item i of the array `text`, as it stands there; NULL past the end. */
const char *json_find_item(const char *text, size_t size, size_t i, size_t *item_size);
/* The string value of `key` in the top object of `text`. False when it is not there, is no
 * string, or does not fit; broken JSON is never read past its end. */
bool json_find_text(const char *text, size_t size, const char *key, char *out, size_t out_size);

#endif
