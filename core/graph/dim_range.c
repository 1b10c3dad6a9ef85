/* dim_range.c - what can be said of a dim's size: that it is no negative number.
 *
 * Every symbol is an extent, so 0 or more, unless it is told to be an integer; one of a table may
 * have a range. The least that a polynomial can be is the sum of the least that its terms can be.
 */
#include "graph/dim_table.h"

void dims_set_range(ir_dims *t, ir_dim symbol, int64_t least, int64_t most)
{
    t->ranged = dims_symbol_of(t, symbol) + 1;
    t->least = least;
    t->most = most;
}

/* A number that the symbol is never below, or never above; false: there is none. */
static bool end_of_symbol(const ir_dims *t, int64_t id, bool above, int64_t *out)
{
    bool ranged = t->ranged == id + 1;
    *out = above ? t->most : ranged ? t->least : 0;
    return above ? ranged && t->most != INT64_MAX : ranged || !t->symbols[id].is_integer;
}

/* The least that a term can be: factors are no negative numbers, so all are at one end. */
static bool least_of_term(const ir_dims *t, const int64_t *term, int64_t *out)
{
    *out = term[0];
    for (int64_t k = 0, end; k < term[1]; k++)
        if (!end_of_symbol(t, term[2 + k], term[0] < 0, &end) || end < 0 ||
            __builtin_mul_overflow(*out, end, out))
            return false;
    return true;
}

bool dims_nonnegative(const ir_dims *t, ir_dim d)
{
    poly p;
    dims_load(t, d, &p);
    int64_t least = 0, term;
    for (size_t i = 0; !p.failed && i < p.n; i += poly_term_size(p.words + i))
        p.failed =
            !least_of_term(t, p.words + i, &term) || __builtin_add_overflow(least, term, &least);
    return !p.failed && least >= 0;
}
