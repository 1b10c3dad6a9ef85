/* positions.c - values that say where tokens stand, made from how many there are.
 *
 * before: Range(0, seq), Slice(table, 0, seq)
 * after:  positions [T], Gather(table, positions)
 *
 * A file computes them for a sequence from its beginning. They are read back to a whole number for
 * each index (mask.h), and must be the index plus a constant. */
#include "passes/mask/mask.h"
#include "passes/paging/flow.h"

/* min(tokens, n) is how many rows there are of a table of n: with more tokens the file's graph
 * would not fit together. */
static bool is_count(const flow_map *m, const ir_value *v, int32_t k)
{
    ir_dim have = v->type.dims[k];
    const ir_value *from = v->producer ? ir_input(v->producer, 0) : NULL;
    bool cut = pass_is(v->producer, "Slice") && from->type.rank == v->type.rank;
    return have == m->tokens ||
           (cut && !dim_known(have) && dim_known(from->type.dims[k]) &&
            have == dims_min(m->run->model->dims, m->tokens, from->type.dims[k]));
}

/* The only axis of as many extents as there are tokens; -1: there is none, or are more. */
static int32_t token_axis(const flow_map *m, const ir_value *v)
{
    int32_t axis = -1;
    for (int32_t k = 0; k < v->type.rank; k++)
        if (is_count(m, v, k)) {
            if (axis >= 0)
                return -1;
            axis = k;
        }
    return axis;
}

static heed_status add(flow_map *m, flow_positions found)
{
    TRY(mem_grow(&m->positions, &m->positions_capacity, m->n_positions, sizeof(found)));
    m->positions[m->n_positions++] = found;
    return HEED_OK;
}

/* ---- Numbers ----------------------------------------------------------------------------------
 */

static bool has_other_axes(const ir_type *type, int32_t axis)
{
    for (int32_t k = 0; k < type->rank; k++)
        if (k != axis && type->dims[k] != 1)
            return true;
    return false;
}

static bool is_one_leaf(const mask_form *form)
{
    for (uint32_t c = 1; c < 1u << form->n; c++)
        if (form->leaf[c] != form->leaf[0])
            return false;
    return form->leaf[0] != MASK_NONE;
}

/* index + *first along the axis. */
static bool counts(flow_map *m, ir_value *v, int32_t axis, int64_t *first)
{
    mask *walk = m->mask;
    mask_form form;
    mask_affine index;
    axes at = {.rank = v->type.rank};
    mask_init(walk, m->run, (ir_dim[]){1, 1, v->type.dims[axis], 1});
    at.axis[axis] = (axes_list){1, {walk->frame[MASK_S]}};
    return mask_walk(walk, v, &at, &form) && is_one_leaf(&form) &&
           mask_whole(walk, form.leaf[0], false, &index) && index.n == 1 &&
           index.index[0] == walk->frame[MASK_S] && index.factor[0] == 1 &&
           dims_value(m->run->model->dims, index.constant, first);
}

bool flow_number(flow_map *m, ir_value *v, ir_dim *out)
{
    mask_form form;
    mask_affine index;
    axes at = {.rank = v->type.rank};
    if (v->type.rank < 0 || has_other_axes(&v->type, -1) ||
        (!m->mask && !(m->mask = mem_zero(sizeof(*m->mask)))))
        return false;
    mask_init(m->mask, m->run, (ir_dim[]){1, 1, m->tokens, 1});
    bool known = mask_walk(m->mask, v, &at, &form) && is_one_leaf(&form) &&
                 mask_whole(m->mask, form.leaf[0], false, &index) && index.n == 0;
    *out = known ? index.constant : DIM_UNKNOWN;
    return known;
}

/* ---- Tables -----------------------------------------------------------------------------------
 */

bool flow_entry(const flow_map *m, const ir_value *v, int64_t i, int64_t *out)
{
    if (v->content)
        return i < v->n_content && dims_value(m->run->model->dims, v->content[i], out);
    *out = pass_constant(v) && i < tensor_count(v->constant) ? tensor_get_int(v->constant, i) : -1;
    return pass_constant(v) && i < tensor_count(v->constant);
}

