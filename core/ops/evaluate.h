/* evaluate.h - one node on known tensors, by its reference kernel. Constant folding and binding use
 * it; nothing is planned, every output owns its memory. */
#ifndef HEED_OPS_EVALUATE_H
#define HEED_OPS_EVALUATE_H

#include "ops/op.h"

/* `in` has n->n_in entries, NULL where left out. `types` are the outputs' inferred types; only
 * operators with OP_DATA_SHAPE and values that are no tensors may have unknown shapes. out[i] are
 * new tensors (owned by the caller), NULL where the node leaves an output out. On failure none is
 * left. */
heed_status op_evaluate(const ir_node *n, const heed_tensor *const *in, const ir_type *types,
                        arena *scratch, heed_tensor **out);

/* An integer tensor from numbers of symbolic content; *out is NULL when one is no number, or when
 * the type is no integer tensor of rank 0 or 1. */
heed_status op_content_tensor(const ir_dims *dims, const ir_type *type, const ir_dim *content,
                              int64_t n_content, heed_tensor **out);

/* Every dim is a number: copied to `dims`. */
bool op_known_shape(const ir_type *type, int64_t *dims);

/* Bytes of a tensor of this type; false when not known. */
bool op_known_bytes(const ir_type *type, size_t *bytes);

#endif
