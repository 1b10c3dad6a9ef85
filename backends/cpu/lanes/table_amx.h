/* The table of products of bfloat16 in the tiles of AMX: amx_bf16, or base_amx over tiles in plain
 * C, which no machine chooses, but tests do. */
#if defined(__AMX_BF16__)
#include "lanes/tile_real.h"
#else
#include "lanes/tile_plain.h"
#endif

#include "lanes/brain_amx.h"
#include "lanes/parts.h"

const cpu_flash_brain CPU_OF_ISA(cpu_brain) = {
    .rows = TILE_PAIR,
    .depth = TILE_DEPTH,
    .begin = amx_begin,
    .end = amx_end,
    .scores = amx_scores,
    .values = amx_values,
    .weigh = brain_weigh,
    .few_scores = brain_few_scores,
    .few_values = brain_few_values,
    .few_weigh = brain_few_weigh,
    .turn = brain_turn,
};
