/* json.c - a small JSON writer, and a reader that finds one value in an object or an array.
 *
 * The writer streams; the reader skips values without building anything. */
#include "json.h"

#include <math.h>
#include <string.h>

/* ---- Writing -------------------------------------------------------------------------- */

/* Within a page "</script>" must not be read as the end of the data. */
static void write_quoted(const json_out *out, const char *text, size_t n)
{
    FILE *file = out->file;
    const unsigned char *end = (const unsigned char *)text + n;
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; c < end; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c < 0x20 || (*c == '<' && out->page))
            fprintf(file, "\\u%04x", (unsigned)*c);
        else
            fputc(*c, file);
    }
    fputc('"', file);
}

static void begin(json_out *out, const char *key)
{
    if (out->started)
        fputs(", ", out->file);
    out->started = true;
    if (!key)
        return;
    write_quoted(out, key, strlen(key));
    fputs(": ", out->file);
}

void json_open(json_out *out, const char *key, char bracket)
{
    begin(out, key);
    fputc(bracket, out->file);
    out->started = false;
}

void json_close(json_out *out, char bracket)
{
    fputc(bracket, out->file);
    out->started = true;
}

void json_text_n(json_out *out, const char *key, const char *text, size_t n)
{
    begin(out, key);
    write_quoted(out, text, n);
}

void json_text(json_out *out, const char *key, const char *text)
{
    json_text_n(out, key, text, strlen(text));
}

void json_int(json_out *out, const char *key, int64_t value)
{
    begin(out, key);
    fprintf(out->file, "%lld", (long long)value);
}

void json_real(json_out *out, const char *key, double value)
{
    begin(out, key);
    if (isfinite(value))
        fprintf(out->file, "%.9g", value);
    else
        fputs("null", out->file);
}

void json_bool(json_out *out, const char *key, bool value)
{
    begin(out, key);
    fputs(value ? "true" : "false", out->file);
}

void json_null(json_out *out, const char *key)
{
    begin(out, key);
    fputs("null", out->file);
}

void json_texts(json_out *out, const char *key, const char *const *texts, size_t n)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < n; i++)
        json_text(out, NULL, texts[i]);
    json_close(out, ']');
}

void json_ints(json_out *out, const char *key, const int64_t *numbers, size_t n)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < n; i++)
        json_int(out, NULL, numbers[i]);
    json_close(out, ']');
}

void json_reals(json_out *out, const char *key, const double *numbers, size_t n)
{
    json_open(out, key, '[');
    for (size_t i = 0; i < n; i++)
        json_real(out, NULL, numbers[i]);
    json_close(out, ']');
}

void json_end(json_out *out)
{
    fputc('\n', out->file);
    out->started = false;
}

/* ---- Finding -------------------------------------------------------------------------- */

typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && memchr(" \t\r\n", *c->at, 4))
        c->at++;
}

static bool take(cursor *c, char what)
{
    skip_space(c);
    if (c->at >= c->end || *c->at != what)
        return false;
    c->at++;
    return true;
}

/* Reads a string; escapes other than quotes, slashes, \n and \t are kept as they stand. */
static bool read_string(cursor *c, char *out, size_t size)
{
    size_t n = 0;
    if (!take(c, '"'))
        return false;
    while (c->at < c->end && *c->at != '"') {
        char letter = *c->at++;
        if (letter == '\\' && c->at < c->end) {
            char escaped = *c->at++;
            letter = escaped;
            letter = letter == 'n' ? '\n' : letter;
            letter = letter == 't' ? '\t' : letter;
        }
        if (n + 1 < size)
            out[n] = letter;
        n++;
    }
    if (c->at >= c->end)
        return false;
    c->at++;
    if (size)
        out[n < size ? n : size - 1] = 0;
    return n < size || size == 0;
}

static bool skip_string(cursor *c) { return read_string(c, NULL, 0); }

/* Skips one value of any kind; brackets are counted, strings stepped over. */
static bool skip_value(cursor *c)
{
    size_t depth = 0;
    skip_space(c);
    while (c->at < c->end) {
        char letter = *c->at;
        if (letter == '"') {
            if (!skip_string(c))
                return false;
            if (depth == 0)
                return true;
            continue;
        }
        if (depth == 0 && (letter == ',' || letter == '}' || letter == ']'))
            return true;
        depth += letter == '{' || letter == '[';
        c->at++;
        if ((letter == '}' || letter == ']') && --depth == 0)
            return true;
    }
    return false;
}

const char *json_find(const char *text, size_t size, const char *key, size_t *value_size)
{
    cursor c = {text, text + size};
    if (!take(&c, '{'))
        return NULL;
    do {
        char name[128];
        skip_space(&c);
        bool fits = read_string(&c, name, sizeof name);
        if (!take(&c, ':'))
            return NULL;
        skip_space(&c);
        const char *value = c.at;
        if (!skip_value(&c))
            return NULL;
        *value_size = (size_t)(c.at - value);
        if (fits && !strcmp(name, key))
            return value;
    } while (take(&c, ','));
    return NULL;
}

const char *json_find_item(const char *text, size_t size, size_t i, size_t *item_size)
{
    cursor c = {text, text + size};
    if (!take(&c, '['))
        return NULL;
    do {
        skip_space(&c);
        const char *item = c.at;
        if (!skip_value(&c) || c.at == item)
            return NULL;
        *item_size = (size_t)(c.at - item);
        if (i-- == 0)
            return item;
    } while (take(&c, ','));
    return NULL;
}

bool json_find_text(const char *text, size_t size, const char *key, char *out, size_t out_size)
{
    size_t n;
    const char *value = json_find(text, size, key, &n);
    cursor c = {value, value ? value + n : NULL};
    return value && read_string(&c, out, out_size);
}
