/* One table of vector code. A file of isa/ defines CPU_LANES (the name of the table) and
 * CPU_LANES_NAME (what people call it), and includes this. */
#include "lanes/additive.h"
#include "lanes/choose.h"
#include "lanes/converts.h"
#include "lanes/flash_tile.h"
#include "lanes/maps.h"
#include "lanes/paged_many.h"
#include "lanes/product.h"
#include "lanes/residual.h"
#include "lanes/rotary.h"
#include "lanes/rows.h"
#include "lanes/zips.h"

const cpu_lanes CPU_LANES = {
    .name = CPU_LANES_NAME,
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
    .flash = &flash_lanes,
    .paged = &paged_lanes,
    .product = product,
#if !defined(__AVX2__)
    .product_is_slow = 1,
#endif
};
