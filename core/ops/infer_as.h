/* infer_as.h - inference of operators whose output is shaped as that of another operator. */
#ifndef HEED_OPS_INFER_AS_H
#define HEED_OPS_INFER_AS_H

#include "ops/op.h"

/* Runs the inference of ai.onnx operator `op` with this node's attributes for inputs of these types
 * (NULL: left out), whose content is not known. Output dtypes that are bound already stay. */
heed_status infer_as(op_infer *c, const char *op, uint32_t n, const ir_type *const *types);

/* The same for an image types[0] that has its channels last, and so has output 0. */
heed_status infer_as_last(op_infer *c, const char *op, uint32_t n, const ir_type *const *types);

/* *to is *from with axis i taken from axis perm[i]; the same when the rank is not known. */
heed_status infer_permuted(op_infer *c, const ir_type *from, const int32_t *perm, ir_type *to);

/* [N, D1 ... Dn, C] to [N, C, D1 ... Dn] and back: where each axis comes from. */
void channels_first(int32_t rank, int32_t *perm);
void channels_last(int32_t rank, int32_t *perm);

#endif
