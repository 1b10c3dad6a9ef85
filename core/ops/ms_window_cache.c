/* ms_window_cache.c - see ms_window_cache.h. */
#include "ops/ms_window_cache.h"

/* L(T), for int64 [B]. */
static ir_value *rows_kept(op_body *b, ir_value *tokens, ir_value *size, int64_t window)
{
    ir_value *zero = body_int(b, 0);
    ir_value *more = body_2(b, body_2(b, tokens, size, "Sub"), zero, "Max");
    ir_value *step = body_2(b, size, body_int(b, window - 1), "Sub");
    step = body_2(b, step, body_int(b, 1), "Max"); /* nor is there a window beyond the cache */
    ir_value *up = body_2(b, body_2(b, more, step, "Add"), body_int(b, 1), "Sub");
    ir_value *gone = body_2(b, body_2(b, up, step, "Div"), step, "Mul");
    return body_2(b, tokens, gone, "Sub");
}

window_cache window_cache_of(op_body *b, ir_value *past, int64_t window, ir_value *before,
                             ir_value *after)
{
    window_cache w = {.size = body_dim(b, past, 2)};
    if (window <= 0 || (body_extent(b, past, 2) >= 0 && body_extent(b, past, 2) < window))
        body_fail(b, HEED_INVALID, "a cache of %lld rows cannot hold a window of %lld",
                  (long long)body_extent(b, past, 2), (long long)window);
    if (b->status)
        return w;
    w.kept = rows_kept(b, before, w.size, window);
    w.first = body_2(b, before, w.kept, "Sub");
    w.start =
        body_2(b, body_2(b, after, w.first, "Sub"), rows_kept(b, after, w.size, window), "Sub");
    return w;
}

ir_value *window_cache_join(op_body *b, const window_cache *w, ir_value *past, ir_value *fresh)
{
    return attend_append(b, body_concat(b, past, fresh, 2), fresh, w->kept);
}

ir_value *window_cache_trim(op_body *b, const window_cache *w, ir_value *joined)
{
    ir_value *row = body_range(b, body_reshape(b, w->size, "%s", ""));
    ir_value *last = body_2(b, body_size(b, joined, 2), body_int(b, 1), "Sub");
    ir_value *at = body_2(b, body_reshape(b, w->start, "-1,1,1,1"), body_unsqueeze(b, row, "1"),
                          "Add"); /* [B, 1, C, 1] */
    ir_value *dims[] = {body_dim(b, joined, 0), body_dim(b, joined, 1), w->size,
                        body_ints(b, 1, (int64_t[]){1})};
    at = body_2(b, at, last, "Min"); /* rows behind the newest mean nothing */
    at = body_2(b, at, body_n(b, 4, dims, "Concat axis=0"), "Expand");
    return body_2(b, joined, at, "GatherND batch_dims=2");
}

ir_value *window_cache_bias(op_body *b, const window_cache *w, ir_value *bias, ir_value *joined)
{
    ir_value *last = body_2(b, body_size(b, bias, 3), body_int(b, 1), "Sub");
    ir_value *at = body_2(b, body_reshape(b, w->first, "-1,1,1,1"),
                          body_range(b, body_size(b, joined, 2)), "Add"); /* [B, 1, 1, C + S] */
    at = body_2(b, at, last, "Min");
    ir_value *rest[] = {body_dim(b, w->first, 0), body_dim(b, bias, 1), body_dim(b, bias, 2)};
    ir_value *lead = body_n(b, 3, rest, "Concat axis=0");
    at = body_2(b, at, body_concat(b, lead, body_dim(b, joined, 2), 0), "Expand");
    bias = body_2(b, bias, body_concat(b, lead, body_dim(b, bias, 3), 0), "Expand");
    return body_2(b, bias, at, "GatherElements axis=3");
}
