/* softmax_pieces.h - a softmax in pieces: what its nodes say.
 *
 * Apart from the pass, which says what becomes of it. */
#ifndef HEED_PASSES_SOFTMAX_PIECES_H
#define HEED_PASSES_SOFTMAX_PIECES_H

#include "passes/pass.h"

/* Exp(x) = e^(x * factor), over its sum along `n_axes` axes from `axis` on. */
typedef struct pieces {
    ir_value *exp;    /* the powers */
    ir_value *x;      /* less what was subtracted; NULL: not known to be powers */
    double factor;    /* log of the base */
    ir_value *shift;  /* what was subtracted; NULL: nothing */
    ir_value *beside; /* what is added to the sum; NULL: nothing */
    ir_value *over;   /* what is divided: the powers, or what was made of them */
    int32_t axis, n_axes;
    bool dropped; /* the sum has no such axes, rather than axes of 1 */
} pieces;

/* The quotient of two values, however it is written. */
bool pieces_quotient(const ir_node *n, ir_value **over, ir_value **under);
/* The value is a sum: all but s->over. */
bool pieces_read_sum(pieces *s, ir_value *sum);
/* The node divides by a sum. */
bool pieces_read(const ir_node *n, pieces *s);
/* The node is Exp(LogSoftmax(x)) or Exp(Sub(x, l)), l the logarithm of the sum of x's powers: a
 * ReduceLogSumExp, or a Log of a sum that the largest x, or anything else, was subtracted before.
 */
bool pieces_read_logs(const ir_node *n, pieces *s);
/* Takes away what was subtracted, when it is the same for all elements along the axis. */
void pieces_unshift(pieces *s);

/* The largest of x, and nothing else, was subtracted. */
bool pieces_shift_is_exact(const pieces *s);

/* Softmax(x) along the axis beside one more logit, which is broadcast and whose result is left out.
 * `share`: it takes its share of Softmax(x), which is no number where all of x is -infinity; the
 * logit is then no number, either. */
ir_value *pieces_with_sink(op_body *b, ir_value *x, ir_value *logit, int32_t axis, bool share);

/* Powers: what they are of, and the log of their base; or NULL. */
ir_value *pieces_exponent(const ir_value *v, double *factor);
/* Every element is the same number. */
bool pieces_scalar(const ir_value *v, double *number);
/* What a node of this operator reads, or NULL. */
ir_value *pieces_operand(const ir_value *v, const char *op, uint32_t i);

#endif
