/* past_state.c - see past_state.h. */
#include "generate/past_state.h"

#include <string.h>

past_state *past_state_new(uint32_t n, size_t length)
{
    past_state *s = mem_zero(sizeof(*s) + n * sizeof(*s->tensors));
    if (!s)
        return NULL;
    s->references = 1;
    s->n = n;
    s->length = length;
    return s;
}

past_state *past_state_hold(past_state *s)
{
    if (s)
        s->references++;
    return s;
}

void past_state_drop(past_state *s)
{
    if (!s || --s->references > 0)
        return;
    for (uint32_t i = 0; i < s->n; i++)
        tensor_free(s->tensors[i]);
    mem_free(s);
}

heed_status past_resize(const heed_tensor *from, int32_t axis, int64_t extent, heed_tensor **out)
{
    int64_t dims[TENSOR_MAX_RANK];
    size_t outer = 1, inner;
    memcpy(dims, from->dims, sizeof(dims));
    dims[axis] = extent;
    TRY(tensor_new(from->dtype, tensor_rank(from), dims, out));
    for (int32_t k = 0; k < axis; k++)
        outer *= (size_t)dims[k];
    if (outer == 0 || extent == 0 || from->dims[axis] == 0)
        return HEED_OK;
    inner = tensor_bytes(*out) / outer / (size_t)extent;
    int64_t stays = extent < from->dims[axis] ? extent : from->dims[axis];
    for (size_t i = 0; i < outer; i++)
        memcpy((char *)tensor_data(*out) + i * (size_t)extent * inner,
               (const char *)tensor_data(from) + i * (size_t)from->dims[axis] * inner,
               (size_t)stays * inner);
    return HEED_OK;
}
