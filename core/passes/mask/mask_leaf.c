/* mask_leaf.c - what a mask may hold in one place, and the questions on which that depends. */
#include <math.h>
#include <string.h>

#include "passes/mask/mask.h"

enum { ELSEWHERE = 1 << 4 };

/* ---- Leaves ---------------------------------------------------------------------------------- */

static bool same_axes(const axes *a, const axes *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; same && i < a->rank; i++)
        same = axes_list_equal(&a->axis[i], &b->axis[i]);
    return same;
}

static bool same_number(double a, double b) { return !(a < b) && !(a > b); }

static bool same_leaf(const mask_leaf *a, const mask_leaf *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case MASK_NUMBER:
        return same_number(a->number, b->number);
    case MASK_INDEX:
        return mask_affine_equal(&a->index, &b->index);
    case MASK_TENSOR:
    case MASK_LOOKUP:
        return a->value == b->value && same_axes(&a->at, &b->at);
    default:
        return a->node == b->node && memcmp(a->args, b->args, sizeof(a->args)) == 0;
    }
}

static uint16_t intern(mask *m, const mask_leaf *leaf)
{
    for (uint32_t i = 1; i < m->n_leaves; i++)
        if (same_leaf(&m->leaves[i], leaf))
            return (uint16_t)i;
    if (m->n_leaves == MASK_LEAVES)
        return MASK_NONE;
    m->leaves[m->n_leaves] = *leaf;
    return (uint16_t)m->n_leaves++;
}

uint16_t mask_number(mask *m, double number, heed_dtype dtype)
{
    if (isnan(number))
        return MASK_NONE;
    mask_leaf leaf = {.kind = MASK_NUMBER, .number = number, .dtype = dtype, .most = fabs(number)};
    return intern(m, &leaf);
}

uint16_t mask_index(mask *m, const mask_affine *index, heed_dtype dtype)
{
    int64_t number;
    if (index->n == 0 && dims_value(m->dims, index->constant, &number))
        return mask_number(m, (double)number, dtype);
    mask_leaf leaf = {.kind = MASK_INDEX, .index = *index, .dtype = dtype, .most = 0x1p63};
    return intern(m, &leaf);
}

/* A table's largest magnitude bounds what is taken from it. */
static double constant_most(const ir_value *v)
{
    double most = 0;
    int64_t n = tensor_count(v->constant);
    if (n > 1 << 20)
        return (double)INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double x;
        if (heed_tensor_read_f64(v->constant, i, 1, &x) || !isfinite(x))
            return (double)INFINITY;
        most = fabs(x) > most ? fabs(x) : most;
    }
    return most;
}

static double value_most(const ir_value *v)
{
    if (v->type.dtype == HEED_BOOL)
        return 1;
    if (!dtype_is_float(v->type.dtype))
        return 0x1p64;
    if (pass_constant(v))
        return constant_most(v);
    const ir_node *n = v->producer;
    if (n && (pass_is(n, "Gather") || pass_is(n, "Transpose") || pass_is(n, "Reshape") ||
              pass_is(n, "Unsqueeze") || pass_is(n, "GatherND") || pass_is(n, "Slice")))
        return value_most(ir_input(n, 0));
    if (n && pass_is(n, "Cast"))
        return value_most(ir_input(n, 0));
    return (double)INFINITY;
}

uint16_t mask_tensor(mask *m, ir_value *value, const axes *at)
{
    mask_leaf leaf = {.kind = MASK_TENSOR, .value = value, .dtype = value->type.dtype, .at = *at};
    for (uint32_t i = 1; i < m->n_leaves; i++)
        if (same_leaf(&m->leaves[i], &leaf))
            return (uint16_t)i;
    leaf.most = value_most(value);
    return intern(m, &leaf);
}

static double most_of(const mask *m, uint16_t leaf) { return m->leaves[leaf].most; }

static double expr_most(const mask *m, const ir_node *n, const uint16_t args[3])
{
    double number;
    heed_dtype dtype = n->out[0]->type.dtype;
    if (dtype == HEED_BOOL || !dtype_is_float(dtype))
        return dtype == HEED_BOOL ? 1 : 0x1p64;
    if (pass_is(n, "Add") || pass_is(n, "Sub"))
        return most_of(m, args[0]) + most_of(m, args[1]);
    if (pass_is(n, "Mul"))
        return most_of(m, args[0]) * most_of(m, args[1]);
    if (pass_is(n, "Div") && mask_is_number(m, args[1], &number) && number != 0)
        return most_of(m, args[0]) / fabs(number);
    if (pass_is(n, "Cast") || pass_is(n, "Neg") || pass_is(n, "Abs"))
        return most_of(m, args[0]);
    return (double)INFINITY;
}

