/* dim.c - symbolic dimensions as canonical polynomials; see dim.h.
 *
 * Separate from the graph because it is pure arithmetic. A polynomial is a list of words: for each
 * term its coefficient, its degree, and the ids of its symbols in ascending order. Terms stand in
 * graded lexicographic order, which is what makes long division work and the form canonical. Each
 * distinct polynomial is stored once; ir_dim -(i + 1) names number i. */
#include "graph/dim.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define POLY_WORDS 192 /* longer expressions become unknown */
#define TEXT_SIZE  256
/* Negative numbers need no table: NEGATIVE_BASE + value, far below every index of an expression. */
#define NEGATIVE_BASE (INT64_MIN / 2)

typedef struct poly {
    size_t n;
    int64_t words[POLY_WORDS];
    bool failed; /* overflow of a word or of the list */
} poly;

typedef struct stored {
    const int64_t *words;
    size_t n;
} stored;

struct ir_dims {
    arena memory;
    map by_words; /* words -> index + 1 */
    map by_name;  /* symbol -> id + 1 */
    stored *expressions;
    size_t n_expressions, expressions_capacity;
    const char **symbols;
    size_t n_symbols, symbols_capacity;
    uint64_t fresh;
};

ir_dims *dims_new(void) { return mem_zero(sizeof(ir_dims)); }

void dims_free(ir_dims *t)
{
    if (!t)
        return;
    map_free(&t->by_words);
    map_free(&t->by_name);
    mem_free(t->expressions);
    mem_free(t->symbols);
    arena_free(&t->memory);
    mem_free(t);
}

/* ---- Terms --------------------------------------------------------------------------------- */

static size_t term_size(const int64_t *term) { return 2 + (size_t)term[1]; }

/* Order of monomials: higher degree first, then the one with the earlier symbols. */
static int term_compare(const int64_t *a, const int64_t *b)
{
    if (a[1] != b[1])
        return a[1] > b[1] ? -1 : 1;
    for (int64_t i = 0; i < a[1]; i++)
        if (a[2 + i] != b[2 + i])
            return a[2 + i] < b[2 + i] ? -1 : 1;
    return 0;
}

static void poly_push(poly *p, int64_t coefficient, const int64_t *term)
{
    size_t size = term_size(term);
    if (p->n + size > POLY_WORDS) {
        p->failed = true;
        return;
    }
    memcpy(p->words + p->n, term, size * sizeof(*term));
    p->words[p->n] = coefficient;
    p->n += size;
}

/* out = a + factor * b, both in order. */
static void poly_add(const poly *a, const poly *b, int64_t factor, poly *out)
{
    size_t i = 0, k = 0;
    *out = (poly){.failed = a->failed || b->failed};
    while (i < a->n || k < b->n) {
        const int64_t *x = a->words + i, *y = b->words + k;
        int order = i == a->n ? 1 : k == b->n ? -1 : term_compare(x, y);
        int64_t sum = order <= 0 ? x[0] : 0, scaled = 0;
        if (order >= 0 && (__builtin_mul_overflow(y[0], factor, &scaled) ||
                           __builtin_add_overflow(sum, scaled, &sum)))
            out->failed = true;
        if (sum != 0)
            poly_push(out, sum, order <= 0 ? x : y);
        i += order <= 0 ? term_size(x) : 0;
        k += order >= 0 ? term_size(y) : 0;
    }
}

/* The product of two monomials, symbols merged in order. False when too long. */
static bool term_multiply(const int64_t *a, const int64_t *b, int64_t *out)
{
    int64_t i = 0, k = 0;
    if (a[1] + b[1] > 16 || __builtin_mul_overflow(a[0], b[0], &out[0]))
        return false;
    out[1] = a[1] + b[1];
    for (int64_t n = 0; n < out[1]; n++) {
        bool first = k == b[1] || (i < a[1] && a[2 + i] <= b[2 + k]);
        out[2 + n] = first ? a[2 + i++] : b[2 + k++];
    }
    return true;
}

