/* dim.c - the table of symbolic dimensions and arithmetic on them; see dim.h. */
#include "graph/dim.h"

#include <stdio.h>
#include <string.h>

#include "graph/dim_table.h"

/* Negative numbers need no table: NEGATIVE_BASE + value, far below every index of an expression. */
#define NEGATIVE_BASE (INT64_MIN / 2)

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

/* ---- The table ------------------------------------------------------------------------------ */

poly dims_load(const ir_dims *t, ir_dim d)
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

ir_dim dims_store(ir_dims *t, const poly *p)
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
    if (mem_grow(&t->expressions, &t->expressions_capacity, t->n_expressions, sizeof(dim_stored)))
        return DIM_UNKNOWN;
    int64_t *words = arena_alloc(&t->memory, bytes);
    if (!words)
        return DIM_UNKNOWN;
    memcpy(words, p->words, bytes);
    uintptr_t index = t->n_expressions + 1;
    if (map_put(&t->by_words, words, bytes, (void *)index)) // NOLINT: a number in a map
        return DIM_UNKNOWN;
    t->expressions[t->n_expressions++] = (dim_stored){words, p->n};
    return -(ir_dim)index;
}

ir_dim dims_symbol(ir_dims *t, const char *name)
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
    return dims_store(t, &p);
}

static ir_dim number_symbol(ir_dims *t, const char *prefix)
{
    char name[32];
    if (!t)
        return DIM_UNKNOWN;
    snprintf(name, sizeof(name), "%s%llu", prefix, (unsigned long long)++t->fresh);
    return dims_symbol(t, name);
}

ir_dim dims_fresh(ir_dims *t) { return number_symbol(t, "?"); }

ir_dim dims_fresh_integer(ir_dims *t) { return number_symbol(t, "?#"); }

/* The text of an operand; a long one is known by its number, since two long ones may begin alike.
 */
static const char *operand_text(const ir_dims *t, ir_dim d, char *text, size_t size)
{
    if (strlen(dims_text(t, d, text, size)) + 1 >= size)
        snprintf(text, size, "#%lld", (long long)-d);
    return text;
}

/* A symbol that stands for `operation` of two dims: the same one whenever it is asked again. */
static ir_dim opaque(ir_dims *t, const char *operation, ir_dim a, ir_dim b)
{
    char x[DIM_TEXT_SIZE], y[DIM_TEXT_SIZE], name[2 * DIM_TEXT_SIZE + 32];
    if (!t || a == DIM_UNKNOWN || b == DIM_UNKNOWN)
        return dims_fresh_integer(t);
    snprintf(name, sizeof(name), "%s(%s, %s)", operation, operand_text(t, a, x, sizeof(x)),
             operand_text(t, b, y, sizeof(y)));
    return dims_symbol(t, name);
}

/* ---- Arithmetic ------------------------------------------------------------------------------ */

ir_dim dims_add(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t sum;
    if (a >= 0 && b >= 0)
        return __builtin_add_overflow(a, b, &sum) ? DIM_UNKNOWN : sum;
    poly x = dims_load(t, a), y = dims_load(t, b), out;
    poly_add(&x, &y, 1, &out);
    return dims_store(t, &out);
}

ir_dim dims_sub(ir_dims *t, ir_dim a, ir_dim b)
{
    if (a >= 0 && b >= 0 && a >= b)
        return a - b;
    poly x = dims_load(t, a), y = dims_load(t, b), out;
    poly_add(&x, &y, -1, &out);
    return dims_store(t, &out);
}

ir_dim dims_mul(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t product;
    if (a >= 0 && b >= 0)
        return __builtin_mul_overflow(a, b, &product) ? DIM_UNKNOWN : product;
    poly x = dims_load(t, a), y = dims_load(t, b), out;
    poly_multiply(&x, &y, &out);
    return dims_store(t, &out);
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
    poly p = dims_load(t, a), q = dims_load(t, b), out;
    if (!p.failed && !q.failed && poly_divide(&p, &q, &out))
        return dims_store(t, &out);
    return opaque(t, "floor", a, b);
}

