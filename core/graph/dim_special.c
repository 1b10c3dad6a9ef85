/* dim_special.c - what is no polynomial: quotients that do not divide, maxima, minima, extents of
 * broadcasting. Each becomes a symbol that keeps its two operands, the same symbol for the same
 * ones; so what is learnt of an operand later can be put into it. */
#include <stdio.h>
#include <string.h>

#include "graph/dim_table.h"

enum { MOST_DEPTH = 12 };

static const char *const operation_names[] = {
    [DIM_FLOOR] = "floor", [DIM_CEIL] = "ceil",           [DIM_MAX] = "max",
    [DIM_MIN] = "min",     [DIM_BROADCAST] = "broadcast",
};

/* A quotient or a minimum of extents is one; a maximum is where either is. */
static bool gives_extent(const ir_dims *t, dim_operation operation, ir_dim a, ir_dim b)
{
    bool first = dims_nonnegative(t, a), second = dims_nonnegative(t, b);
    return operation == DIM_MAX ? first || second : first && second;
}

/* The operation on two dims, as a symbol. */
static ir_dim special(ir_dims *t, dim_operation operation, ir_dim a, ir_dim b)
{
    const int64_t key[3] = {operation, a, b};
    char x[DIM_TEXT_SIZE], y[DIM_TEXT_SIZE], name[2 * DIM_TEXT_SIZE + 32];
    if (!t || a == DIM_UNKNOWN || b == DIM_UNKNOWN)
        return dims_fresh_integer(t);
    uintptr_t known = (uintptr_t)map_get(&t->by_operands, key, sizeof(key));
    if (known)
        return dims_symbol_at(t, (int64_t)known - 1);
    snprintf(name, sizeof(name), "%s(%s, %s)", operation_names[operation],
             dims_text(t, a, x, sizeof(x)), dims_text(t, b, y, sizeof(y)));
    return dims_add_symbol(
        t, &(dim_symbol){name, operation, a, b, .is_integer = !gives_extent(t, operation, a, b)});
}

/* One symbol for both orders. */
static ir_dim symmetric(ir_dims *t, dim_operation operation, ir_dim a, ir_dim b)
{
    return a < b ? special(t, operation, a, b) : special(t, operation, b, a);
}

/* What a symbol is made of; false: it is a name. */
static bool taken_apart(const ir_dims *t, ir_dim d, dim_symbol *out)
{
    int64_t id = t ? dims_symbol_of(t, d) : -1;
    if (id >= 0)
        *out = t->symbols[id];
    return id >= 0 && out->operation != DIM_NAMED;
}

/* ---- Quotients ------------------------------------------------------------------------------- */

