/* attend.c - see attend.h. */
#include "ops/attend.h"

#include <math.h>

ir_value *attend_run(op_body *b, attend *a)
{
    ir_value *in[] = {a->q, a->k, a->v, a->bias, a->lengths, a->offsets, a->sinks}, *out[2];
    body_nodes(b, 7, in, a->keep ? 2 : 1, out,
               "heed.Attention scale=%.9g softcap=%.9g fill=%.9g causal=%d left_window=%lld "
               "scores=%lld",
               a->scale, a->softcap, a->fill != 0 ? a->fill : -HUGE_VAL, a->causal ? 1 : 0,
               (long long)a->left - 1, (long long)a->scores);
    a->kept = a->keep ? out[1] : NULL;
    return out[0];
}

/* ---- Heads ---------------------------------------------------------------------------------- */

ir_value *attend_split(op_body *b, ir_value *x, int64_t heads)
{
    int32_t rank = body_rank(b, x);
    int64_t width = body_extent(b, x, 2);
    if (rank != 3)
        body_fail(b, HEED_INVALID, "an input of %s has rank %d instead of 3", b->node->op->name,
                  rank);
    if (width >= 0 && width % heads != 0)
        body_fail(b, HEED_INVALID, "%lld channels do not make %lld heads", (long long)width,
                  (long long)heads);
    return b->status ? NULL : heads_split(b, x, heads);
}

void attend_cut(op_body *b, ir_value *all, int32_t axis, int64_t heads, int64_t kv_heads,
                ir_value **parts)
{
    ir_value *size = body_2(b, body_dim(b, all, axis), body_int(b, heads + 2 * kv_heads), "Div");
    ir_value *counts = body_ints(b, 3, (int64_t[]){heads, kv_heads, kv_heads});
    ir_value *in[] = {all, body_2(b, counts, size, "Mul")};
    body_nodes(b, 2, in, 3, parts, "Split axis=%d", axis);
}

bool attend_read_grouped(op_body *b, attend *a)
{
    int64_t heads = attend_heads(b, "num_heads"), kv_heads = attend_heads(b, "kv_num_heads");
    ir_value *parts[] = {body_in(b, 0), body_in(b, 1), body_in(b, 2)};
    if (!parts[1])
        attend_cut(b, parts[0], 2, heads, kv_heads, parts);
    else if (!parts[2])
        body_fail(b, HEED_INVALID, "key and value come together");
    if (b->status)
        return false;
    a->q = attend_split(b, parts[0], heads);
    a->k = attend_split(b, parts[1], kv_heads);
    a->v = attend_split(b, parts[2], kv_heads);
    return true;
}

ir_value *attend_turn(op_body *b, ir_value *x, ir_value *cosines, ir_value *sines, ir_value *at)
{
    int64_t half = body_extent(b, cosines, 1);
    ir_value *in[] = {x, cosines, sines, at};
    if (!cosines || !sines)
        body_fail(b, HEED_INVALID, "do_rotary needs cos_cache and sin_cache");
    return body_n(b, 4, in, "RotaryEmbedding interleaved=%d rotary_embedding_dim=%lld",
                  ir_attr_int(b->node, "rotary_interleaved", 0) != 0,
                  half > 0 ? 2 * (long long)half : 0);
}

int64_t attend_heads(op_body *b, const char *name)
{
    int64_t heads = ir_attr_int(b->node, name, 0);
    if (heads > 0 && heads <= INT32_MAX)
        return heads;
    body_fail(b, HEED_INVALID, "%s of %s is %lld", name, b->node->op->name, (long long)heads);
    return 1;
}

heed_status attend_infer_heads(op_infer *c, const char *name, int64_t *heads, int64_t *kv_heads)
{
    *heads = ir_attr_int(c->node, name, 0);
    *kv_heads = ir_attr_int(c->node, "kv_num_heads", 0);
    if (*heads > 0 && *kv_heads > 0 && *heads <= INT32_MAX && *kv_heads <= INT32_MAX)
        return HEED_OK;
    return infer_error(c, "positive numbers of heads", "%lld and %lld", (long long)*heads,
                       (long long)*kv_heads);
}

/* ---- Small things --------------------------------------------------------------------------- */

ir_value *attend_add(op_body *b, ir_value *x, ir_value *y)
{
    return y ? body_2(b, x, y, "Add") : x;
}

ir_value *attend_number(op_body *b, ir_value *x)
{
    return x ? body_reshape(b, body_cast(b, x, HEED_INT64), "1") : NULL;
}

ir_value *attend_list(op_body *b, ir_value *x)
{
    return x ? body_reshape(b, body_cast(b, x, HEED_INT64), "-1") : NULL;
}

ir_value *attend_each(op_body *b, ir_value *x, ir_value *like)
{
    return body_2(b, x, body_dim(b, like, 0), "Expand");
}

ir_value *attend_pick(op_body *b, ir_value *x, int64_t index)
{
    return body_2(b, x, body_int(b, index), "Gather axis=0");
}

/* ---- Caches --------------------------------------------------------------------------------- */

ir_value *attend_append(op_body *b, ir_value *past, ir_value *fresh, ir_value *at)
{
    if (!past)
        return fresh;
    if (!at)
        return body_concat(b, past, fresh, 2);
    return body_3(b, past, fresh, attend_each(b, at, past), "TensorScatter axis=-2");
}

ir_value *attend_follow(op_body *b, ir_value *x, ir_value *from, ir_value *past)
{
    ir_value *rows = body_dim(b, x, 2);
    ir_value *beams = body_dim(b, from, 1);
    ir_value *key = body_range(b, body_size(b, x, 2));
    ir_value *own = body_unsqueeze(b, body_range(b, body_size(b, from, 1)), "1");
    from = body_cast(b, body_slice(b, from, 2, NULL, rows), HEED_INT64);
    from = body_3(b, body_2(b, key, past, "Less"), from, own, "Where"); /* [batch, beams, T] */
    ir_value *first = body_range(b, body_size(b, from, 0));
    first = body_unsqueeze(b, body_2(b, first, beams, "Mul"), "1,2");
    from = body_2(b, body_2(b, body_2(b, first, from, "Add"), rows, "Mul"), key, "Add");
    ir_value *minus = body_ints(b, 1, (int64_t[]){-1});
    ir_value *flat[] = {minus, body_dim(b, x, 1), body_dim(b, x, 3)};
    ir_value *back[] = {minus, rows, body_dim(b, x, 1), body_dim(b, x, 3)};
    ir_value *lines = body_reshape_to(b, body_transpose(b, x, "0,2,1,3"), 3, flat);
    lines = body_2(b, lines, from, "Gather axis=0");
    return body_transpose(b, body_reshape_to(b, lines, 4, back), "0,2,1,3");
}
