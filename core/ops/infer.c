/* infer.c - what shape inference functions are written with: checked access to the inputs, and
 * setting the outputs. No function here or in a family indexes dims without a rank check. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/op.h"

bool infer_has(const op_infer *c, uint32_t i) { return i < c->n_in && c->in[i]; }

int32_t infer_rank(const op_infer *c, uint32_t i) { return infer_has(c, i) ? c->in[i]->rank : -1; }

ir_dim infer_dim(const op_infer *c, uint32_t i, int32_t axis)
{
    int32_t rank = infer_rank(c, i);
    return axis >= 0 && axis < rank ? c->in[i]->dims[axis] : DIM_UNKNOWN;
}

heed_status infer_error(const op_infer *c, const char *expected, const char *format, ...)
{
    char found[200];
    va_list args;
    va_start(args, format);
    vsnprintf(found, sizeof(found), format, args);
    va_end(args);
    err_expected(HEED_INVALID, expected, found, NULL);
    return ir_node_error(c->node);
}

heed_status infer_axis(const op_infer *c, int64_t axis, int32_t rank, int32_t *out)
{
    if (axis < -rank || axis >= rank) {
        char expected[64];
        snprintf(expected, sizeof(expected), "an axis in [%d, %d)", -rank, rank);
        return infer_error(c, expected, "%lld", (long long)axis);
    }
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return HEED_OK;
}

ir_dim *infer_dims_new(op_infer *c, int64_t n)
{
    return arena_array(c->memory, (size_t)n, sizeof(ir_dim));
}

/* ---- Content -------------------------------------------------------------------------------- */

static bool int_content(const heed_tensor *t)
{
    return t && t->kind == HEED_TENSOR && (dtype_is_int(t->dtype) || t->dtype == HEED_BOOL);
}

bool infer_numbers(const op_infer *c, uint32_t i, const int64_t **values, int64_t *count)
{
    const ir_dim *content;
    if (!infer_has(c, i))
        return false;
    if (int_content(c->in_tensors[i])) {
        const heed_tensor *t = c->in_tensors[i];
        int64_t n = tensor_count(t);
        int64_t *copy = arena_array(c->memory, (size_t)n, sizeof(*copy));
        if (!copy)
            return false;
        dtype_load_i64(t->dtype, tensor_data(t), 0, n, copy);
        *values = copy;
        *count = n;
        return true;
    }
    if (!infer_ints(c, i, &content, count))
        return false;
    int64_t *copy = arena_array(c->memory, (size_t)*count, sizeof(*copy));
    for (int64_t k = 0; k < *count; k++)
        if (!copy || !dims_value(c->dims, content[k], &copy[k]))
            return false;
    *values = copy;
    return copy != NULL;
}

bool infer_ints(const op_infer *c, uint32_t i, const ir_dim **values, int64_t *count)
{
    if (!infer_has(c, i))
        return false;
    if (c->in_content[i]) {
        *values = c->in_content[i];
        *count = c->in_n_content[i];
        return true;
    }
    const int64_t *numbers;
    if (!int_content(c->in_tensors[i]) || !infer_numbers(c, i, &numbers, count))
        return false;
    ir_dim *dims = arena_array(c->memory, (size_t)*count, sizeof(*dims));
    for (int64_t k = 0; dims && k < *count; k++) {
        dims[k] = dims_constant(c->dims, numbers[k]);
        if (dims[k] == DIM_UNKNOWN)
            return false;
    }
    *values = dims;
    return dims != NULL;
}

void infer_set_content(op_infer *c, uint32_t o, int64_t n, const ir_dim *values)
{
    if (o >= c->n_out || n > 64)
        return;
    for (int64_t k = 0; k < n; k++)
        if (values[k] == DIM_UNKNOWN)
            return;
    ir_dim *copy = infer_dims_new(c, n);
    if (!copy)
        return;
    if (n)
        memcpy(copy, values, (size_t)n * sizeof(*copy));
    c->out_content[o] = copy;
    c->out_n_content[o] = n;
}

/* ---- Outputs -------------------------------------------------------------------------------- */

