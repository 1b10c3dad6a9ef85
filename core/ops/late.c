/* late.c - shapes that wait for data: the operator's own inference, run again by its kernel.
 *
 * Separate so that no kernel repeats what its inference says: Reshape with a computed target,
 * Slice with computed bounds, ConstantOfShape and the like are shaped here once their inputs are
 * there. */
#include "ops/late.h"

#include <string.h>

static heed_status input_types(op_call *c, ir_type **types, const ir_type ***pointers)
{
    *types = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(**types));
    *pointers = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(**pointers));
    if (!*types || !*pointers)
        return err_get()->status;
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (!c->in[i])
            continue;
        ir_type *type = &(*types)[i];
        type->kind = c->in[i]->kind;
        type->dtype = c->in[i]->dtype;
        type->rank = tensor_rank(c->in[i]);
        type->dims = arena_array(c->scratch, TENSOR_MAX_RANK, sizeof(ir_dim));
        if (!type->dims)
            return err_get()->status;
        memcpy(type->dims, c->in[i]->dims, (size_t)type->rank * sizeof(ir_dim));
        (*pointers)[i] = type;
    }
    return HEED_OK;
}

static heed_status infer_now(op_call *c, op_infer *infer)
{
    ir_type *types;
    const ir_type **pointers;
    TRY(input_types(c, &types, &pointers));
    *infer = (op_infer){
        .node = c->node,
        .op = c->node->op,
        .n_in = c->n_in,
        .n_out = c->n_out,
        .in = pointers,
        .in_tensors = c->in,
        .in_content = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(ir_dim *)),
        .in_n_content = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(int64_t)),
        .out = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(ir_type)),
        .out_content = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(ir_dim *)),
        .out_n_content = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(int64_t)),
        .memory = c->scratch,
    };
    if (!infer->in_content || !infer->in_n_content || !infer->out || !infer->out_content ||
        !infer->out_n_content)
        return err_get()->status;
    TRY(op_bind_types(c->node, pointers, infer->out));
    return infer->op->infer(infer);
}

heed_status late_shape(op_call *c)
{
    op_infer infer;
    if (!c->owned)
        return HEED_OK;
    TRY(infer_now(c, &infer));
    for (uint32_t o = 0; o < c->n_out; o++) {
        const ir_type *type = &infer.out[o];
        if (!c->out[o])
            continue;
        if (infer.late || type->rank < 0)
            return call_error(c, HEED_INTERNAL, "the shape of output %u is not known", o);
        TRY(call_output(c, o, type->dtype, type->rank, type->dims));
    }
    return HEED_OK;
}

int64_t *late_ints(op_call *c, uint32_t i)
{
    const heed_tensor *t = c->in[i];
    int64_t n = tensor_count(t);
    int64_t *values = call_scratch(c, ((size_t)n + 1) * sizeof(*values));
    if (values)
        dtype_load_i64(t->dtype, tensor_data(t), 0, n, values);
    return values;
}
