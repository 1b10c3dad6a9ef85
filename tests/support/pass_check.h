/* One pass on one graph: what it makes of the graph, and that the results stay the same.
 *
 * The graph is written as onnx_text.h says. What comes of it is listed in one line:
 *
 *     Neg(x)->a If(c)->y {Abs(a)->b | b} {Neg(a)->d | d} | y
 *
 * with the nodes in order, bodies in braces, and the outputs after the bar. A constant that has no
 * name in the text is shown by its first values: "=5", "=1,2". What a pass makes has a number for a
 * name; "#*" stands for any. */
#ifndef PASS_CHECK_H
#define PASS_CHECK_H

#include <stddef.h>

/* Runs inference, then the pass of this name, or of several with commas (NULL: all of them),
 * verifies the graph, and runs it before and after on the reference kernels. NULL when it is as
 * `after` says and gives the same bits (where the first pass fuses: the same up to rounding);
 * otherwise what is wrong. */
const char *pass_check(const char *pass, const char *before, const char *after);

/* The same for a pass that fuses, as if some backend computed every node: how many nodes of this
 * operator there are then, the swallowed ones included. They run as what they are made of, and
 * results may differ by rounding. */
const char *pass_check_fused(const char *pass, const char *before, const char *domain,
                             const char *op, unsigned count);

/* The same for a string or a whole number that the pass writes on the first node of an operator. */
const char *pass_check_attr(const char *pass, const char *before, const char *op, const char *attr,
                            const char *expected);

#endif
