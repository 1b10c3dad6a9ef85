/* quantize.c - numbers on a grid of steps: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear,
 * here and in com.microsoft.
 *
 * A scale and a zero point serve the whole tensor, an index of an axis each, or a block of
 * neighbours along an axis each. All arithmetic is done in doubles and rounded to the precision
 * that the standard names: of one operation on floats that is the same as doing it in them. */
#include <math.h>

#include "ops/loops.h"

enum { X, SCALE, ZERO };

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_extent(op_infer *c, uint32_t i, int32_t axis, ir_dim found,
                                ir_dim expected)
{
    if (!dim_known(found) || !dim_known(expected) || found == expected)
        return HEED_OK;
    return infer_error(c, "scales and zero points that fit the input",
                       "input %u has %lld on axis %d where %lld are needed", i, (long long)found,
                       axis, (long long)expected);
}

static heed_status check_blocks(op_infer *c, uint32_t i, int64_t block, int32_t axis)
{
    int32_t rank = infer_rank(c, X);
    if (infer_rank(c, i) != rank)
        return infer_error(c, "blocked scales and zero points of the rank of the input",
                           "input %u of rank %d, not %d", i, infer_rank(c, i), rank);
    for (int32_t k = 0; k < rank; k++) {
        ir_dim dim = c->in[X]->dims[k];
        TRY(check_extent(c, i, k, c->in[i]->dims[k],
                         k == axis ? dims_ceil_div(c->dims, dim, block) : dim));
    }
    return HEED_OK;
}

/* A tensor of one axis needs no attribute to say which. */
static heed_status quantised_axis(op_infer *c, int32_t *axis)
{
    int32_t rank = infer_rank(c, X);
    *axis = 0;
    return rank == 1 ? HEED_OK : infer_axis(c, ir_attr_int(c->node, "axis", 1), rank, axis);
}

static heed_status check_parameter(op_infer *c, uint32_t i)
{
    int64_t block = ir_attr_int(c->node, "block_size", 0);
    int32_t axis, rank = infer_rank(c, i);
    if (block < 0)
        return infer_error(c, "a block_size of 0 or more", "%lld", (long long)block);
    bool one = rank == 0 || (rank == 1 && infer_dim(c, i, 0) == 1);
    if (rank < 0 || infer_rank(c, X) < 0 || one)
        return HEED_OK;
    TRY(quantised_axis(c, &axis));
    if (block > 0)
        return check_blocks(c, i, block, axis);
    if (rank != 1)
        return infer_error(c, "a scalar or a vector, as there is no block_size",
                           "input %u of rank %d", i, rank);
    return check_extent(c, i, axis, infer_dim(c, i, 0), infer_dim(c, X, axis));
}

static heed_status infer_grid(op_infer *c, heed_dtype dtype)
{
    for (uint32_t i = SCALE; i <= ZERO; i++)
        TRY(check_parameter(c, i));
    c->out[0].dtype = dtype;
    return infer_set_like(c, 0, X);
}

/* A dtype that an attribute names, 0 for none. */
static heed_status named_dtype(op_infer *c, const char *attr, const char *expected,
                               bool (*fits)(heed_dtype), heed_dtype *dtype)
{
    int64_t to = ir_attr_int(c->node, attr, 0);
    if (to != 0 && (to < 0 || to >= HEED_DTYPE_COUNT || !fits((heed_dtype)to)))
        return infer_error(c, expected, "%s %lld", attr, (long long)to);
    *dtype = (heed_dtype)to;
    return HEED_OK;
}

/* What scales and real numbers are made of. */
static bool is_wide(heed_dtype dtype)
{
    return dtype_is_float(dtype) && dtype_bits(dtype) >= 16 && dtype != HEED_FLOAT64;
}

static bool is_narrow(heed_dtype dtype)
{
    bool number = dtype_is_int(dtype) || (dtype_is_float(dtype) && dtype != HEED_FLOAT8E8M0);
    return number && dtype_bits(dtype) <= (dtype_is_int(dtype) ? 16u : 8u);
}

