/* ms_mask.c - see ms_mask.h.
 *
 *   [B]            keys from mask[b] on are hidden (padding on the right)
 *   [2 B]          ends, then starts: keys before the start are hidden too (padding on the left)
 *   [3 B + 2]      lengths, then where queries and keys of each sequence start: as [B]
 *   [B, T]         0 hides the key, anything above keeps it
 *   [B, S, T]      the same for each query
 *   [B, 1, M, M]   the same, by the positions of query and key */
#include <float.h>

#include "ops/ms_mask.h"

/* The starts that stand behind the ends in a mask of 2 B numbers; NULL: it has none. */
static ir_value *find_starts(op_body *b, ir_value *mask, ir_value *ends, ir_dim batch)
{
    ir_dim have = mask->type.dims[0], twice = dims_mul(b->dims, 2, batch);
    ir_value *size = body_dim(b, ends, 0);
    ir_value *end = body_2(b, size, body_ints(b, 1, (int64_t[]){2}), "Mul");
    if (have == twice)
        return body_slice(b, mask, 0, size, end);
    if (have == batch || (dim_known(have) && dim_known(batch)))
        return NULL;
    /* Only the run knows: what stands there counts when there are 2 B numbers. */
    ir_value *zeros = body_2(b, ends, body_int(b, 0), "Mul");
    ir_value *there = body_slice(b, body_concat(b, mask, zeros, 0), 0, size, end);
    ir_value *is_so = body_2(b, body_dim(b, mask, 0), end, "Equal");
    return body_2(b, there, body_cast(b, is_so, HEED_INT64), "Mul");
}

static ir_value *column(op_body *b, ir_value *x) { return body_reshape(b, x, "-1,1,1,1"); }

static ir_value *by_bounds(op_body *b, const ms_mask *m, ir_value *q)
{
    ir_value *mask = body_cast(b, m->mask, HEED_INT64);
    ir_value *ends = body_slice(b, mask, 0, NULL, body_dim(b, q, 0));
    if (b->status)
        return NULL;
    ir_value *starts = find_starts(b, mask, ends, q->type.dims[0]);
    ir_value *keys = body_range(b, body_reshape(b, m->total, "%s", ""));
    ir_value *visible = body_2(b, keys, column(b, ends), "Less");
    if (!starts)
        return visible;
    return body_2(b, visible, body_2(b, keys, column(b, starts), "GreaterOrEqual"), "And");
}

static ir_value *by_position(op_body *b, const ms_mask *m, ir_value *q)
{
    ir_value *rows = body_dim(b, q, 2);
    ir_value *end = m->past ? body_2(b, m->past, rows, "Add") : rows;
    ir_value *mask = body_slice(b, m->mask, 2, m->past, end);
    return body_slice(b, mask, 3, NULL, m->total);
}

/* Which keys are visible, a boolean of rank 4. */
static ir_value *visible(op_body *b, const ms_mask *m, ir_value *q)
{
    ir_value *mask = m->mask;
    switch (body_rank(b, mask)) {
    case 1:
        return by_bounds(b, m, q);
    case 2:
        mask = body_unsqueeze(b, mask, "1,2");
        break;
    case 3:
        mask = body_unsqueeze(b, mask, "1");
        break;
    case 4:
        mask = by_position(b, m, q);
        break;
    default:
        body_fail(b, HEED_INVALID, "a mask of rank %d", body_rank(b, mask));
    }
    return body_2(b, mask, body_like(b, 0, mask), "Greater");
}

void ms_mask_apply(op_body *b, const ms_mask *m, attend *a)
{
    double filter = ir_attr_float(b->node, "mask_filter_value", -10000);
    if (a->causal && m->past)
        a->offsets = m->past;
    if (a->keep)
        a->fill = -(double)FLT_MAX;
    if (!m->mask || b->status)
        return;
    /* Elsewhere such scores differ so much from others that their weight is 0 anyhow. */
    if (a->causal && filter < -1e37)
        a->fill = -(double)FLT_MAX;
    if (a->q->type.dtype == HEED_FLOAT16 && filter < -65504)
        filter = -65504;
    ir_value *added =
        body_3(b, visible(b, m, a->q), body_like(b, 0, a->q), body_like(b, filter, a->q), "Where");
    a->bias = a->bias ? body_2(b, a->bias, added, "Add") : added;
}
