/* The table of attention in pages. */
#include "lanes/paged_many.h"
#include "lanes/parts.h"

const cpu_paged_lanes CPU_OF_ISA(cpu_paged) = {
#if defined(__AVX2__)
    .few_scores = {scores_f32, scores_bf16, scores_f16, scores_i8},
    .few_values = {values_f32, values_bf16, values_f16, values_i8},
    .widen = {widen_f32, widen_bf16, widen_f16, widen_i8},
#else
    .few_scores = {scores_f32},
    .few_values = {values_f32},
    .widen = {widen_f32, NULL, NULL, widen_i8},
#endif
    .few_weigh = keyed_weigh,
    .few_scale = keyed_scale,
    .few_join = keyed_join,
    .scores = paged_scores,
    .rise = paged_rise,
    .values = paged_values,
    .values_apart = paged_values_apart,
    .join = paged_join,
    .stream = paged_stream,
    .settle = paged_settle,
    .narrow8 = paged_narrow8,
    .widen8 = paged_widen8,
};
