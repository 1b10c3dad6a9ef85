/* late.c - shapes that wait for data: the operator's own inference, run again by its kernel.
 *
 * Separate so that no kernel repeats what its inference says: Reshape with a computed target,
 * Slice with computed bounds, ConstantOfShape and the like are shaped here once their inputs are
 * there. */
#include "ops/late.h"

#include "ops/concrete.h"

static heed_status infer_now(op_call *c, op_concrete *k)
{
    ir_type *types = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(*types));
    const ir_type **list = arena_array(c->scratch, (size_t)c->n_in + 1, sizeof(*list));
    *k = (op_concrete){
        .in = list,
        .in_tensors = c->in,
        .out = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(ir_type)),
        .out_content = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(ir_dim *)),
        .out_n_content = arena_array(c->scratch, (size_t)c->n_out + 1, sizeof(int64_t)),
    };
    if (!types || !list || !k->out || !k->out_content || !k->out_n_content)
        return err_get()->status;
    for (uint32_t i = 0; i < c->n_in; i++) {
        if (!c->in[i])
            continue;
        types[i] = op_type_of(c->in[i]);
        list[i] = &types[i];
    }
    return op_infer_concrete(c->node, c->scratch, k);
}

/* Who calls the kernel may know the shapes already. */
static bool is_shaped(const op_call *c)
{
    for (uint32_t o = 0; o < c->n_out; o++)
        if (c->out[o] && !c->out[o]->dl.data)
            return false;
    return true;
}

heed_status late_shape(op_call *c)
{
    op_concrete k;
    if (!c->owned || is_shaped(c))
        return HEED_OK;
    TRY(infer_now(c, &k));
    for (uint32_t o = 0; o < c->n_out; o++) {
        const ir_type *type = &k.out[o];
        if (!c->out[o])
            continue;
        /* Every input is there, so only arithmetic can have failed. */
        if (k.late || type->rank < 0)
            return call_error(c, HEED_INVALID, "the extents of output %u are too large", o);
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
