/* The table of attention in tiles. */
#include "lanes/flash_tile.h"
#include "lanes/parts.h"

// clang-format off
const cpu_flash_lanes CPU_OF_ISA(cpu_flash) = {
    .lanes = LANES, .scores = flash_scores, .values = flash_values, .tops = flash_tops,
    .rise = flash_rise, .join = flash_join, .few_scores = few_scores, .few_values = few_values,
    .few_weigh = few_weigh, .few_join = few_join, .cap = flash_cap, .turn = flash_turn,
    .gather = flash_gather, .scatter = flash_scatter,
    .add = flash_add, .multiply = flash_multiply, .add_alike = flash_add_alike,
    .row_add = flash_row_add, .row_multiply = flash_row_multiply, .row_mask = flash_row_mask,
    .hide = flash_hide, .mask_row = flash_mask_row, .mask = flash_mask,
    .mask_alike = flash_mask_alike, .mask_join = flash_mask_join, .range = flash_range,
    .peak32 = flash_peak32, .peak16 = flash_peak16,
};
// clang-format on
