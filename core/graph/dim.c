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
    map_free(&t->by_operands);
    mem_free(t->expressions);
    mem_free(t->symbols);
    arena_free(&t->memory);
    mem_free(t);
}

/* ---- The table ------------------------------------------------------------------------------ */

/* The expression that d stands for, or NULL: a number, or unknown. */
static const dim_stored *stored_at(const ir_dims *t, ir_dim d)
{
    size_t i = (size_t)(-(d + 1));
    return d < 0 && t && i < t->n_expressions ? &t->expressions[i] : NULL;
}

void dims_load(const ir_dims *t, ir_dim d, poly *out)
{
    if (d >= 0) {
        poly_constant(d, out);
        return;
    }
    if (d < NEGATIVE_BASE && d != DIM_UNKNOWN) {
        poly_constant(d - NEGATIVE_BASE, out);
        return;
    }
    const dim_stored *stored = stored_at(t, d);
    out->failed = !stored;
    out->n = stored ? stored->n : 0;
    if (stored)
        memcpy(out->words, stored->words, stored->n * sizeof(*out->words));
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

/* Puts number `id` of the table where it is found again: by its name, or by its operands. */
static heed_status enter_symbol(ir_dims *t, const dim_symbol *symbol, size_t id)
{
    void *number = (void *)(uintptr_t)(id + 1); // NOLINT: a number in a map
    if (symbol->operation == DIM_NAMED)
        return map_put_string(&t->by_name, symbol->name, number);
    const int64_t words[3] = {symbol->operation, symbol->a, symbol->b};
    const char *key = arena_copy(&t->memory, words, sizeof(words));
    if (!key)
        return HEED_NOMEM;
    return map_put(&t->by_operands, key, sizeof(words), number);
}

ir_dim dims_add_symbol(ir_dims *t, const dim_symbol *symbol)
{
    dim_symbol copy = *symbol;
    copy.name = arena_string(&t->memory, symbol->name);
    if (!copy.name ||
        mem_grow(&t->symbols, &t->symbols_capacity, t->n_symbols, sizeof(dim_symbol)) ||
        enter_symbol(t, &copy, t->n_symbols))
        return DIM_UNKNOWN;
    t->symbols[t->n_symbols] = copy;
    return dims_symbol_at(t, (int64_t)t->n_symbols++);
}

ir_dim dims_symbol_at(ir_dims *t, int64_t id)
{
    poly p;
    p.failed = false;
    p.n = 3;
    memcpy(p.words, (const int64_t[]){1, 1, id}, p.n * sizeof(*p.words));
    return dims_store(t, &p);
}

int64_t dims_symbol_of(const ir_dims *t, ir_dim d)
{
    const dim_stored *p = stored_at(t, d);
    return p && p->n == 3 && p->words[0] == 1 && p->words[1] == 1 ? p->words[2] : -1;
}

bool dims_is_symbol(const ir_dims *t, ir_dim d) { return dims_symbol_of(t, d) >= 0; }

ir_dim dims_symbol(ir_dims *t, const char *name)
{
    uintptr_t known = t ? (uintptr_t)map_get_string(&t->by_name, name) : 0;
    if (!t)
        return DIM_UNKNOWN;
    return known ? dims_symbol_at(t, (int64_t)known - 1)
                 : dims_add_symbol(t, &(dim_symbol){.name = name});
}

static ir_dim number_symbol(ir_dims *t, bool is_integer)
{
    char name[32];
    if (!t)
        return DIM_UNKNOWN;
    snprintf(name, sizeof(name), "?%llu", (unsigned long long)++t->fresh);
    return dims_add_symbol(t, &(dim_symbol){.name = name, .is_integer = is_integer});
}

ir_dim dims_fresh(ir_dims *t) { return number_symbol(t, false); }

ir_dim dims_fresh_integer(ir_dims *t) { return number_symbol(t, true); }

/* ---- Arithmetic ------------------------------------------------------------------------------ */

ir_dim dims_add(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t sum;
    if (a >= 0 && b >= 0)
        return __builtin_add_overflow(a, b, &sum) ? DIM_UNKNOWN : sum;
    poly x, y, out;
    dims_load(t, a, &x);
    dims_load(t, b, &y);
    poly_add(&x, &y, 1, &out);
    return dims_store(t, &out);
}

ir_dim dims_sub(ir_dims *t, ir_dim a, ir_dim b)
{
    if (a >= 0 && b >= 0 && a >= b)
        return a - b;
    poly x, y, out;
    dims_load(t, a, &x);
    dims_load(t, b, &y);
    poly_add(&x, &y, -1, &out);
    return dims_store(t, &out);
}

ir_dim dims_mul(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t product;
    if (a >= 0 && b >= 0)
        return __builtin_mul_overflow(a, b, &product) ? DIM_UNKNOWN : product;
    poly x, y, out;
    dims_load(t, a, &x);
    dims_load(t, b, &y);
    poly_multiply(&x, &y, &out);
    return dims_store(t, &out);
}

ir_dim dims_constant(ir_dims *t, int64_t value)
{
    poly p;
    poly_constant(value, &p);
    return dims_store(t, &p);
}

bool dims_value(const ir_dims *t, ir_dim d, int64_t *value)
{
    if (d >= 0) {
        *value = d;
        return true;
    }
    const dim_stored *p = stored_at(t, d);
    bool is_small = d < NEGATIVE_BASE && d != DIM_UNKNOWN;
    bool is_number = is_small || (p && p->n == 2 && p->words[1] == 0);
    if (is_number)
        *value = is_small ? d - NEGATIVE_BASE : p->words[0];
    return is_number;
}

/* ---- Copies --------------------------------------------------------------------------------- */

/* Symbols and expressions keep their numbers, so that dims of the original hold in the copy. */
ir_dims *dims_copy(const ir_dims *t)
{
    ir_dims *copy = dims_new();
    for (size_t i = 0; copy && i < t->n_symbols; i++)
        if (dims_add_symbol(copy, &t->symbols[i]) == DIM_UNKNOWN)
            goto failed;
    if (!copy)
        return NULL;
    /* dims_add_symbol() stored one expression each, perhaps in another order: start the list anew.
     */
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
