/* mask_halves.c - constants of two numbers, one of which is 0: each place is one or the other.
 *
 * before: b = [[1, 0, 1], [0, 1, 1]], m = [[0, -1e4, 0], [-1e4, 0, 0]]
 * after:  b is 1 where b is not 0, and m is -1e4 where b is 0
 *
 * What asks the same of each place, or the opposite, is one question. Apart from mask_source.c,
 * whose tables go by position. */
#include "passes/mask/mask.h"

enum { MOST_ELEMENTS = 1 << 22 };

static double *read_numbers(mask *m, const ir_value *v, int64_t *count)
{
    *count = tensor_count(v->constant);
    if (v->constant->dtype == HEED_STRING || *count < 2 || *count > MOST_ELEMENTS)
        return NULL;
    double *x = arena_alloc(m->scratch, (size_t)*count * sizeof(*x));
    return x && !heed_tensor_read_f64(v->constant, 0, *count, x) ? x : NULL;
}

/* Some are 0, and all others are one number. */
static bool find_other(const double *x, int64_t count, double *other)
{
    bool none = false, some = false;
    for (int64_t i = 0; i < count; i++) {
        if (x[i] == 0) {
            none = true;
            continue;
        }
        if (some && !(x[i] == *other))
            return false;
        *other = x[i];
        some = true;
    }
    return none && some;
}

/* The next axis from i on whose extent is not 1. */
static int32_t next_axis(const ir_value *v, int32_t i)
{
    while (i < v->type.rank && v->type.dims[i] == 1)
        i++;
    return i;
}

/* Element for element the two lie at the same places. */
static bool lie_alike(const ir_value *a, const axes *at, const ir_value *b, const axes *bt)
{
    int32_t i = next_axis(a, 0), k = next_axis(b, 0);
    while (i < at->rank && k < bt->rank) {
        if (a->type.dims[i] != b->type.dims[k] || !axes_list_equal(&at->axis[i], &bt->axis[k]))
            return false;
        i = next_axis(a, i + 1);
        k = next_axis(b, k + 1);
    }
    return i == at->rank && k == bt->rank;
}

/* The atom asks of each place whether this number is 0 (turned), or whether it is not. */
static bool asks(mask *m, const mask_atom *atom, const ir_value *v, const axes *at, const double *x,
                 bool *turned)
{
    const mask_leaf *l = &m->leaves[atom->leaf];
    if (atom->position || l->kind != MASK_TENSOR || !pass_constant(l->value) ||
        !lie_alike(v, at, l->value, &l->at))
        return false;
    int64_t count;
    const double *y = read_numbers(m, l->value, &count);
    *turned = y && (y[0] == 0) != (x[0] == 0);
    for (int64_t i = 0; y && i < count; i++)
        if (((y[i] == 0) != (x[i] == 0)) != *turned)
            return false;
    return y != NULL;
}

bool mask_halves(mask *m, ir_value *v, const axes *at, mask_form *out)
{
    int64_t count;
    double other = 0;
    const double *x = read_numbers(m, v, &count);
    if (!x || !find_other(x, count, &other))
        return false;
    bool turned = false, known = false;
    uint32_t a = 0;
    while (a < m->n_atoms && !known)
        known = asks(m, &m->atoms[a++], v, at, x, &turned);
    turned &= known;
    uint16_t leaf = known ? m->atoms[a - 1].leaf : mask_tensor(m, v, at);
    uint16_t yes = mask_number(m, turned ? 0 : other, v->type.dtype);
    uint16_t no = mask_number(m, turned ? other : 0, v->type.dtype);
    return leaf && mask_ask(m, leaf, yes, no, out);
}
