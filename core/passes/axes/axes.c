/* axes.c - see axes.h: atoms, and following them through nodes. */
#include "passes/axes/axes.h"

#include <string.h>

#include "passes/pass.h"

void axes_table_init(axes_table *t, ir_dims *dims) { *t = (axes_table){.dims = dims, .n = 1}; }

uint8_t axes_atom(axes_table *t, ir_dim extent)
{
    if (t->n == AXES_ATOMS) {
        t->failed = true;
        return 0;
    }
    t->atoms[t->n].extent = extent;
    t->atoms[t->n].outer = t->atoms[t->n].inner = 0;
    return (uint8_t)t->n++;
}

axes_list axes_new(axes_table *t, ir_dim extent)
{
    axes_list list = {0};
    if (extent == 1)
        return list;
    list.n = 1;
    list.atoms[0] = axes_atom(t, extent);
    return list;
}

void axes_fresh(axes_table *t, const ir_type *type, axes *out)
{
    *out = (axes){.rank = type->rank};
    for (int32_t i = 0; i < type->rank; i++)
        out->axis[i] = axes_new(t, type->dims[i]);
}

/* a / b, when b provably divides a. */
static bool divide(ir_dims *dims, ir_dim a, ir_dim b, ir_dim *quotient)
{
    if (b == 0 || a == DIM_UNKNOWN || b == DIM_UNKNOWN)
        return false;
    *quotient = dims_floor_div(dims, a, b);
    return *quotient != DIM_UNKNOWN && dims_mul(dims, *quotient, b) == a;
}

/* ---- Lists ---------------------------------------------------------------------------------- */

static void add_leaves(const axes_table *t, axes_list *list, uint8_t atom)
{
    if (t->atoms[atom].outer) {
        add_leaves(t, list, t->atoms[atom].outer);
        add_leaves(t, list, t->atoms[atom].inner);
    } else if (list->n < AXES_LIST) {
        list->atoms[list->n++] = atom;
    }
}

void axes_refresh_list(const axes_table *t, axes_list *list)
{
    axes_list fresh = {0};
    for (uint32_t i = 0; i < list->n; i++)
        add_leaves(t, &fresh, list->atoms[i]);
    *list = fresh;
}

void axes_refresh(const axes_table *t, axes *a)
{
    for (int32_t i = 0; i < a->rank; i++)
        axes_refresh_list(t, &a->axis[i]);
}

bool axes_list_has(const axes_list *list, uint8_t atom)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->atoms[i] == atom)
            return true;
    return false;
}

bool axes_list_equal(const axes_list *a, const axes_list *b)
{
    return a->n == b->n && memcmp(a->atoms, b->atoms, a->n) == 0;
}

void axes_list_add(axes_table *t, axes_list *list, const axes_list *more)
{
    for (uint32_t i = 0; i < more->n; i++) {
        if (list->n == AXES_LIST) {
            t->failed = true;
            return;
        }
        list->atoms[list->n++] = more->atoms[i];
    }
}

ir_dim axes_extent(const axes_table *t, const axes_list *list)
{
    ir_dim extent = 1;
    for (uint32_t i = 0; i < list->n; i++)
        extent = dims_mul(t->dims, extent, t->atoms[list->atoms[i]].extent);
    return axes_dim(t, extent);
}

ir_dim axes_dim(const axes_table *t, ir_dim d)
{
    for (uint32_t i = 0; i < t->n_same; i++)
        d = dims_substitute(t->dims, d, t->same[i].symbol, t->same[i].is);
    return d;
}

/* From now on the symbol is written as the other dim. False when that has the symbol itself. */
static bool note_same(axes_table *t, ir_dim symbol, ir_dim is)
{
    if (!dims_is_symbol(t->dims, symbol) || dims_substitute(t->dims, is, symbol, 0) != is ||
        t->n_same == AXES_SAME)
        return false;
    t->same[t->n_same].symbol = symbol;
    t->same[t->n_same++].is = is;
    return true;
}

