/* ms_cache.c - see ms_cache.h. */
#include "ops/ms_cache.h"

#include <stdio.h>

static ir_value *every_other(op_body *b, ir_value *x, int64_t first)
{
    ir_value *in[] = {x, body_ints(b, 1, &first), body_ints(b, 1, (int64_t[]){INT64_MAX}),
                      body_ints(b, 1, (int64_t[]){-1}), body_ints(b, 1, (int64_t[]){2})};
    return body_n(b, 5, in, "Slice");
}

/* Whole numbers from -8 to 7 [..., D] as bytes [..., D / 2]. */
static ir_value *pack(op_body *b, ir_value *x)
{
    if (body_extent(b, x, -1) % 2 == 1)
        body_fail(b, HEED_UNSUPPORTED, "a cache of 4 bits with an odd number of channels");
    x = body_2(b, x, body_like(b, 8, x), "Add");
    ir_value *high = body_2(b, every_other(b, x, 1), body_like(b, 16, x), "Mul");
    return body_2(b, every_other(b, x, 0), high, "Add");
}

static ir_value *unpack(op_body *b, ir_value *x)
{
    ir_value *dims[TENSOR_MAX_RANK] = {NULL}, *sixteen = body_like(b, 16, x);
    int32_t rank = body_rank(b, x);
    char axis[16];
    snprintf(axis, sizeof(axis), "%d", rank);
    ir_value *low = body_unsqueeze(b, body_2(b, x, sixteen, "Mod"), axis);
    ir_value *high = body_unsqueeze(b, body_2(b, x, sixteen, "Div"), axis);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = body_dim(b, x, i);
    if (rank < 1)
        return NULL;
    dims[rank - 1] = body_2(b, dims[rank - 1], body_ints(b, 1, (int64_t[]){2}), "Mul");
    return body_reshape_to(b, body_concat(b, low, high, -1), (uint32_t)rank, dims);
}

ir_value *ms_cache_store(op_body *b, ir_value *x, heed_dtype cache, ir_value *scale)
{
    if (b->status || x->type.dtype == cache)
        return x;
    bool whole = cache == HEED_INT8 || cache == HEED_UINT8;
    x = body_cast(b, x, HEED_FLOAT32);
    if (scale)
        x = body_2(b, x, body_cast(b, scale, HEED_FLOAT32), "Div");
    if (!whole)
        return body_cast(b, x, cache);
    double top = cache == HEED_INT8 ? 127 : 7;
    x = body_3(b, body_1(b, x, "Round"), body_like(b, -top - 1, x), body_like(b, top, x), "Clip");
    return body_cast(b, cache == HEED_INT8 ? x : pack(b, x), cache);
}

ir_value *ms_cache_load(op_body *b, ir_value *cache, heed_dtype real, ir_value *scale)
{
    if (b->status || cache->type.dtype == real)
        return cache;
    bool packed = cache->type.dtype == HEED_UINT8;
    ir_value *x = body_cast(b, packed ? unpack(b, cache) : cache, HEED_FLOAT32);
    if (packed)
        x = body_2(b, x, body_like(b, 8, x), "Sub");
    if (scale)
        x = body_2(b, x, body_cast(b, scale, HEED_FLOAT32), "Mul");
    return b->status ? NULL : body_cast(b, x, real);
}
