/* quant.h - what the bodies of quantised operators are written with. */
#ifndef HEED_OPS_QUANT_H
#define HEED_OPS_QUANT_H

#include "ops/body.h"

/* Real numbers from numbers on a grid (zero NULL: 0) and back to `dtype`. */
ir_value *quant_real(op_body *b, ir_value *x, ir_value *scale, ir_value *zero);
ir_value *quant_grid(op_body *b, ir_value *x, ir_value *scale, ir_value *zero, heed_dtype dtype);

/* A vector of one element as the scalar that it stands for. */
ir_value *quant_scalar(op_body *b, ir_value *x);

/* x with its axes in another order: axis i comes from perm[i]. */
ir_value *quant_permute(op_body *b, ir_value *x, const int32_t *perm);
/* An image to and from channels first, when `apply`. */
ir_value *quant_channels_first(op_body *b, ir_value *x, bool apply);
ir_value *quant_channels_last(op_body *b, ir_value *x, bool apply);

/* The text of one operator with those of the node's attributes that are named here (words between
 * blanks): "Conv pads=1,1 group=2". Scratch memory. */
const char *quant_with_attrs(op_body *b, const char *op, const char *names);

#endif
