/* schema.c - the signature language of op.h: reading it, and checking nodes against it.
 *
 * Signatures are read where they are used. That costs a fraction of a microsecond a node and saves
 * a compiled form that would have to be kept in step. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op.h"

#define SEQUENCE_BIT (1u << 30)
#define OPTIONAL_BIT (1u << 31)
#define MAP_BIT      (1u << 29)
#define MAX_VARS     12

typedef struct text {
    const char *at;
    size_t n;
} text;

/* ---- Type sets: a bit for each dtype --------------------------------------------------------- */

typedef struct named_set {
    const char *name;
    uint32_t mask;
} named_set;

#define BIT(x) (1u << (x))
#define SMALL_FLOAT                                                                                \
    (BIT(HEED_FLOAT8E4M3FN) | BIT(HEED_FLOAT8E4M3FNUZ) | BIT(HEED_FLOAT8E5M2) |                    \
     BIT(HEED_FLOAT8E5M2FNUZ) | BIT(HEED_FLOAT4E2M1) | BIT(HEED_FLOAT8E8M0))
#define FLOATS (BIT(HEED_FLOAT32) | BIT(HEED_FLOAT64) | BIT(HEED_FLOAT16) | BIT(HEED_BFLOAT16))
#define SIGNED_INTS                                                                                \
    (BIT(HEED_INT8) | BIT(HEED_INT16) | BIT(HEED_INT32) | BIT(HEED_INT64) | BIT(HEED_INT4) |       \
     BIT(HEED_INT2))
#define UNSIGNED_INTS                                                                              \
    (BIT(HEED_UINT8) | BIT(HEED_UINT16) | BIT(HEED_UINT32) | BIT(HEED_UINT64) | BIT(HEED_UINT4) |  \
     BIT(HEED_UINT2))
#define INTS    (SIGNED_INTS | UNSIGNED_INTS)
#define COMPLEX (BIT(HEED_COMPLEX64) | BIT(HEED_COMPLEX128))
#define EVERY   (FLOATS | SMALL_FLOAT | INTS | COMPLEX | BIT(HEED_BOOL) | BIT(HEED_STRING))

static const named_set sets[] = {
    {"any", EVERY},
    {"all", EVERY | SEQUENCE_BIT | OPTIONAL_BIT | MAP_BIT},
    {"numeric", FLOATS | SMALL_FLOAT | INTS | COMPLEX},
    {"real", FLOATS | SMALL_FLOAT | INTS},
    {"float", FLOATS | SMALL_FLOAT},
    {"int", INTS},
    {"signed", SIGNED_INTS | FLOATS | SMALL_FLOAT},
    {"unsigned", UNSIGNED_INTS},
    {"complex", COMPLEX},
    {"sequence", SEQUENCE_BIT | EVERY},
    {"optional", OPTIONAL_BIT | EVERY},
    {"map", MAP_BIT | EVERY},
};

static bool text_is(text t, const char *word)
{
    return strlen(word) == t.n && memcmp(t.at, word, t.n) == 0;
}

static uint32_t set_of_word(text word)
{
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
        if (text_is(word, sets[i].name))
            return sets[i].mask;
    for (uint32_t d = 1; d < HEED_DTYPE_COUNT; d++)
        if (text_is(word, dtype_name(d)))
            return BIT(d);
    return 0;
}

/* "int32|int64" */
static uint32_t set_of(text t)
{
    uint32_t mask = 0;
    while (t.n > 0) {
        const char *bar = memchr(t.at, '|', t.n);
        size_t n = bar ? (size_t)(bar - t.at) : t.n;
        mask |= set_of_word((text){t.at, n});
        t.at += n + (bar != NULL);
        t.n -= n + (bar != NULL);
    }
    return mask;
}

/* "T=any I=int32|int64": the set that `name` is bound to, or 0. */
static uint32_t set_of_variable(const char *types, text name)
{
    const char *at = types ? types : "";
    while (*at) {
        while (*at == ' ')
            at++;
        const char *equals = strchr(at, '=');
        if (!equals)
            return 0;
        size_t n = strcspn(equals + 1, " ");
        if ((size_t)(equals - at) == name.n && memcmp(at, name.at, name.n) == 0)
            return set_of((text){equals + 1, n});
        at = equals + 1 + n;
    }
    return 0;
}

