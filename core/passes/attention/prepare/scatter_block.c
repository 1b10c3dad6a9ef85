/* scatter_block.c - see scatter_block.h. */
#include "passes/attention/prepare/scatter_block.h"

#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/pass.h"

/* Index number i, which has as many axes as coordinates, names start + its own place. */
static bool is_at(const heed_tensor *t, const scatter_block *k, int64_t i)
{
    int64_t left = i;
    for (int32_t axis = k->rank - 1; axis >= 0; axis--) {
        int64_t at = left % k->n[axis];
        left /= k->n[axis];
        if (tensor_get_int(t, i * k->rank + axis) != k->start[axis] + at)
            return false;
    }
    return true;
}

/* All coordinates stand in the file. */
static bool read_numbers(const heed_tensor *t, scatter_block *k)
{
    int64_t count = 1;
    for (int32_t i = 0; i < k->rank; i++) {
        k->start[i] = tensor_get_int(t, i);
        count *= k->n[i];
    }
    for (int64_t i = 0; i < count; i++)
        if (!is_at(t, k, i))
            return false;
    return true;
}

static bool is_int(const ir_value *v, int64_t number)
{
    return v && pass_constant(v) && tensor_count(v->constant) == 1 &&
           tensor_get_int(v->constant, 0) == number;
}

/* 0, 1 ... in another shape. */
static bool is_range(const ir_value *v)
{
    while (pieces_operand(v, "Reshape", 0) || pieces_operand(v, "Unsqueeze", 0))
        v = ir_input(v->producer, 0);
    return is_int(pieces_operand(v, "Range", 0), 0) && is_int(pieces_operand(v, "Range", 2), 1);
}

/* One coordinate, which lies along its own axis and is repeated along the others. */
static bool read_coordinate(const ir_value *v, scatter_block *k, int32_t axis)
{
    const ir_value *inner = pieces_operand(v, "Unsqueeze", 0);
    inner = inner ? inner : pieces_operand(v, "Reshape", 0);
    if (inner && inner->type.rank == k->rank)
        v = inner;
    if (pieces_operand(v, "Expand", 0))
        v = ir_input(v->producer, 0);
    int32_t at = axis - (k->rank - v->type.rank);
    for (int32_t i = 0; i < v->type.rank; i++)
        if (v->type.dims[i] != (i == at ? k->n[axis] : 1))
            return false;
    if (v->type.rank < 0 || v->type.rank > k->rank || (at < 0 && k->n[axis] != 1))
        return false;
    if (!pass_constant(v)) {
        k->start[axis] = 0;
        return is_range(v);
    }
    k->start[axis] = tensor_get_int(v->constant, 0);
    for (int64_t i = 0; i < k->n[axis]; i++)
        if (tensor_get_int(v->constant, i) != k->start[axis] + i)
            return false;
    return true;
}

/* Coordinates that were computed apart, one for each axis. */
static bool read_coordinates(const ir_value *indices, scatter_block *k)
{
    const ir_node *n = indices->producer;
    int64_t axis = n && pass_is(n, "Concat") ? ir_attr_int(n, "axis", 0) : 0;
    if ((axis != -1 && axis != k->rank) || n->n_in != (uint32_t)k->rank)
        return false;
    for (int32_t i = 0; i < k->rank; i++)
        if (!read_coordinate(ir_input(n, (uint32_t)i), k, i))
            return false;
    return true;
}

/* An axis of which not all is written has a number of places. */
static bool fits(const scatter_block *k, const ir_type *data, int32_t i)
{
    if (!k->cut[i])
        return k->start[i] == 0;
    return dim_known(k->n[i]) && dim_known(data->dims[i]) && k->start[i] >= 0 &&
           k->start[i] + k->n[i] <= data->dims[i];
}

bool scatter_read(const ir_value *indices, const ir_type *data, scatter_block *k)
{
    const ir_type *type = &indices->type;
    bool known = true;
    *k = (scatter_block){.rank = type->rank - 1};
    if (k->rank < 1 || k->rank > data->rank || type->dims[k->rank] != k->rank)
        return false;
    for (int32_t i = 0; i < k->rank; i++) {
        k->n[i] = type->dims[i];
        k->cut[i] = k->n[i] != data->dims[i];
        known = known && dim_known(k->n[i]) && k->n[i] > 0;
    }
    if (pass_constant(indices) ? !known || !read_numbers(indices->constant, k)
                               : !read_coordinates(indices, k))
        return false;
    for (int32_t i = 0; i < k->rank; i++)
        if (!fits(k, data, i))
            return false;
    return true;
}

bool scatter_same(const scatter_block *a, const scatter_block *b)
{
    bool same = a->rank == b->rank;
    for (int32_t i = 0; i < a->rank && same; i++)
        same = a->start[i] == b->start[i] && a->n[i] == b->n[i];
    return same;
}
