/* dim_text.c - dims as people write them: "past + seq", "2*heads"; and numbers put in for symbols.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dim_table.h"

/* ---- Text ----------------------------------------------------------------------------------- */

static size_t put(char *text, size_t size, size_t at, const char *piece)
{
    int n = at < size ? snprintf(text + at, size - at, "%s", piece) : 0;
    return at + (n > 0 ? (size_t)n : 0);
}

static size_t put_term(const ir_dims *t, const int64_t *term, bool first, char *text, size_t size,
                       size_t at)
{
    char number[32];
    int64_t c = term[0];
    at = put(text, size, at, first ? (c < 0 ? "-" : "") : c < 0 ? " - " : " + ");
    uint64_t magnitude = c < 0 ? 0 - (uint64_t)c : (uint64_t)c;
    if (magnitude != 1 || term[1] == 0) {
        snprintf(number, sizeof(number), "%llu%s", (unsigned long long)magnitude,
                 term[1] ? "*" : "");
        at = put(text, size, at, number);
    }
    for (int64_t i = 0; i < term[1]; i++) {
        at = put(text, size, at, i ? "*" : "");
        at = put(text, size, at, t->symbols[term[2 + i]].name);
    }
    return at;
}

const char *dims_text(const ir_dims *t, ir_dim d, char *text, size_t size)
{
    poly p;
    dims_load(t, d, &p);
    size_t at = 0;
    if (size > 0)
        text[0] = 0;
    if (p.failed)
        put(text, size, 0, "?");
    else if (p.n == 0)
        put(text, size, 0, "0");
    for (size_t i = 0; !p.failed && i < p.n; i += poly_term_size(p.words + i))
        at = put_term(t, p.words + i, i == 0, text, size, at);
    return text;
}

/* ---- Parsing: sum of products of numbers, names and parentheses ----------------------------- */

typedef struct parser {
    ir_dims *table;
    const char *at;
    int depth;
    bool failed;
} parser;

static ir_dim parse_sum(parser *p);

static void skip_space(parser *p)
{
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool name_char(char c) { return isalnum((unsigned char)c) || c == '_' || c == '.'; }

static ir_dim parse_name(parser *p)
{
    char name[DIM_TEXT_SIZE];
    size_t n = 0;
    while (name_char(p->at[n]))
        n++;
    if (n == 0 || n >= sizeof(name)) {
        p->failed = true;
        return 0;
    }
    memcpy(name, p->at, n);
    name[n] = 0;
    p->at += n;
    return dims_symbol(p->table, name);
}

static ir_dim parse_factor(parser *p)
{
    skip_space(p);
    if (isdigit((unsigned char)*p->at)) {
        char *end;
        long long value = strtoll(p->at, &end, 10);
        p->failed |= name_char(*end);
        p->at = end;
        return (ir_dim)value;
    }
    if (*p->at != '(')
        return parse_name(p);
    p->at++;
    if (++p->depth > 16)
        p->failed = true;
    ir_dim inner = p->failed ? 0 : parse_sum(p);
    skip_space(p);
    p->failed |= *p->at != ')';
    p->at += p->failed ? 0 : 1;
    p->depth--;
    return inner;
}

static ir_dim parse_product(parser *p)
{
    ir_dim left = parse_factor(p);
    for (;;) {
        skip_space(p);
        if (p->failed || (*p->at != '*' && *p->at != '/'))
            return left;
        bool divide = *p->at == '/';
        p->at += divide && p->at[1] == '/' ? 2 : 1;
        ir_dim right = parse_factor(p);
        if (!p->failed)
            left = divide ? dims_floor_div(p->table, left, right) : dims_mul(p->table, left, right);
    }
}

static ir_dim parse_sum(parser *p)
{
    ir_dim left = parse_product(p);
    for (;;) {
        skip_space(p);
        if (p->failed || (*p->at != '+' && *p->at != '-'))
            return left;
        bool minus = *p->at++ == '-';
        ir_dim right = parse_product(p);
        if (!p->failed)
            left = minus ? dims_sub(p->table, left, right) : dims_add(p->table, left, right);
    }
}

ir_dim dims_parse(ir_dims *t, const char *text)
{
    parser p = {.table = t, .at = text};
    ir_dim d = parse_sum(&p);
    skip_space(&p);
    return p.failed || *p.at || d == DIM_UNKNOWN ? dims_symbol(t, text) : d;
}

/* ---- Numbers for symbols -------------------------------------------------------------------- */

static bool is_symbol(const poly *p) { return p->n == 3 && p->words[0] == 1; }

/* The number of a symbol, from a dim in the list that is this symbol alone. */
static bool symbol_value(const ir_dims *t, int64_t id, const ir_dim *dims, const int64_t *values,
                         size_t n, int64_t *value)
{
    for (size_t i = 0; i < n; i++) {
        poly p;
        dims_load(t, dims[i], &p);
        if (!p.failed && is_symbol(&p) && p.words[2] == id) {
            *value = values[i];
            return true;
        }
    }
    return false;
}

/* False when a symbol of the polynomial has no number, or the number does not fit. */
static bool evaluate(const ir_dims *t, const poly *p, const ir_dim *dims, const int64_t *values,
                     size_t n, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < p->n; i += poly_term_size(p->words + i)) {
        const int64_t *term = p->words + i;
        int64_t product = term[0], factor;
        for (int64_t k = 0; k < term[1]; k++)
            if (!symbol_value(t, term[2 + k], dims, values, n, &factor) ||
                __builtin_mul_overflow(product, factor, &product))
                return false;
        if (__builtin_add_overflow(*out, product, out))
            return false;
    }
    return true;
}

bool dims_agree(const ir_dims *t, const ir_dim *dims, const int64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        poly p;
        dims_load(t, dims[i], &p);
        int64_t value;
        if (p.failed || is_symbol(&p))
            continue;
        if (evaluate(t, &p, dims, values, n, &value) && value != values[i])
            return false;
    }
    return true;
}