static heed_status infer_quantize(op_infer *c)
{
    heed_dtype named = 0, precision = 0, dtype = infer_has(c, ZERO) ? c->in[ZERO]->dtype : 0;
    TRY(named_dtype(c, "precision", "float, float16 or bfloat16", is_wide, &precision));
    TRY(named_dtype(c, "output_dtype", "a data type of quantised numbers", is_narrow, &named));
    if (named && dtype && named != dtype)
        return infer_error(c, "output_dtype to be the type of the zero point", "%s and %s",
                           dtype_name(named), dtype_name(dtype));
    dtype = dtype ? dtype : named;
    return infer_grid(c, dtype ? dtype : HEED_UINT8);
}

static heed_status infer_dequantize(op_infer *c)
{
    heed_dtype named = 0, dtype = c->in[SCALE]->dtype;
    TRY(named_dtype(c, "output_dtype", "float, float16 or bfloat16", is_wide, &named));
    return infer_grid(c, named ? named : is_wide(dtype) ? dtype : HEED_FLOAT32);
}

/* ---- Which parameter serves which element --------------------------------------------------- */

/* The input as [outer, n, inner], with the quantised axis in the middle. The parameter of element
 * (o, j, i) is at o * outer_step + j / block * axis_step + i * inner_step. */
typedef struct grid {
    const double *values; /* NULL: all of them are 0 */
    loop_lines lines;
    int64_t block, outer_step, axis_step, inner_step;
} grid;

static heed_status grid_read(op_call *c, uint32_t i, grid *g)
{
    const heed_tensor *x = c->in[X], *t = call_has(c, i) ? c->in[i] : NULL;
    int64_t block = ir_attr_int(c->node, "block_size", 0), count = t ? tensor_count(t) : 0;
    int32_t rank = tensor_rank(x), axis = 0;
    *g = (grid){.block = 1, .lines = {1, 1, 1}};
    if (!t)
        return HEED_OK;
    double *values = call_scratch(c, (size_t)count * sizeof(double) + 1);
    if (!values)
        return HEED_NOMEM;
    loop_load(t, CLASS_F64, 0, count, values);
    g->values = values;
    if (tensor_rank(t) == 0 || (tensor_rank(t) == 1 && count == 1))
        return HEED_OK;
    if (rank > 1)
        TRY(loop_axis(c, ir_attr_int(c->node, "axis", 1), rank, &axis));
    g->lines = loop_lines_of(x, axis);
    g->axis_step = 1;
    if (block > 0) {
        g->block = block;
        g->inner_step = 1;
        g->axis_step = g->lines.inner;
        g->outer_step = g->lines.inner * t->dims[axis];
    }
    return HEED_OK;
}

static void grid_fill(const grid *g, int64_t first, int64_t n, double *out)
{
    const loop_lines *l = &g->lines;
    int64_t i = first % l->inner, j = first / l->inner % l->n, o = first / l->inner / l->n;
    if (g->axis_step == 0) { /* one for all: every block is the same */
        for (int64_t k = 0; first == 0 && k < LOOP_BLOCK; k++)
            out[k] = g->values ? g->values[0] : 0;
        return;
    }
    for (int64_t k = 0; k < n; k++) {
        out[k] = g->values[o * g->outer_step + j / g->block * g->axis_step + i * g->inner_step];
        if (++i == l->inner) {
            i = 0;
            o += j + 1 == l->n;
            j = j + 1 == l->n ? 0 : j + 1;
        }
    }
}

/* Blocks of the input, each with the parameters of its elements. */
typedef struct grids {
    grid scale, zero;
    double x[LOOP_BLOCK], scales[LOOP_BLOCK], zeros[LOOP_BLOCK];
} grids;

static heed_status grids_new(op_call *c, grids **out)
{
    *out = call_scratch(c, sizeof(grids));
    if (!*out)
        return HEED_NOMEM;
    TRY(grid_read(c, SCALE, &(*out)->scale));
    return grid_read(c, ZERO, &(*out)->zero);
}

