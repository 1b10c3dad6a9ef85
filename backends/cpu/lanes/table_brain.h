/* The table of products of bfloat16: base_bf16, in plain C, is the twin of avx512_bf16; no machine
 * chooses it, tests do. */
#include "lanes/brain_tile.h"
#include "lanes/parts.h"

const cpu_flash_brain CPU_OF_ISA(cpu_brain) = {
    .rows = 2 * LANES,
    .depth = 2,
    .scores = brain_scores,
    .values = brain_values,
    .weigh = brain_weigh,
    .few_scores = brain_few_scores,
    .few_values = brain_few_values,
    .few_weigh = brain_few_weigh,
    .turn = brain_turn,
};
