/* Products of bfloat16 with the tiles of AMX; CMakeLists.txt gives this file the flags. Few rows
 * and all other vector code are those of avx512_bf16.c. */
#if defined(__x86_64__)
#include "lanes/tile_real.h"

#include "lanes/brain_amx.h"

const cpu_flash_brain cpu_brain_amx = {
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
#else
#include "lanes.h"
#endif
