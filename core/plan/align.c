/* align.c - see align.h. */
#include "plan/align.h"

static bool misaligned(const heed_tensor *t)
{
    uint32_t bytes = dtype_bits(t->dtype) / 8;
    return t->kind == HEED_TENSOR && bytes > 1 &&
           (uintptr_t)tensor_data(t) % (bytes < 8 ? bytes : 8) != 0;
}

bool align_needed(const ir_value *v) { return v->constant && misaligned(v->constant); }

heed_status align_value(ir_value *v)
{
    heed_tensor *copy;
    if (!align_needed(v))
        return HEED_OK;
    TRY(tensor_new(v->constant->dtype, tensor_rank(v->constant), v->constant->dims, &copy));
    heed_status status = tensor_copy_content(copy, v->constant);
    if (status) {
        tensor_free(copy);
        return status;
    }
    if (!ir_constant_new(v->graph, NULL, copy)) /* the model owns it now */
        return HEED_NOMEM;
    v->constant = copy;
    return HEED_OK;
}

heed_status align_constants(ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++) {
        ir_value *v = n->in[i].value;
        if (v && !v->is_input)
            TRY(align_value(v));
    }
    return HEED_OK;
}
