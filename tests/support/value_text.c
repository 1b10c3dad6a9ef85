/* See value_text.h. */
#include "value_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/heed.h"
#include "onnx_text.h"

enum { MAX_ELEMENTS = 1024, MAX_RANK = 8, MAX_ITEMS = 64, MAX_VALUES = 12, WORD = 64 };

static _Noreturn void unreadable(const char *at)
{
    fprintf(stderr, "value_text: cannot read \"%s\"\n", at);
    abort();
}

/* ---- Reading -------------------------------------------------------------------------------- */

typedef struct elements {
    char words[MAX_ELEMENTS][WORD];
    int64_t n, dims[MAX_RANK];
    int32_t rank;
} elements;

static const char *skip(const char *at) { return at + strspn(at, " "); }

/* The extent of an axis is counted in its first line. */
static const char *read_level(const char *at, elements *e, int32_t depth)
{
    at = skip(at);
    if (*at != '[') {
        size_t n = strcspn(at, " []();");
        if (!n || n >= WORD || e->n == MAX_ELEMENTS)
            unreadable(at);
        snprintf(e->words[e->n++], WORD, "%.*s", (int)n, at);
        return at + n;
    }
    int64_t n = 0;
    if (depth == MAX_RANK)
        unreadable(at);
    e->rank = e->rank > depth + 1 ? e->rank : depth + 1;
    for (at = skip(at + 1); *at != ']'; at = skip(at), n++)
        at = read_level(at, e, depth + 1);
    e->dims[depth] = n;
    return at + 1;
}

static const char *read_tensor(const char *at, heed_dtype dtype, heed_tensor **out)
{
    static elements e;
    e.n = e.rank = 0;
    at = read_level(at, &e, 0);
    if (heed_tensor_new(dtype, e.rank, e.dims, out))
        unreadable(heed_error_get()->message);
    for (int64_t i = 0; i < e.n; i++) {
        double value = strtod(e.words[i], NULL);
        if (dtype == HEED_STRING)
            heed_tensor_set_string(*out, i, e.words[i], strlen(e.words[i]));
        else
            heed_tensor_write_f64(*out, i, 1, &value);
    }
    return at;
}

static const char *read_plain(const char *at, heed_dtype dtype, heed_tensor **out)
{
    heed_tensor *items[MAX_ITEMS];
    size_t n = 0;
    if (*at != '(')
        return read_tensor(at, dtype, out);
    for (at = skip(at + 1); *at != ')' && n < MAX_ITEMS; at = skip(at))
        at = read_tensor(at, dtype, &items[n++]);
    if (*at != ')' || heed_tensor_new_sequence(dtype, n, items, out))
        unreadable(at);
    return at + 1;
}

static const char *read_value(const char *at, const heed_value_info *info, heed_tensor **out)
{
    heed_tensor *item = NULL;
    at = skip(at);
    if (info->kind == HEED_OPTIONAL && strncmp(at, "none", 4) == 0)
        at += 4;
    else
        at = read_plain(at, info->dtype, &item);
    *out = item;
    if (info->kind == HEED_OPTIONAL && heed_tensor_new_optional(item, out))
        unreadable(at);
    at = skip(at);
    return at + (*at == ';');
}

/* ---- Writing -------------------------------------------------------------------------------- */

typedef struct writer {
    char *text;
    size_t size, used;
} writer;

static void put(writer *w, const char *text)
{
    size_t n = strlen(text);
    if (w->used + n + 1 > w->size)
        unreadable("too long a result");
    memcpy(w->text + w->used, text, n + 1);
    w->used += n;
}

static void put_element(writer *w, const heed_tensor *t, int64_t i)
{
    char text[WORD];
    double value;
    if (heed_tensor_get_dtype(t) == HEED_STRING) {
        const heed_string *s = (const heed_string *)heed_tensor_get_data(t) + i;
        snprintf(text, sizeof(text), "%.*s", (int)s->size, s->data);
    } else {
        heed_tensor_read_f64(t, i, 1, &value);
        snprintf(text, sizeof(text), "%.6g", isnan(value) ? (double)NAN : value);
    }
    put(w, text);
}

