/* site_bring.c - masks, biases and factors, brought to where the scores' axes are.
 *
 * Separate from site_emit.c because their extents may turn out to be 1, in which case they are
 * repeated: what is emitted must be right for both. Axes that only change places need no care;
 * those that are cut or merged do. */
#include <stdio.h>
#include <string.h>

#include "passes/attention/site.h"

typedef struct place {
    site *s;
    op_body *b;
    axes_witness witness;
} place;

/* The term's axes stand where the scores' do: broadcasting brings them
 * together. */
static bool is_aligned(const axes *at, const axes *scores)
{
    for (int32_t i = 0; i < at->rank; i++) {
        int32_t k = scores->rank - at->rank + i;
        if (at->axis[i].n && (k < 0 || !axes_list_equal(&at->axis[i], &scores->axis[k])))
            return false;
    }
    return at->rank <= scores->rank;
}

/* No axis has an extent that may turn out to be 1. */
static bool is_certain(const place *e, const site_term *term)
{
    for (int32_t i = 0; i < term->at.rank; i++)
        if (term->at.axis[i].n && axes_dim(&e->s->table, term->value->type.dims[i]) !=
                                      axes_extent(&e->s->table, &term->at.axis[i]))
            return false;
    return true;
}

/* Where each axis of `to` stands in `at`, -1 for none. False when an axis would have to be cut. */
static bool find_axes(const axes *at, const axes *to, int32_t *where)
{
    int32_t found = 0, wanted = 0;
    for (int32_t i = 0; i < at->rank; i++)
        wanted += at->axis[i].n > 0;
    for (int32_t k = 0; k < to->rank; k++) {
        where[k] = -1;
        for (int32_t i = 0; i < at->rank && where[k] < 0; i++)
            if (at->axis[i].n && axes_list_equal(&at->axis[i], &to->axis[k]))
                where[k] = i;
        found += where[k] >= 0;
    }
    return found == wanted;
}

/* Axes that change places as wholes keep their extents, whatever these turn out to be. */
static ir_value *move_axes(op_body *b, ir_value *x, const axes *at, const axes *to,
                           const int32_t *where)
{
    char perm[4 * TENSOR_MAX_RANK] = "", fresh[4 * TENSOR_MAX_RANK] = "";
    int64_t single[TENSOR_MAX_RANK];
    size_t n = 0, n_fresh = 0;
    int32_t n_single = 0;
    for (int32_t i = 0; i < at->rank; i++)
        if (!at->axis[i].n) {
            n += (size_t)snprintf(perm + n, sizeof(perm) - n, "%s%d", n ? "," : "", i);
            single[n_single] = n_single;
            n_single++;
        }
    for (int32_t k = 0; k < to->rank; k++) {
        char *text = where[k] < 0 ? fresh : perm;
        size_t *used = where[k] < 0 ? &n_fresh : &n;
        *used += (size_t)snprintf(text + *used, sizeof(perm) - *used, "%s%d", *used ? "," : "",
                                  where[k] < 0 ? k : where[k]);
    }
    x = body_transpose(b, x, perm);
    if (n_single)
        x = body_2(b, x, body_ints(b, n_single, single), "Squeeze");
    return n_fresh ? body_unsqueeze(b, x, fresh) : x;
}

/* The list's extent, as int64 [1]. */
static ir_value *extent_of(const place *e, const axes_list *list)
{
    axes one = {.rank = 1};
    one.axis[0] = *list;
    return axes_shape(e->b, &e->s->table, one, &e->witness);
}

/* Axis i gets the extent that its atoms have: repeated when it is 1. */
static ir_value *widened(const place *e, ir_value *x, int32_t i, ir_value *extent)
{
    ir_value *dims[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < x->type.rank; k++)
        dims[k] = k == i ? extent : body_ints(e->b, 1, (int64_t[]){1});
    x = body_2(e->b, x, body_n(e->b, (uint32_t)x->type.rank, dims, "Concat axis=0"), "Expand");
    return x;
}

