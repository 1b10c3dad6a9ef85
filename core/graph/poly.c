/* poly.c - see poly.h. Pure arithmetic, separate from the table that names polynomials. */
#include "graph/poly.h"

#include <string.h>

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

/* Zero: words behind n are never read, and there are many. */
static void poly_clear(poly *p, bool failed)
{
    p->n = 0;
    p->failed = failed;
}

static void poly_copy(poly *to, const poly *from)
{
    to->n = from->n;
    to->failed = from->failed;
    memcpy(to->words, from->words, from->n * sizeof(*from->words));
}

static void poly_push(poly *p, int64_t coefficient, const int64_t *term)
{
    size_t size = poly_term_size(term);
    if (p->n + size > POLY_WORDS) {
        p->failed = true;
        return;
    }
    memcpy(p->words + p->n, term, size * sizeof(*term));
    p->words[p->n] = coefficient;
    p->n += size;
}

void poly_add(const poly *a, const poly *b, int64_t factor, poly *out)
{
    size_t i = 0, k = 0;
    poly_clear(out, a->failed || b->failed);
    while (i < a->n || k < b->n) {
        const int64_t *x = a->words + i, *y = b->words + k;
        int order = i == a->n ? 1 : k == b->n ? -1 : term_compare(x, y);
        int64_t sum = order <= 0 ? x[0] : 0, scaled = 0;
        if (order >= 0 && (__builtin_mul_overflow(y[0], factor, &scaled) ||
                           __builtin_add_overflow(sum, scaled, &sum)))
            out->failed = true;
        if (sum != 0)
            poly_push(out, sum, order <= 0 ? x : y);
        i += order <= 0 ? poly_term_size(x) : 0;
        k += order >= 0 ? poly_term_size(y) : 0;
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
    poly_clear(out, p->failed);
    for (size_t i = 0; i < p->n; i += poly_term_size(p->words + i)) {
        int64_t product[2 + 16];
        if (term_multiply(p->words + i, term, product))
            poly_push(out, product[0], product);
        else
            out->failed = true;
    }
}

void poly_multiply(const poly *a, const poly *b, poly *out)
{
    poly part, sum;
    poly_clear(&sum, a->failed || b->failed);
    poly_clear(out, sum.failed);
    for (size_t i = 0; i < b->n; i += poly_term_size(b->words + i)) {
        poly_scale(a, b->words + i, &part);
        poly_add(&sum, &part, 1, out);
        poly_copy(&sum, out);
    }
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

bool poly_divide(const poly *a, const poly *b, poly *out)
{
    poly rest, quotient, part, next;
    poly_copy(&rest, a);
    poly_clear(&quotient, false);
    for (int step = 0; rest.n > 0 && step < 32; step++) {
        poly term;
        poly_clear(&term, false);
        if (b->n == 0 || !term_divide(rest.words, b->words, term.words))
            return false;
        term.n = poly_term_size(term.words);
        poly_scale(b, term.words, &part);
        poly_add(&rest, &part, -1, &next);
        poly_copy(&rest, &next);
        poly_add(&quotient, &term, 1, &next);
        poly_copy(&quotient, &next);
    }
    poly_copy(out, &quotient);
    return rest.n == 0 && !rest.failed && !quotient.failed;
}

void poly_constant(int64_t value, poly *out)
{
    poly_clear(out, false);
    if (value != 0)
        poly_push(out, value, (const int64_t[]){value, 0});
}
