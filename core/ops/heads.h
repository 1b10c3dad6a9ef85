/* heads.h - heads side by side in one axis, [B, S, heads * D], and apart, [B, heads, S, D]. */
#ifndef HEED_OPS_HEADS_H
#define HEED_OPS_HEADS_H

#include "ops/body.h"

/* Dims of input i with its heads apart: as they are at rank 4, split at rank 3. */
heed_status heads_dims(const op_infer *c, uint32_t i, int64_t heads, ir_dim out[4]);

/* [B, S, heads * D] becomes [B, heads, S, D]. */
ir_value *heads_split(op_body *b, ir_value *x, int64_t heads);
/* [B, heads, S, D] becomes [B, S, heads * D]. */
ir_value *heads_merge(op_body *b, ir_value *x);

#endif