/* out = p * term. */
static void poly_scale(const poly *p, const int64_t *term, poly *out)
{
    *out = (poly){.failed = p->failed};
    for (size_t i = 0; i < p->n; i += term_size(p->words + i)) {
        int64_t product[2 + 16];
        if (term_multiply(p->words + i, term, product))
            poly_push(out, product[0], product);
        else
            out->failed = true;
    }
}

static void poly_multiply(const poly *a, const poly *b, poly *out)
{
    poly part, sum = {.failed = a->failed || b->failed};
    for (size_t i = 0; i < b->n; i += term_size(b->words + i)) {
        poly_scale(a, b->words + i, &part);
        poly_add(&sum, &part, 1, out);
        sum = *out;
    }
    *out = sum;
}

/* The quotient of two monomials; false when b does not divide a. */
static bool term_divide(const int64_t *a, const int64_t *b, int64_t *out)
{
    int64_t k = 0, n = 0;
    if (b[0] == 0 || (b[0] == -1 && a[0] == INT64_MIN) || a[0] % b[0] != 0)
        return false;
    for (int64_t i = 0; i < a[1]; i++) {
        if (k < b[1] && a[2 + i] == b[2 + k])
            k++;
        else
            out[2 + n++] = a[2 + i];
    }
    out[0] = a[0] / b[0];
    out[1] = n;
    return k == b[1];
}

/* Exact long division; false when it leaves a remainder. */
static bool poly_divide(const poly *a, const poly *b, poly *out)
{
    poly rest = *a, quotient = {0}, part, next;
    for (int step = 0; rest.n > 0 && step < 32; step++) {
        poly term = {.n = 2};
        if (b->n == 0 || !term_divide(rest.words, b->words, term.words))
            return false;
        term.n = term_size(term.words);
        poly_scale(b, term.words, &part);
        poly_add(&rest, &part, -1, &next);
        rest = next;
        poly_add(&quotient, &term, 1, &next);
        quotient = next;
    }
    *out = quotient;
    return rest.n == 0 && !rest.failed && !quotient.failed;
}

/* ---- The table ------------------------------------------------------------------------------ */

static poly poly_constant(int64_t value)
{
    poly p = {0};
    if (value != 0)
        poly_push(&p, value, (const int64_t[]){value, 0});
    return p;
}

static poly poly_load(const ir_dims *t, ir_dim d)
{
    if (d >= 0)
        return poly_constant(d);
    if (d < NEGATIVE_BASE && d != DIM_UNKNOWN)
        return poly_constant(d - NEGATIVE_BASE);
    size_t i = (size_t)(-(d + 1));
    poly p = {.failed = d == DIM_UNKNOWN || !t || i >= t->n_expressions};
    if (!p.failed) {
        p.n = t->expressions[i].n;
        memcpy(p.words, t->expressions[i].words, p.n * sizeof(*p.words));
    }
    return p;
}

static ir_dim poly_store(ir_dims *t, const poly *p)
{
    if (p->failed)
        return DIM_UNKNOWN;
    if (p->n == 0)
        return 0;
    if (p->n == 2 && p->words[1] == 0 && p->words[0] >= 0)
        return p->words[0];
    if (p->n == 2 && p->words[1] == 0 && p->words[0] > NEGATIVE_BASE)
        return NEGATIVE_BASE + p->words[0];
    if (!t)
        return DIM_UNKNOWN;
    size_t bytes = p->n * sizeof(*p->words);
    size_t known = (size_t)(uintptr_t)map_get(&t->by_words, p->words, bytes);
    if (known)
        return -(ir_dim)known;
    if (mem_grow(&t->expressions, &t->expressions_capacity, t->n_expressions, sizeof(stored)))
        return DIM_UNKNOWN;
    int64_t *words = arena_alloc(&t->memory, bytes);
    if (!words)
        return DIM_UNKNOWN;
    memcpy(words, p->words, bytes);
    uintptr_t index = t->n_expressions + 1;
    if (map_put(&t->by_words, words, bytes, (void *)index)) // NOLINT: a number in a map
        return DIM_UNKNOWN;
    t->expressions[t->n_expressions++] = (stored){words, p->n};
    return -(ir_dim)index;
}

