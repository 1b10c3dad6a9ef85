/* fill.c - values for a tensor: rules such as rand and zeros, and numbers written out.
 *
 * Random values depend on the seed and the input's name alone, so that runs can be compared. */
#include "fill.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "random.h"

/* ---- Rules ---- */

typedef struct generator {
    uint64_t state;
    bool real; /* the tensor holds real or complex floating-point numbers */
} generator;

/* Floats in [-1, 1), whole numbers in [0, 10). Rounding makes booleans of the latter. */
static double rand_value(generator *g, int64_t i)
{
    (void)i;
    uint64_t bits = random_next(&g->state) >> 11;
    return g->real ? (double)bits * 0x1p-52 - 1 : (double)(bits % 10);
}

static double rand_bool(generator *g, int64_t i)
{
    (void)i;
    return (double)(random_next(&g->state) >> 63);
}

static double zero_value(generator *g, int64_t i)
{
    (void)g;
    (void)i;
    return 0;
}

static double one_value(generator *g, int64_t i)
{
    (void)g;
    (void)i;
    return 1;
}

static double range_value(generator *g, int64_t i)
{
    (void)g;
    return (double)i;
}

typedef struct fill_rule {
    const char *name;
    double (*value)(generator *g, int64_t i);
} fill_rule;

static const fill_rule rules[] = {
    {"rand", rand_value},
    {"zeros", zero_value},
    {"ones", one_value},
    {"range", range_value},
};

static const fill_rule *find_rule(const char *text)
{
    size_t length = strcspn(text, ":");
    if (text[length] && text[length + strspn(text + length, ":0123456789")])
        return NULL;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strlen(rules[i].name) == length && !strncmp(text, rules[i].name, length))
            return &rules[i];
    return NULL;
}

bool fill_is_rule(const char *text) { return find_rule(text) != NULL; }

static bool is_real(heed_dtype dtype)
{
    const char *name = heed_dtype_name(dtype);
    return strstr(name, "float") || strstr(name, "complex");
}

static uint64_t seed_of(const char *text, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    text += strcspn(text, ":");
    return hash ^ (*text ? strtoull(text + 1, NULL, 10) : 0);
}

static bool fill_strings(heed_tensor *tensor, const fill_rule *rule, generator *g)
{
    int64_t count = heed_tensor_get_count(tensor);
    for (int64_t i = 0; i < count; i++) {
        char word[32] = "";
        if (rule->value != zero_value)
            snprintf(word, sizeof word, "s%d", (int)(rule->value(g, i)));
        if (heed_tensor_set_string(tensor, i, word, strlen(word)))
            return false;
    }
    return true;
}

static bool fill_numbers(heed_tensor *tensor, const fill_rule *rule, generator *g)
{
    enum { BLOCK = 1024 };
    double block[BLOCK];
    int64_t count = heed_tensor_get_count(tensor);
    double (*value)(generator *, int64_t) = rule->value;
    if (value == rand_value && heed_tensor_get_dtype(tensor) == HEED_BOOL)
        value = rand_bool;
    for (int64_t first = 0; first < count; first += BLOCK) {
        int64_t n = count - first < BLOCK ? count - first : BLOCK;
        for (int64_t i = 0; i < n; i++)
            block[i] = value(g, first + i);
        if (heed_tensor_write_f64(tensor, first, n, block))
            return false;
    }
    return true;
}

bool fill_by_rule(heed_tensor *tensor, const char *text, const char *name)
{
    heed_dtype dtype = heed_tensor_get_dtype(tensor);
    const fill_rule *rule = find_rule(text);
    generator g = {seed_of(text, name), is_real(dtype)};
    if (!rule)
        return false;
    return dtype == HEED_STRING ? fill_strings(tensor, rule, &g) : fill_numbers(tensor, rule, &g);
}

bool fill_default(heed_tensor *tensor, const char *name, uint64_t seed)
{
    char rule[32];
    snprintf(rule, sizeof rule, "rand:%llu", (unsigned long long)seed);
    return fill_by_rule(tensor, is_real(heed_tensor_get_dtype(tensor)) ? rule : "ones", name);
}

/* ---- Values written out ---- */