/* The first rows of what is free: Slice from a number on, of one axis, by ones. */
static bool is_table(const flow_map *m, const ir_value *v, int32_t axis, int64_t *first)
{
    const ir_node *n = v->producer;
    if (!pass_is(n, "Slice") || flow_of(m, ir_input(n, 0)).kind != FLOW_FREE)
        return false;
    const ir_value *start = ir_input(n, 1), *along = ir_input(n, 3), *steps = ir_input(n, 4);
    const ir_type *from = &n->in[0].value->type;
    int64_t k, step;
    for (int32_t i = 0; i < v->type.rank; i++)
        if (i != axis && v->type.dims[i] != from->dims[i])
            return false;
    for (int64_t i = 0; i < from->rank; i++) {
        if (along && !flow_entry(m, along, i, &k))
            return false;
        k = along ? k + (k < 0 ? from->rank : 0) : i;
        bool ones = !steps || (flow_entry(m, steps, i, &step) && step == 1);
        if (k == axis)
            return ones && flow_entry(m, start, i, first) && *first >= 0;
    }
    return false;
}

/* ---- Both -------------------------------------------------------------------------------------
 */

/* Every row is the same. */
static bool is_repeated(const flow_map *m, const ir_value *v, int32_t axis)
{
    const ir_node *n = v->producer;
    const ir_value *from = ir_input(n, 0);
    if (pass_is(n, "ConstantOfShape"))
        return true;
    if (!pass_is(n, "Expand") || flow_of(m, from).kind != FLOW_FREE)
        return false;
    int32_t own = axis - (v->type.rank - from->type.rank);
    return own < 0 || from->type.dims[own] == 1;
}

heed_status flow_find_positions(flow_map *m, ir_value *v, flow *out)
{
    int32_t axis = token_axis(m, v);
    flow_positions found = {.value = v, .axis = axis};
    if (axis < 0 || !v->producer)
        return HEED_OK;
    if (!m->mask && !(m->mask = mem_zero(sizeof(*m->mask))))
        return HEED_NOMEM;
    bool rows = is_repeated(m, v, axis);
    bool number = !rows && dtype_is_int(v->type.dtype) && !has_other_axes(&v->type, axis) &&
                  counts(m, v, axis, &found.first);
    bool table = !rows && !number && is_table(m, v, axis, &found.first);
    if (table)
        found.table = ir_input(v->producer, 0);
    if (number || table)
        TRY(add(m, found));
    if (rows || number || table)
        *out = flow_rows(axis); /* of places, not of data */
    out->place = number && found.first == 0;
    return HEED_OK;
}

bool flow_is_place(flow_map *m, ir_value *v)
{
    int64_t first;
    int32_t axis = token_axis(m, v);
    return m->mask && axis >= 0 && v->producer && dtype_is_int(v->type.dtype) &&
           !has_other_axes(&v->type, axis) && counts(m, v, axis, &first) && first == 0;
}

ir_value *flow_table_of(const flow_map *m, const ir_value *v)
{
    for (size_t i = 0; i < m->n_positions; i++)
        if (m->positions[i].value == v && m->positions[i].first == 0)
            return m->positions[i].table;
    return NULL;
}

heed_status flow_look_up(flow_map *m, ir_node *n, ir_value *table)
{
    return add(m, (flow_positions){.table = table, .looks_up = n});
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

/* In the extents of the type, of which one is the number of tokens. */
static ir_value *shaped(op_body *b, ir_value *x, const ir_type *type)
{
    int64_t shape[TENSOR_MAX_RANK];
    for (int32_t k = 0; k < type->rank; k++)
        shape[k] = dim_known(type->dims[k]) ? type->dims[k] : -1;
    return body_2(b, x, body_ints(b, type->rank, shape), "Reshape");
}

static ir_value *emit(op_body *b, const flow_positions *f, ir_value *positions)
{
    ir_value *at = f->first ? body_2(b, positions, body_int(b, f->first), "Add") : positions;
    return f->table ? body_2(b, f->table, at, "Gather axis=%d", f->axis)
                    : shaped(b, body_cast(b, at, f->value->type.dtype), &f->value->type);
}

heed_status flow_set_positions(flow_map *m, ir_value *positions)
{
    for (size_t i = 0; i < m->n_positions; i++) {
        const flow_positions *f = &m->positions[i];
        if (f->looks_up && f->table) {
            ir_node_set_input(f->looks_up, 0, f->table);
            continue;
        }
        ir_value *value = f->looks_up ? f->looks_up->out[0] : f->value;
        op_body b = pass_body(m->run, value->producer);
        ir_value *made = f->looks_up ? shaped(&b, ir_input(f->looks_up, 0), &value->type)
                                     : emit(&b, f, positions);
        if (b.status)
            return b.status;
        ir_value_replace(value, made);
    }
    return HEED_OK;
}