bool axes_name(axes_table *t, const axes_list *list, ir_dim extent)
{
    ir_dim have = axes_extent(t, list), other = axes_dim(t, extent), factor = 1, rest = 1, part;
    if (have == other || have == DIM_UNKNOWN || other == DIM_UNKNOWN)
        return true;
    if (dim_known(have) && dim_known(other))
        return false;
    bool plainer = dims_plainness(t->dims, other) >= dims_plainness(t->dims, have);
    if (note_same(t, plainer ? have : other, plainer ? other : have))
        return true;
    for (uint32_t i = 0; i < list->n; i++) {
        ir_dim one = axes_dim(t, t->atoms[list->atoms[i]].extent);
        *(dim_known(one) ? &factor : &rest) =
            dims_mul(t->dims, dim_known(one) ? factor : rest, one);
    }
    if (divide(t->dims, other, factor, &part) && note_same(t, rest, part))
        return true;
    note_same(t, other, have);
    return true;
}

bool axes_have(const axes *a, uint8_t atom)
{
    for (int32_t i = 0; i < a->rank; i++)
        if (axes_list_has(&a->axis[i], atom))
            return true;
    return false;
}

bool axes_have_all(const axes *a, const axes_list *atoms)
{
    for (uint32_t i = 0; i < atoms->n; i++)
        if (!axes_have(a, atoms->atoms[i]))
            return false;
    return true;
}

/* ---- Reshapes -------------------------------------------------------------------------------- */

/* Atom becomes [extent, rest]. */
static bool cut(axes_table *t, uint8_t atom, ir_dim outer, ir_dim inner)
{
    uint8_t first = axes_atom(t, outer), second = axes_atom(t, inner);
    if (t->failed)
        return false;
    t->atoms[atom].outer = first;
    t->atoms[atom].inner = second;
    return true;
}

/* Atoms in the order of memory: those from `at` to `n` are left. */
typedef struct flat {
    uint8_t atoms[AXES_ATOMS];
    uint32_t n, at;
} flat;

static void flatten(const axes_table *t, const axes *a, flat *f)
{
    *f = (flat){.n = 0};
    for (int32_t i = 0; i < a->rank; i++) {
        axes_list list = a->axis[i];
        axes_refresh_list(t, &list);
        for (uint32_t k = 0; k < list.n && f->n < AXES_ATOMS; k++)
            f->atoms[f->n++] = list.atoms[k];
    }
}

static void put(axes_table *t, axes_list *list, uint8_t atom, bool front)
{
    axes_list one = {1, {atom}}, old = *list;
    if (front)
        *list = one;
    axes_list_add(t, list, front ? &old : &one);
}

/* The first atoms that are left, or the last ones, make up an axis of this extent; one of them may
 * be cut. */
static bool take_axis(axes_table *t, flat *f, ir_dim extent, bool last, axes_list *out)
{
    ir_dim left = axes_dim(t, extent), quotient = 0;
    *out = (axes_list){0};
    while (left != 1) {
        if (f->at == f->n || t->failed || left == DIM_UNKNOWN)
            return false;
        uint8_t *place = &f->atoms[last ? f->n - 1 : f->at], atom = *place;
        ir_dim have = axes_dim(t, t->atoms[atom].extent);
        if (have == left || divide(t->dims, left, have, &quotient)) {
            put(t, out, atom, last);
            left = have == left ? 1 : quotient;
            f->at += !last;
            f->n -= last;
        } else if (divide(t->dims, have, left, &quotient) &&
                   cut(t, atom, last ? quotient : left, last ? left : quotient)) {
            put(t, out, last ? t->atoms[atom].inner : t->atoms[atom].outer, last);
            *place = last ? t->atoms[atom].outer : t->atoms[atom].inner;
            left = 1;
        } else {
            return false;
        }
    }
    return true;
}

