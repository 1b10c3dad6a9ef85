/* contraction.h - MatMul, Gemm, Einsum and ReduceSum(Mul(a, b)) as one thing: two operands, axes
 * with labels, and a sum over the labels that the result does not have. */
#ifndef HEED_PASSES_CONTRACTION_H
#define HEED_PASSES_CONTRACTION_H

#include "passes/axes/axes.h"

enum { LABEL_ONE = 255 }; /* an axis of extent 1 that is repeated along the result's */

typedef struct contraction_term {
    ir_value *value; /* of the result: output 0 of the node */
    int32_t rank;
    uint8_t label[TENSOR_MAX_RANK];
} contraction_term;

typedef struct contraction {
    contraction_term in[2], out;
    double alpha;
    ir_value *added; /* beta times this is added to the result; NULL: nothing */
    double beta;
} contraction;

/* False for other nodes, for operands of unknown rank, and for forms that are no plain product. */
bool contraction_read(const ir_node *n, arena *scratch, contraction *out);
/* The contraction that this use is an operand of, u->slot says which; NULL: none. */
ir_node *contraction_reader(const ir_use *u, arena *scratch, contraction *out);

/* The axes that a ReduceSum sums up, as bits; 0: not known, or none. */
uint32_t contraction_reduced(const ir_node *n, int32_t rank);

/* The axes of operand i, given those of the result; labels that the result lacks get new atoms,
 * the same ones in both operands. */
bool contraction_up(axes_table *t, const contraction *c, const axes *out, axes in[2]);
/* The axes of operand 1 - i and of the result, given those of operand i. */
bool contraction_down(axes_table *t, const contraction *c, uint32_t i, const axes *in, axes *other,
                      axes *out);

#endif
