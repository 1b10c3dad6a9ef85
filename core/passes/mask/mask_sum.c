/* mask_sum.c - a bias that is a sum: of a fill where the key is out of bounds by position, and of
 * what is added in any case.
 *
 * before: bias = Where(j <= i, 0, -3.4e38) + Where(padding, 0, -3.4e38)
 * after:  bias = Where(padding, 0, -3.4e38), causal = 1, fill = -3.4e38, added to the bias
 *
 * A fill need not absorb anything for that, and two of them may add up to -infinity: whoever
 * computes the node adds the same two numbers. What is proved is that each place out of bounds has
 * the bias of the place within them that agrees on all else, plus the fill. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask_proof.h"

enum { NO_ATOM = MASK_ATOMS };

typedef struct attempt {
    const mask_proof *p;
    uint32_t right, left; /* atoms that are true (false) within the bounds; NO_ATOM: none */
    bool found;
    uint16_t fill; /* a leaf */
} attempt;

/* The case within the bounds that is the same otherwise. */
static uint32_t inner(const attempt *a, uint32_t c)
{
    if (a->right != NO_ATOM)
        c |= 1u << a->right;
    return a->left != NO_ATOM ? c & ~(1u << a->left) : c;
}

static const mask_leaf *leaf_at(const attempt *a, uint32_t c)
{
    return &a->p->m->leaves[a->p->rest[c]];
}

/* The leaf that is added to x in a sum of two. */
static uint16_t addend(const mask_leaf *sum, uint16_t x)
{
    if (sum->kind != MASK_EXPR || !pass_is(sum->node, "Add"))
        return MASK_NONE;
    return sum->args[0] == x ? sum->args[1] : sum->args[1] == x ? sum->args[0] : MASK_NONE;
}

/* y is x + fill, where a sum of numbers is what the type makes of it. */
static bool is_sum(const attempt *a, uint32_t from, uint32_t to)
{
    const mask_leaf *x = leaf_at(a, from), *y = leaf_at(a, to);
    double fill = a->p->m->leaves[a->fill].number, most = fabs(fill);
    if (x->kind == MASK_NUMBER && y->kind == MASK_NUMBER) {
        double sum = mask_in_type(x->number + fill, y->dtype);
        return !(sum < y->number) && !(sum > y->number);
    }
    if (y->kind == MASK_NUMBER)
        return a->p->rest[to] == a->fill && y->dtype == HEED_FLOAT32 && x->most < most * 0x1p-26;
    return addend(y, a->p->rest[from]) == a->fill;
}

/* What is added, as one place out of bounds shows it. */
static void find_fill(attempt *a, uint32_t from, uint32_t to)
{
    double x;
    uint16_t fill = MASK_NONE;
    if (mask_is_number(a->p->m, a->p->rest[from], &x))
        fill = x == 0 ? a->p->rest[to] : MASK_NONE;
    else
        fill = addend(leaf_at(a, to), a->p->rest[from]);
    if (fill && mask_is_number(a->p->m, fill, &x) && isfinite(x) && x < 0) {
        a->fill = fill;
        a->found = true;
    }
}

/* All places out of bounds obey, and there are some. */
static bool holds(attempt *a)
{
    const mask_proof *p = a->p;
    uint32_t cases = 1u << p->m->n_atoms;
    for (uint32_t c = 0; c < cases; c++) {
        uint32_t in = inner(a, c);
        if (!p->possible[c] || in == c)
            continue;
        if (!p->possible[in] || !p->rest[in] || !p->rest[c])
            return false;
        if (!a->found)
            find_fill(a, in, c);
    }
    for (uint32_t c = 0; a->found && c < cases; c++)
        if (p->possible[c] && inner(a, c) != c && !is_sum(a, inner(a, c), c))
            return false;
    return a->found;
}

static bool is_position(const mask_proof *p, uint32_t atom, uint32_t other)
{
    return atom == NO_ATOM ||
           (atom < p->m->n_atoms && atom != other &&
            mask_is_diagonal(p, &p->m->atoms[atom].index) && p->m->atoms[atom].position);
}

/* Both bounds if they can be had, else one. */
static bool search(attempt *a)
{
    for (uint32_t r = 0; r <= NO_ATOM; r++)
        for (uint32_t l = 0; l <= NO_ATOM; l++) {
            if ((r == NO_ATOM && l == NO_ATOM) || !is_position(a->p, r, l) ||
                !is_position(a->p, l, r))
                continue;
            *a = (attempt){.p = a->p, .right = r, .left = l};
            if (holds(a))
                return true;
        }
    return false;
}

static void note(const mask_proof *p, mask_bound *bound, uint32_t atom, int64_t constant)
{
    ir_dims *dims = p->m->dims;
    if (atom != NO_ATOM)
        *bound = (mask_bound){
            true, atom,
            dims_sub(dims, dims_constant(dims, constant), p->m->atoms[atom].index.constant)};
}

/* A window is a number of keys. */
static bool fits(const mask_proof *p)
{
    int64_t width;
    ir_dims *dims = p->m->dims;
    if (!p->right.found || !p->left.found)
        return true;
    return dims_value(dims, dims_sub(dims, p->right.at, p->left.at), &width) && width >= 0;
}

/* ---- Two numbers ----------------------------------------------------------------------------- */

/* A bias of 0 and one weak fill, whoever it hides: the fill is added to a bias of nothing. */
static bool is_pair(const mask_proof *p, double *fill)
{
    bool some = false;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        double x;
        if (!p->possible[c])
            continue;
        if (!mask_is_number(p->m, p->rest[c], &x) || x > 0 || (double)(float)x < x ||
            (double)(float)x > x || isinf(x) || (x < 0 && some && (x < *fill || x > *fill)))
            return false;
        if (x < 0) {
            *fill = x;
            some = true;
        }
    }
    return some;
}

static bool adds_alike(const mask_proof *p)
{
    const ir_value *bias = p->bias_in, *q = ir_input(p->n, MASK_Q);
    return p->adds && !p->masks && bias->type.dtype == q->type.dtype;
}

bool mask_find_pair(mask_proof *p)
{
    double fill = 0, x;
    if (p->absorbed || !adds_alike(p) || !is_pair(p, &fill))
        return false;
    p->sums = true;
    p->fill = fill;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        p->visible[c] = p->possible[c] && mask_is_number(p->m, p->rest[c], &x) && x >= 0;
    return true;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* Where rows of nothing but -infinity give 0, no row may be one: each sees key 0, whose bias is
 * some number. */
static bool has_no_empty_row(const mask_proof *p)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (mask_obeys(p, c) && p->rest[c] && !isfinite(p->m->leaves[p->rest[c]].most))
            return false;
    return p->right.found && !p->left.found && dims_nonnegative(p->m->dims, p->right.at);
}

bool mask_find_sum(mask_proof *p)
{
    mask_proof sum = *p;
    attempt a = {.p = &sum};
    if (!adds_alike(p) || !search(&a))
        return false;
    sum.absorbed = false;
    sum.sums = true;
    sum.fill = p->m->leaves[a.fill].number;
    note(p, &sum.right, a.right, 0);
    note(p, &sum.left, a.left, 1);
    sum.taken = sum.taken_as = 0;
    if (a.right != NO_ATOM)
        sum.taken = sum.taken_as = 1u << a.right;
    if (a.left != NO_ATOM)
        sum.taken |= 1u << a.left;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        sum.visible[c] = p->possible[c];
    if (!fits(&sum) ||
        (strcmp(ir_attr_string(p->n, "empty", "zero"), "zero") == 0 && !has_no_empty_row(&sum)))
        return false;
    *p = sum;
    return true;
}