/* As many axes as fit, from the first one on, or from the last one back. */
static int32_t take_axes(axes_table *t, flat *f, int32_t n, const ir_dim *dims, bool last,
                         axes_list *axis)
{
    int32_t taken = 0;
    for (; taken < n; taken++) {
        int32_t i = last ? n - 1 - taken : taken;
        flat before = *f;
        if (!take_axis(t, f, dims[i], last, &axis[i])) {
            *f = before;
            break;
        }
    }
    return taken;
}

/* Both sides have as many elements. So one atom is the product of the axes, whatever these are. */
static bool cut_into(axes_table *t, uint8_t atom, int32_t n, const ir_dim *dims, axes_list *axis)
{
    ir_dim rest = 1;
    for (int32_t i = 0; i < n; i++) {
        axis[i] = (axes_list){0};
        rest = dims_mul(t->dims, rest, dims[i]);
    }
    axes_list whole = {1, {atom}};
    axes_name(t, &whole, rest);
    for (int32_t i = 0; i < n; i++) {
        bool final = true;
        rest = 1;
        for (int32_t k = i + 1; k < n; k++) {
            final = final && dims[k] == 1;
            rest = dims_mul(t->dims, rest, dims[k]);
        }
        if (dims[i] == 1 && !final)
            continue;
        if (!final && !cut(t, atom, dims[i], rest))
            return false;
        axis[i] = (axes_list){1, {final ? atom : t->atoms[atom].outer}};
        if (final)
            break;
        atom = t->atoms[atom].inner;
    }
    return !t->failed;
}

/* What neither end could prove: several atoms are one axis, or one atom is several. */
static bool take_rest(axes_table *t, const flat *f, int32_t n, const ir_dim *dims, axes_list *axis)
{
    int32_t longer = -1, count = 0;
    for (int32_t i = 0; i < n; i++) {
        axis[i] = (axes_list){0};
        if (dims[i] != 1) {
            longer = i;
            count++;
        }
    }
    if (count == 1) {
        for (uint32_t k = f->at; k < f->n; k++)
            put(t, &axis[longer], f->atoms[k], false);
        return f->at < f->n && !t->failed && axes_name(t, &axis[longer], dims[longer]);
    }
    return count > 1 && f->n - f->at == 1 && cut_into(t, f->atoms[f->at], n, dims, axis);
}

bool axes_regroup(axes_table *t, const axes *from, int32_t rank, const ir_dim *dims, axes *to)
{
    flat f;
    flatten(t, from, &f);
    *to = (axes){.rank = rank};
    int32_t first = take_axes(t, &f, rank, dims, false, to->axis), left = rank - first;
    left -= take_axes(t, &f, left, dims + first, true, to->axis + first);
    if (left == 0)
        return f.at == f.n && !t->failed;
    return take_rest(t, &f, left, dims + first, to->axis + first);
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

typedef bool move_fn(axes_table *t, const ir_node *n, const axes *from, axes *to);

static bool reshape_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    const ir_type *type = &n->in[0].value->type;
    return axes_regroup(t, out, type->rank, type->dims, in);
}

static bool reshape_down(axes_table *t, const ir_node *n, const axes *in, axes *out)
{
    const ir_type *type = &n->out[0]->type;
    return axes_regroup(t, in, type->rank, type->dims, out);
}

/* Axis i of the output is axis perm(i) of the input. */
static int32_t permuted(const ir_node *n, int32_t rank, int32_t i)
{
    uint64_t count;
    const int64_t *perm = ir_attr_ints(n, "perm", &count);
    return perm && (int64_t)count == rank ? (int32_t)perm[i] : rank - 1 - i;
}

static bool transpose_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    (void)t;
    in->rank = out->rank;
    for (int32_t i = 0; i < out->rank; i++)
        in->axis[permuted(n, out->rank, i)] = out->axis[i];
    return true;
}

static bool transpose_down(axes_table *t, const ir_node *n, const axes *in, axes *out)
{
    (void)t;
    out->rank = in->rank;
    for (int32_t i = 0; i < in->rank; i++)
        out->axis[i] = in->axis[permuted(n, in->rank, i)];
    return true;
}