static void grids_load(grids *g, const heed_tensor *x, int64_t first, int64_t n)
{
    loop_load(x, CLASS_F64, first, n, g->x);
    grid_fill(&g->scale, first, n, g->scales);
    grid_fill(&g->zero, first, n, g->zeros);
}

/* ---- Kernels -------------------------------------------------------------------------------- */

/* The largest and smallest number of an integer type of at most 16 bits. */
static void int_range(heed_dtype dtype, double *least, double *most)
{
    double codes = (double)(1u << dtype_bits(dtype));
    *least = dtype_is_signed(dtype) ? -codes / 2 : 0;
    *most = *least + codes - 1;
}

/* Quotients in x become what is stored: a NaN becomes the least number. */
static void place_ints(heed_dtype dtype, int64_t n, const double *zeros, double *x)
{
    double least, most;
    int_range(dtype, &least, &most);
    for (int64_t k = 0; k < n; k++) {
        double y = rint(x[k]) + zeros[k];
        x[k] = y > most ? most : (y >= least ? y : least);
    }
}

static heed_dtype precision_of(const op_call *c)
{
    int64_t named = ir_attr_int(c->node, "precision", 0);
    heed_dtype scale = c->in[SCALE]->dtype;
    if (named)
        return (heed_dtype)named;
    if (is_wide(scale))
        return scale;
    return is_wide(c->in[X]->dtype) ? c->in[X]->dtype : HEED_FLOAT32;
}

/* A block of the output, in g->x as the input has it. */
typedef void block_run(const op_call *c, grids *g, heed_tensor *out, int64_t first, int64_t n);

static heed_status run_blocks(op_call *c, block_run *run)
{
    heed_tensor *out = call_out(c, 0);
    int64_t total = out ? tensor_count(out) : 0, n;
    grids *g;
    if (total == 0)
        return HEED_OK;
    TRY(grids_new(c, &g));
    for (int64_t first = 0; first < total; first += n) {
        n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        grids_load(g, c->in[X], first, n);
        run(c, g, out, first, n);
    }
    return HEED_OK;
}

static void quantize_block(const op_call *c, grids *g, heed_tensor *out, int64_t first, int64_t n)
{
    heed_dtype precision = precision_of(c);
    bool saturate = ir_attr_int(c->node, "saturate", 1) != 0, ints = dtype_is_int(out->dtype);
    if (ir_attr_int(c->node, "precision", 0)) {
        loop_round(precision, n, g->x);
        loop_round(precision, n, g->scales);
    }
    for (int64_t k = 0; k < n; k++)
        g->x[k] /= g->scales[k];
    loop_round(precision, n, g->x);
    if (ints)
        place_ints(out->dtype, n, g->zeros, g->x);
    for (int64_t k = 0; !ints && k < n; k++)
        g->x[k] += g->zeros[k];
    dtype_store_f64(out->dtype, tensor_data(out), first, n, g->x, saturate);
}

static void dequantize_block(const op_call *c, grids *g, heed_tensor *out, int64_t first, int64_t n)
{
    (void)c;
    for (int64_t k = 0; k < n; k++)
        g->x[k] -= g->zeros[k];
    loop_round(HEED_FLOAT32, n, g->x); /* an int32 has more digits */
    for (int64_t k = 0; k < n; k++)
        g->x[k] *= g->scales[k];
    loop_store(out, CLASS_F64, first, n, g->x);
}

static heed_status run_quantize(op_call *c) { return run_blocks(c, quantize_block); }

static heed_status run_dequantize(op_call *c) { return run_blocks(c, dequantize_block); }

/* ---- DynamicQuantizeLinear ------------------------------------------------------------------ */

static heed_status infer_dynamic(op_infer *c)
{
    TRY(infer_set(c, SCALE, 0, 0, NULL));
    TRY(infer_set(c, ZERO, 0, 0, NULL));
    return infer_set_like(c, 0, X);
}

