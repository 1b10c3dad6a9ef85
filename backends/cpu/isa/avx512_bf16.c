/* Products of bfloat16 with AVX512-BF16; CMakeLists.txt gives this file the flags. All other vector
 * code of such a machine is that of avx512.c. */
#if defined(__x86_64__)
#include "lanes/brain_tile.h"

const cpu_flash_brain cpu_brain_avx512 = {
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
#else
#include "lanes.h"
#endif
