/* equation.h - the subscripts of Einsum, read. */
#ifndef HEED_OPS_EQUATION_H
#define HEED_OPS_EQUATION_H

#include "ops/op.h"

/* Labels 0..25 are A..Z, 26..51 a..z, and the axes of the ellipsis are 52..67, the last one 67. */
#define EQUATION_LABELS (52 + TENSOR_MAX_RANK)

typedef struct equation_term {
    int32_t rank;
    uint8_t labels[TENSOR_MAX_RANK];
} equation_term;

typedef struct equation {
    uint32_t n_terms;
    equation_term *terms;
    equation_term out;
} equation;

/* Reads attribute `equation` for operands of these ranks. NULL when it is good, else what was
 * expected; HEED_NOMEM shows as an empty string. */
const char *equation_read(const char *text, uint32_t n, const int32_t *ranks, arena *memory,
                          equation *out);

#endif