static const char *set_text(uint32_t mask, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
        if (sets[i].mask == mask)
            return sets[i].name;
    out[0] = 0;
    for (uint32_t d = 1; d < HEED_DTYPE_COUNT && at < size; d++)
        if (mask & BIT(d))
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", dtype_name(d));
    return out;
}

/* ---- Formal parameters ---------------------------------------------------------------------- */

typedef struct formal {
    text name, type;
    bool optional, variadic, mixed; /* mixed: variadic and not all of one type */
} formal;

/* Reads one "name:T?" and moves past it and the comma. False at "->" or the end. */
static bool next_formal(const char **at, formal *f)
{
    const char *p = *at + strspn(*at, " ,");
    if (!*p || strncmp(p, "->", 2) == 0)
        return false;
    size_t n = strcspn(p, ":");
    *f = (formal){.name = {p, n}};
    p += n + (p[n] == ':');
    f->type = (text){p, strcspn(p, "?*, ")};
    p += f->type.n;
    for (; *p == '?' || *p == '*'; p++) {
        f->optional |= *p == '?';
        f->mixed |= *p == '*' && f->variadic;
        f->variadic |= *p == '*';
    }
    *at = p;
    return true;
}

static const char *outputs_of(const char *signature)
{
    const char *arrow = strstr(signature, "->");
    return arrow ? arrow + 2 : "";
}

/* The formal of actual i; a variadic one serves all further actuals. */
static bool formal_at(const char *side, uint32_t i, formal *f)
{
    const char *at = side;
    for (uint32_t k = 0; next_formal(&at, f); k++)
        if (k == i || f->variadic)
            return true;
    return false;
}

/* ---- Types of a node ------------------------------------------------------------------------ */

typedef struct binding {
    text name;
    const ir_type *type;
} binding;

typedef struct bindings {
    binding items[MAX_VARS];
    size_t n;
} bindings;

static const ir_type *bound(const bindings *b, text name)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].name.n == name.n && !memcmp(b->items[i].name.at, name.at, name.n))
            return b->items[i].type;
    return NULL;
}

static uint32_t type_bits(const ir_type *t)
{
    uint32_t kind = t->kind == HEED_KIND_SEQUENCE   ? SEQUENCE_BIT
                    : t->kind == HEED_KIND_OPTIONAL ? OPTIONAL_BIT
                                                    : 0;
    return kind | (t->keys ? MAP_BIT : 0) | (t->dtype ? BIT(t->dtype) : 0);
}

static heed_status wrong_type(const ir_node *n, uint32_t i, const formal *f, const char *expected,
                              const ir_type *found)
{
    static const char *const kinds[] = {"", "sequence of ", "optional ", "map of "};
    char want[224], got[96];
    snprintf(want, sizeof(want), "%s for input %u (%.*s)", expected, i, (int)f->name.n, f->name.at);
    snprintf(got, sizeof(got), "%s%s", kinds[found->kind & 3], dtype_name(found->dtype));
    err_expected(HEED_INVALID, want, got, NULL);
    return ir_node_error(n);
}

static heed_status check_type(const ir_node *n, uint32_t i, const formal *f, const ir_type *actual,
                              bindings *b)
{
    char names[160];
    const ir_type *before = f->mixed ? NULL : bound(b, f->type);
    if (before && before->dtype == actual->dtype && type_bits(before) == type_bits(actual))
        return HEED_OK; /* as the one that was looked at */
    uint32_t variable = set_of_variable(n->op->types, f->type);
    uint32_t allowed = variable ? variable : set_of(f->type);
    if ((type_bits(actual) & ~allowed) && actual->dtype)
        return wrong_type(n, i, f, set_text(allowed, names, sizeof(names)), actual);
    const ir_type *known = variable && !f->mixed ? bound(b, f->type) : NULL;
    if (known && known->dtype != actual->dtype && known->dtype && actual->dtype)
        return wrong_type(n, i, f, dtype_name(known->dtype), actual);
    if (variable && !known && b->n < MAX_VARS)
        b->items[b->n++] = (binding){f->type, actual};
    return HEED_OK;
}

