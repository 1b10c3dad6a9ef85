/* json.c - reads JSON into a tree (RFC 8259), within limits on depth. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

typedef struct reader {
    const char *at; /* the text ends with a zero */
    int depth;
} reader;

static bool read_value(reader *r, json *out);

static void skip_space(reader *r) { r->at += strspn(r->at, " \t\r\n"); }

static bool take(reader *r, const char *word)
{
    size_t n = strlen(word);
    skip_space(r);
    if (strncmp(r->at, word, n))
        return false;
    r->at += n;
    return true;
}

static void put_utf8(char **out, unsigned c)
{
    if (c < 0x80) {
        *(*out)++ = (char)c;
    } else if (c < 0x800) {
        *(*out)++ = (char)(0xc0 | c >> 6);
        *(*out)++ = (char)(0x80 | (c & 0x3f));
    } else {
        *(*out)++ = (char)(0xe0 | c >> 12);
        *(*out)++ = (char)(0x80 | (c >> 6 & 0x3f));
        *(*out)++ = (char)(0x80 | (c & 0x3f));
    }
}

/* What follows a backslash. Surrogate pairs stay two units; no tokenizer of ours has any. */
static bool read_escape(reader *r, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char letter = *r->at++;
    const char *found = letter ? strchr(names, letter) : NULL;
    if (found) {
        *(*out)++ = values[found - names];
        return true;
    }
    char digits[5] = "";
    if (letter != 'u' || strspn(r->at, "0123456789abcdefABCDEF") < 4)
        return false;
    memcpy(digits, r->at, 4);
    put_utf8(out, (unsigned)strtoul(digits, NULL, 16));
    r->at += 4;
    return true;
}

/* The longest a string can get is its source's length. */
static char *read_text(reader *r)
{
    const char *end = r->at;
    while (*end && *end != '"')
        end += 1 + (*end == '\\' && end[1]);
    char *text = malloc((size_t)(end - r->at) + 1), *out = text;
    while (text && *r->at && *r->at != '"') {
        if (*r->at != '\\') {
            *out++ = *r->at++;
            continue;
        }
        r->at++;
        if (!read_escape(r, &out))
            break;
    }
    if (!text || *r->at != '"') {
        free(text);
        return NULL;
    }
    r->at++;
    *out = 0;
    return text;
}

/* Room for one more item, in steps that double. */
static bool grow(json *list)
{
    if (list->n & (list->n - 1))
        return true; /* not yet at a power of two */
    size_t room = list->n ? list->n * 2 : 1;
    json *items = realloc(list->items, room * sizeof *items);
    if (items)
        list->items = items;
    char **keys = items ? realloc(list->keys, room * sizeof *keys) : NULL;
    if (keys)
        list->keys = keys;
    return keys != NULL;
}

static bool read_item(reader *r, json *out, bool keyed)
{
    if (!grow(out))
        return false;
    json *item = &out->items[out->n];
    *item = (json){0};
    out->keys[out->n] = NULL;
    if (keyed) {
        char *key = take(r, "\"") ? read_text(r) : NULL;
        out->keys[out->n] = key;
        if (!key || !take(r, ":")) {
            free(key);
            return false;
        }
    }
    out->n++;
    return read_value(r, item);
}

static bool read_items(reader *r, json *out, const char *end)
{
    if (take(r, end))
        return true;
    do {
        if (!read_item(r, out, out->kind == JSON_OBJECT))
            return false;
    } while (take(r, ","));
    return take(r, end);
}

static bool read_number(reader *r, json *out)
{
    char *end;
    out->kind = JSON_NUMBER;
    out->number = strtod(r->at, &end);
    bool good = end != r->at;
    r->at = end;
    return good;
}

static bool read_word(reader *r, json *out)
{
    bool yes = take(r, "true");
    if (yes || take(r, "false")) {
        *out = (json){.kind = JSON_BOOL, .number = yes};
        return true;
    }
    return take(r, "null") || read_number(r, out);
}

static bool read_value(reader *r, json *out)
{
    bool good;
    if (++r->depth > DEEPEST)
        return false;
    if (take(r, "{")) {
        out->kind = JSON_OBJECT;
        good = read_items(r, out, "}");
    } else if (take(r, "[")) {
        out->kind = JSON_LIST;
        good = read_items(r, out, "]");
    } else if (take(r, "\"")) {
        out->kind = JSON_TEXT;
        out->text = read_text(r);
        good = out->text != NULL;
    } else {
        good = read_word(r, out);
    }
    r->depth--;
    return good;
}

static void clear(json *value)
{
    for (size_t i = 0; i < value->n; i++) {
        clear(&value->items[i]);
        free(value->keys[i]);
    }
    free(value->items);
    free(value->keys);
    free(value->text);
}

static char *read_file(const char *path)
{
    char *text = NULL;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    long size = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    rewind(file);
    if (size >= 0)
        text = calloc((size_t)size + 1, 1);
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

json *json_load(const char *path)
{
    char *text = read_file(path);
    json *value = text ? calloc(1, sizeof *value) : NULL;
    reader r = {.at = text};
    if (value && !read_value(&r, value)) {
        json_free(value);
        value = NULL;
    }
    free(text);
    return value;
}

void json_free(json *value)
{
    if (value)
        clear(value);
    free(value);
}

const json *json_get(const json *object, const char *key)
{
    for (size_t i = 0; object && object->kind == JSON_OBJECT && i < object->n; i++)
        if (!strcmp(object->keys[i], key))
            return &object->items[i];
    return NULL;
}
