/* mask_pick.c - elements that are picked out of a tensor: Slice, Gather, GatherND, and ScatterND
 * that writes every element.
 *
 * An axis that is picked from gets an index of its own, whose meaning is a form of the others. */
#include <string.h>

#include "ops/content.h"
#include "passes/mask/mask.h"

/* An axis of the tensor that is picked from, where its index is this form; false when the table is
 * full. An axis that is one of the scores' keeps its atom. */
bool mask_axis(mask *m, const mask_affine *index, ir_dim extent, axes_list *out)
{
    int64_t number;
    if (index->n == 0 && extent == 1 && dims_value(m->dims, index->constant, &number))
        return *out = (axes_list){0}, number == 0;
    if (index->n > 0 && mask_axes_of(m, index, extent, out))
        return true;
    uint8_t atom = axes_atom(&m->table, extent);
    if (m->table.failed)
        return m->table.failed = false;
    m->meaning[atom].known = true;
    m->meaning[atom].index = *index;
    *out = (axes_list){1, {atom}};
    return true;
}

/* ---- Slice ----------------------------------------------------------------------------------- */

/* Entry k of starts or steps as a dim; DIM_UNKNOWN when it is not known. */
static ir_dim entry(const mask *m, const ir_node *n, uint32_t input, int64_t k, ir_dim missing)
{
    const ir_value *v = ir_input(n, input);
    if (!v)
        return missing;
    if (pass_constant(v) && k < tensor_count(v->constant))
        return dims_constant(m->dims, tensor_get_int(v->constant, k));
    return v->content && k < v->n_content ? v->content[k] : DIM_UNKNOWN;
}

static int64_t n_entries(const ir_value *v)
{
    return v && v->type.rank == 1 && dim_known(v->type.dims[0]) ? v->type.dims[0] : -1;
}

static bool slice_axis(const ir_node *n, int64_t k, int32_t rank, int64_t *axis)
{
    const ir_value *v = ir_input(n, 3);
    *axis = k;
    if (v && !pass_constant(v))
        return false;
    if (v)
        *axis = tensor_get_int(v->constant, k);
    *axis += *axis < 0 ? rank : 0;
    return *axis >= 0 && *axis < rank;
}

/* A start below 0 counts from the end. */
static bool from_front(mask *m, ir_dim extent, ir_dim *start)
{
    if (*start != DIM_UNKNOWN && !dims_nonnegative(m->dims, *start))
        *start = dims_add(m->dims, extent, *start);
    return *start != DIM_UNKNOWN && dims_nonnegative(m->dims, *start);
}

static bool slice(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    ir_value *x = ir_input(n, 0);
    int64_t count = n_entries(ir_input(n, 1)), axis;
    axes in = *at;
    for (int64_t k = 0; k < count; k++) {
        mask_affine index;
        ir_dim start = entry(m, n, 1, k, 0);
        if (!slice_axis(n, k, x->type.rank, &axis) || entry(m, n, 4, k, 1) != 1 ||
            !from_front(m, x->type.dims[axis], &start) ||
            !mask_index_of(m, &at->axis[axis], &index))
            return false;
        index.constant = dims_add(m->dims, index.constant, start);
        if (x->type.dims[axis] == n->out[0]->type.dims[axis] && start == 0)
            continue;
        if (!mask_axis(m, &index, x->type.dims[axis], &in.axis[axis]))
            return false;
    }
    return count >= 0 && mask_walk(m, x, &in, out);
}

/* ---- Gather ---------------------------------------------------------------------------------- */

/* The whole number that a tensor of indices holds, in all cases. */
static bool read_index(mask *m, ir_value *v, const axes *at, mask_affine *out)
{
    mask_form form;
    return mask_walk(m, v, at, &form) && form.n == 0 && mask_whole(m, form.leaf[0], false, out);
}

/* Never below 0: it does not count from the end. */
static bool is_forward(mask *m, const mask_affine *index)
{
    mask_affine negated, zero = mask_constant(0);
    return mask_add(m, &zero, dims_constant(m->dims, -1), index, &negated) &&
           mask_sign(m, &negated) < 0;
}

/* A function of the indices of the scores, and of nothing that a tensor holds. */
static bool is_position(const mask *m, uint16_t leaf)
{
    const mask_leaf *l = &m->leaves[leaf];
    bool good = l->kind == MASK_NUMBER || l->kind == MASK_INDEX || l->kind == MASK_EXPR;
    for (int i = 0; l->kind == MASK_EXPR && i < 3 && good; i++)
        good = !l->args[i] || is_position(m, l->args[i]);
    return good;
}

