/* evaluate.c - see evaluate.h. */
#include "ops/evaluate.h"

#include <string.h>

bool op_known_shape(const ir_type *type, int64_t *dims)
{
    if (type->kind != HEED_KIND_TENSOR || type->rank < 0 || !type->dtype)
        return false;
    for (int32_t i = 0; i < type->rank; i++) {
        if (!dim_known(type->dims[i]))
            return false;
        dims[i] = type->dims[i];
    }
    return true;
}

bool op_known_bytes(const ir_type *type, size_t *bytes)
{
    int64_t dims[TENSOR_MAX_RANK], count;
    return op_known_shape(type, dims) && shape_count(type->rank, dims, &count) &&
           dtype_bytes(type->dtype, (uint64_t)count, bytes);
}

heed_status op_content_tensor(const ir_dims *dims, const ir_type *type, const ir_dim *content,
                              int64_t n_content, heed_tensor **out)
{
    int64_t numbers[64];
    *out = NULL;
    if (!content || n_content > 64 || type->kind != HEED_KIND_TENSOR || type->rank < 0 ||
        type->rank > 1 || !(dtype_is_int(type->dtype) || type->dtype == HEED_BOOL) ||
        (type->rank == 0 && n_content != 1))
        return HEED_OK;
    for (int64_t i = 0; i < n_content; i++)
        if (!dims_value(dims, content[i], &numbers[i]))
            return HEED_OK;
    TRY(tensor_new(type->dtype, type->rank, &n_content, out));
    dtype_store_i64(type->dtype, tensor_data(*out), 0, n_content, numbers);
    return HEED_OK;
}

/* A view shares the memory of a borrowed tensor (a weight in its file) instead of copying it. */
static heed_status evaluate_view(const heed_tensor *in, const int64_t *dims, int32_t rank,
                                 heed_tensor *out)
{
    if (in->owner || in->kind != HEED_TENSOR || in->dtype == HEED_STRING)
        TRY(tensor_assign(out, in));
    else
        tensor_borrow(out, in);
    return in->kind == HEED_TENSOR ? tensor_shape_set(out, in->dtype, rank, dims) : HEED_OK;
}

/* Shape of a view: inferred, or, for Identity of a value that is no tensor, nothing. */
static heed_status run_view(const ir_node *n, const heed_tensor *in, const ir_type *type,
                            heed_tensor *out)
{
    int64_t dims[TENSOR_MAX_RANK];
    if (in->kind != HEED_TENSOR)
        return tensor_assign(out, in);
    if (!op_known_shape(type, dims)) {
        err_fail(HEED_INTERNAL, "the shape of a view is not known");
        return ir_node_error(n);
    }
    return evaluate_view(in, dims, type->rank, out);
}

static heed_status prepare_output(const ir_node *n, uint32_t slot, const ir_type *type,
                                  heed_tensor *out)
{
    int64_t dims[TENSOR_MAX_RANK];
    out->dtype = type->dtype;
    if ((n->op->flags & (OP_DATA_SHAPE | OP_CONTROL)) || type->kind != HEED_KIND_TENSOR)
        return HEED_OK;                /* the kernel shapes it */
    if (!op_known_shape(type, dims)) { /* every input is there, so nothing else can be missing */
        err_fail(HEED_INVALID, "the extents of output %u are too large", slot);
        return ir_node_error(n);
    }
    TRY(tensor_shape_set(out, type->dtype, type->rank, dims));
    return tensor_reserve(out);
}

static heed_status run_kernel(const ir_node *n, const heed_tensor *const *in, const ir_type *types,
                              arena *scratch, heed_tensor **out)
{
    op_call c = {.node = n,
                 .n_in = n->n_in,
                 .n_out = n->n_out,
                 .in = in,
                 .out = out,
                 .scratch = scratch,
                 .owned = true};
    for (uint32_t i = 0; i < n->n_out; i++)
        if (out[i])
            TRY(prepare_output(n, i, &types[i], out[i]));
    heed_status status = call_run(&c);
    return status ? ir_node_error(n) : HEED_OK;
}

heed_status op_evaluate(const ir_node *n, const heed_tensor *const *in, const ir_type *types,
                        arena *scratch, heed_tensor **out)
{
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < n->n_out; i++)
        out[i] = NULL;
    for (uint32_t i = 0; i < n->n_out && !status; i++)
        if (n->out[i])
            status = tensor_new_empty(&out[i]);
    if (!status && !n->op->run && (n->op->flags & OP_VIEW))
        status = run_view(n, in[0], &types[0], out[0]);
    else if (!status)
        status = run_kernel(n, in, types, scratch, out);
    for (uint32_t i = 0; i < n->n_out && status; i++) {
        tensor_free(out[i]);
        out[i] = NULL;
    }
    return status;
}