ir_dim dims_ceil_div(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t x, y;
    if (b == 0)
        return DIM_UNKNOWN;
    if (dims_value(t, a, &x) && dims_value(t, b, &y) && y != -1)
        return dims_constant(t, floor_quotient(x, y) + (x % y != 0));
    poly p = dims_load(t, a), q = dims_load(t, b), out;
    if (!p.failed && !q.failed && poly_divide(&p, &q, &out))
        return dims_store(t, &out);
    return opaque(t, "ceil", a, b);
}

/* a - b as a number, if it is one. */
static bool difference(ir_dims *t, ir_dim a, ir_dim b, int64_t *out)
{
    poly x = dims_load(t, a), y = dims_load(t, b), d;
    poly_add(&x, &y, -1, &d);
    if (d.failed || d.n > 2 || (d.n == 2 && d.words[1] != 0))
        return false;
    *out = d.n ? d.words[0] : 0;
    return true;
}

/* Only where a symbol has a range: otherwise what is known of extents stays as it is written. */
static bool is_never_less(ir_dims *t, ir_dim a, ir_dim b)
{
    return t && t->ranged && dims_nonnegative(t, dims_sub(t, a, b));
}

ir_dim dims_max(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t d;
    if (difference(t, a, b, &d))
        return d >= 0 ? a : b;
    if (is_never_less(t, a, b) || is_never_less(t, b, a))
        return is_never_less(t, a, b) ? a : b;
    return opaque(t, "max", a < b ? a : b, a < b ? b : a); /* one name for both orders */
}

ir_dim dims_min(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t d;
    if (difference(t, a, b, &d))
        return d <= 0 ? a : b;
    if (is_never_less(t, a, b) || is_never_less(t, b, a))
        return is_never_less(t, a, b) ? b : a;
    return opaque(t, "min", a < b ? a : b, a < b ? b : a);
}

bool dims_is_cut(ir_dims *t, ir_dim a, ir_dim b, int64_t *most)
{
    char text[DIM_TEXT_SIZE], name[DIM_TEXT_SIZE], start[DIM_TEXT_SIZE + 8];
    if (!t || a >= 0 || b >= 0)
        return false;
    snprintf(start, sizeof(start), "min(%s, ", dims_text(t, b, text, sizeof(text)));
    dims_text(t, a, name, sizeof(name));
    size_t n = strlen(start), digits = strncmp(name, start, n) ? 0 : strspn(name + n, "0123456789");
    if (digits == 0 || digits > 15 || strcmp(name + n + digits, ")") != 0)
        return false;
    *most = 0;
    for (size_t i = 0; i < digits; i++)
        *most = *most * 10 + (name[n + i] - '0');
    return true;
}

/* Where both broadcast, a must be b: if it were the number, b would have to be 1, and so smaller.
 */
static bool is_cut(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t most;
    return dims_is_cut(t, a, b, &most) && most > 1;
}

/* The text is `part`, or a broadcast of which one side is. Its length counts, not its end. */
static bool is_made_of(const char *text, size_t n, const char *part)
{
    static const char start[] = "broadcast(";
    const size_t skip = sizeof(start) - 1;
    int depth = 0;
    if (strlen(part) == n && strncmp(text, part, n) == 0)
        return true;
    if (n <= skip || strncmp(text, start, skip) != 0)
        return false;
    for (size_t i = skip; i < n; i++) {
        depth += (text[i] == '(') - (text[i] == ')');
        if (text[i] == ',' && depth == 0)
            return is_made_of(text + skip, i - skip, part) ||
                   (n > i + 3 && is_made_of(text + i + 2, n - i - 3, part));
    }
    return false;
}