/* Axes of extent 1 in the input do not depend on what is repeated. */
static bool expand_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    const ir_type *type = &n->in[0].value->type;
    (void)t;
    *in = (axes){.rank = type->rank};
    for (int32_t i = 0; i < type->rank; i++)
        if (type->dims[i] != 1)
            in->axis[i] = out->axis[out->rank - type->rank + i];
    return true;
}

/* Each axis is [repeats, extent]. */
static bool tile_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    const ir_type *type = &n->in[0].value->type;
    ir_dim dims[2 * TENSOR_MAX_RANK], times;
    axes both;
    if (2 * out->rank > TENSOR_MAX_RANK)
        return false;
    for (int32_t i = 0; i < out->rank; i++) {
        if (!divide(t->dims, n->out[0]->type.dims[i], type->dims[i], &times))
            return false;
        dims[2 * i] = times;
        dims[2 * i + 1] = type->dims[i];
    }
    if (!axes_regroup(t, out, 2 * out->rank, dims, &both))
        return false;
    in->rank = out->rank;
    for (int32_t i = 0; i < out->rank; i++)
        in->axis[i] = both.axis[2 * i + 1];
    return true;
}

/* Indices 0,0,1,1 (each `times` times), or 0,1,0,1 (all, `times` times over). */
static bool repeats(const heed_tensor *indices, int64_t extent, int64_t times, bool each)
{
    for (int64_t i = 0; i < extent * times; i++)
        if (tensor_get_int(indices, i) != (each ? i / times : i % extent))
            return false;
    return true;
}

static bool gather_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    const ir_type *type = &n->in[0].value->type;
    const ir_value *indices = ir_input(n, 1);
    int64_t at = ir_attr_int(n, "axis", 0);
    at = at < 0 ? at + type->rank : at;
    if (!pass_constant(indices) || tensor_rank(indices->constant) != 1 ||
        !dim_known(type->dims[at]) || type->dims[at] == 0)
        return false;
    int64_t extent = type->dims[at], times = tensor_count(indices->constant) / extent;
    bool each = repeats(indices->constant, extent, times, true);
    if (extent * times != tensor_count(indices->constant) ||
        (!each && !repeats(indices->constant, extent, times, false)))
        return false;
    axes one = {.rank = 1}, two;
    one.axis[0] = out->axis[at];
    ir_dim dims[] = {each ? extent : times, each ? times : extent};
    if (!axes_regroup(t, &one, 2, dims, &two))
        return false;
    *in = *out;
    in->axis[at] = two.axis[each ? 0 : 1];
    return true;
}

static const struct {
    const char *op;
    move_fn *up, *down;
} moves[] = {
    {"Reshape", reshape_up, reshape_down},
    {"Flatten", reshape_up, reshape_down},
    {"Squeeze", reshape_up, reshape_down},
    {"Unsqueeze", reshape_up, reshape_down},
    {"Transpose", transpose_up, transpose_down},
    {"Expand", expand_up, NULL},
    {"Tile", tile_up, NULL},
    {"Gather", gather_up, NULL},
    {"Identity", reshape_up, reshape_down},
};

static bool known_ranks(const ir_node *n)
{
    return n->n_out > 0 && n->out[0] && ir_input(n, 0) && n->out[0]->type.rank >= 0 &&
           ir_input(n, 0)->type.rank >= 0;
}

bool axes_up(axes_table *t, const ir_node *n, const axes *out, axes *in)
{
    for (size_t i = 0; n && i < sizeof(moves) / sizeof(*moves); i++)
        if (pass_is(n, moves[i].op))
            return known_ranks(n) && moves[i].up(t, n, out, in) && !t->failed;
    return false;
}

bool axes_down(axes_table *t, const ir_node *n, const axes *in, axes *out)
{
    for (size_t i = 0; n && i < sizeof(moves) / sizeof(*moves); i++)
        if (pass_is(n, moves[i].op))
            return moves[i].down && known_ranks(n) && moves[i].down(t, n, in, out) && !t->failed;
    return false;
}
