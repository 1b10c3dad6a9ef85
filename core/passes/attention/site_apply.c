/* site_apply.c - biases, masks and factors of a site, as tensors that heed.Attention takes.
 *
 * They were written down in the order in which they apply. Masks that nothing follows stay masks;
 * what is inside of them becomes one bias; tensors that multiply scores multiply queries, or are
 * one factor. Separate from site_emit.c: both operators of attention need it. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "passes/attention/site_emit.h"

static ir_value *bring(const site_emission *e, const site_term *term, const axes *to)
{
    return site_bring(e->s, e->b, term, to, &e->witness);
}

/* A number that scores met inside of a factor, as it is outside, with the rounding of both. */
static double scaled(double number, double outer, heed_dtype dtype)
{
    uint64_t room = 0;
    double x[] = {number / outer, outer}, product;
    if (outer == 1)
        return number;
    for (int i = 0; i < 2; i++) {
        dtype_store_f64(dtype, &room, 0, 1, &x[i], true);
        dtype_load_f64(dtype, &room, 0, 1, &x[i]);
    }
    product = x[0] * x[1];
    dtype_store_f64(dtype, &room, 0, 1, &product, false);
    dtype_load_f64(dtype, &room, 0, 1, &product);
    return product;
}

/* What terms add to the scores, and what stands outside of it. */
typedef struct total {
    ir_value *x; /* NULL: nothing */
    double outer;
    uint32_t n_factors;
} total;

/* Brought out of the factors that a term further out does not have: where two of the lowest numbers
 * meet inside of a factor, their sum is infinite. */
static void bring_out(const site_emission *e, total *sum, double outer, uint32_t n_factors,
                      heed_dtype dtype)
{
    op_body *b = e->b;
    if (sum->x && sum->outer != outer)
        sum->x = body_2(b, sum->x, body_number(b, dtype, sum->outer / outer), "Mul");
    for (uint32_t k = sum->n_factors; sum->x && k-- > n_factors && !b->status;) {
        const site_term *by = &e->s->factors.items[k];
        sum->x = body_2(b, sum->x, body_cast(b, bring(e, by, &e->scores), dtype),
                        by->inverted ? "Div" : "Mul");
    }
    sum->outer = outer;
    sum->n_factors = n_factors;
}

static ir_value *own_bias(const site_emission *e, const site_term *term, heed_dtype dtype)
{
    ir_value *x = body_cast(e->b, bring(e, term, &e->scores), dtype);
    double factor = term->number / term->outer;
    return factor == 1 ? x : body_2(e->b, x, body_number(e->b, dtype, factor), "Mul");
}

static ir_value *visible(const site_emission *e, const site_term *term)
{
    ir_value *x = bring(e, term, &e->scores);
    return term->inverted ? body_1(e->b, x, "Not") : x;
}

/* What the mask adds to scores that it hides. In the late order weak masks put in `fill` before,
 * and nothing may be left to add: NULL. */
static ir_value *hidden(const site_emission *e, const site_term *mask, const ir_value *sum,
                        heed_dtype dtype)
{
    bool weak = e->s->late && site_mask_is_weak(mask);
    double number = mask->number;
    if (weak)
        number = scaled(number, mask->outer, dtype) - e->fill;
    return weak && number == 0 && !sum ? NULL : body_number(e->b, dtype, number / mask->outer);
}

/* One term, applied to what the terms inside of it add to the scores. */
static ir_value *apply_term(const site_emission *e, const site_term *term, ir_value *sum,
                            heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *x;
    switch (term->kind) {
    case SITE_BIAS:
        x = own_bias(e, term, dtype);
        return sum ? body_2(b, sum, x, "Add") : x;
    case SITE_MASK:
        x = hidden(e, term, sum, dtype);
        sum = sum || !x ? sum : body_number(b, dtype, 0);
        return x ? body_3(b, visible(e, term), sum, x, "Where") : NULL;
    default:
        x = body_number(b, dtype, term->number / term->outer);
        return sum ? body_2(b, sum, x, "Max") : NULL;
    }
}

uint32_t site_count_last_masks(const site *s)
{
    uint32_t n = 0;
    while (n < s->terms.n && s->terms.items[n].kind == SITE_MASK &&
           s->terms.items[n].number == s->terms.items[0].number)
        n++;
    return n;
}

