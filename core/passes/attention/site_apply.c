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

/* Times the factors that stand outside of the term. */
static ir_value *multiplied(const site_emission *e, const site_term *term, ir_value *x,
                            heed_dtype dtype)
{
    op_body *b = e->b;
    for (uint32_t k = 0; k < term->n_factors && !b->status; k++) {
        const site_term *by = &e->s->factors.items[k];
        x = body_2(b, x, body_cast(b, bring(e, by, &e->scores), dtype),
                   by->inverted ? "Div" : "Mul");
    }
    return x;
}

static ir_value *scaled_bias(const site_emission *e, const site_term *term, heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *x = body_cast(b, bring(e, term, &e->scores), dtype);
    if (term->number != 1)
        x = body_2(b, x, body_like(b, term->number, x), "Mul");
    return multiplied(e, term, x, dtype);
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
    double number = weak ? mask->number - e->fill : mask->number;
    ir_value *x = body_number(e->b, dtype, number);
    if (weak && number == 0 && !sum)
        return NULL;
    return weak ? multiplied(e, mask, x, dtype) : x;
}

/* One term, applied to what the terms inside of it add to the scores (NULL:
 * nothing). */
static ir_value *apply_term(const site_emission *e, const site_term *term, ir_value *sum,
                            heed_dtype dtype)
{
    op_body *b = e->b;
    ir_value *x;
    switch (term->kind) {
    case SITE_BIAS:
        x = scaled_bias(e, term, dtype);
        return sum ? body_2(b, sum, x, "Add") : x;
    case SITE_MASK:
        x = hidden(e, term, sum, dtype);
        sum = sum || !x ? sum : body_number(b, dtype, 0);
        return x ? body_3(b, visible(e, term), sum, x, "Where") : NULL;
    default:
        return sum ? body_2(b, sum, body_like(b, term->number, sum), "Max") : NULL;
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

double site_find_fill(const site *s, uint32_t n_masks)
{
    const site_term *first = NULL;
    if (!s->late)
        return n_masks ? s->terms.items[0].number : -(double)INFINITY;
    for (uint32_t i = 0; i < s->terms.n; i++) {
        const site_term *t = &s->terms.items[i];
        if (!site_mask_is_weak(t))
            continue;
        first = first ? first : t;
        if (t->n_factors || t->number != first->number)
            return 0;
    }
    return first->number;
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
    ir_value *sum = NULL;
    for (uint32_t i = e->s->terms.n; i-- > from;)
        sum = apply_term(e, &e->s->terms.items[i], sum, dtype);
    return sum;
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

ir_value *site_head_sinks(const site_emission *e, const axes_list *heads)
{
    axes one = {.rank = 1};
    one.axis[0] = *heads;
    return axes_emit(e->b, &e->s->table, e->s->sinks.value, e->s->sinks.at, one, true, &e->witness);
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
            !(fabs(number * t->number) < -SITE_ABSORBS * (double)FLT_EPSILON))
            terms->items[n++] = *t;
    }
    terms->n = n;
}