uint16_t mask_expr(mask *m, const ir_node *node, const uint16_t args[3])
{
    mask_leaf leaf = {.kind = MASK_EXPR, .node = node, .dtype = node->out[0]->type.dtype};
    memcpy(leaf.args, args, sizeof(leaf.args));
    leaf.most = expr_most(m, node, args);
    if (!(leaf.most <= 3e38))
        leaf.most = (double)INFINITY; /* may overflow in its type */
    return intern(m, &leaf);
}

uint16_t mask_lookup(mask *m, const ir_node *gather, const axes *at)
{
    ir_value *v = gather->out[0];
    mask_leaf leaf = {
        .kind = MASK_LOOKUP, .value = v, .dtype = v->type.dtype, .at = *at, .node = gather};
    leaf.most = value_most(v);
    return intern(m, &leaf);
}

bool mask_is_number(const mask *m, uint16_t leaf, double *number)
{
    *number = m->leaves[leaf].number;
    return leaf && m->leaves[leaf].kind == MASK_NUMBER;
}

/* ---- Whole numbers --------------------------------------------------------------------------- */

static bool symbol_of(mask *m, uint16_t leaf, ir_dim *out)
{
    for (uint32_t i = 0; i < m->n_symbols; i++)
        if (m->symbols[i].leaf == leaf) {
            *out = m->symbols[i].dim;
            return true;
        }
    if (m->n_symbols == MASK_SYMBOLS)
        return false;
    *out = dims_fresh_integer(m->dims);
    m->symbols[m->n_symbols].leaf = leaf;
    m->symbols[m->n_symbols++].dim = *out;
    return *out != DIM_UNKNOWN;
}

bool mask_whole(mask *m, uint16_t leaf, bool symbols, mask_affine *out)
{
    const mask_leaf *l = &m->leaves[leaf];
    if (l->kind == MASK_INDEX) {
        *out = l->index;
        return true;
    }
    if (l->kind == MASK_NUMBER) {
        if (!(fabs(l->number) < 0x1p53) || same_number(floor(l->number), l->number) == false)
            return false;
        *out = mask_constant(dims_constant(m->dims, (int64_t)l->number));
        return true;
    }
    bool whole = l->dtype == HEED_INT64 || l->dtype == HEED_INT32;
    ir_dim symbol;
    if (!symbols || !whole || l->kind != MASK_TENSOR || (mask_depends(m, leaf) & ~(1u << MASK_B)) ||
        !symbol_of(m, leaf, &symbol))
        return false;
    *out = mask_constant(symbol);
    return true;
}

/* ---- What a leaf depends on ------------------------------------------------------------------ */

static unsigned bit_of(const mask *m, uint8_t atom)
{
    for (unsigned k = 0; k < 4; k++)
        if (m->frame[k] && m->frame[k] == atom)
            return 1u << k;
    return ELSEWHERE;
}

unsigned mask_index_depends(const mask *m, const mask_affine *index)
{
    unsigned bits = 0;
    for (uint32_t i = 0; i < index->n; i++)
        bits |= bit_of(m, index->index[i]);
    return bits;
}

unsigned mask_depends(const mask *m, uint16_t leaf)
{
    const mask_leaf *l = &m->leaves[leaf];
    unsigned bits = l->kind == MASK_INDEX ? mask_index_depends(m, &l->index) : 0;
    bool tensor = l->kind == MASK_TENSOR || l->kind == MASK_LOOKUP;
    for (int32_t i = 0; tensor && i < l->at.rank; i++)
        for (uint32_t k = 0; k < l->at.axis[i].n; k++)
            bits |= bit_of(m, l->at.axis[i].atoms[k]);
    for (int i = 0; l->kind == MASK_EXPR && i < 3; i++)
        bits |= l->args[i] ? mask_depends(m, l->args[i]) : 0;
    return bits;
}

/* ---- Atoms ----------------------------------------------------------------------------------- */

/* What a new atom and those before it say of each other, by position: both are sums of the same
 * indices, as far as these have ends. */
