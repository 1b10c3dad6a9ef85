/* matmul.h - the shapes of NumPy's matrix product, which products of other numbers share. */
#ifndef HEED_OPS_MATMUL_H
#define HEED_OPS_MATMUL_H

#include "ops/op.h"

/* Output 0 is the product of inputs 0 and 1, or of two types. */
heed_status matmul_infer(op_infer *c);
heed_status matmul_infer_of(op_infer *c, const ir_type *a, const ir_type *b);

typedef struct matmul {
    int64_t m, n, k;
    int32_t batch_rank;
    int64_t batch[TENSOR_MAX_RANK];                           /* broadcast batch extents */
    int64_t a_step[TENSOR_MAX_RANK], b_step[TENSOR_MAX_RANK]; /* in matrices; 0 repeats */
} matmul;

void matmul_describe(const heed_tensor *a, const heed_tensor *b, const heed_tensor *out, matmul *w);
/* Which matrices of a and b make the product at `index` of the batch. */
void matmul_at(const matmul *w, const int64_t *index, int64_t *a, int64_t *b);

#endif