double site_find_fill(const site *s, uint32_t n_masks, heed_dtype dtype)
{
    const site_term *first = n_masks ? &s->terms.items[0] : NULL;
    for (uint32_t i = 0; s->late && i < s->terms.n; i++) {
        const site_term *t = &s->terms.items[i];
        if (!site_mask_is_weak(t))
            continue;
        first = first ? first : t;
        if (t->n_factors || t->number != first->number)
            return 0;
    }
    return first ? scaled(first->number, first->outer, dtype) : -(double)INFINITY;
}

ir_value *site_join_masks(const site_emission *e, uint32_t n)
{
    ir_value *all = NULL;
    for (uint32_t i = 0; i < (e->s->late ? e->s->terms.n : n); i++) {
        const site_term *mask = &e->s->terms.items[i];
        if (e->s->late && !site_mask_is_weak(mask))
            continue;
        ir_value *x = visible(e, mask);
        all = all ? body_2(e->b, all, x, "And") : x;
    }
    return all;
}

ir_value *site_sum_terms(const site_emission *e, uint32_t from, heed_dtype dtype)
{
    total sum = {.outer = 1};
    for (uint32_t i = e->s->terms.n; i-- > from;) {
        const site_term *term = &e->s->terms.items[i];
        bring_out(e, &sum, term->outer, term->n_factors, dtype);
        sum.x = apply_term(e, term, sum.x, dtype);
    }
    bring_out(e, &sum, 1, 0, dtype);
    return sum.x;
}

ir_value *site_with_keys(op_body *b, ir_value *x, ir_value *k, const char *layout)
{
    if (b->status || !x || (x->type.rank && x->type.dims[x->type.rank - 1] != 1))
        return x;
    int32_t keys = (int32_t)(strchr(layout, 's') - layout);
    return body_2(b, x, body_dim(b, k, keys), "Expand");
}

ir_value *site_join_factors(const site_emission *e, heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *all = NULL;
    for (uint32_t i = 0; i < e->s->factors.n && !b->status; i++) {
        const site_term *by = &e->s->factors.items[i];
        if (!by->keyed)
            continue;
        ir_value *x = body_cast(b, bring(e, by, &e->scores), dtype);
        if (by->inverted && !b->status)
            x = body_2(b, body_number(b, dtype, 1), x, "Div");
        all = all ? body_2(b, all, x, "Mul") : x;
    }
    return all;
}

ir_value *site_apply_factors(const site_emission *e, ir_value *q, const site_arrangement *a)
{
    op_body *b = e->b;
    axes plain = {.rank = 4};
    for (int i = 0; i < 3; i++)
        plain.axis[i] = a->axis[i];
    for (uint32_t i = 0; i < e->s->factors.n && !b->status; i++) {
        const site_term *by = &e->s->factors.items[i];
        if (by->keyed)
            continue;
        ir_value *x = bring(e, by, &plain);
        x = body_cast(b, x, q->type.dtype);
        q = body_2(b, q, x, by->inverted ? "Div" : "Mul");
    }
    return q;
}

ir_value *site_head_sinks(const site_emission *e, const axes_list *heads, heed_dtype dtype)
{
    axes one = {.rank = 1};
    one.axis[0] = *heads;
    site_operand sinks = site_say_once(e, &e->s->sinks, heads);
    ir_value *x = axes_emit(e->b, &e->s->table, sinks.value, sinks.at, one, true, &e->witness);
    return e->b->status ? NULL : body_cast(e->b, x, dtype);
}

void site_drop_numbers(site_terms *terms)
{
    double number;
    uint32_t n = 0;
    for (uint32_t i = 0; i < terms->n; i++)
        if (terms->items[i].kind != SITE_BIAS &&
            (terms->items[i].kind != SITE_MASK || site_mask_is_weak(&terms->items[i])))
            return;
    for (uint32_t i = 0; i < terms->n; i++) {
        const site_term *t = &terms->items[i];
        if (t->kind != SITE_BIAS || !site_is_scalar(t->value, &number) ||
            !(fabs(number * t->number) < -HEADS_ABSORBS * (double)FLT_EPSILON))
            terms->items[n++] = *t;
    }
    terms->n = n;
}
