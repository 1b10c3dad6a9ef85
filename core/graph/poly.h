/* poly.h - polynomials with integer coefficients over numbered symbols, in one canonical form.
 *
 * A list of words: for each term its coefficient, its degree, and the ids of its symbols in
 * ascending order. Terms stand in graded lexicographic order, which is what makes the form
 * canonical and long division work. */
#ifndef HEED_GRAPH_POLY_H
#define HEED_GRAPH_POLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLY_WORDS 192 /* a longer one counts as failed */

typedef struct poly {
    size_t n;
    int64_t words[POLY_WORDS];
    bool failed; /* overflow of a word or of the list */
} poly;

static inline size_t poly_term_size(const int64_t *term) { return 2 + (size_t)term[1]; }

void poly_constant(int64_t value, poly *out);
/* out = a + factor * b */
void poly_add(const poly *a, const poly *b, int64_t factor, poly *out);
void poly_multiply(const poly *a, const poly *b, poly *out);
/* Exact long division; false when it leaves a remainder. */
bool poly_divide(const poly *a, const poly *b, poly *out);

#endif
