/* mask_kinds.c - names for what a mask or bias was found to be, for reports: "alibi", "prefix-lm",
 * "block-diagonal"... Bounds have attributes of their own; here is what has none.
 *
 * Apart from the proof because nothing is computed by these names. They are claimed of the table of
 * cases, so of all elements; of tensors that are opaque, of what they come from. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "passes/mask/mask_proof.h"

enum { TEXT = 256, MOST_ROOTS = 24 };

static void put(char *text, const char *kind)
{
    size_t n = strlen(text);
    if (*kind && !strstr(text, kind) && n + strlen(kind) + 2 < TEXT)
        snprintf(text + n, TEXT - n, "%s%s", n ? "," : "", kind);
}

/* ---- Who is visible -------------------------------------------------------------------------- */

static bool always(const mask_proof *p, uint32_t atom, bool value)
{
    for (uint32_t c = 0; c < 1u << p->m->n_atoms; c++)
        if (p->visible[c] && (c >> atom & 1) != value)
            return false;
    return true;
}

/* key + constant, of some sequence. */
static bool is_key(const mask_proof *p, uint32_t atom)
{
    const mask_atom *a = &p->m->atoms[atom];
    return a->position && a->index.n == 1 && a->index.index[0] == p->m->frame[MASK_T];
}

/* Keys before a start are hidden. */
static bool is_left_padded(const mask_proof *p)
{
    for (uint32_t a = 0; a < p->m->n_atoms; a++)
        if (is_key(p, a) && always(p, a, false))
            return true;
    return false;
}

/* Visible: key <= query + a, or key < length; and neither alone. */
static bool is_prefix(const mask_proof *p)
{
    for (uint32_t d = 0; d < p->m->n_atoms; d++)
        for (uint32_t k = 0; k < p->m->n_atoms; k++) {
            bool both = p->m->atoms[d].position && mask_is_diagonal(p, &p->m->atoms[d].index) &&
                        is_key(p, k) && !always(p, d, true) && !always(p, k, true);
            for (uint32_t c = 0; both && c < 1u << p->m->n_atoms; c++)
                both = !p->visible[c] || (c >> d & 1) || (c >> k & 1);
            if (both)
                return true;
        }
    return false;
}

static bool swapped(const mask *m, uint8_t x, uint8_t y)
{
    return x == m->frame[MASK_S]   ? y == m->frame[MASK_T]
           : x == m->frame[MASK_T] ? y == m->frame[MASK_S]
                                   : x == y;
}

/* b is to keys what a is to queries. */
static bool is_twin(const mask *m, uint16_t a, uint16_t b)
{
    const mask_leaf *x = &m->leaves[a], *y = &m->leaves[b];
    bool same = x->kind == y->kind && x->dtype == y->dtype;
    if (!same || x->kind == MASK_NUMBER)
        return same && a == b;
    if (x->kind == MASK_INDEX)
        return x->index.n == 1 && y->index.n == 1 && x->index.constant == y->index.constant &&
               x->index.factor[0] == y->index.factor[0] &&
               swapped(m, x->index.index[0], y->index.index[0]);
    if (x->kind == MASK_EXPR) {
        same = strcmp(x->node->op->name, y->node->op->name) == 0;
        for (int i = 0; i < 3 && same; i++)
            same = x->args[i] ? y->args[i] && is_twin(m, x->args[i], y->args[i]) : !y->args[i];
        return same;
    }
    same = x->value == y->value && x->at.rank == y->at.rank;
    for (int32_t i = 0; same && i < x->at.rank; i++) {
        same = x->at.axis[i].n == y->at.axis[i].n;
        for (uint32_t k = 0; same && k < x->at.axis[i].n; k++)
            same = swapped(m, x->at.axis[i].atoms[k], y->at.axis[i].atoms[k]);
    }
    return same;
}

/* A key is visible only where something of it is the same as of the query: the segment. */
static bool is_packed(const mask_proof *p)
{
    const mask *m = p->m;
    for (uint32_t a = 0; a < m->n_atoms; a++) {
        const mask_leaf *l = &m->leaves[m->atoms[a].leaf];
        if (m->atoms[a].position || l->kind != MASK_EXPR)
            continue;
        bool equal = pass_is(l->node, "Equal"), sub = pass_is(l->node, "Sub");
        if ((equal || sub) && always(p, a, equal) && is_twin(m, l->args[0], l->args[1]) &&
            (mask_depends(m, l->args[0]) & (1u << MASK_S | 1u << MASK_T)))
            return true;
    }
    return false;
}

static void name_masks(const mask_proof *p, char *text)
{
    unsigned bits = mask_rest_needed(p) ? mask_rest_depends(p) : 0;
    int64_t left, right;
    if (p->right.found && !mask_is_two_sided(p, &left, &right))
        put(text, "causal");
    if (p->left.found)
        put(text, "window");
    if (p->length.found)
        put(text, "lengths");
    if (!p->keeps && (bits & ~(1u << MASK_B)) == 1u << MASK_T)
        put(text, is_left_padded(p) ? "left-padding" : "padding");
    if (is_prefix(p))
        put(text, "prefix-lm");
    if (is_packed(p))
        put(text, "block-diagonal");
    for (uint32_t a = 0; a < p->m->n_atoms; a++) {
        const mask_leaf *l = &p->m->leaves[p->m->atoms[a].leaf];
        if (!p->m->atoms[a].position && l->kind == MASK_TENSOR && mask_rest_needed(p) &&
            (mask_depends(p->m, p->m->atoms[a].leaf) & 1u << MASK_S))
            put(text, mask_table_kind(l->value));
    }
}

