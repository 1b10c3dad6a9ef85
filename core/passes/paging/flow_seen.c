/* flow_seen.c - what is the same for every key that a query sees, and so says nothing more.
 *
 * A causal mask may come twice: once as what hides later keys, and once as what is added to scores,
 * or multiplied with them. Where the second is 0 (or 1) for all keys that are not behind the query,
 * it only changes scores that are hidden. It is read element by element (mask.h). */
#include "passes/mask/mask.h"
#include "passes/paging/flow.h"

/* Axes of v among [batch, heads, queries, keys]. */
static bool read_axes(const mask *walk, const ir_value *v, axes *at)
{
    *at = (axes){.rank = v->type.rank};
    if (at->rank < 0 || at->rank > 4)
        return false;
    for (int32_t i = 0; i < at->rank; i++) {
        int k = 4 - at->rank + i;
        if (v->type.dims[i] == 1)
            continue;
        if (v->type.dims[i] != walk->extent[k] || !walk->frame[k])
            return false;
        at->axis[i] = (axes_list){1, {walk->frame[k]}};
    }
    return true;
}

/* keys - queries <= 0: the atom that says so, and which of its sides is "seen". */
static bool find_seen(mask *walk, mask_outcome *out, uint16_t *yes)
{
    mask_affine behind = {.n = 1, .index = {walk->frame[MASK_T]}, .factor = {1}};
    mask_affine query = {.n = 1, .index = {walk->frame[MASK_S]}, .factor = {1}};
    *yes = mask_number(walk, 1, HEED_BOOL);
    if (!walk->frame[MASK_S] || !walk->frame[MASK_T] || !*yes ||
        !mask_add(walk, &behind, dims_constant(walk->dims, -1), &query, &behind))
        return false;
    *out = mask_below(walk, &behind, *yes, 1);
    return out->known && out->splits;
}

bool flow_is_where_seen(flow_map *m, ir_value *v, ir_dim heads, double wanted)
{
    mask_form form;
    mask_outcome seen;
    axes at;
    uint16_t yes;
    if (!m->mask && !(m->mask = mem_zero(sizeof(*m->mask))))
        return false;
    mask *walk = m->mask;
    mask_init(walk, m->run, (ir_dim[]){1, heads, m->tokens, m->tokens});
    if (!read_axes(walk, v, &at) || !mask_walk(walk, v, &at, &form) ||
        !find_seen(walk, &seen, &yes))
        return false;
    for (uint32_t c = 0; c < 1u << walk->n_atoms; c++) {
        bool sees = (c >> seen.atom & 1 ? seen.yes : seen.no) == yes;
        double number;
        if (sees && mask_possible(walk, walk->n_atoms, c) &&
            (!mask_is_number(walk, mask_at(walk, &form, walk->n_atoms, c), &number) ||
             number != wanted))
            return false;
    }
    return true;
}