/* The range of the input and zero. */
static void range_of(const heed_tensor *x, float *least, float *most)
{
    float block[LOOP_BLOCK];
    *least = *most = 0;
    for (int64_t first = 0, total = tensor_count(x); first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        loop_load(x, CLASS_F32, first, n, block);
        for (int64_t k = 0; k < n; k++) {
            *least = block[k] < *least ? block[k] : *least;
            *most = block[k] > *most ? block[k] : *most;
        }
    }
}

static heed_status run_dynamic(op_call *c)
{
    heed_tensor *out = call_out(c, 0), *scales = call_out(c, SCALE), *zeros = call_out(c, ZERO);
    int64_t total = out ? tensor_count(out) : 0;
    float least, most;
    double x[LOOP_BLOCK], zero[LOOP_BLOCK];
    range_of(c->in[X], &least, &most);
    float scale = most == least ? 1.0f : (most - least) / 255.0f;
    float offset = rintf(fminf(255.0f, fmaxf(0.0f, -least / scale)));
    for (int64_t k = 0; k < LOOP_BLOCK; k++)
        zero[k] = (double)offset;
    for (int64_t first = 0; first < total; first += LOOP_BLOCK) {
        int64_t n = total - first < LOOP_BLOCK ? total - first : LOOP_BLOCK;
        loop_load(c->in[X], CLASS_F64, first, n, x);
        for (int64_t k = 0; k < n; k++)
            x[k] /= (double)scale;
        loop_round(HEED_FLOAT32, n, x);
        place_ints(HEED_UINT8, n, zero, x);
        loop_store(out, CLASS_F64, first, n, x);
    }
    if (scales)
        loop_store(scales, CLASS_F32, 0, 1, &scale);
    if (zeros)
        loop_store(zeros, CLASS_F64, 0, 1, zero);
    return HEED_OK;
}

// clang-format off
#define INT_CODES "int8|uint8|int16|uint16|int4|uint4|int2|uint2"
#define CODES INT_CODES "|float8e4m3fn|float8e4m3fnuz|float8e5m2|float8e5m2fnuz|float4e2m1"
#define WIDE "float32|float16|bfloat16"
static const op_def quantize = {
    .domain = "", .name = "QuantizeLinear", .since = 25,
    .signature = "x:A, y_scale:B, y_zero_point:C? -> y:C",
    .types = "A=" WIDE "|int32 B=" WIDE "|int32|float8e8m0 C=" CODES,
    .attrs = "axis:int=1 block_size:int=0 output_dtype:int=0 precision:int=0 saturate:int=1",
    .infer = infer_quantize, .run = run_quantize};
static const op_def dequantize = {
    .domain = "", .name = "DequantizeLinear", .since = 25,
    .signature = "x:A, x_scale:B, x_zero_point:A? -> y:C",
    .types = "A=int32|" CODES " B=" WIDE "|float8e8m0 C=" WIDE,
    .attrs = "axis:int=1 block_size:int=0 output_dtype:int=0",
    .infer = infer_dequantize, .run = run_dequantize};
static const op_def dynamic = {
    .domain = "", .name = "DynamicQuantizeLinear", .since = 11,
    .signature = "x:float32 -> y:uint8, y_scale:float32, y_zero_point:uint8", .types = "",
    .infer = infer_dynamic, .run = run_dynamic};
static const op_def ms_quantize = {
    .domain = "com.microsoft", .name = "QuantizeLinear", .since = 1,
    .signature = "x:A, y_scale:A, y_zero_point:C? -> y:C",
    .types = "A=float32|float16 C=" INT_CODES, .attrs = "axis:int=1 block_size:int=0",
    .infer = infer_quantize, .run = run_quantize};
static const op_def ms_dequantize = {
    .domain = "com.microsoft", .name = "DequantizeLinear", .since = 1,
    .signature = "x:A, x_scale:B, x_zero_point:A? -> y:B",
    .types = "A=int32|" INT_CODES " B=float32|float16", .attrs = "axis:int=1 block_size:int=0",
    .infer = infer_dequantize, .run = run_dequantize};

const op_def *const ops_quantize[] = {&quantize, &dequantize, &dynamic,
                                      &ms_quantize, &ms_dequantize, NULL};
// clang-format on
