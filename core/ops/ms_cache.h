/* ms_cache.h - caches of keys and values whose elements are narrower than those of the attention:
 * x / scale, rounded to int8, to float8, or to 4 bits of which two are a byte of uint8, the first
 * in the low bits, each plus 8. */
#ifndef HEED_OPS_MS_CACHE_H
#define HEED_OPS_MS_CACHE_H

#include "ops/body.h"

/* x as elements of a cache of type `cache`; a scale that is left out is 1. */
ir_value *ms_cache_store(op_body *b, ir_value *x, heed_dtype cache, ir_value *scale);
/* Elements of a cache as numbers of type `real`. */
ir_value *ms_cache_load(op_body *b, ir_value *cache, heed_dtype real, ir_value *scale);

#endif