bool mask_lookup_index(mask *m, const mask_leaf *lookup, mask_form *out)
{
    ir_value *indices = ir_input(lookup->node, 1);
    int64_t axis = ir_attr_int(lookup->node, "axis", 0);
    axes where = {.rank = indices->type.rank};
    axis += axis < 0 ? ir_input(lookup->node, 0)->type.rank : 0;
    for (int32_t i = 0; i < where.rank; i++)
        where.axis[i] = lookup->at.axis[axis + i];
    return mask_walk(m, indices, &where, out);
}

/* A table whose rows are found by position. */
static bool look_up(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    mask_leaf lookup = {.node = n, .at = *at};
    mask_form form;
    if (!m->looks_up || !dtype_is_float(n->out[0]->type.dtype) ||
        !mask_lookup_index(m, &lookup, &form))
        return false;
    for (uint32_t c = 0; c < 1u << form.n; c++)
        if (mask_possible(m, form.n, c) && !is_position(m, mask_at(m, &form, form.n, c)))
            return false;
    uint16_t leaf = mask_lookup(m, n, at);
    m->looked_up = true;
    mask_one(m, leaf, out);
    return leaf != MASK_NONE;
}

static bool gather(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    ir_value *x = ir_input(n, 0), *indices = ir_input(n, 1);
    int64_t axis = ir_attr_int(n, "axis", 0);
    int32_t rank = x->type.rank, more = indices->type.rank;
    mask_affine index;
    axes in = {.rank = rank}, where = {.rank = more};
    if (rank < 1 || more < 0 || at->rank != rank - 1 + more)
        return false;
    axis += axis < 0 ? rank : 0;
    for (int32_t i = 0; i < more; i++)
        where.axis[i] = at->axis[axis + i];
    for (int32_t i = 0; i < rank; i++)
        if (i != axis)
            in.axis[i] = at->axis[i < axis ? i : i - 1 + more];
    if (read_index(m, indices, &where, &index) && is_forward(m, &index) &&
        mask_axis(m, &index, x->type.dims[axis], &in.axis[axis]) && mask_walk(m, x, &in, out))
        return true;
    return look_up(m, n, at, out);
}

/* ---- Indices of several axes ----------------------------------------------------------------- */

/* Part k of indices that are Concat(..., axis = -1) of parts with a last extent of 1; or the only
 * one. */
static bool read_part(mask *m, ir_value *indices, const axes *at, uint32_t k, mask_affine *out)
{
    const ir_node *n = indices->producer;
    int64_t last = indices->type.rank - 1;
    ir_value *part = indices;
    if (indices->type.dims[last] != 1) {
        if (!pass_is(n, "Concat") || k >= n->n_in ||
            (ir_attr_int(n, "axis", 0) != last && ir_attr_int(n, "axis", 0) != -1))
            return false;
        part = ir_input(n, k);
    }
    if (part->type.rank != indices->type.rank || part->type.dims[last] != 1)
        return false;
    axes in = *at;
    in.rank = indices->type.rank;
    in.axis[last] = (axes_list){0};
    return read_index(m, part, &in, out) && is_forward(m, out);
}

static bool parts_of(const ir_value *indices, int64_t *count)
{
    const ir_node *n = indices->producer;
    int32_t rank = indices->type.rank;
    *count = rank >= 1 && indices->type.dims[rank - 1] == 1 ? 1 : n ? (int64_t)n->n_in : 0;
    return rank >= 1 && indices->type.dims[rank - 1] == *count;
}

static bool gather_nd(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    ir_value *x = ir_input(n, 0), *indices = ir_input(n, 1);
    int64_t count;
    axes in = {.rank = x->type.rank}, where = {.rank = indices->type.rank - 1};
    if (ir_attr_int(n, "batch_dims", 0) || !parts_of(indices, &count) || count > in.rank ||
        at->rank != where.rank + in.rank - count)
        return false;
    for (int32_t i = 0; i < where.rank; i++)
        where.axis[i] = at->axis[i];
    for (int32_t i = 0; i < in.rank; i++) {
        mask_affine index;
        if (i >= count)
            in.axis[i] = at->axis[where.rank + i - (int32_t)count];
        else if (!read_part(m, indices, &where, (uint32_t)i, &index) ||
                 !mask_axis(m, &index, x->type.dims[i], &in.axis[i]))
            return false;
    }
    return mask_walk(m, x, &in, out);
}

