/* softmax_late.h - a softmax whose division comes after the product with the values.
 *
 *   moves(e @ moves(v)) / moves(sum(e))         becomes         moves(Softmax(x) @ moves(v))
 *
 * Which axes the sum divides is followed through whatever moves elements (axes.h) on both sides: it
 * must be those of the powers, but for the axis that was summed. */
#ifndef HEED_PASSES_SOFTMAX_LATE_H
#define HEED_PASSES_SOFTMAX_LATE_H

#include "passes/attention/prepare/softmax_pieces.h"
#include "passes/axes/contraction.h"

enum { LATE_MOVES = 12 };

typedef struct late_division {
    pieces pieces; /* without what is divided */
    contraction product;
    const ir_node *node;                                   /* of the product */
    uint32_t operand;                                      /* the one that is made of the powers */
    const ir_node *before[LATE_MOVES], *after[LATE_MOVES]; /* the last one first */
    uint32_t n_before, n_after;
} late_division;

/* The node divides a product by the sum of powers that are an operand of it. */
bool late_read(const ir_node *n, ir_dims *dims, arena *scratch, late_division *d);
/* The product and the moves around it, of `p` in the place of the powers; NULL for NULL. */
ir_value *late_emit(const late_division *d, op_body *b, ir_value *p);

#endif
