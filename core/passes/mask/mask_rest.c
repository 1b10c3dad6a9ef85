/* mask_rest.c - what bounds leave of a mask or a bias: a formula of the other atoms, as small a
 * tensor as it can be. */
#include "passes/mask/mask_proof.h"

/* Some atoms have a value: bits, and which. */
typedef struct part {
    uint32_t set, as;
} part;

static bool inside(const mask_proof *p, uint32_t c, part q)
{
    return mask_obeys(p, c) && (c & q.set) == q.as;
}

static part with(part q, uint32_t atom, bool value)
{
    return (part){q.set | 1u << atom, q.as | (value ? 1u : 0u) << atom};
}

/* ---- Who is visible -------------------------------------------------------------------------- */

/* 1: all, 0: none, -1: it depends. Nothing at all is all. */
static int visible_in(const mask_proof *p, part q)
{
    bool some = false, none = true;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        if (!inside(p, c, q))
            continue;
        some |= !p->visible[c];
        none &= !p->visible[c];
    }
    return !some ? 1 : none ? 0 : -1;
}

bool mask_rest_needed(const mask_proof *p) { return visible_in(p, (part){0, 0}) != 1; }

/* An atom on which it depends: the first that is not set. */
static bool next_atom(const mask_proof *p, part q, bool bias, uint32_t *atom);

static unsigned atom_depends(const mask_proof *p, uint32_t atom)
{
    const mask_atom *a = &p->m->atoms[atom];
    return a->position ? mask_index_depends(p->m, &a->index) : mask_depends(p->m, a->leaf);
}

static unsigned visible_depends(const mask_proof *p, part q)
{
    uint32_t atom;
    if (visible_in(p, q) >= 0 || !next_atom(p, q, false, &atom))
        return 0;
    return atom_depends(p, atom) | visible_depends(p, with(q, atom, true)) |
           visible_depends(p, with(q, atom, false));
}

unsigned mask_rest_depends(const mask_proof *p) { return visible_depends(p, (part){0, 0}); }

static ir_value *visible_value(const mask_proof *p, mask_emission *e, part q)
{
    uint32_t atom;
    op_body *b = e->b;
    if (b->status || !next_atom(p, q, false, &atom))
        return NULL;
    part yes = with(q, atom, true), no = with(q, atom, false);
    int if_yes = visible_in(p, yes), if_no = visible_in(p, no);
    ir_value *x = mask_emit_atom(e, atom);
    ir_value *first = if_yes < 0 ? visible_value(p, e, yes) : NULL;
    ir_value *second = if_no < 0 ? visible_value(p, e, no) : NULL;
    if (b->status)
        return NULL;
    if (if_yes == 1) /* x or second */
        return if_no == 0 ? x : body_2(b, x, second, "Or");
    if (if_no == 1) { /* not x, or first */
        ir_value *hidden = body_1(b, x, "Not");
        return if_yes == 0 ? hidden : body_2(b, hidden, first, "Or");
    }
    if (if_no == 0)
        return body_2(b, x, first, "And");
    if (if_yes == 0)
        return body_2(b, body_1(b, x, "Not"), second, "And");
    return body_3(b, x, first, second, "Where");
}

ir_value *mask_emit_rest(const mask_proof *p, mask_emission *e)
{
    return visible_value(p, e, (part){0, 0});
}

/* ---- What is added --------------------------------------------------------------------------- */

/* The one leaf of all visible cases; false when there are several. */
static bool leaf_of(const mask_proof *p, part q, uint16_t *leaf)
{
    *leaf = MASK_NONE;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        if (!inside(p, c, q) || !p->visible[c] || p->rest[c] == *leaf)
            continue;
        if (*leaf != MASK_NONE)
            return false;
        *leaf = p->rest[c];
    }
    return true;
}

bool mask_bias_needed(const mask_proof *p)
{
    uint16_t leaf;
    double x;
    if (!p->adds || !leaf_of(p, (part){0, 0}, &leaf) || leaf == MASK_NONE)
        return p->adds;
    return !mask_is_number(p->m, leaf, &x) || x != 0;
}

/* The two halves differ. */
static bool matters(const mask_proof *p, part q, bool bias, uint32_t atom)
{
    part yes = with(q, atom, true), no = with(q, atom, false);
    uint16_t a, b;
    if (!bias)
        return visible_in(p, yes) < 0 || visible_in(p, no) < 0 ||
               visible_in(p, yes) != visible_in(p, no);
    return !leaf_of(p, yes, &a) || !leaf_of(p, no, &b) || (a && b && a != b);
}

/* Both halves have cases. */
static bool divides(const mask_proof *p, part q, uint32_t atom)
{
    bool yes = false, no = false;
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        yes |= inside(p, c, with(q, atom, true));
        no |= inside(p, c, with(q, atom, false));
    }
    return yes && no;
}

/* The same in both halves, case by case, as far as they can occur. */
static bool is_idle(const mask_proof *p, part q, bool bias, uint32_t atom)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++) {
        uint32_t other = c ^ 1u << atom;
        if (!inside(p, c, q) || !inside(p, other, q))
            continue;
        if (bias ? (p->visible[c] && p->visible[other] && p->rest[c] != p->rest[other])
                 : p->visible[c] != p->visible[other])
            return false;
    }
    return true;
}

static bool next_atom(const mask_proof *p, part q, bool bias, uint32_t *atom)
{
    for (int pass = 0; pass < 2; pass++)
        for (*atom = 0; *atom < p->m->n_atoms; ++*atom)
            if (!((p->taken | q.set) >> *atom & 1) && divides(p, q, *atom) &&
                matters(p, q, bias, *atom) && (pass || !is_idle(p, q, bias, *atom)))
                return true;
    return false;
}