static int64_t floor_quotient(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

static bool divides(ir_dims *t, ir_dim a, ir_dim b, ir_dim *out)
{
    poly p, q, quotient;
    dims_load(t, a, &p);
    dims_load(t, b, &q);
    if (p.failed || q.failed || !poly_divide(&p, &q, &quotient))
        return false;
    *out = dims_store(t, &quotient);
    return true;
}

ir_dim dims_floor_div(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t x, y;
    ir_dim out;
    if (b == 0)
        return DIM_UNKNOWN;
    if (dims_value(t, a, &x) && dims_value(t, b, &y))
        return y == -1 ? dims_sub(t, 0, a) : dims_constant(t, floor_quotient(x, y));
    return divides(t, a, b, &out) ? out : special(t, DIM_FLOOR, a, b);
}

ir_dim dims_ceil_div(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t x, y;
    ir_dim out;
    if (b == 0)
        return DIM_UNKNOWN;
    if (dims_value(t, a, &x) && dims_value(t, b, &y) && y != -1)
        return dims_constant(t, floor_quotient(x, y) + (x % y != 0));
    return divides(t, a, b, &out) ? out : special(t, DIM_CEIL, a, b);
}

/* ---- Maxima and minima ----------------------------------------------------------------------- */

/* a - b as a number, if it is one. */
static bool difference(const ir_dims *t, ir_dim a, ir_dim b, int64_t *out)
{
    poly x, y, d;
    dims_load(t, a, &x);
    dims_load(t, b, &y);
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
    return symmetric(t, DIM_MAX, a, b);
}

ir_dim dims_min(ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t d;
    if (difference(t, a, b, &d))
        return d <= 0 ? a : b;
    if (is_never_less(t, a, b) || is_never_less(t, b, a))
        return is_never_less(t, a, b) ? b : a;
    return symmetric(t, DIM_MIN, a, b);
}

/* ---- Broadcasting ---------------------------------------------------------------------------- */

/* An operation and a number that is added to it. */
static bool apart_from_number(const ir_dims *t, ir_dim d, dim_symbol *out, int64_t *number)
{
    poly p;
    int64_t id = -1;
    *number = 0;
    if (!t)
        return false;
    dims_load(t, d, &p);
    for (size_t i = 0; !p.failed && i < p.n; i += 2 + (size_t)p.words[i + 1]) {
        bool plain = p.words[i + 1] == 1 && p.words[i] == 1 && id < 0;
        if (p.words[i + 1] == 0)
            *number = p.words[i];
        else if (plain)
            id = p.words[i + 2];
        else
            return false;
    }
    if (p.failed || id < 0)
        return false;
    *out = t->symbols[id];
    return out->operation != DIM_NAMED;
}

/* The other operand of a maximum with 0; the dim itself when it is none. */
static ir_dim behind_zero(const ir_dims *t, ir_dim d)
{
    dim_symbol s;
    if (!taken_apart(t, d, &s) || s.operation != DIM_MAX || (s.a != 0 && s.b != 0))
        return d;
    return s.a == 0 ? s.b : s.a;
}

/* Also max(min(b + c, n) - c, 0), what a slice from c to b + c has: min(b, n - c). */
bool dims_is_cut(const ir_dims *t, ir_dim a, ir_dim b, int64_t *most)
{
    dim_symbol s;
    int64_t shift, number;
    if (!apart_from_number(t, behind_zero(t, a), &s, &shift) || s.operation != DIM_MIN)
        return false;
    for (int i = 0; i < 2; i++) {
        ir_dim length = i ? s.a : s.b, bound = i ? s.b : s.a;
        if (dim_known(bound) && bound + shift >= 0 && difference(t, b, length, &number) &&
            number == shift) {
            *most = bound + shift;
            return true;
        }
    }
    return false;
}

/* Where both broadcast, a must be b: if it were the number, b would have to be 1, and so smaller.
 */
static bool is_cut(const ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t most;
    return dims_is_cut(t, a, b, &most) && most > 1;
}

/* a = broadcast(.., b), at any depth: to broadcast with b once more makes no difference. */
static bool is_broadcast_with(const ir_dims *t, ir_dim a, ir_dim b, int depth)
{
    dim_symbol s;
    if (depth == MOST_DEPTH || !taken_apart(t, a, &s) || s.operation != DIM_BROADCAST)
        return false;
    return s.a == b || s.b == b || is_broadcast_with(t, s.a, b, depth + 1) ||
           is_broadcast_with(t, s.b, b, depth + 1);
}

bool dims_broadcast(ir_dims *t, ir_dim a, ir_dim b, ir_dim *out)
{
    if (a == b || b == 1 || is_cut(t, b, a) || is_broadcast_with(t, a, b, 0))
        *out = a;
    else if (is_cut(t, a, b) || is_broadcast_with(t, b, a, 0))
        *out = b;
    else if (a == 1)
        *out = b;
    else if (a >= 0 && b >= 0)
        return false;
    else if (a >= 0 || b >= 0) /* a symbol against n > 1 must be n (or 1); n = 0 gives 0 */
        *out = a >= 0 ? a : b;
    else
        *out = symmetric(t, DIM_BROADCAST, a, b);
    return true;
}

/* ---- Equalities ------------------------------------------------------------------------------ */

int dims_plainness(const ir_dims *t, ir_dim d)
{
    int64_t id = dims_symbol_of(t, d);
    if (dim_known(d))
        return 3;
    if (id < 0 || t->symbols[id].operation != DIM_NAMED)
        return 0;
    const char *name = t->symbols[id].name;
    if (strchr(name, '(')) /* a file's own name for what its exporter computed */
        return 0;
    return strchr(name, '?') ? 1 : 2;
}

static int64_t newest(const ir_dims *t, ir_dim d, int depth)
{
    poly p;
    int64_t id = -1;
    dims_load(t, d, &p);
    if (p.failed || depth == MOST_DEPTH)
        return INT64_MAX;
    for (size_t i = 0; i < p.n; i += poly_term_size(&p.words[i]))
        for (int64_t k = 0; k < p.words[i + 1]; k++) {
            const dim_symbol *s = &t->symbols[p.words[i + 2 + (size_t)k]];
            int64_t own = p.words[i + 2 + (size_t)k];
            if (s->operation != DIM_NAMED) {
                int64_t a = newest(t, s->a, depth + 1), b = newest(t, s->b, depth + 1);
                own = a > b ? a : b;
            }
            id = own > id ? own : id;
        }
    return id;
}

bool dims_is_older(const ir_dims *t, ir_dim a, ir_dim b)
{
    int64_t last = newest(t, b, 0);
    return last >= 0 && last != INT64_MAX && strchr(t->symbols[last].name, '?') &&
           newest(t, a, 0) < last;
}

static ir_dim applied(ir_dims *t, dim_operation operation, ir_dim a, ir_dim b)
{
    static ir_dim (*const functions[])(ir_dims *, ir_dim, ir_dim) = {
        [DIM_FLOOR] = dims_floor_div,
        [DIM_CEIL] = dims_ceil_div,
        [DIM_MAX] = dims_max,
        [DIM_MIN] = dims_min,
    };
    ir_dim out;
    if (operation == DIM_BROADCAST)
        return dims_broadcast(t, a, b, &out) ? out : DIM_UNKNOWN;
    return functions[operation](t, a, b);
}

static ir_dim replaced(ir_dims *t, ir_dim d, ir_dim symbol, ir_dim by, int depth);

/* A factor, with the other dim in the place of the symbol, which may stand in its operands. */
static ir_dim replaced_factor(ir_dims *t, int64_t id, ir_dim symbol, ir_dim by, int depth)
{
    ir_dim d = dims_symbol_at(t, id);
    dim_symbol s = t->symbols[id];
    if (d == symbol)
        return by;
    if (s.operation == DIM_NAMED)
        return d;
    if (depth == MOST_DEPTH)
        return DIM_UNKNOWN;
    ir_dim a = replaced(t, s.a, symbol, by, depth + 1), b = replaced(t, s.b, symbol, by, depth + 1);
    return a == s.a && b == s.b ? d : applied(t, s.operation, a, b);
}

static ir_dim replaced(ir_dims *t, ir_dim d, ir_dim symbol, ir_dim by, int depth)
{
    poly p;
    dims_load(t, d, &p);
    ir_dim sum = 0;
    if (d >= 0 || p.failed)
        return d;
    for (size_t i = 0; i < p.n; i += poly_term_size(p.words + i)) {
        ir_dim term = dims_constant(t, p.words[i]);
        for (int64_t k = 0; k < p.words[i + 1]; k++) {
            int64_t id = p.words[i + 2 + (size_t)k];
            term = dims_mul(t, term, replaced_factor(t, id, symbol, by, depth));
        }
        sum = dims_add(t, sum, term);
    }
    return sum;
}

ir_dim dims_substitute(ir_dims *t, ir_dim d, ir_dim symbol, ir_dim by)
{
    return t && dims_is_symbol(t, symbol) ? replaced(t, d, symbol, by, 0) : d;
}
