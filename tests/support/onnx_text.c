/* The reader of onnx_text.h: a line is an input, an output, a constant, a node, or a brace. */
#include "onnx_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 512, WORD = 128, MAX_RANK = 16 };

static _Noreturn void unreadable(const char *line)
{
    fprintf(stderr, "onnx_text: cannot read \"%s\"\n", line);
    abort();
}

/* The next line that is not empty, without blanks around it; false at the end. */
static int next_line(const char **at, char line[LINE])
{
    while (**at) {
        size_t n = strcspn(*at, "\n"), skip = strspn(*at, " ");
        const char *from = *at + (skip < n ? skip : n);
        size_t used = n - (size_t)(from - *at);
        while (used && from[used - 1] == ' ')
            used--;
        snprintf(line, LINE, "%.*s", (int)used, from);
        *at += n + ((*at)[n] == '\n');
        if (*line)
            return 1;
    }
    return 0;
}

/* The next word of a line; words end at blanks, commas and brackets. */
static const char *word(const char *at, char out[WORD])
{
    at += strspn(at, " ,");
    size_t n = strcspn(at, " ,[]");
    snprintf(out, WORD, "%.*s", (int)n, at);
    return at + n;
}

/* ---- Types ---------------------------------------------------------------------------------- */

typedef struct text_type {
    int optional, sequence, dtype;
    int rank; /* -1: no shape */
    char dims[MAX_RANK][WORD];
} text_type;

static int dtype_of(const char *name)
{
    for (uint32_t dtype = 1; dtype < HEED_DTYPE_COUNT; dtype++)
        if (strcmp(heed_dtype_name(dtype), name) == 0)
            return (int)dtype;
    unreadable(name);
}

static const char *read_type(const char *at, text_type *type)
{
    char name[WORD];
    *type = (text_type){.rank = -1};
    at = word(at, name);
    if (!strcmp(name, "opt")) {
        type->optional = 1;
        at = word(at, name);
    }
    if (!strcmp(name, "seq")) {
        type->sequence = 1;
        at = word(at, name);
    }
    if (!*name)
        return at;
    type->dtype = dtype_of(name);
    at += strspn(at, " ");
    if (*at != '[')
        return at;
    for (at++, type->rank = 0; *(at += strspn(at, " ,")) != ']'; type->rank++) {
        if (!*at || type->rank == MAX_RANK)
            unreadable(at);
        at = word(at, type->dims[type->rank]);
    }
    return at + 1;
}

static void write_dim(onnx_message *shape, const char *text)
{
    onnx_message dim = {0};
    if (isdigit((unsigned char)*text) && !text[strspn(text, "0123456789")])
        onnx_write_int(&dim, 1, strtoll(text, NULL, 10));
    else if (strcmp(text, "?") != 0)
        onnx_write_text(&dim, 2, text);
    onnx_write_part(shape, 1, &dim);
}

/* The type becomes the element of another; `field` of TypeProto says of which kind. */
static void wrap_type(onnx_message *type, uint32_t field)
{
    onnx_message item = *type, outer = {0};
    *type = (onnx_message){0};
    onnx_write_part(&outer, 1, &item);
    onnx_write_part(type, field, &outer);
}

static void write_value(onnx_message *graph, uint32_t field, const char *at)
{
    char name[WORD];
    text_type t;
    onnx_message value = {0}, type = {0}, tensor = {0}, shape = {0};
    read_type(word(at, name), &t);
    onnx_write_text(&value, 1, name);
    onnx_write_int(&tensor, 1, t.dtype);
    for (int i = 0; i < t.rank; i++)
        write_dim(&shape, t.dims[i]);
    if (t.rank >= 0)
        onnx_write_part(&tensor, 2, &shape);
    onnx_write_part(&type, 1, &tensor);
    if (t.sequence)
        wrap_type(&type, 4);
    if (t.optional)
        wrap_type(&type, 9);
    if (t.dtype)
        onnx_write_part(&value, 2, &type);
    onnx_write_free(&type);
    onnx_write_part(graph, field, &value);
}

/* ---- Constants ------------------------------------------------------------------------------ */

static double next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int32_t)(*state >> 32) / 2147483648.0;
}

