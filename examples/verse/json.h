/* json.h - reads JSON into a tree: enough for tokenizer.json and golden.json. */
#ifndef VERSE_JSON_H
#define VERSE_JSON_H

#include <stdbool.h>
#include <stddef.h>

typedef enum json_kind {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_TEXT,
    JSON_LIST,
    JSON_OBJECT
} json_kind;

typedef struct json {
    json_kind kind;
    double number; /* also of a bool */
    char *text;    /* UTF-8, ended by a zero */
    size_t n;      /* items of a list or an object */
    struct json *items;
    char **keys; /* of an object */
} json;

/* NULL when the file cannot be read or is no JSON. */
json *json_load(const char *path);
void json_free(json *value);
/* The item with this key, or NULL. `object` may be NULL. */
const json *json_get(const json *object, const char *key);

#endif
