/* mask_factor.c - scores that are multiplied by 0 where a fill is added to them.
 *
 * before: scores * b + -1e4 * (1 - b), where b is 1 for key <= query and 0 elsewhere
 * after:  causal = 1, fill = -1e4, added to 0 times the score
 *
 * The factor says of each place what the fill says, so it need not be there. Hidden scores are not
 * the fill itself: 0 times infinity is no number, and shows. */
#include <math.h>

#include "passes/mask/mask_proof.h"

/* The place gets the fill. */
static bool is_filled(const mask_proof *p, uint32_t c)
{
    return !p->visible[c] || !mask_obeys(p, c);
}

bool mask_factor_is_fill(const mask_proof *p)
{
    if (!p->factors || !(p->absorbed || p->sums) || isinf(p->fill))
        return false;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        double x;
        if (!p->possible[c])
            continue;
        if (!mask_is_number(p->m, mask_at(p->m, &p->factor, p->m->n_atoms, c), &x) ||
            x < !is_filled(p, c) || x > !is_filled(p, c))
            return false;
    }
    return true;
}
