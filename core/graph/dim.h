/* dim.h - dimensions: numbers at binding, polynomials over symbols before it.
 *
 * An ir_dim >= 0 is an extent. A negative one names an expression in a table: a sum of products of
 * symbols with integer coefficients, kept in one canonical form, so that two dims are provably
 * equal if and only if they are the same number. "past + seq", "2*seq*heads". What is no polynomial
 * (a quotient that does not divide, a maximum) becomes a symbol of its own, the same one for the
 * same operands. Without a table (binding) every dim must be known: anything else is
 * DIM_UNKNOWN. */
#ifndef HEED_GRAPH_DIM_H
#define HEED_GRAPH_DIM_H

#include "base/mem.h"

typedef int64_t ir_dim;
#define DIM_UNKNOWN INT64_MIN

typedef struct ir_dims ir_dims; /* the table; one a model. Not thread-safe. */

ir_dims *dims_new(void);
void dims_free(ir_dims *t);
ir_dims *dims_copy(const ir_dims *t); /* dims of the original mean the same in the copy */

/* A named symbol, or an expression over names: "seq", "past + seq", "2*s0 - 1". Text that does not
 * parse is a symbol as it stands. DIM_UNKNOWN when out of memory. */
ir_dim dims_parse(ir_dims *t, const char *text);
/* An anonymous symbol, equal to nothing else: an extent, or any integer. */
ir_dim dims_fresh(ir_dims *t);
ir_dim dims_fresh_integer(ir_dims *t);

static inline bool dim_known(ir_dim d) { return d >= 0; }
/* Different symbols are not one extent, though numbers may make them so. */
static inline bool dim_may_equal(ir_dim a, ir_dim b)
{
    return a == b || a == DIM_UNKNOWN || b == DIM_UNKNOWN;
}

/* Arithmetic. With t NULL a result that needs a symbol is DIM_UNKNOWN. Overflow too. Contents of
 * integer tensors are dims as well, and may be negative numbers (dims_constant, dims_value). */
ir_dim dims_add(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_sub(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_mul(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_floor_div(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_ceil_div(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_max(ir_dims *t, ir_dim a, ir_dim b);
ir_dim dims_min(ir_dims *t, ir_dim a, ir_dim b);
/* Extent of broadcasting a with b. A symbol against 1 is the symbol; a symbol against n > 1 is n;
 * two different symbols are a symbol of their own. False: both are known and clash. */
bool dims_broadcast(ir_dims *t, ir_dim a, ir_dim b, ir_dim *out);
/* a is min(b, most), b an extent: what a table of `most` entries has left when it is cut to a
 * length of b, also from another entry than the first on. */
bool dims_is_cut(const ir_dims *t, ir_dim a, ir_dim b, int64_t *most);

/* Any int64 above -2^62 as content, with or without a table. */
ir_dim dims_constant(ir_dims *t, int64_t value);
/* The number, if the dim is one (also negative). */
bool dims_value(const ir_dims *t, ir_dim d, int64_t *value);

/* It can be proved to be no negative number: nothing is subtracted, and every symbol is an extent.
 */
bool dims_nonnegative(const ir_dims *t, ir_dim d);

/* From now on this symbol is at least `least` and at most `most` (INT64_MAX: any), and minima and
 * maxima that follow from it are decided. One symbol of a table has a range. */
void dims_set_range(ir_dims *t, ir_dim symbol, int64_t least, int64_t most);

/* One symbol, and nothing else. */
bool dims_is_symbol(const ir_dims *t, ir_dim d);
/* The dim with another one in the place of a symbol, wherever it stands in it: in operands of
 * maxima and quotients too. */
ir_dim dims_substitute(ir_dims *t, ir_dim d, ir_dim symbol, ir_dim by);
/* Of two dims that are the same, which one says more: 3 a number, 2 a symbol with a name, 1 one
 * without, 0 what is computed. */
int dims_plainness(const ir_dims *t, ir_dim d);
/* b has a symbol without a name, and a is made of symbols that all were there before it. */
bool dims_is_older(const ir_dims *t, ir_dim a, ir_dim b);

/* Do numbers for some dims contradict each other? Each expression whose symbols all have a number
 * of their own in the list is evaluated and compared. At most 256. */
bool dims_agree(const ir_dims *t, const ir_dim *dims, const int64_t *values, size_t n);

/* "past + seq"; "12"; "?" for DIM_UNKNOWN. Returns `text`. */
const char *dims_text(const ir_dims *t, ir_dim d, char *text, size_t size);

#endif