static ir_dim symbol(ir_dims *t, const char *name)
{
    if (!t)
        return DIM_UNKNOWN;
    uintptr_t id = (uintptr_t)map_get_string(&t->by_name, name);
    if (!id) {
        char *copy = arena_string(&t->memory, name);
        if (!copy || mem_grow(&t->symbols, &t->symbols_capacity, t->n_symbols, sizeof(char *)))
            return DIM_UNKNOWN;
        id = t->n_symbols + 1;
        if (map_put_string(&t->by_name, copy, (void *)id)) // NOLINT
            return DIM_UNKNOWN;
        t->symbols[t->n_symbols++] = copy;
    }
    poly p = {.n = 3, .words = {1, 1, (int64_t)id - 1}};
    return poly_store(t, &p);
}

ir_dim dims_fresh(ir_dims *t)
{
    char name[32];
    if (!t)
        return DIM_UNKNOWN;
    snprintf(name, sizeof(name), "?%llu", (unsigned long long)++t->fresh);
    return symbol(t, name);
}

/* A symbol that stands for `operation` of two dims: the same one whenever it is asked again. */
static ir_dim opaque(ir_dims *t, const char *operation, ir_dim a, ir_dim b)
{
    char x[TEXT_SIZE], y[TEXT_SIZE], name[2 * TEXT_SIZE + 32];
    if (!t || a == DIM_UNKNOWN || b == DIM_UNKNOWN)
        return t ? dims_fresh(t) : DIM_UNKNOWN;
    snprintf(name, sizeof(name), "%s(%s, %s)", operation, dims_text(t, a, x, sizeof(x)),
             dims_text(t, b, y, sizeof(y)));
    return symbol(t, name);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

ir_dim dims_add(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t sum;
    if (a >= 0 && b >= 0)
        return __builtin_add_overflow(a, b, &sum) ? DIM_UNKNOWN : sum;
    poly x = poly_load(t, a), y = poly_load(t, b), out;
    poly_add(&x, &y, 1, &out);
    return poly_store(t, &out);
}

ir_dim dims_sub(ir_dims *t, ir_dim a, ir_dim b)
{
    if (a >= 0 && b >= 0 && a >= b)
        return a - b;
    poly x = poly_load(t, a), y = poly_load(t, b), out;
    poly_add(&x, &y, -1, &out);
    return poly_store(t, &out);
}

ir_dim dims_mul(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t product;
    if (a >= 0 && b >= 0)
        return __builtin_mul_overflow(a, b, &product) ? DIM_UNKNOWN : product;
    poly x = poly_load(t, a), y = poly_load(t, b), out;
    poly_multiply(&x, &y, &out);
    return poly_store(t, &out);
}

static int64_t floor_quotient(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

ir_dim dims_floor_div(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t x, y;
    if (b == 0)
        return DIM_UNKNOWN;
    if (dims_value(t, a, &x) && dims_value(t, b, &y))
        return y == -1 ? dims_sub(t, 0, a) : dims_constant(t, floor_quotient(x, y));
    poly p = poly_load(t, a), q = poly_load(t, b), out;
    if (!p.failed && !q.failed && poly_divide(&p, &q, &out))
        return poly_store(t, &out);
    return opaque(t, "floor", a, b);
}

ir_dim dims_ceil_div(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t x, y;
    if (b == 0)
        return DIM_UNKNOWN;
    if (dims_value(t, a, &x) && dims_value(t, b, &y) && y != -1)
        return dims_constant(t, floor_quotient(x, y) + (x % y != 0));
    poly p = poly_load(t, a), q = poly_load(t, b), out;
    if (!p.failed && !q.failed && poly_divide(&p, &q, &out))
        return poly_store(t, &out);
    return opaque(t, "ceil", a, b);
}

/* a - b as a number, if it is one. */
static bool difference(ir_dims *t, ir_dim a, ir_dim b, int64_t *out)
{
    poly x = poly_load(t, a), y = poly_load(t, b), d;
    poly_add(&x, &y, -1, &d);
    if (d.failed || d.n > 2 || (d.n == 2 && d.words[1] != 0))
        return false;
    *out = d.n ? d.words[0] : 0;
    return true;
}

ir_dim dims_max(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t d;
    if (difference(t, a, b, &d))
        return d >= 0 ? a : b;
    return opaque(t, "max", a, b);
}

ir_dim dims_min(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t d;
    if (difference(t, a, b, &d))
        return d <= 0 ? a : b;
    return opaque(t, "min", a, b);
}

bool dims_broadcast(ir_dims *t, ir_dim a, ir_dim b, ir_dim *out)
{
    if (a == b || b == 1)
        *out = a;
    else if (a == 1)
        *out = b;
    else if (a >= 0 && b >= 0)
        return false;
    else if (a >= 0 || b >= 0) /* a symbol against n > 1 must be n (or 1); n = 0 gives 0 */
        *out = a >= 0 ? a : b;
    else
        *out = opaque(t, "broadcast", a < b ? a : b, a < b ? b : a);
    return true;
}

ir_dim dims_constant(ir_dims *t, int64_t value)
{
    poly p = poly_constant(value);
    return poly_store(t, &p);
}

bool dims_value(const ir_dims *t, ir_dim d, int64_t *value)
{
    if (d >= 0) {
        *value = d;
        return true;
    }
    poly p = poly_load(t, d);
    if (p.failed || p.n != 2 || p.words[1] != 0)
        return false;
    *value = p.words[0];
    return true;
}

/* The number of a symbol, from a dim in the list that is this symbol alone. */
static bool symbol_value(const ir_dims *t, int64_t id, const ir_dim *dims, const int64_t *values,
                         size_t n, int64_t *value)
{
    for (size_t i = 0; i < n; i++) {
        poly p = poly_load(t, dims[i]);
        if (!p.failed && p.n == 3 && p.words[0] == 1 && p.words[2] == id) {
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
    for (size_t i = 0; i < p->n; i += term_size(p->words + i)) {
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
        poly p = poly_load(t, dims[i]);
        int64_t value;
        if (!p.failed && p.n > 3 && evaluate(t, &p, dims, values, n, &value) && value != values[i])
            return false;
    }
    return true;
}

/* ---- Text -------------------------------------------------------------------------------------
 */

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
        at = put(text, size, at, t->symbols[term[2 + i]]);
    }
    return at;
}

const char *dims_text(const ir_dims *t, ir_dim d, char *text, size_t size)
{
    poly p = poly_load(t, d);
    size_t at = 0;
    if (size > 0)
        text[0] = 0;
    if (p.failed)
        put(text, size, 0, "?");
    else if (p.n == 0)
        put(text, size, 0, "0");
    for (size_t i = 0; !p.failed && i < p.n; i += term_size(p.words + i))
        at = put_term(t, p.words + i, i == 0, text, size, at);
    return text;
}

/* ---- Parsing: sum of products of numbers, names and parentheses -------------------------------
 */

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
    char name[TEXT_SIZE];
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
    return symbol(p->table, name);
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
    return p.failed || *p.at || d == DIM_UNKNOWN ? symbol(t, text) : d;
}

/* ---- Copies -----------------------------------------------------------------------------------
 */

/* Symbols and expressions keep their numbers, so that dims of the original hold in the copy. */
ir_dims *dims_copy(const ir_dims *t)
{
    ir_dims *copy = dims_new();
    for (size_t i = 0; copy && i < t->n_symbols; i++)
        if (symbol(copy, t->symbols[i]) == DIM_UNKNOWN)
            goto failed;
    if (!copy)
        return NULL;
    /* symbol() stored one expression each, perhaps in another order: start the list anew. */
    map_free(&copy->by_words);
    copy->n_expressions = 0;
    for (size_t i = 0; i < t->n_expressions; i++) {
        poly p = {.n = t->expressions[i].n};
        memcpy(p.words, t->expressions[i].words, p.n * sizeof(*p.words));
        if (poly_store(copy, &p) != -(ir_dim)(i + 1))
            goto failed;
    }
    copy->fresh = t->fresh;
    return copy;
failed:
    dims_free(copy);
    return NULL;
}
