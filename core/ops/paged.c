/* paged.c - see paged.h. */
#include "ops/paged.h"

#include "ops/attend.h"

/* A token belongs to the sequence that as many sequences end before or at. */
paged paged_place(op_body *b, ir_value *tokens, ir_value *sums, ir_value *past)
{
    paged p = {0};
    sums = attend_list(b, sums);
    ir_value *ends = body_part(b, sums, 0, 1, INT64_MAX), *all = body_range(b, tokens);
    ir_value *behind = body_2(b, body_unsqueeze(b, all, "1"), ends, "GreaterOrEqual");
    p.starts = body_part(b, sums, 0, 0, -1);
    p.fresh = body_2(b, ends, p.starts, "Sub");
    p.past = attend_list(b, past);
    p.which = body_2(b, body_cast(b, behind, HEED_INT64), body_ints(b, 1, (int64_t[]){1}),
                     "ReduceSum keepdims=0");
    p.row = body_2(b, all, body_2(b, p.starts, p.which, "Gather"), "Sub");
    p.at = body_2(b, body_2(b, p.past, p.which, "Gather"), p.row, "Add");
    return p;
}

ir_value *paged_slots(op_body *b, const paged *p, ir_value *table, ir_value *size)
{
    ir_value *page = body_unsqueeze(b, body_2(b, p->at, size, "Div"), "1");
    ir_value *at = body_concat(b, body_unsqueeze(b, p->which, "1"), page, 1);
    page = body_2(b, body_cast(b, table, HEED_INT64), at, "GatherND");
    return body_2(b, body_2(b, page, size, "Mul"), body_2(b, p->at, size, "Mod"), "Add");
}

/* One more row takes what is written nowhere. */
ir_value *paged_write(op_body *b, ir_value *cache, ir_value *slots, ir_value *x)
{
    ir_value *count = body_2(b, body_dim(b, cache, 0), body_dim(b, cache, 1), "Mul");
    ir_value *dims[] = {count, body_dim(b, cache, 2), body_dim(b, cache, 3)};
    ir_value *one[] = {body_ints(b, 1, (int64_t[]){1}), dims[1], dims[2]};
    ir_value *spare =
        body_2(b, body_like(b, 0, cache), body_n(b, 3, one, "Concat axis=0"), "Expand");
    slots = body_3(b, body_2(b, slots, body_int(b, 0), "Less"), count, slots, "Where");
    ir_value *rows = body_concat(b, body_reshape_to(b, cache, 3, dims), spare, 0);
    rows = body_3(b, rows, body_unsqueeze(b, slots, "1"), x, "ScatterND");
    rows = body_slice(b, rows, 0, NULL, count);
    return body_2(b, rows, body_1(b, cache, "Shape"), "Reshape");
}

ir_value *paged_read(op_body *b, ir_value *cache, ir_value *table)
{
    ir_value *last = body_2(b, body_size(b, cache, 0), body_int(b, 1), "Sub");
    table = body_3(b, body_cast(b, table, HEED_INT64), body_int(b, 0), last, "Clip");
    ir_value *dims[] = {body_dim(b, table, 0),
                        body_2(b, body_dim(b, table, 1), body_dim(b, cache, 1), "Mul"),
                        body_dim(b, cache, 2), body_dim(b, cache, 3)};
    ir_value *rows = body_2(b, cache, table, "Gather axis=0");
    return body_transpose(b, body_reshape_to(b, rows, 4, dims), "0,2,1,3");
}

ir_value *paged_pad(op_body *b, const paged *p, ir_value *x)
{
    ir_value *most = body_1(b, p->fresh, "ReduceMax keepdims=0");
    ir_value *last = body_2(b, body_size(b, x, 0), body_int(b, 1), "Sub");
    ir_value *from = body_2(b, body_unsqueeze(b, p->starts, "1"), body_range(b, most), "Add");
    x = body_2(b, x, body_2(b, from, last, "Min"), "Gather axis=0");
    return body_transpose(b, x, "0,2,1,3");
}

ir_value *paged_unpad(op_body *b, const paged *p, ir_value *y)
{
    ir_value *at = body_2(b, p->which, body_dim(b, y, 2), "Mul");
    y = heads_merge(b, y);
    ir_value *dims[] = {body_2(b, body_dim(b, y, 0), body_dim(b, y, 1), "Mul"), body_dim(b, y, 2)};
    return body_2(b, body_reshape_to(b, y, 2, dims), body_2(b, at, p->row, "Add"), "Gather");
}