// clang-format off
static const struct {
    const char *name;
    heed_dtype dtype;
} short_names[] = {
    {"f16", HEED_FLOAT16}, {"f32", HEED_FLOAT32}, {"f64", HEED_FLOAT64}, {"bf16", HEED_BFLOAT16},
    {"i8", HEED_INT8}, {"i16", HEED_INT16}, {"i32", HEED_INT32}, {"i64", HEED_INT64},
    {"u8", HEED_UINT8}, {"u16", HEED_UINT16}, {"u32", HEED_UINT32}, {"u64", HEED_UINT64},
    {"bool", HEED_BOOL}, {"str", HEED_STRING},
};
// clang-format on

static heed_dtype find_dtype(const char *name)
{
    for (size_t i = 0; i < sizeof short_names / sizeof short_names[0]; i++)
        if (!strcmp(short_names[i].name, name))
            return short_names[i].dtype;
    for (heed_dtype dtype = 1; dtype < HEED_DTYPE_COUNT; dtype++)
        if (!strcmp(heed_dtype_name(dtype), name))
            return dtype;
    return HEED_UNDEFINED;
}

/* "2x2xf32" or "f32": false when it is neither, and then it is part of the values. */
static bool parse_type(const char *text, size_t length, fill_values *out)
{
    char head[256];
    if (length >= sizeof head)
        return false;
    memcpy(head, text, length);
    head[length] = 0;
    char *last = head;
    for (char *at = head; *at && strchr("0123456789xX", *at); at++)
        if (*at == 'x' || *at == 'X')
            last = at + 1;
    heed_dtype dtype = find_dtype(last);
    if (dtype == HEED_UNDEFINED)
        return false;
    out->shaped = last > head;
    if (out->shaped) {
        last[-1] = 0;
        if (!shapes_parse(head, &out->shape))
            return false;
    }
    out->dtype = dtype;
    return true;
}

bool fill_parse(const char *text, fill_values *out)
{
    static const char separators[] = " ,;\t\n";
    *out = (fill_values){0};
    size_t head = strcspn(text, "=");
    if (text[head] && parse_type(text, head, out))
        text += head + 1;
    while (*(text += strspn(text, separators))) {
        size_t length = strcspn(text, separators);
        out->words = cli_grow(out->words, out->n + 1, sizeof *out->words);
        out->words[out->n++] = cli_format("%.*s", (int)length, text);
        text += length;
    }
    return out->n > 0;
}

/* 64-bit whole numbers do not all fit into a double. */
static bool write_whole(heed_tensor *tensor, int64_t i, const char *word)
{
    char *end;
    errno = 0;
    if (heed_tensor_get_dtype(tensor) == HEED_UINT64)
        ((uint64_t *)heed_tensor_get_mutable_data(tensor))[i] = strtoull(word, &end, 10);
    else
        ((int64_t *)heed_tensor_get_mutable_data(tensor))[i] = strtoll(word, &end, 10);
    return end != word && !*end && !errno;
}

static bool write_number(heed_tensor *tensor, int64_t i, const char *word)
{
    char *end;
    double value = strtod(word, &end);
    if (!strcasecmp(word, "true") || !strcasecmp(word, "false"))
        value = tolower((unsigned char)*word) == 't';
    else if (end == word || *end)
        return false;
    return !heed_tensor_write_f64(tensor, i, 1, &value);
}

static bool write_word(heed_tensor *tensor, int64_t i, const char *word)
{
    heed_dtype dtype = heed_tensor_get_dtype(tensor);
    if (dtype == HEED_STRING)
        return !heed_tensor_set_string(tensor, i, word, strlen(word));
    if (dtype == HEED_INT64 || dtype == HEED_UINT64)
        return write_whole(tensor, i, word);
    return write_number(tensor, i, word);
}

bool fill_write(heed_tensor *tensor, const fill_values *values, const char **bad)
{
    int64_t count = heed_tensor_get_count(tensor);
    *bad = NULL;
    if (values->n != 1 && (int64_t)values->n != count)
        return false;
    for (int64_t i = 0; i < count; i++) {
        *bad = values->words[values->n == 1 ? 0 : i];
        if (!write_word(tensor, i, *bad))
            return false;
    }
    return true;
}

void fill_free(fill_values *values)
{
    for (size_t i = 0; i < values->n; i++)
        free(values->words[i]);
    free(values->words);
    *values = (fill_values){0};
}
