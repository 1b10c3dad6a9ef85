/* mask_read.c - from the table of a mask to who is visible, and the bounds that say it. */
#include <math.h>
#include <string.h>

#include "ops/content.h"
#include "ops/heads.h"
#include "passes/mask/mask_proof.h"

enum { DEEPEST = 8 }; /* sums of sums that are looked into */

/* ---- Cases ----------------------------------------------------------------------------------- */

/* Numbers that leave no trace of a score that they are added to. The lowest is the fill. */
static void find_fill(mask_proof *p)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        double x;
        if (!p->possible[c] ||
            !mask_is_number(p->m, mask_at(p->m, &p->bias, p->m->n_atoms, c), &x) ||
            x > HEADS_ABSORBS)
            continue;
        p->fill = p->absorbed && p->fill < x ? p->fill : x;
        p->absorbed = true;
    }
}

static void read_case(mask_proof *p, uint32_t c)
{
    double x;
    p->visible[c] = p->possible[c];
    p->rest[c] = MASK_NONE;
    if (p->possible[c] && p->masks &&
        mask_is_number(p->m, mask_at(p->m, &p->seen, p->m->n_atoms, c), &x))
        p->visible[c] = x != 0;
    if (!p->possible[c] || !p->adds)
        return;
    p->rest[c] = mask_at(p->m, &p->bias, p->m->n_atoms, c);
    if (p->absorbed && mask_is_number(p->m, p->rest[c], &x) && x <= p->fill)
        p->visible[c] = false;
}

/* A number that absorbs scores is part of it: with a bias that is not known, such a sum may be as
 * low as what hides. */
static bool may_hide(const mask *m, uint16_t at, int depth)
{
    const mask_leaf *leaf = &m->leaves[at];
    bool may = depth == 0 || (leaf->kind == MASK_NUMBER && leaf->number <= HEADS_ABSORBS);
    for (uint32_t i = 0; leaf->kind == MASK_EXPR && i < 3 && !may; i++)
        may = leaf->args[i] != MASK_NONE && may_hide(m, leaf->args[i], depth - 1);
    return may;
}

/* Every query sees a key: all places that the bounds leave, and the last of these is there. */
static bool sees_some(const mask_proof *p)
{
    ir_dims *dims = p->m->dims;
    ir_dim more = dims_sub(dims, p->m->extent[MASK_T], p->m->extent[MASK_S]);
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (mask_obeys(p, c) && (!p->visible[c] || may_hide(p->m, p->rest[c], DEEPEST)))
            return false;
    return p->right.found && dims_nonnegative(dims, p->right.at) &&
           dims_nonnegative(dims, dims_sub(dims, more, p->right.at));
}

/* Several numbers that absorb scores, such as a fill and twice the fill: beside a key that is seen
 * the softmax makes 0 of each of them, so they hide alike. */
static void hide_alike(mask_proof *p)
{
    mask_proof alike = *p;
    double x;
    bool more = false;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (p->visible[c] && mask_is_number(p->m, p->rest[c], &x) && x <= HEADS_ABSORBS) {
            alike.visible[c] = false;
            more = true;
        }
    if (!more)
        return;
    mask_find_bounds(&alike);
    if (sees_some(&alike))
        memcpy(p->visible, alike.visible, sizeof(p->visible));
}

/* Every case of a mask is true or false. */
static bool is_decided(const mask_proof *p)
{
    double x;
    for (uint32_t c = 0; p->masks && c < 1u << p->m->n_atoms; c++)
        if (p->possible[c] && !mask_is_number(p->m, mask_at(p->m, &p->seen, p->m->n_atoms, c), &x))
            return false;
    return true;
}

bool mask_read(mask_proof *p)
{
    bool any = false;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        p->possible[c] = mask_possible(p->m, p->m->n_atoms, c);
    if (p->adds && !p->masks)
        find_fill(p);
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        read_case(p, c);
        any |= p->visible[c];
    }
    if (any && p->absorbed)
        hide_alike(p);
    return any && is_decided(p);
}

/* ---- Bounds ---------------------------------------------------------------------------------- */

static bool has_factor(const mask_proof *p, ir_dim factor, int64_t wanted)
{
    int64_t x;
    return dims_value(p->m->dims, factor, &x) && x == wanted;
}

/* key - query + constant; of one query alone the index is left out. */
bool mask_is_diagonal(const mask_proof *p, const mask_affine *a)
{
    const mask *m = p->m;
    uint32_t last = m->frame[MASK_S] ? 1 : 0;
    return m->frame[MASK_T] && a->n == last + 1 && a->index[last] == m->frame[MASK_T] &&
           has_factor(p, a->factor[last], 1) &&
           (last == 0 || (a->index[0] == m->frame[MASK_S] && has_factor(p, a->factor[0], -1)));
}

/* key + constant */
static bool is_key(const mask_proof *p, const mask_affine *a)
{
    return p->m->frame[MASK_T] && a->n == 1 && a->index[0] == p->m->frame[MASK_T] &&
           has_factor(p, a->factor[0], 1);
}

static bool always(const mask_proof *p, uint32_t atom, bool value)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (p->visible[c] && (c >> atom & 1) != value)
            return false;
    return true;
}

/* The tighter of two upper (lower) bounds, where that is known. */
static void offer(mask_proof *p, mask_bound *bound, uint32_t atom, ir_dim at, bool upper)
{
    ir_dim d = upper ? dims_sub(p->m->dims, bound->at, at) : dims_sub(p->m->dims, at, bound->at);
    if (at == DIM_UNKNOWN || (bound->found && !dims_nonnegative(p->m->dims, d)))
        return;
    *bound = (mask_bound){true, atom, at};
}

static void take(mask_proof *p, const mask_bound *bound, bool value)
{
    if (!bound->found)
        return;
    p->taken |= 1u << bound->atom;
    p->taken_as |= (value ? 1u : 0u) << bound->atom;
}

/* Of lengths nobody looks at what is behind them; a sum with a score would. */
static bool is_symbolic(const mask_proof *p, ir_dim dim)
{
    int64_t x;
    return p->m->n_symbols > 0 && !dims_value(p->m->dims, dim, &x);
}

void mask_find_bounds(mask_proof *p)
{
    ir_dims *dims = p->m->dims;
    for (uint32_t a = 0; a < p->m->n_atoms; a++) {
        const mask_atom *atom = &p->m->atoms[a];
        ir_dim c = atom->index.constant;
        if (!atom->position)
            continue;
        if (mask_is_diagonal(p, &atom->index) && always(p, a, true))
            offer(p, &p->right, a, dims_sub(dims, 0, c), true);
        else if (mask_is_diagonal(p, &atom->index) && always(p, a, false))
            offer(p, &p->left, a, dims_sub(dims, 1, c), false);
        else if (!p->absorbed && !p->sums && is_key(p, &atom->index) && is_symbolic(p, c) &&
                 always(p, a, true))
            offer(p, &p->length, a, dims_sub(dims, 1, c), true);
    }
    int64_t width;
    if (p->right.found && p->left.found &&
        (!dims_value(dims, dims_sub(dims, p->right.at, p->left.at), &width) || width < 0))
        p->left.found = false; /* a window is a number */
    take(p, &p->right, true);
    take(p, &p->left, false);
    take(p, &p->length, true);
}

bool mask_is_two_sided(const mask_proof *p, int64_t *left, int64_t *right)
{
    return p->right.found && p->left.found && dims_value(p->m->dims, p->right.at, right) &&
           dims_value(p->m->dims, p->left.at, left) && *right > 0 && *left <= 0;
}
