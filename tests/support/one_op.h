/* One operator on tensors, as a graph of one node: schema check, shape inference for numbers, then
 * its reference kernel. For tests of operators. */
#ifndef ONE_OP_H
#define ONE_OP_H

#include "ops/op.h"

/* A tensor of its own memory; values are rounded to the dtype, NULL leaves zeros. */
heed_tensor *one_op_tensor(heed_dtype dtype, int32_t rank, const int64_t *dims,
                           const double *values);
heed_tensor *one_op_vector(heed_dtype dtype, int64_t n, const double *values);
heed_tensor *one_op_scalar(heed_dtype dtype, double value);

/* op: "Softmax", "com.microsoft.FastGelu".
 * attrs: "axis=1 epsilon=0.5 mode='x'"; a number with a point is a float,
 * "pads=[1,0]" a list of at most eight. in[i] may be NULL. On
 * success out[0..n_out) are new tensors. */
heed_status one_op_run(const char *op, const char *attrs, uint32_t n_in, heed_tensor *const *in,
                       uint32_t n_out, heed_tensor **out);

/* Symbolic content of output 0 before binding: of an operator on int64 vectors with the given
 * content. Returns the number of entries, or -1 where nothing is known. */
int64_t one_op_content(ir_dims *dims, const char *op, const char *attrs, uint32_t n_in,
                       const ir_dim *const *content, const int64_t *n_content, ir_dim *out);

/* The next number of a fixed sequence: tests are the same in every run. */
uint64_t one_op_random(void);
int64_t one_op_between(int64_t low, int64_t high); /* both included */

#endif
