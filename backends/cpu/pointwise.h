/* heed.Pointwise: a program of elementwise operators, run block by block, so that what lies between
 * two of them stays in the first cache. The loops are the rows that the operators alone have
 * (lanes/maps.h, lanes/zips.h), and float16 and bfloat16 are rounded after every step as they
 * would be there: the results are the same to the bit. pointwise_program.c reads a program,
 * kernels/pointwise.c runs it. */
#ifndef CPU_POINTWISE_H
#define CPU_POINTWISE_H

#include "cpu.h"
#include "half.h"

enum { POINTWISE_STEPS = 16, POINTWISE_INPUTS = 8, POINTWISE_OPERANDS = 3 };

/* Exactly one of map, zip and `choice` (Where) computes it. */
typedef struct pointwise_step {
    cpu_map *map;
    cpu_zip *zip;
    bool choice;
    heed_dtype out; /* HEED_FLOAT32 or HEED_BOOL */
    uint32_t n_in, in[POINTWISE_OPERANDS];
    float parameters[2];
} pointwise_step;

typedef struct pointwise_state {
    uint32_t n_in, n_steps;
    pointwise_step steps[POINTWISE_STEPS];
    cpu_half half;
    cpu_choose *choose;
} pointwise_state;

/* The node's program; refuses, with a reason, what has no loop. */
heed_status pointwise_read(void *device, const heed_node *node, pointwise_state *out);

#endif