static void relate(mask *m, uint32_t a)
{
    const mask_affine *x = &m->atoms[a].index;
    memset(&m->forces[a], 0, sizeof(m->forces[a]));
    for (uint32_t b = 0; b < a; b++) {
        m->forces[b].yes &= ~(1u << a);
        m->forces[b].no &= ~(1u << a);
        m->forces[b].otherwise &= ~(1u << a);
    }
    for (uint32_t b = 0; b < a && m->atoms[a].position; b++) {
        const mask_affine *y = &m->atoms[b].index;
        ir_dim minus_one = dims_constant(m->dims, -1);
        mask_affine d, one = mask_constant(minus_one);
        if (!m->atoms[b].position)
            continue;
        if (mask_add(m, y, minus_one, x, &d)) { /* y - x */
            int sign = mask_sign(m, &d);
            m->forces[a].yes |= sign < 0 ? 1u << b : 0;
            mask_add(m, x, minus_one, y, &d);
            m->forces[b].yes |= mask_sign(m, &d) < 0 ? 1u << a : 0;
        }
        if (!mask_add(m, x, 1, y, &d))
            continue;
        if (mask_sign(m, &d) > 0) { /* not both */
            m->forces[a].no |= 1u << b;
            m->forces[b].no |= 1u << a;
        }
        if (mask_add(m, &d, 1, &one, &d) && mask_sign(m, &d) < 0) { /* at least one */
            m->forces[a].otherwise |= 1u << b;
            m->forces[b].otherwise |= 1u << a;
        }
    }
}

mask_outcome mask_plain(uint16_t leaf)
{
    return (mask_outcome){.known = leaf != MASK_NONE, .yes = leaf, .no = leaf};
}

mask_outcome mask_truth(mask *m, bool value)
{
    return mask_plain(mask_number(m, value ? 1 : 0, HEED_BOOL));
}

static mask_outcome on_atom(mask *m, const mask_atom *atom, bool turned, uint16_t yes, uint16_t no)
{
    mask_outcome out = {.known = yes && no, .splits = true};
    out.yes = turned ? no : yes;
    out.no = turned ? yes : no;
    for (out.atom = 0; out.atom < m->n_atoms; out.atom++) {
        const mask_atom *have = &m->atoms[out.atom];
        if (have->position == atom->position &&
            (atom->position ? mask_affine_equal(&have->index, &atom->index)
                            : have->leaf == atom->leaf))
            return out;
    }
    if (m->n_atoms == MASK_ATOMS)
        return (mask_outcome){.known = false};
    m->atoms[m->n_atoms] = *atom;
    relate(m, m->n_atoms++);
    return out;
}

/* The last index has a positive factor: of two ways to say the same, one is an atom. */
mask_outcome mask_below(mask *m, const mask_affine *index, uint16_t yes, uint16_t no)
{
    int sign = mask_sign(m, index);
    mask_atom atom = {.position = true, .index = *index};
    mask_affine one = mask_constant(1);
    int64_t last = 1;
    if (sign)
        return mask_plain(sign < 0 ? yes : no);
    if (index->n == 0 || !dims_value(m->dims, index->factor[index->n - 1], &last))
        return (mask_outcome){.known = false};
    /* x <= 0 unless 1 - x <= 0 */
    if (last < 0 && !mask_add(m, &one, dims_constant(m->dims, -1), index, &atom.index))
        return (mask_outcome){.known = false};
    return on_atom(m, &atom, last < 0, yes, no);
}

mask_outcome mask_nonzero(mask *m, uint16_t leaf, uint16_t yes, uint16_t no)
{
    double number;
    mask_atom atom = {.leaf = leaf};
    if (mask_is_number(m, leaf, &number))
        return mask_plain(number != 0 ? yes : no);
    return on_atom(m, &atom, false, yes, no);
}

bool mask_ask(mask *m, uint16_t leaf, uint16_t yes, uint16_t no, mask_form *out)
{
    mask_outcome o = mask_nonzero(m, leaf, yes, no);
    out->n = m->n_atoms;
    for (uint32_t c = 0; o.known && c < 1u << m->n_atoms; c++)
        out->leaf[c] = o.splits && !(c >> o.atom & 1) ? o.no : o.yes;
    return o.known;
}

/* ---- Cases ----------------------------------------------------------------------------------- */

bool mask_possible(const mask *m, uint32_t n, uint32_t c)
{
    uint32_t all = (1u << n) - 1;
    for (uint32_t a = 0; a < n; a++)
        if (c >> a & 1 ? (~c & m->forces[a].yes & all) || (c & m->forces[a].no)
                       : (~c & m->forces[a].otherwise & all) != 0)
            return false;
    return true;
}

uint16_t mask_at(const mask *m, const mask_form *form, uint32_t n, uint32_t c)
{
    uint16_t leaf = form->leaf[c & ((1u << form->n) - 1)];
    for (uint32_t a = 0; a < n; a++)
        if (!m->atoms[a].position && m->atoms[a].leaf == leaf && !(c >> a & 1))
            return 1; /* the number 0: mask_init() has made it first */
    return leaf;
}

void mask_one(const mask *m, uint16_t leaf, mask_form *out)
{
    (void)m;
    out->n = 0;
    out->leaf[0] = leaf;
}
