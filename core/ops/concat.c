/* concat.c - tensors one after the other along an axis: Concat. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* The first input whose rank is known, or n_in. */
static uint32_t ranked_input(const op_infer *c)
{
    uint32_t i = 0;
    while (i < c->n_in && infer_rank(c, i) < 0)
        i++;
    return i;
}

/* Merges input i into dims: the extents on the axis add up, the others must agree. */
static heed_status concat_one(op_infer *c, uint32_t i, int32_t axis, ir_dim *dims)
{
    for (int32_t k = 0; k < c->in[i]->rank; k++) {
        ir_dim dim = c->in[i]->dims[k];
        if (k == axis)
            dims[k] = dims_add(c->dims, dims[k], dim);
        else if (dim_known(dim) && dim_known(dims[k]) && dim != dims[k])
            return infer_error(c, "equal extents on the other axes", "%lld and %lld on axis %d",
                               (long long)dims[k], (long long)dim, k);
        else if (dim_known(dim))
            dims[k] = dim;
    }
    return HEED_OK;
}

static heed_status infer_concat(op_infer *c)
{
    uint32_t first = ranked_input(c);
    int32_t rank = infer_rank(c, first), axis;
    ir_dim dims[TENSOR_MAX_RANK];
    if (first == c->n_in)
        return infer_set_unknown(c, 0, 0, -1);
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", 0), rank, &axis));
    memcpy(dims, c->in[first]->dims, (size_t)rank * sizeof(*dims));
    dims[axis] = 0;
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (infer_rank(c, i) < 0)
            dims[axis] = DIM_UNKNOWN;
        else if (infer_rank(c, i) != rank)
            return infer_error(c, "inputs of one rank", "ranks %d and %d", rank, infer_rank(c, i));
        else if (dims[axis] == DIM_UNKNOWN)
            continue;
        else
            TRY(concat_one(c, i, axis, dims));
    }
    return infer_set(c, 0, 0, rank, dims);
}

/* The integers of one input; those that are not known are symbols, so that the others are not lost.
 * Returns how many, -1 when that is not known either. */
static int64_t content_part(op_infer *c, uint32_t i, ir_dim *values, int64_t room)
{
    const ir_dim *part;
    int64_t n;
    bool known = infer_ints(c, i, &part, &n);
    if (!known && (!c->dims || infer_rank(c, i) != 1 || !dim_known(c->in[i]->dims[0])))
        return -1;
    n = known ? n : c->in[i]->dims[0];
    if (n > room)
        return -1;
    for (int64_t k = 0; k < n; k++)
        values[k] = known ? part[k] : dims_fresh_integer(c->dims);
    return n;
}

static void content_concat(op_infer *c)
{
    ir_dim values[CONTENT_MAX];
    int64_t n = 0;
    if (c->out[0].rank != 1 || !dtype_is_int(c->out[0].dtype))
        return;
    for (uint32_t i = 0; i < c->n_in; i++) {
        int64_t count = content_part(c, i, values + n, CONTENT_MAX - n);
        if (count < 0)
            return;
        n += count;
    }
    content_put(c, 0, n, values);
}

static heed_status run_concat(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_rank(out) == 0)
        return HEED_OK;
    int32_t rank = tensor_rank(out);
    int64_t axis = ir_attr_int(c->node, "axis", 0);
    layout_join(out, (int32_t)(axis < 0 ? axis + rank : axis), c->n_in, c->in);
    return HEED_OK;
}

// clang-format off
static const op_def concat = {
    .domain = "", .name = "Concat", .since = 13,
    .signature = "inputs:T* -> concat_result:T", .types = "T=any", .attrs = "axis:int!",
    .infer = infer_concat, .content = content_concat, .run = run_concat};
// clang-format on

const op_def *const ops_concat[] = {&concat, NULL};
