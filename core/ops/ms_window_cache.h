/* ms_window_cache.h - caches that hold a window of rows only, the newest ones from row 0 on.
 *
 * After T tokens a cache of C rows, for a window of W, holds the L(T) newest: all while T <= C,
 * then T - G * ceil((T - C) / G) with G = C - W + 1: when it is full, G rows go at once. */
#ifndef HEED_OPS_MS_WINDOW_CACHE_H
#define HEED_OPS_MS_WINDOW_CACHE_H

#include "ops/attend.h"

typedef struct window_cache {
    ir_value *kept;  /* rows that the cache holds before the step, int64 [B] */
    ir_value *first; /* the position of row 0 before the step */
    ir_value *start; /* which row of cache and fresh rows is row 0 afterwards */
    ir_value *size;  /* C, int64 [1] */
} window_cache;

/* `before` and `after` count the tokens of each sequence, int64 [B]; `past` is a cache. */
window_cache window_cache_of(op_body *b, ir_value *past, int64_t window, ir_value *before,
                             ir_value *after);
/* What the cache holds and fresh rows behind it: [B, H, C + S, D]. */
ir_value *window_cache_join(op_body *b, const window_cache *w, ir_value *past, ir_value *fresh);
/* The cache afterwards, of what was joined. */
ir_value *window_cache_trim(op_body *b, const window_cache *w, ir_value *joined);
/* A bias [.., S, T] by positions becomes one by rows of what was joined. */
ir_value *window_cache_bias(op_body *b, const window_cache *w, ir_value *bias, ir_value *joined);

#endif
