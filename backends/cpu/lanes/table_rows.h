/* The table of vector code for one instruction set. Large parts are compiled by themselves, at the
 * same time. */
#include "lanes/additive.h"
#include "lanes/choose.h"
#include "lanes/converts.h"
#include "lanes/maps.h"
#include "lanes/parts.h"
#include "lanes/residual.h"
#include "lanes/rotary.h"
#include "lanes/row_softmax.h"
#include "lanes/rows.h"
#include "lanes/zips.h"

const cpu_lanes CPU_OF_ISA(cpu_lanes) = {
    .name = CPU_ISA_NAME,
    .maps = map_rows,
    .zips = zip_rows,
    .converts = convert_rows,
    .folds = fold_rows,
    .choose = choose,
    .softmax = row_softmax,
    .log_softmax = row_log_softmax,
    .layer_norm = row_layer_norm,
    .rms_norm = row_rms_norm,
    .residual_layer_norm = residual_layer_norm,
    .residual_rms_norm = residual_rms_norm,
    .rotary_halves = rotary_halves,
    .rotary_neighbours = rotary_neighbours,
    .axpy = row_axpy,
    .affine = row_affine,
    .additive_powers = additive_powers,
    .additive_fast = additive_fast,
    .additive_exact = additive_exact,
    .additive_rows = additive_rows,
    .flash = &CPU_OF_ISA(cpu_flash),
    .paged = &CPU_OF_ISA(cpu_paged),
    .product = CPU_OF_ISA(cpu_multiply),
#if !defined(__AVX2__)
    .product_is_slow = 1,
#endif
};