static heed_status check_extents(const op_infer *c, int32_t rank, const ir_dim *dims)
{
    int64_t count = 1;
    if (rank > TENSOR_MAX_RANK)
        return infer_error(c, "an output of at most 16 dimensions", "%d", rank);
    for (int32_t i = 0; i < rank; i++) {
        int64_t value = 0;
        bool number = dims_value(c->dims, dims[i], &value);
        if (number && (value < 0 || value > TENSOR_MAX_DIM))
            return infer_error(c, "extents from 0 to 2^40", "%lld", (long long)value);
        if (number && value > 0 &&
            (__builtin_mul_overflow(count, value, &count) || count > TENSOR_MAX_DIM))
            return infer_error(c, "an output whose size fits into memory", "too many elements");
    }
    return HEED_OK;
}

heed_status infer_set(op_infer *c, uint32_t o, heed_dtype dtype, int32_t rank, const ir_dim *dims)
{
    if (o >= c->n_out)
        return HEED_OK;
    TRY(check_extents(c, rank, dims));
    ir_dim *copy = infer_dims_new(c, rank);
    if (!copy)
        return HEED_NOMEM;
    for (int32_t i = 0; i < rank; i++) {
        copy[i] = dims[i];
        if (copy[i] == DIM_UNKNOWN && c->dims)
            copy[i] = dims_fresh(c->dims);
        if (copy[i] == DIM_UNKNOWN)
            c->late = true;
    }
    c->out[o].rank = rank;
    c->out[o].dims = copy;
    if (dtype)
        c->out[o].dtype = dtype;
    return HEED_OK;
}

heed_status infer_set_like(op_infer *c, uint32_t o, uint32_t i)
{
    if (o >= c->n_out || !infer_has(c, i))
        return HEED_OK;
    const ir_type *from = c->in[i];
    if (!c->out[o].dtype)
        c->out[o].dtype = from->dtype;
    c->out[o].kind = from->kind;
    c->out[o].optional_sequence = from->optional_sequence;
    c->out[o].keys = from->keys;
    if (from->rank < 0 || from->kind != HEED_KIND_TENSOR)
        return infer_set_unknown(c, o, 0, -1);
    return infer_set(c, o, 0, from->rank, from->dims);
}

heed_status infer_set_unknown(op_infer *c, uint32_t o, heed_dtype dtype, int32_t rank)
{
    if (o >= c->n_out)
        return HEED_OK;
    c->late = true;
    c->out[o].rank = -1;
    if (dtype)
        c->out[o].dtype = dtype;
    if (rank < 0 || !c->dims)
        return HEED_OK;
    ir_dim *dims = infer_dims_new(c, rank);
    if (!dims)
        return HEED_NOMEM;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = DIM_UNKNOWN;
    return infer_set(c, o, dtype, rank, dims);
}

heed_status infer_late(op_infer *c)
{
    c->late = true;
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set_unknown(c, o, 0, -1));
    return HEED_OK;
}

/* ---- Broadcasting --------------------------------------------------------------------------- */

static heed_status broadcast_one(op_infer *c, uint32_t i, ir_dim *dims, int32_t rank)
{
    const ir_type *t = c->in[i];
    for (int32_t k = 0; k < t->rank; k++) {
        ir_dim *d = &dims[rank - t->rank + k];
        char a[48], b[48];
        if (!dims_broadcast(c->dims, *d, t->dims[k], d))
            return infer_error(c, "shapes that broadcast", "extents %s and %s on axis %d",
                               dims_text(c->dims, *d, a, sizeof(a)),
                               dims_text(c->dims, t->dims[k], b, sizeof(b)), k - t->rank);
    }
    return HEED_OK;
}

heed_status infer_set_broadcast(op_infer *c, uint32_t o, heed_dtype dtype, uint32_t first,
                                uint32_t last)
{
    int32_t rank = 0;
    ir_dim dims[TENSOR_MAX_RANK];
    for (uint32_t i = first; i <= last; i++) {
        if (!infer_has(c, i))
            continue;
        if (c->in[i]->rank < 0)
            return infer_set_unknown(c, o, dtype, -1);
        rank = c->in[i]->rank > rank ? c->in[i]->rank : rank;
    }
    for (int32_t k = 0; k < rank; k++)
        dims[k] = 1;
    for (uint32_t i = first; i <= last; i++)
        if (infer_has(c, i))
            TRY(broadcast_one(c, i, dims, rank));
    return infer_set(c, o, dtype, rank, dims);
}

heed_status infer_same(op_infer *c)
{
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set_like(c, o, 0));
    return HEED_OK;
}

heed_status infer_broadcast(op_infer *c) { return infer_set_broadcast(c, 0, 0, 0, c->n_in - 1); }
