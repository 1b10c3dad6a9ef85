/* content.c - what shape inference knows of the integers inside a tensor.
 *
 * Separate from op_infer because only operators of shape computations use it: Shape, Gather,
 * Concat, Slice, Reshape and their kin hand symbolic integers on, so that a whole chain of them is
 * understood before any number is there. */
#include "ops/content.h"

#include <string.h>

static bool entries_of_numbers(op_infer *c, const int64_t *numbers, int64_t n,
                               content_entry **entries)
{
    content_entry *list = arena_array(c->memory, (size_t)n + 1, sizeof(*list));
    if (!list)
        return false;
    for (int64_t k = 0; k < n; k++) {
        ir_dim dim = numbers[k] >= 0 ? numbers[k] : dims_constant(c->dims, numbers[k]);
        list[k] = (content_entry){.known = true, .number = numbers[k], .dim = dim};
    }
    *entries = list;
    return true;
}

bool content_get(op_infer *c, uint32_t i, content_entry **entries, int64_t *n)
{
    const int64_t *numbers;
    const ir_dim *dims;
    if (!infer_has(c, i))
        return false;
    if (infer_numbers(c, i, &numbers, n))
        return entries_of_numbers(c, numbers, *n, entries);
    if (!c->dims || !infer_ints(c, i, &dims, n))
        return false;
    content_entry *list = arena_array(c->memory, (size_t)*n + 1, sizeof(*list));
    if (!list)
        return false;
    for (int64_t k = 0; k < *n; k++) {
        list[k].dim = dims[k];
        list[k].known = dims_value(c->dims, dims[k], &list[k].number);
    }
    *entries = list;
    return true;
}

bool content_scalar(op_infer *c, uint32_t i, int64_t missing, content_entry *entry)
{
    content_entry *list;
    int64_t n;
    if (!infer_has(c, i)) {
        ir_dim dim = missing >= 0 ? missing : dims_constant(c->dims, missing);
        *entry = (content_entry){.known = true, .number = missing, .dim = dim};
        return true;
    }
    if (!content_get(c, i, &list, &n) || n != 1)
        return false;
    *entry = list[0];
    return true;
}

void content_put(op_infer *c, uint32_t o, int64_t n, const ir_dim *values)
{
    const ir_type *type = &c->out[o];
    if (o >= c->n_out || n < 0 || n > CONTENT_MAX || type->kind != HEED_KIND_TENSOR)
        return;
    if (!dtype_is_int(type->dtype) && type->dtype != HEED_BOOL)
        return;
    if ((type->rank == 0 && n == 1) || (type->rank == 1 && type->dims[0] == n))
        infer_set_content(c, o, n, values);
}

void content_forward(op_infer *c)
{
    const ir_dim *values;
    int64_t n;
    if (c->n_out > 0 && infer_has(c, 0) && infer_ints(c, 0, &values, &n))
        content_put(c, 0, n, values);
}

bool content_less(ir_dims *t, ir_dim a, ir_dim b)
{
    return dims_nonnegative(t, dims_sub(t, dims_sub(t, b, a), 1));
}

static bool is_extent(const op_infer *c, ir_dim dim)
{
    for (uint32_t i = 0; i < c->n_in && dim != DIM_UNKNOWN; i++)
        for (int32_t k = 0; k < infer_rank(c, i); k++)
            if (c->in[i]->dims[k] == dim)
                return true;
    return false;
}

ir_dim content_extent(op_infer *c, const content_entry *entry)
{
    bool good = dims_nonnegative(c->dims, entry->dim) || is_extent(c, entry->dim);
    return good ? entry->dim : dims_fresh(c->dims);
}

ir_dim content_count(ir_dims *t, const ir_type *type)
{
    ir_dim count = 1;
    if (!type || type->rank < 0)
        return DIM_UNKNOWN;
    for (int32_t i = 0; i < type->rank; i++)
        count = dims_mul(t, count, type->dims[i]);
    return count;
}
