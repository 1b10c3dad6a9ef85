/* Strided copies: what Transpose, Slice, Split, Concat and Expand all are. */
#ifndef CPU_COPY_H
#define CPU_COPY_H

#include "cpu.h"

/* Copies an index space of `rank` dimensions, the outermost first. Strides are in elements; a
 * source stride may be 0 (repeat) or negative. `to` and `from` point at the first element. */
typedef struct cpu_copy {
    int rank;
    size_t bytes; /* of an element: 1, 2, 4 or 8 */
    size_t dims[CPU_MAX_RANK];
    ptrdiff_t to_stride[CPU_MAX_RANK], from_stride[CPU_MAX_RANK];
    char *to;
    const char *from;
} cpu_copy;

/* Uses the thread pool when there is much to copy. `plan` is changed. */
void cpu_copy_run(cpu_copy *plan);

/* Row-major strides of a shape, into `strides`. */
void cpu_dense_strides(const DLTensor *tensor, ptrdiff_t *strides);

#endif
