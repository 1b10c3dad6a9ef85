/* call.c - what reference kernels are written with. */
#include <stdarg.h>
#include <stdio.h>

#include "ops/op.h"

heed_status call_error(const op_call *c, heed_status status, const char *format, ...)
{
    char message[256];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    err_fail(status, "%s", message);
    return ir_node_error(c->node);
}

heed_status call_run(op_call *c)
{
    if (c->node->op->run)
        return c->node->op->run(c);
    return call_error(c, HEED_UNSUPPORTED,
                      "no backend computes %s, and with inputs of unknown rank it cannot be "
                      "decomposed",
                      c->node->op->name);
}

void *call_scratch(op_call *c, size_t bytes) { return arena_alloc(c->scratch, bytes); }

heed_status call_output(op_call *c, uint32_t i, heed_dtype dtype, int32_t rank, const int64_t *dims)
{
    heed_tensor *t = call_out(c, i);
    if (!t)
        return HEED_OK;
    if (!dtype)
        dtype = t->dtype;
    if (!c->owned) {
        if (t->dtype == dtype && shape_equal(tensor_rank(t), t->dims, rank, dims))
            return HEED_OK;
        char planned[96], found[96];
        return call_error(c, HEED_INTERNAL, "output %u was planned as %s, the kernel gives %s", i,
                          shape_text(tensor_rank(t), t->dims, planned, sizeof(planned)),
                          shape_text(rank, dims, found, sizeof(found)));
    }
    tensor_clear(t);
    heed_status status = tensor_shape_set(t, dtype, rank, dims);
    return status ? ir_node_error(c->node) : tensor_reserve(t);
}

heed_status call_forward(op_call *c, uint32_t i, const heed_tensor *value)
{
    heed_tensor *t = call_out(c, i);
    if (!t)
        return HEED_OK;
    return c->owned ? tensor_assign(t, value) : tensor_copy_content(t, value);
}

int64_t *call_ints(op_call *c, uint32_t i)
{
    const heed_tensor *t = c->in[i];
    int64_t n = tensor_count(t);
    int64_t *values = call_scratch(c, ((size_t)n + 1) * sizeof(*values));
    if (values)
        dtype_load_i64(t->dtype, tensor_data(t), 0, n, values);
    return values;
}

heed_status call_index(const op_call *c, int64_t *index, int64_t dim)
{
    if (*index < -dim || *index >= dim)
        return call_error(c, HEED_INVALID, "index %lld is not in [-%lld, %lld)", (long long)*index,
                          (long long)dim, (long long)dim);
    if (*index < 0)
        *index += dim;
    return HEED_OK;
}