/* Value number `i`: the list of numbers begins again when it ends. */
static double next_number(const char *list, const char **at, uint64_t *state)
{
    char *end;
    if (strstr(list, "random"))
        return next_random(state);
    double value = strtod(*at, &end);
    if (end == *at)
        value = strtod(list, &end);
    *at = end;
    return value;
}

static void write_numbers(onnx_message *tensor, const text_type *t, int64_t count, const char *list)
{
    heed_tensor *values;
    uint64_t state = (uint64_t)count;
    const char *at = list;
    if (heed_tensor_new((heed_dtype)t->dtype, 1, &count, &values))
        unreadable(list);
    for (int64_t i = 0; i < count; i++) {
        double value = next_number(list, &at, &state);
        heed_tensor_write_f64(values, i, 1, &value);
    }
    onnx_write_bytes(tensor, 9, heed_tensor_get_data(values), heed_tensor_get_bytes(values));
    heed_tensor_free(values);
}

static void write_strings(onnx_message *tensor, int64_t count, const char *at)
{
    char text[WORD];
    for (int64_t i = 0; i < count; i++) {
        at = word(at, text);
        onnx_write_text(tensor, 6, text);
    }
}

static void write_constant(onnx_message *graph, const char *at)
{
    char name[WORD];
    text_type t;
    int64_t count = 1;
    onnx_message tensor = {0};
    at = read_type(word(at, name), &t);
    for (int i = 0; i < t.rank; i++) {
        int64_t dim = strtoll(t.dims[i], NULL, 10);
        onnx_write_int(&tensor, 1, dim);
        count *= dim;
    }
    onnx_write_int(&tensor, 2, t.dtype);
    onnx_write_text(&tensor, 8, name);
    if (t.dtype == HEED_STRING)
        write_strings(&tensor, count, at);
    else
        write_numbers(&tensor, &t, count, at);
    onnx_write_part(graph, 5, &tensor);
}

/* ---- Graphs --------------------------------------------------------------------------------- */

static onnx_message read_graph(const char **at);

/* "{ name": an attribute of the node above. */
static void write_nested(onnx_message *node, const char *name, const char **at)
{
    onnx_message attribute = {0}, graph = read_graph(at);
    onnx_write_text(&attribute, 1, name + strspn(name, " "));
    onnx_write_part(&attribute, 6, &graph);
    onnx_write_int(&attribute, 20, 5);
    onnx_write_part(node, 5, &attribute);
}

static void end_node(onnx_message *graph, onnx_message *node)
{
    if (node->size)
        onnx_write_part(graph, 1, node);
}

static onnx_message read_graph(const char **at)
{
    char line[LINE];
    onnx_message graph = {0}, node = {0};
    onnx_write_text(&graph, 2, "g");
    while (next_line(at, line) && *line != '}') {
        if (*line == '{') {
            write_nested(&node, line + 1, at);
            continue;
        }
        end_node(&graph, &node);
        if (!strncmp(line, "in ", 3))
            write_value(&graph, 11, line + 3);
        else if (!strncmp(line, "out ", 4))
            write_value(&graph, 12, line + 4);
        else if (!strncmp(line, "const ", 6))
            write_constant(&graph, line + 6);
        else if (strstr(line, "->"))
            node = onnx_write_node(line);
        else
            unreadable(line);
    }
    end_node(&graph, &node);
    return graph;
}

onnx_message onnx_text_model(const char *text)
{
    onnx_message graph = read_graph(&text);
    return onnx_write_model(&graph, 21);
}

heed_model *onnx_text_load(const char *text, onnx_message *bytes)
{
    heed_model *model = NULL;
    *bytes = onnx_text_model(text);
    if (heed_model_load_memory(bytes->bytes, bytes->size, NULL, &model))
        fprintf(stderr, "%s\n", heed_error_get()->message);
    return model;
}

heed_session *onnx_text_session(const char *text, const heed_session_options *options,
                                onnx_message *bytes)
{
    heed_session *session = NULL;
    heed_model *model = onnx_text_load(text, bytes);
    if (model && heed_session_new(model, options, &session))
        fprintf(stderr, "%s\n", heed_error_get()->message);
    heed_model_free(model);
    return session;
}