/* Every element is written, each where it stands; or every row, block of rows, ... */
static bool scatter_nd(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    const ir_type *type = &n->out[0]->type;
    ir_value *indices = ir_input(n, 1), *updates = ir_input(n, 2);
    int64_t count;
    axes where = *at;
    if (strcmp(ir_attr_string(n, "reduction", "none"), "none") != 0 || !parts_of(indices, &count) ||
        count > at->rank || indices->type.rank != count + 1 || updates->type.rank != at->rank)
        return false;
    where.rank = (int32_t)count;
    for (int32_t i = 0; i < count; i++) {
        mask_affine index, own;
        if (updates->type.dims[i] != type->dims[i] ||
            !read_part(m, indices, &where, (uint32_t)i, &index) ||
            !mask_index_of(m, &at->axis[i], &own) || !mask_affine_equal(&index, &own))
            return false;
    }
    return mask_walk(m, updates, at, out);
}

/* ---- Pieces one behind the other ------------------------------------------------------------- */

/* The part of an axis that lies from `start` on, `extent` long, looked at there. */
static bool read_part_of(mask *m, ir_value *v, const axes *at, int64_t axis, mask_affine index,
                         ir_dim start, mask_form *out)
{
    axes in = *at;
    index.constant = dims_sub(m->dims, index.constant, start);
    return mask_axis(m, &index, v->type.dims[axis], &in.axis[axis]) && mask_walk(m, v, &in, out);
}

/* The whole number that it is in all cases. */
static bool whole_of(mask *m, const mask_form *form, mask_affine *out)
{
    for (uint32_t c = 1; c < 1u << form->n; c++)
        if (form->leaf[c] != form->leaf[0])
            return false;
    return mask_whole(m, form->leaf[0], false, out);
}

/* A piece of one element that is what the next one would be there: [-1] before 0, 1, 2... Their
 * difference is a multiple of how far the index is behind the piece. */
static bool continues(mask *m, const mask_form *piece, const mask_form *behind,
                      const mask_affine *index, ir_dim start)
{
    mask_affine a, b, d;
    ir_dim minus_one = dims_constant(m->dims, -1);
    if (index->n != 1 || index->factor[0] != 1 || !whole_of(m, piece, &a) ||
        !whole_of(m, behind, &b) || !mask_add(m, &b, minus_one, &a, &d))
        return false;
    ir_dim behind_piece = dims_sub(m->dims, index->constant, start);
    return d.n == 0 ? d.constant == 0
                    : d.n == 1 && d.index[0] == index->index[0] && d.constant != DIM_UNKNOWN &&
                          d.constant == dims_mul(m->dims, d.factor[0], behind_piece);
}

/* The last piece first: what stands before `start` replaces it there. */
static bool concat(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    enum { MOST_PIECES = 4 };
    int64_t axis = ir_attr_int(n, "axis", 0);
    ir_dim start[MOST_PIECES + 1] = {0};
    mask_affine index;
    axis += axis < 0 ? at->rank : 0;
    if (n->n_in < 1 || n->n_in > MOST_PIECES || axis < 0 || axis >= at->rank ||
        !mask_index_of(m, &at->axis[axis], &index))
        return false;
    for (uint32_t i = 0; i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        if (!v || v->type.rank != at->rank)
            return false;
        start[i + 1] = dims_add(m->dims, start[i], v->type.dims[axis]);
        if (start[i + 1] == DIM_UNKNOWN)
            return false;
    }
    for (uint32_t i = n->n_in; i-- > 0;) {
        mask_form piece, behind = *out;
        mask_affine last = index;
        if (!read_part_of(m, ir_input(n, i), at, axis, index, start[i],
                          i + 1 == n->n_in ? out : &piece))
            return false;
        last.constant = dims_add(m->dims, dims_sub(m->dims, index.constant, start[i + 1]), 1);
        if (i + 1 < n->n_in && ir_input(n, i)->type.dims[axis] == 1 &&
            continues(m, &piece, &behind, &index, start[i]))
            *out = behind;
        else if (i + 1 < n->n_in && !mask_choose(m, &last, &piece, &behind, out))
            return false;
    }
    return true;
}

static const struct {
    const char *op;
    bool (*read)(mask *m, const ir_node *n, const axes *at, mask_form *out);
} rows[] = {
    {"Slice", slice},          {"Gather", gather}, {"GatherND", gather_nd},
    {"ScatterND", scatter_nd}, {"Concat", concat},
};

bool mask_pick(mask *m, const ir_node *n, const axes *at, mask_form *out)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (pass_is(n, rows[i].op))
            return n->out[0]->type.rank == at->rank && ir_input(n, 0) &&
                   ir_input(n, 0)->type.rank >= 0 && (ir_input(n, 1) || pass_is(n, "Concat")) &&
                   rows[i].read(m, n, at, out);
    return false;
}
