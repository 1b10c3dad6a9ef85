/* gradient.h - differentiating nodes: what the Gradient operator walks with, and the rules of the
 * operators that it knows. */
#ifndef HEED_OPS_GRADIENT_H
#define HEED_OPS_GRADIENT_H

#include "ops/body.h"

/* The part of the graph that is differentiated. Arrays are indexed by ids of its values. */
typedef struct gradient_tape {
    op_body *body;
    uint32_t n_ids;
    ir_value **value;   /* what a value is at the point in question; NULL: not computed anew */
    ir_value **adjoint; /* derivative of y by it, so far; NULL: none yet */
    bool *active;       /* depends on one of xs */
} gradient_tape;

/* Input `slot` of the node n, and its output, at the point in question. */
ir_value *gradient_in(const gradient_tape *t, const ir_node *n, uint32_t slot);
ir_value *gradient_out(const gradient_tape *t, const ir_node *n);
bool gradient_wants(const gradient_tape *t, const ir_node *n, uint32_t slot);
/* `value` is added to the adjoint of input `slot`, after sums over axes that were broadcast. */
void gradient_give(gradient_tape *t, const ir_node *n, uint32_t slot, ir_value *value);

/* Gives to the inputs what follows from `dy`, the adjoint of output 0. False: the operator has no
 * rule. */
bool gradient_rule(gradient_tape *t, const ir_node *n, ir_value *dy);

#endif
