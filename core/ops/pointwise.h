/* pointwise.h - the program of heed.Pointwise: a chain of elementwise operators as one text.
 *
 *     "Mul 0 1; Swish alpha=1 2; Add 3 0"
 *
 * A step is an operator of ai.onnx, its attributes, and the numbers of what it reads: the node's
 * inputs come first, then the results of the steps before. The last step's result is the node's. */
#ifndef HEED_OPS_POINTWISE_H
#define HEED_OPS_POINTWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POINTWISE_STEPS = 16, POINTWISE_INPUTS = 8, POINTWISE_OPERANDS = 3, POINTWISE_TEXT = 1024 };

typedef struct pointwise_step {
    char op[32], attrs[96]; /* attributes as body.h has them: "alpha=0.1 beta=2" */
    uint32_t n_in, in[POINTWISE_OPERANDS];
} pointwise_step;

typedef struct pointwise_program {
    uint32_t n;
    pointwise_step steps[POINTWISE_STEPS];
} pointwise_program;

/* False when the text is none, or reads what is not there yet. */
bool pointwise_read(const char *text, uint32_t n_inputs, pointwise_program *out);
/* False when there is no room for it. */
bool pointwise_write(const pointwise_program *p, char *text, size_t size);

#endif