heed_status op_bind_types(const ir_node *n, const ir_type *const *in, ir_type *out)
{
    bindings b = {.n = 0};
    formal f;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (in[i] && formal_at(n->op->signature, i, &f))
            TRY(check_type(n, i, &f, in[i], &b));
    for (uint32_t o = 0; o < n->n_out; o++) {
        out[o] = (ir_type){.rank = -1};
        if (!formal_at(outputs_of(n->op->signature), o, &f))
            continue;
        const ir_type *known = f.mixed ? NULL : bound(&b, f.type);
        if (known) {
            out[o] = (ir_type){known->kind, known->dtype, -1, known->optional_sequence,
                               NULL,        known->keys};
            continue;
        }
        uint32_t mask = set_of_variable(n->op->types, f.type) ? 0 : set_of(f.type);
        if (mask && !(mask & (mask - 1)))
            out[o].dtype = (heed_dtype)__builtin_ctz(mask);
    }
    return HEED_OK;
}

/* ---- Counts --------------------------------------------------------------------------------- */

static void count_formals(const char *side, uint32_t *least, uint32_t *most)
{
    formal f;
    uint32_t i = 0;
    *least = *most = 0;
    while (next_formal(&side, &f)) {
        i++;
        *most = f.variadic ? UINT32_MAX : i;
        if (!f.optional)
            *least = i;
    }
}

static heed_status check_count(const ir_node *n, const char *what, const char *side,
                               uint32_t actual)
{
    uint32_t least, most;
    char expected[96], found[48];
    count_formals(side, &least, &most);
    if (actual >= least && actual <= most)
        return HEED_OK;
    if (most == UINT32_MAX)
        snprintf(expected, sizeof(expected), "at least %u %s of %.32s", least, what, n->op->name);
    else if (least == most)
        snprintf(expected, sizeof(expected), "%u %s of %.32s", least, what, n->op->name);
    else
        snprintf(expected, sizeof(expected), "%u to %u %s of %.32s", least, most, what,
                 n->op->name);
    snprintf(found, sizeof(found), "%u", actual);
    err_expected(HEED_INVALID, expected, found, NULL);
    return ir_node_error(n);
}

/* A required input may not be left out by an empty name. (Outputs may.) */
static heed_status check_present(const ir_node *n)
{
    formal f;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i].value || !formal_at(n->op->signature, i, &f) || f.optional || f.variadic)
            continue;
        char expected[96];
        snprintf(expected, sizeof(expected), "input %u (%.*s) of %.32s", i, (int)f.name.n,
                 f.name.at, n->op->name);
        err_expected(HEED_INVALID, expected, "an empty name", NULL);
        return ir_node_error(n);
    }
    return HEED_OK;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static const char *const attr_types[] = {"?",      "int",     "float",  "string", "ints",
                                         "floats", "strings", "tensor", "graph"};

/* One word of the attribute text: name:type, then "!" or "=default". */
typedef struct attr_spec {
    text name;
    uint32_t type;
    bool required;
    const char *value; /* of the default, or NULL */
    size_t value_size;
} attr_spec;

static bool next_attr(const char **at, attr_spec *a)
{
    const char *p = *at + strspn(*at, " ");
    if (!*p)
        return false;
    size_t n = strcspn(p, ": ");
    *a = (attr_spec){.name = {p, n}};
    p += n + (p[n] == ':');
    text type = {p, strcspn(p, "=! ")};
    for (uint32_t i = 1; i < sizeof(attr_types) / sizeof(*attr_types); i++)
        if (text_is(type, attr_types[i]))
            a->type = i;
    p += type.n;
    a->required = *p == '!';
    p += *p == '!';
    if (*p == '=') {
        a->value = p + 1;
        a->value_size = strcspn(p + 1, " ");
        p += 1 + a->value_size;
    }
    *at = p;
    return true;
}