/* ---- What is added --------------------------------------------------------------------------- */

enum { ODD = -1, LEVEL, SLOPED }; /* not understood; the same for all keys; by their position */

/* Positions that are counted as they come, past what is hidden. */
static bool is_count(const ir_value *v) { return v->producer && pass_is(v->producer, "CumSum"); }

static int shape_of(const mask *m, uint16_t leaf)
{
    const mask_leaf *l = &m->leaves[leaf];
    unsigned bits = mask_depends(m, leaf);
    if (l->kind == MASK_NUMBER || l->kind == MASK_INDEX)
        return l->kind == MASK_INDEX ? SLOPED : LEVEL;
    if (l->kind == MASK_TENSOR && dtype_is_float(l->dtype))
        return bits & ~(1u << MASK_H) ? ODD : LEVEL;
    if (l->kind == MASK_TENSOR)
        return bits & ~(1u << MASK_B | 1u << MASK_T) ? ODD : is_count(l->value) ? SLOPED : LEVEL;
    if (l->kind != MASK_EXPR)
        return ODD;
    int a = shape_of(m, l->args[0]), b = l->args[1] ? shape_of(m, l->args[1]) : LEVEL;
    if (pass_is(l->node, "Cast") || pass_is(l->node, "Neg") || pass_is(l->node, "Abs"))
        return a;
    if (a == ODD || b == ODD)
        return ODD;
    if (pass_is(l->node, "Add") || pass_is(l->node, "Sub"))
        return a > b ? a : b;
    if (pass_is(l->node, "Mul"))
        return a + b <= SLOPED ? a + b : ODD;
    return pass_is(l->node, "Div") && b == LEVEL ? a : ODD;
}

typedef struct found {
    bool alibi, other, lookup;
} found;

static bool has_lookup(const mask *m, uint16_t leaf)
{
    const mask_leaf *l = &m->leaves[leaf];
    bool has = l->kind == MASK_LOOKUP;
    for (int i = 0; i < 3 && l->kind == MASK_EXPR && !has; i++)
        has = l->args[i] && has_lookup(m, l->args[i]);
    return has;
}

static bool look(const mask_proof *p, void *self, uint16_t leaf)
{
    found *f = self;
    double x;
    if (mask_is_number(p->m, leaf, &x))
        return true;
    bool slope = (mask_depends(p->m, leaf) & 1u << MASK_H) && shape_of(p->m, leaf) == SLOPED;
    f->alibi |= slope;
    f->other |= !slope;
    f->lookup |= has_lookup(p->m, leaf);
    return true;
}

/* Where values come from that are moved, cut and added up: what a table is, its parts are. */
static const char *const through[] = {
    "Add",   "Cast",    "Expand", "Flatten",   "Identity",  "Reshape",
    "Slice", "Squeeze", "Tile",   "Transpose", "Unsqueeze",
};

static bool leads_through(const ir_node *n)
{
    for (size_t i = 0; i < sizeof(through) / sizeof(*through); i++)
        if (pass_is(n, through[i]))
            return true;
    return false;
}

/* The tensors that a bias is made of, if they are large enough to be tables. */
static void name_roots(ir_value *v, char *text)
{
    ir_value *queue[MOST_ROOTS] = {v};
    uint32_t n = 1;
    for (uint32_t i = 0; i < n; i++) {
        const ir_node *from = queue[i]->producer;
        put(text, mask_table_kind(queue[i]));
        if (!from || !leads_through(from))
            continue;
        for (uint32_t k = 0; k < from->n_in && n < MOST_ROOTS; k++) {
            ir_value *next = ir_input(from, k);
            bool known = !next || next->type.rank < 1 || !dtype_is_float(next->type.dtype);
            for (uint32_t j = 0; j < n && !known; j++)
                known = queue[j] == next;
            if (!known)
                queue[n++] = next;
        }
    }
}

static void name_biases(const mask_proof *p, char *text)
{
    found f = {false, false, false};
    mask_each_bias(p, look, &f);
    if (f.alibi && !f.other)
        put(text, "alibi");
    else if (f.lookup || mask_bias_relative(p))
        put(text, "relative-position-bias");
    else if (f.other)
        name_roots(p->bias_in, text);
}

/* ---- All of it ------------------------------------------------------------------------------- */

const char *mask_proof_kinds(const mask_proof *p, bool read)
{
    char text[TEXT] = "";
    ir_value *bias = p->bias_in;
    bool adds = bias && dtype_is_float(bias->type.dtype);
    if (read)
        name_masks(p, text);
    if (read && p->adds)
        name_biases(p, text);
    else if (adds)
        name_roots(bias, text);
    const char *kept = arena_string(p->m->scratch, text);
    return kept ? kept : "";
}
