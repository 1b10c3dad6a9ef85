/* The writer of onnx_write.h. */
#include "onnx_write.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(onnx_message *m, const void *bytes, size_t size)
{
    if (m->size + size > m->capacity) {
        m->capacity = 2 * m->capacity + size + 64;
        m->bytes = realloc(m->bytes, m->capacity);
    }
    if (size)
        memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

void onnx_write_varint(onnx_message *m, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        put(m, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
    put(m, &(uint8_t){(uint8_t)value}, 1);
}

void onnx_write_int(onnx_message *m, uint32_t field, int64_t value)
{
    onnx_write_varint(m, (uint64_t)field << 3);
    onnx_write_varint(m, (uint64_t)value);
}

void onnx_write_float(onnx_message *m, uint32_t field, float value)
{
    onnx_write_varint(m, (uint64_t)field << 3 | 5);
    put(m, &value, sizeof(value));
}

void onnx_write_bytes(onnx_message *m, uint32_t field, const void *bytes, size_t size)
{
    onnx_write_varint(m, (uint64_t)field << 3 | 2);
    onnx_write_varint(m, size);
    put(m, bytes, size);
}

void onnx_write_raw(onnx_message *m, const void *bytes, size_t size) { put(m, bytes, size); }

void onnx_write_text(onnx_message *m, uint32_t field, const char *text)
{
    onnx_write_bytes(m, field, text, strlen(text));
}

void onnx_write_part(onnx_message *m, uint32_t field, onnx_message *part)
{
    onnx_write_bytes(m, field, part->bytes, part->size);
    onnx_write_free(part);
}

void onnx_write_free(onnx_message *m)
{
    free(m->bytes);
    *m = (onnx_message){0};
}

/* ---- Nodes ---------------------------------------------------------------------------------- */

static const char *skip(const char *at) { return at + strspn(at, " "); }

/* "(a, , b)": writes each name as a text field; returns what follows. */
static const char *names(onnx_message *m, uint32_t field, const char *at)
{
    char name[128];
    at = skip(at) + 1;
    while (*at && *at != ')') {
        size_t n = strcspn(at = skip(at), ",)");
        snprintf(name, sizeof(name), "%.*s", (int)n, at);
        onnx_write_text(m, field, name);
        at += n;
        if (*at == ',' && *skip(at + 1) == ')')
            onnx_write_text(m, field, "");
        at += *at == ',';
    }
    return at + (*at == ')');
}

/* "[1,2]" or "[1.5,2.0]" */
static void list(onnx_message *a, const char *at)
{
    int is_float = strcspn(at, ".") < strcspn(at, "]");
    char *end;
    for (at++; *at && *at != ']'; at = *end == ',' ? end + 1 : end) {
        if (is_float)
            onnx_write_float(a, 7, strtof(at, &end));
        else
            onnx_write_int(a, 8, strtoll(at, &end, 10));
    }
    onnx_write_int(a, 20, is_float ? 6 : 7);
}

/* "['Relu','Tanh']" */
static void text_list(onnx_message *a, const char *at)
{
    char text[128];
    for (at++; *at == '\''; at += *at == ',') {
        size_t n = strcspn(at + 1, "'");
        snprintf(text, sizeof(text), "%.*s", (int)n, at + 1);
        onnx_write_text(a, 9, text);
        at += n + 2;
    }
    onnx_write_int(a, 20, 8);
}

static void attribute_value(onnx_message *a, const char *at, size_t size)
{
    char text[128];
    snprintf(text, sizeof(text), "%.*s", (int)(size > 1 ? size - 2 : 0), at + 1);
    if (*at == '[' && at[1] == '\'') {
        text_list(a, at);
    } else if (*at == '[') {
        list(a, at);
    } else if (*at == '\'') {
        onnx_write_text(a, 4, text);
        onnx_write_int(a, 20, 3);
    } else if (*at == '@') {
        snprintf(text, sizeof(text), "%.*s", (int)size - 1, at + 1);
        onnx_write_text(a, 21, text);
    } else if (memchr(at, '.', size)) {
        onnx_write_float(a, 2, strtof(at, NULL));
        onnx_write_int(a, 20, 1);
    } else {
        onnx_write_int(a, 3, strtoll(at, NULL, 10));
        onnx_write_int(a, 20, 2);
    }
}

/* To the next blank; within quotes a blank is one of the text. */
static size_t word_size(const char *at)
{
    const char *quote = strstr(at, "='");
    size_t n = strcspn(at, " ");
    if (!quote || quote > at + n)
        return n;
    const char *end = strchr(quote + 2, '\'');
    return end ? (size_t)(end + 1 - at) : n;
}

/* " name=value name='two words' domain" */
static void attributes(onnx_message *m, const char *at)
{
    char name[128];
    while (*(at = skip(at))) {
        size_t word = word_size(at), n = strcspn(at, "=");
        snprintf(name, sizeof(name), "%.*s", (int)(n < word ? n : word), at);
        if (n < word) {
            onnx_message a = {0};
            onnx_write_text(&a, 1, name);
            attribute_value(&a, at + n + 1, word - n - 1);
            onnx_write_part(m, 5, &a);
        } else {
            onnx_write_text(m, 7, name);
        }
        at += word;
    }
}

onnx_message onnx_write_node(const char *text)
{
    char op[128];
    onnx_message m = {0};
    size_t n = strcspn(text, "(");
    snprintf(op, sizeof(op), "%.*s", (int)n, text);
    onnx_write_text(&m, 4, op);
    const char *at = names(&m, 1, text + n);
    at = names(&m, 2, strchr(at, '(') ? strchr(at, '(') : "");
    attributes(&m, at);
    return m;
}

/* ---- Values and models ---------------------------------------------------------------------- */

onnx_message onnx_write_value(const char *name, int dtype, int rank)
{
    onnx_message value = {0}, type = {0}, tensor = {0}, shape = {0}, dim = {0};
    onnx_write_text(&value, 1, name);
    if (!dtype)
        return value;
    onnx_write_int(&tensor, 1, dtype);
    for (int i = 0; i < rank; i++)
        onnx_write_part(&shape, 1, &dim);
    if (rank >= 0)
        onnx_write_part(&tensor, 2, &shape);
    onnx_write_part(&type, 1, &tensor);
    onnx_write_part(&value, 2, &type);
    return value;
}

onnx_message onnx_write_model(onnx_message *graph, int64_t opset)
{
    onnx_message model = {0}, import = {0};
    onnx_write_int(&model, 1, 10);
    onnx_write_text(&import, 1, "");
    onnx_write_int(&import, 2, opset);
    onnx_write_part(&model, 8, &import);
    onnx_write_part(&model, 7, graph);
    return model;
}
