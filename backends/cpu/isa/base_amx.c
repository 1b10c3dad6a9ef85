/* What amx_bf16.c runs, over tiles in plain C. No machine chooses it; tests do. */
#include "lanes/tile_plain.h"

#include "lanes/brain_amx.h"

const cpu_flash_brain cpu_brain_base_amx = {
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
