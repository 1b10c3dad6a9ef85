/* Norms of rows in any float type, with a residual sum or without: for kernels/row_norm.c, which
 * has the one with a sum, and kernels/norm.c, which sends halves here. */
#ifndef CPU_ROW_NORM_H
#define CPU_ROW_NORM_H

#include "cpu.h"

typedef struct cpu_row_norm cpu_row_norm;

heed_status cpu_row_norm_accepts(const heed_node *node); /* a norm of halves */
heed_status cpu_row_norm_new(void *device, const heed_node *node, cpu_row_norm **out);
void cpu_row_norm_free(cpu_row_norm *norm); /* NULL is fine */
heed_status cpu_row_norm_measure(const cpu_row_norm *norm, const heed_call *shapes,
                                 uint64_t *bytes);
heed_status cpu_row_norm_run(const cpu_row_norm *norm, const heed_call *call, bool residual);

#endif