/* Axis k of the target is [some, list], and x has `list` or 1: it is repeated as often as is needed
 * to fill the axis, which is right for both. */
static ir_value *filled(const place *e, ir_value *x, const axes *at, const axes *to, int32_t k,
                        uint8_t own, const axes_witness *w)
{
    op_body *b = e->b;
    axes apart = {.rank = to->rank + 1};
    ir_value *dims[TENSOR_MAX_RANK], *whole = extent_of(e, &to->axis[k]);
    for (int32_t i = 0; i < apart.rank; i++)
        apart.axis[i] = to->axis[i <= k ? i : i - 1];
    apart.axis[k] = (axes_list){0};
    apart.axis[k + 1] = (axes_list){1, {own}};
    x = axes_emit(b, &e->s->table, x, *at, apart, false, w);
    if (b->status)
        return NULL;
    x = widened(e, x, k, body_2(b, whole, body_dim(b, x, k + 1), "Div"));
    for (int32_t i = 0; i < to->rank && !b->status; i++)
        dims[i] = i == k ? whole : body_dim(b, x, i < k ? i : i + 1);
    return b->status ? NULL : body_reshape_to(b, x, (uint32_t)to->rank, dims);
}

/* The axis of `to` that ends with the list; -1: none. */
static int32_t ends_with(const axes *to, const axes_list *list)
{
    for (int32_t k = 0; k < to->rank; k++) {
        const axes_list *whole = &to->axis[k];
        if (list->n && whole->n >= list->n &&
            memcmp(whole->atoms + whole->n - list->n, list->atoms, list->n) == 0)
            return k;
    }
    return -1;
}

static bool has_others(const axes *at, int32_t but, const axes_list *list)
{
    for (int32_t i = 0; i < at->rank; i++)
        for (uint32_t k = 0; i != but && k < list->n; k++)
            if (axes_list_has(&at->axis[i], list->atoms[k]))
                return true;
    return false;
}

/* Axes that may turn out to be 1 stay whole, or are repeated; the others go where they belong. */
static ir_value *move_rest(const place *e, const site_term *term, const axes *to)
{
    axes_table *t = &e->s->table;
    axes at = term->at, target = *to;
    ir_value *x = term->value,
             *near[] = {x, e->witness.values[0], e->witness.values[1], e->witness.values[2]};
    axes_witness w = {near, 4};
    int32_t part = -1;
    uint8_t own = 0;
    for (int32_t i = 0; i < at.rank && !e->b->status; i++) {
        ir_dim dim = term->value->type.dims[i];
        if (!at.axis[i].n || axes_dim(t, dim) == axes_extent(t, &at.axis[i]))
            continue;
        int32_t k = ends_with(&target, &at.axis[i]);
        if (k < 0 || (part >= 0 && target.axis[k].n > at.axis[i].n) ||
            has_others(&at, i, &target.axis[k])) {
            x = widened(e, x, i, extent_of(e, &at.axis[i]));
            continue;
        }
        axes_list fresh = axes_new(t, dim);
        if (target.axis[k].n > at.axis[i].n) {
            part = k;
            own = fresh.atoms[0];
        } else {
            target.axis[k] = fresh;
        }
        at.axis[i] = fresh;
    }
    if (e->b->status)
        return NULL;
    near[0] = x;
    return part < 0 ? axes_emit(e->b, t, x, at, target, false, &w)
                    : filled(e, x, &at, &target, part, own, &w);
}

ir_value *site_bring(site *s, op_body *b, const site_term *term, const axes *to,
                     const axes_witness *w)
{
    const place e = {s, b, *w};
    int32_t where[TENSOR_MAX_RANK];
    site_term t = *term;
    axes_refresh(&s->table, &t.at);
    if (is_aligned(&t.at, to))
        return t.value;
    if (is_certain(&e, &t))
        return axes_emit(b, &s->table, t.value, t.at, *to, false, w);
    if (find_axes(&t.at, to, where))
        return move_axes(b, t.value, &t.at, to, where);
    return move_rest(&e, &t, to);
}
