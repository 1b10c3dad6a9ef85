/* Products of bfloat16 in plain C: the twin of those with AVX512-BF16. No machine chooses it; tests
 * do. */
#include "lanes/brain_tile.h"

const cpu_flash_brain cpu_brain_base = {
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
