/* infer_as.c - see infer_as.h. Separate because variants of an operator (quantised, fused, with
 * channels last) would otherwise repeat its arithmetic of shapes. */
#include "ops/infer_as.h"

heed_status infer_as(op_infer *c, const char *op, uint32_t n, const ir_type *const *types)
{
    op_infer d = *c;
    const op_def *def = op_find("", op);
    const heed_tensor **tensors = arena_array(c->memory, n, sizeof(*tensors));
    const ir_dim **content = arena_array(c->memory, n, sizeof(*content));
    int64_t *n_content = arena_array(c->memory, n, sizeof(*n_content));
    if (!def || !tensors || !content || !n_content)
        return def ? HEED_NOMEM : err_fail(HEED_INTERNAL, "no operator %s", op);
    d.op = def;
    d.n_in = n;
    d.in = types;
    d.in_tensors = tensors;
    d.in_content = content;
    d.in_n_content = n_content;
    heed_status status = def->infer(&d);
    c->late = d.late;
    return status;
}

heed_status infer_as_last(op_infer *c, const char *op, uint32_t n, const ir_type *const *types)
{
    int32_t perm[TENSOR_MAX_RANK];
    const ir_type **in = arena_array(c->memory, n, sizeof(*in));
    ir_type x = *types[0], back;
    if (!in)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        in[i] = i == 0 ? &x : types[i];
    channels_first(x.rank, perm);
    TRY(infer_permuted(c, types[0], perm, &x));
    TRY(infer_as(c, op, n, in));
    channels_last(c->out[0].rank, perm);
    TRY(infer_permuted(c, &c->out[0], perm, &back));
    c->out[0] = back;
    return HEED_OK;
}

heed_status infer_permuted(op_infer *c, const ir_type *from, const int32_t *perm, ir_type *to)
{
    *to = *from;
    if (from->rank < 0)
        return HEED_OK;
    to->dims = infer_dims_new(c, from->rank);
    if (!to->dims)
        return HEED_NOMEM;
    for (int32_t i = 0; i < from->rank; i++)
        to->dims[i] = from->dims[perm[i]];
    return HEED_OK;
}

void channels_first(int32_t rank, int32_t *perm)
{
    for (int32_t i = 0; i < rank; i++)
        perm[i] = i == 0 ? 0 : i == 1 ? rank - 1 : i - 1;
}

void channels_last(int32_t rank, int32_t *perm)
{
    for (int32_t i = 0; i < rank; i++)
        perm[i] = i == 0 ? 0 : i == rank - 1 ? 1 : i + 1;
}
