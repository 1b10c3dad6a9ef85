/* site_once.c - constants that say the same along an axis say it once.
 *
 * Exporters of fixed shapes, and our own folding, repeat a head's logit for all sequences and all
 * queries. What heads differ in is found in the numbers. Separate from site_apply.c because it
 * reads a tensor's content. */
#include "passes/attention/site_emit.h"

/* The element is what it is at 0 of this axis, all over. `inner`: elements behind one of the axis.
 */
static bool repeats(const heed_tensor *t, int64_t extent, int64_t inner)
{
    int64_t n = tensor_count(t);
    for (int64_t i = 0; i < n; i++) {
        int64_t first = i - i / inner % extent * inner;
        if (tensor_get_float(t, i) != tensor_get_float(t, first))
            return false;
    }
    return true;
}

/* One axis for each atom. */
static bool split(const axes *from, axes *to)
{
    to->rank = 0;
    for (int32_t i = 0; i < from->rank; i++)
        for (uint32_t k = 0; k < from->axis[i].n; k++) {
            if (to->rank == TENSOR_MAX_RANK)
                return false;
            to->axis[to->rank++] = (axes_list){1, {from->axis[i].atoms[k]}};
        }
    return true;
}

/* Elements behind one of the axis; 0: not known. */
static int64_t inner_of(const axes_table *t, const axes *all, int32_t axis)
{
    int64_t inner = 1;
    for (int32_t i = axis + 1; i < all->rank; i++) {
        int64_t extent = axes_extent(t, &all->axis[i]);
        inner = dim_known(extent) ? inner * extent : 0;
    }
    return inner;
}

static bool is_repeated(const axes_table *t, const ir_value *v, const axes *all, int32_t axis)
{
    int64_t extent = axes_extent(t, &all->axis[axis]), inner = inner_of(t, all, axis);
    return pass_constant(v) && dim_known(extent) && extent > 0 && inner > 0 &&
           repeats(v->constant, extent, inner);
}

axes_list site_differs_in(const site *s, const site_operand *o)
{
    axes at = o->at, all;
    axes_list out = {0};
    axes_refresh(&s->table, &at);
    for (int32_t i = 0; split(&at, &all) && i < all.rank && out.n < AXES_LIST; i++)
        if (!is_repeated(&s->table, o->value, &all, i))
            out.atoms[out.n++] = all.axis[i].atoms[0];
    return out;
}

site_operand site_say_once(const site_emission *e, const site_operand *o, const axes_list *wanted)
{
    const axes_table *t = &e->s->table;
    site_operand out = *o;
    axes all;
    axes_refresh(t, &out.at);
    bool once = split(&out.at, &all);
    for (int32_t i = 0; once && i < all.rank; i++)
        once = axes_list_has(wanted, all.axis[i].atoms[0]) || !is_repeated(t, o->value, &all, i);
    if (once || !split(&out.at, &all))
        return *o;
    out.value = axes_emit(e->b, t, o->value, out.at, all, false, &e->witness);
    out.at = all;
    for (int32_t i = 0; i < all.rank; i++)
        if (!axes_list_has(wanted, all.axis[i].atoms[0]) && is_repeated(t, o->value, &all, i)) {
            out.value = body_part(e->b, out.value, i, 0, 1);
            out.at.axis[i] = (axes_list){0};
        }
    return out;
}
