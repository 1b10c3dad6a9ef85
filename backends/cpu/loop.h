/* Planning of loops over broadcast tensors: one output, up to eight inputs, dense row-major.
 *
 * Dimensions that all operands walk in the same way are merged, so that most calls end as one
 * long run or as rows of a matrix. The innermost loop then sees each input either as a run or as
 * one repeated element, and no index is computed for an element. */
#ifndef CPU_LOOP_H
#define CPU_LOOP_H

#include "cpu.h"

enum { CPU_LOOP_ARGS = 9 };

typedef struct cpu_loop {
    uint32_t args;                /* operands; 0 is the output */
    int rank;                     /* outer dimensions, the innermost first */
    size_t inner, rows;           /* rows of `inner` elements */
    size_t dims[CPU_MAX_RANK];    /* of the outer dimensions */
    char *base[CPU_LOOP_ARGS];    /* element 0 */
    size_t bytes[CPU_LOOP_ARGS];  /* of one element */
    unsigned step[CPU_LOOP_ARGS]; /* inner step in elements: 1, or 0 for a repeated one */
    size_t stride[CPU_MAX_RANK][CPU_LOOP_ARGS]; /* outer strides in bytes */
} cpu_loop;

/* Works on `n` elements: p[0] is the output, p[1..] the inputs, stepping as loop->step says. */
typedef void cpu_loop_body(const void *arg, const cpu_loop *loop, char *const *p, size_t n);

heed_status cpu_loop_plan(cpu_loop *loop, const DLTensor *out, const DLTensor *const *in,
                          uint32_t n_in);

/* Calls body for all of the loop, in pieces on the thread pool when it is long enough. The
 * pieces follow from the shapes alone. */
void cpu_loop_run(const cpu_loop *loop, cpu_loop_body *body, const void *arg);

/* Splits `count` items into pieces of at least `least` and calls body(arg, first, last) for
 * each on the pool: the way of kernels that work row by row. */
typedef void cpu_range_body(const void *arg, size_t first, size_t last);
void cpu_range_run(size_t count, size_t least, cpu_range_body *body, const void *arg);

/* How many rows of `n` elements make a piece worth a thread's while. */
size_t cpu_rows_per_piece(size_t n);

#endif