/* a = broadcast(.., b): to broadcast with b once more makes no difference. */
static bool is_broadcast_with(ir_dims *t, ir_dim a, ir_dim b)
{
    char text[2 * DIM_TEXT_SIZE + 32], part[DIM_TEXT_SIZE];
    if (!t || a >= 0 || b >= 0 || !dims_is_symbol(t, a))
        return false;
    dims_text(t, a, text, sizeof(text));
    operand_text(t, b, part, sizeof(part));
    return strlen(part) < sizeof(part) - 1 && strlen(text) < sizeof(text) - 1 &&
           is_made_of(text, strlen(text), part);
}

bool dims_broadcast(ir_dims *t, ir_dim a, ir_dim b, ir_dim *out)
{
    if (a == b || b == 1 || is_cut(t, b, a) || is_broadcast_with(t, a, b))
        *out = a;
    else if (is_cut(t, a, b) || is_broadcast_with(t, b, a))
        *out = b;
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
    return dims_store(t, &p);
}

bool dims_value(const ir_dims *t, ir_dim d, int64_t *value)
{
    if (d >= 0) {
        *value = d;
        return true;
    }
    poly p = dims_load(t, d);
    if (p.failed || p.n != 2 || p.words[1] != 0)
        return false;
    *value = p.words[0];
    return true;
}

/* ---- Equalities --------------------------------------------------------------------------- */

int dims_plainness(const ir_dims *t, ir_dim d)
{
    int64_t id = dims_symbol_of(t, d);
    if (dim_known(d))
        return 3;
    if (id < 0 || strchr(t->symbols[id], '('))
        return 0;
    return strchr(t->symbols[id], '?') ? 1 : 2;
}

static ir_dim term_with(ir_dims *t, const int64_t *term, int64_t id, ir_dim by)
{
    ir_dim out = dims_constant(t, term[0]);
    for (int64_t k = 0; k < term[1]; k++) {
        poly one = {.n = 3, .words = {1, 1, term[2 + k]}};
        out = dims_mul(t, out, term[2 + k] == id ? by : dims_store(t, &one));
    }
    return out;
}

ir_dim dims_substitute(ir_dims *t, ir_dim d, ir_dim symbol, ir_dim by)
{
    int64_t id = dims_symbol_of(t, symbol);
    poly p = dims_load(t, d);
    bool has = false;
    for (size_t i = 0; !p.failed && i < p.n; i += poly_term_size(p.words + i))
        for (int64_t k = 0; k < p.words[i + 1]; k++)
            has |= p.words[i + 2 + (size_t)k] == id;
    if (!has || id < 0)
        return d;
    ir_dim sum = 0;
    for (size_t i = 0; i < p.n; i += poly_term_size(p.words + i))
        sum = dims_add(t, sum, term_with(t, p.words + i, id, by));
    return sum;
}

bool dims_is_symbol(const ir_dims *t, ir_dim d) { return dims_symbol_of(t, d) >= 0; }

/* ---- Copies --------------------------------------------------------------------------------- */

/* Symbols and expressions keep their numbers, so that dims of the original hold in the copy. */
ir_dims *dims_copy(const ir_dims *t)
{
    ir_dims *copy = dims_new();
    for (size_t i = 0; copy && i < t->n_symbols; i++)
        if (dims_symbol(copy, t->symbols[i]) == DIM_UNKNOWN)
            goto failed;
    if (!copy)
        return NULL;
    /* dims_symbol() stored one expression each, perhaps in another order: start the list anew. */
    map_free(&copy->by_words);
    copy->n_expressions = 0;
    for (size_t i = 0; i < t->n_expressions; i++) {
        poly p = {.n = t->expressions[i].n};
        memcpy(p.words, t->expressions[i].words, p.n * sizeof(*p.words));
        if (dims_store(copy, &p) != -(ir_dim)(i + 1))
            goto failed;
    }
    copy->fresh = t->fresh;
    copy->ranged = t->ranged;
    copy->least = t->least;
    copy->most = t->most;
    return copy;
failed:
    dims_free(copy);
    return NULL;
}