static bool find_attr(const char *specs, const char *name, attr_spec *a)
{
    for (const char *at = specs ? specs : ""; next_attr(&at, a);)
        if (text_is(a->name, name))
            return true;
    return false;
}

static heed_status check_attr(const ir_node *n, const heed_attribute *actual)
{
    attr_spec a;
    char expected[128], found[96];
    if (!find_attr(n->op->attrs, actual->name, &a)) {
        snprintf(expected, sizeof(expected), "attributes of %.32s", n->op->name);
        snprintf(found, sizeof(found), "\"%.64s\", which it does not have", actual->name);
        err_expected(HEED_INVALID, expected, found, "check the opset version of the model");
        return ir_node_error(n);
    }
    /* An empty list has no type of its own on the wire. */
    if (a.type == actual->type || (actual->type == HEED_ATTR_NONE))
        return HEED_OK;
    snprintf(expected, sizeof(expected), "attribute \"%.64s\" of type %s", actual->name,
             attr_types[a.type]);
    snprintf(found, sizeof(found), "type %s",
             actual->type <= HEED_ATTR_GRAPH ? attr_types[actual->type] : "?");
    err_expected(HEED_INVALID, expected, found, NULL);
    return ir_node_error(n);
}

/* Values are written without blanks: numbers, words, lists "1,2,3". */
static heed_status add_value(ir_node *n, const attr_spec *a)
{
    char name[64], value[64];
    int64_t ints[16];
    heed_attribute view = {.size = sizeof(view), .type = a->type, .name = name, .ints = ints};
    snprintf(name, sizeof(name), "%.*s", (int)a->name.n, a->name.at);
    snprintf(value, sizeof(value), "%.*s", (int)a->value_size, a->value);
    view.i = strtoll(value, NULL, 10);
    view.f = strtod(value, NULL);
    view.s = (heed_string){value, strlen(value)};
    if (a->type == HEED_ATTR_INTS)
        for (char *at = value, *end; *at && view.n < 16; at = *end ? end + 1 : end)
            ints[view.n++] = strtoll(at, &end, 10);
    return ir_node_set_attr(n, &view, NULL);
}

heed_status op_set_attrs(ir_node *n, const char *words)
{
    for (const char *at = words + strspn(words, " "); *at; at += strspn(at, " ")) {
        size_t n_name = strcspn(at, "= "), n_word = strcspn(at, " ");
        char name[64];
        attr_spec a;
        snprintf(name, sizeof(name), "%.*s", (int)n_name, at);
        if (!find_attr(n->op->attrs, name, &a) || n_name == n_word)
            return err_fail(HEED_INTERNAL, "\"%s\" is no attribute of %s", name, n->op->name);
        a.value = at + n_name + 1;
        a.value_size = n_word - n_name - 1;
        TRY(add_value(n, &a));
        at += n_word;
    }
    return HEED_OK;
}

static heed_status check_attrs(ir_node *n)
{
    attr_spec a;
    for (uint32_t i = 0; i < n->n_attrs; i++)
        TRY(check_attr(n, &n->attrs[i].view));
    for (const char *at = n->op->attrs ? n->op->attrs : ""; next_attr(&at, &a);) {
        char name[64], expected[128];
        snprintf(name, sizeof(name), "%.*s", (int)a.name.n, a.name.at);
        if ((!a.required && !a.value) || ir_node_attr(n, name))
            continue;
        if (a.value) {
            TRY(add_value(n, &a));
            continue;
        }
        snprintf(expected, sizeof(expected), "attribute \"%s\" of %.32s", name, n->op->name);
        err_expected(HEED_INVALID, expected, "none", NULL);
        return ir_node_error(n);
    }
    return HEED_OK;
}

heed_status op_check_node(ir_node *n)
{
    TRY(check_count(n, "inputs", n->op->signature, n->n_in));
    TRY(check_count(n, "outputs", outputs_of(n->op->signature), n->n_out));
    TRY(check_present(n));
    return check_attrs(n);
}