static unsigned bias_depends(const mask_proof *p, part q)
{
    uint32_t atom;
    uint16_t leaf;
    if (leaf_of(p, q, &leaf))
        return leaf ? mask_depends(p->m, leaf) : 0;
    if (!next_atom(p, q, true, &atom))
        return ~0u;
    return atom_depends(p, atom) | bias_depends(p, with(q, atom, true)) |
           bias_depends(p, with(q, atom, false));
}

unsigned mask_bias_depends(const mask_proof *p) { return bias_depends(p, (part){0, 0}); }

static ir_value *bias_value(const mask_proof *p, mask_emission *e, part q, heed_dtype dtype)
{
    uint32_t atom;
    uint16_t leaf;
    if (e->b->status)
        return NULL;
    if (leaf_of(p, q, &leaf))
        return mask_emit_leaf(e, leaf ? leaf : 1, dtype);
    if (!next_atom(p, q, true, &atom))
        return NULL;
    ir_value *yes = bias_value(p, e, with(q, atom, true), dtype);
    ir_value *no = bias_value(p, e, with(q, atom, false), dtype);
    ir_value *x = mask_emit_atom(e, atom);
    return e->b->status ? NULL : body_3(e->b, x, yes, no, "Where");
}

ir_value *mask_emit_bias(const mask_proof *p, mask_emission *e, heed_dtype dtype)
{
    return bias_value(p, e, (part){0, 0}, dtype);
}

/* ---- By distance ----------------------------------------------------------------------------- */

/* key - query, any number of times, and a constant; or a constant alone. */
static bool is_distance(const mask_proof *p, const mask_affine *a)
{
    const mask *m = p->m;
    return a->n == 0 ||
           (a->n == 2 && a->index[0] == m->frame[MASK_S] && a->index[1] == m->frame[MASK_T] &&
            a->factor[0] == dims_sub(m->dims, 0, a->factor[1]));
}

/* A table whose rows are looked up by distance, and which has no other axis than that of heads. */
static bool is_table(const mask_proof *p, const mask_leaf *l)
{
    const ir_value *table = ir_input(l->node, 0);
    const mask *m = p->m;
    int64_t axis = ir_attr_int(l->node, "axis", 0);
    int32_t more = ir_input(l->node, 1)->type.rank;
    axis += axis < 0 ? table->type.rank : 0;
    for (int32_t i = 0; i < table->type.rank; i++) {
        const axes_list *at = &l->at.axis[i < axis ? i : i - 1 + more];
        bool heads = at->n == 1 && m->frame[MASK_H] && at->atoms[0] == m->frame[MASK_H] &&
                     dim_known(table->type.dims[i]);
        if (i != axis && at->n && !heads)
            return false;
    }
    return true;
}

static bool goes_by_distance(const mask_proof *p, uint16_t leaf);

/* All that an index depends on is the distance, also which case it is. */
static bool is_looked_up(const mask_proof *p, const mask_leaf *l)
{
    mask *m = p->m;
    mask_form form;
    if (!is_table(p, l) || !mask_lookup_index(m, l, &form))
        return false;
    for (uint32_t c = 0; c < 1u << form.n; c++)
        for (uint32_t a = 0; a < form.n && mask_possible(m, form.n, c); a++) {
            uint32_t other = c ^ 1u << a;
            uint16_t leaf = mask_at(m, &form, form.n, c);
            bool matters =
                mask_possible(m, form.n, other) && mask_at(m, &form, form.n, other) != leaf;
            if (!goes_by_distance(p, leaf) ||
                (matters && (!m->atoms[a].position || !is_distance(p, &m->atoms[a].index))))
                return false;
        }
    return form.n > 0 || goes_by_distance(p, form.leaf[0]);
}

static bool goes_by_distance(const mask_proof *p, uint16_t leaf)
{
    const mask_leaf *l = &p->m->leaves[leaf];
    bool good = true;
    if (l->kind == MASK_INDEX)
        return is_distance(p, &l->index);
    if (l->kind == MASK_TENSOR)
        return !(mask_depends(p->m, leaf) & ~(1u << MASK_H));
    if (l->kind == MASK_LOOKUP)
        return is_looked_up(p, l);
    for (int i = 0; i < 3 && good && l->kind != MASK_NUMBER; i++)
        good = !l->args[i] || goes_by_distance(p, l->args[i]);
    return good;
}

static bool part_goes_by_distance(const mask_proof *p, part q)
{
    uint32_t atom;
    uint16_t leaf;
    if (leaf_of(p, q, &leaf))
        return !leaf || goes_by_distance(p, leaf);
    if (!next_atom(p, q, true, &atom) || !p->m->atoms[atom].position ||
        !is_distance(p, &p->m->atoms[atom].index))
        return false;
    return part_goes_by_distance(p, with(q, atom, true)) &&
           part_goes_by_distance(p, with(q, atom, false));
}

bool mask_bias_relative(const mask_proof *p)
{
    unsigned bits = mask_bias_needed(p) ? mask_bias_depends(p) : 0;
    return p->m->frame[MASK_S] && p->m->frame[MASK_T] && bits != ~0u &&
           (bits & ~(1u << MASK_H)) == (1u << MASK_S | 1u << MASK_T) &&
           part_goes_by_distance(p, (part){0, 0});
}

/* ---- Leaves that count ----------------------------------------------------------------------- */

bool mask_each_bias(const mask_proof *p, bool (*visit)(const mask_proof *p, void *self, uint16_t l),
                    void *self)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (mask_obeys(p, c) && p->visible[c] && p->rest[c] && !visit(p, self, p->rest[c]))
            return false;
    return true;
}