/* The elements from `first` on, along axis `depth`; returns how many. */
static int64_t put_level(writer *w, const heed_tensor *t, int32_t depth, int64_t first)
{
    int64_t n = 0;
    if (depth == heed_tensor_get_ndim(t)) {
        put_element(w, t, first);
        return 1;
    }
    put(w, "[");
    for (int64_t i = 0; i < heed_tensor_get_dims(t)[depth]; i++) {
        if (i && depth + 1 == heed_tensor_get_ndim(t))
            put(w, " ");
        n += put_level(w, t, depth + 1, first + n);
    }
    put(w, "]");
    return n;
}

static void put_value(writer *w, const heed_tensor *t)
{
    uint32_t kind = heed_tensor_get_kind(t);
    size_t n = heed_tensor_get_item_count(t);
    if (kind == HEED_TENSOR) {
        put_level(w, t, 0, 0);
    } else if (kind == HEED_OPTIONAL) {
        if (n)
            put_value(w, heed_tensor_get_item(t, 0));
        put(w, n ? "?" : "none");
    } else {
        put(w, "(");
        for (size_t i = 0; i < n; i++) {
            const heed_tensor *item = heed_tensor_get_item(t, i);
            if (i && heed_tensor_get_ndim(item) == 0)
                put(w, " ");
            put_value(w, item);
        }
        put(w, ")");
    }
}

/* ---- Running -------------------------------------------------------------------------------- */

static heed_status run(heed_session *session, const char *inputs, writer *w)
{
    heed_tensor *in[MAX_VALUES] = {NULL}, *out[MAX_VALUES] = {NULL};
    heed_model *model = heed_session_get_model(session);
    size_t n_in = heed_model_get_input_count(model), n_out = heed_model_get_output_count(model);
    if (n_in > MAX_VALUES || n_out > MAX_VALUES)
        unreadable(inputs);
    for (size_t i = 0; i < n_in; i++)
        inputs = read_value(inputs, heed_model_get_input(model, i), &in[i]);
    heed_status status = heed_session_run(session, NULL, n_in, NULL, in, n_out, NULL, out);
    for (size_t i = 0; i < n_in; i++)
        heed_tensor_free(in[i]);
    for (size_t i = 0; i < n_out && !status; i++) {
        put(w, i ? "; " : "");
        put_value(w, out[i]);
    }
    for (size_t i = 0; i < n_out; i++)
        heed_tensor_free(out[i]);
    return status;
}

const char *value_text_run(const char *text, const char *inputs, char *out, size_t size)
{
    writer w = {out, size, 0};
    onnx_message bytes = onnx_text_model(text);
    heed_model *model = NULL;
    heed_session *session = NULL;
    heed_session_options options = {.size = sizeof(options), .flags = HEED_SESSION_CHECK};
    out[0] = 0;
    heed_status status = heed_model_load_memory(bytes.bytes, bytes.size, NULL, &model);
    if (!status)
        status = heed_session_new(model, &options, &session);
    if (!status)
        status = run(session, inputs, &w);
    if (status)
        snprintf(out, size, "! %s", heed_error_get()->message);
    heed_session_free(session);
    heed_model_free(model);
    onnx_write_free(&bytes);
    return out;
}

int value_text_failures(const value_text_case *cases, size_t n)
{
    char out[4096];
    int failures = 0;
    for (size_t i = 0; i < n; i++) {
        const value_text_case *c = &cases[i];
        value_text_run(c->model, c->inputs, out, sizeof(out));
        int as_expected = strncmp(c->expected, "! ", 2) == 0
                              ? *out == '!' && strstr(out, c->expected + 2) != NULL
                              : strcmp(out, c->expected) == 0;
        if (!as_expected)
            fprintf(stderr, "%s:\n  expected %s\n  found    %s\n", c->name, c->expected, out);
        failures += !as_expected;
    }
    return failures;
}
