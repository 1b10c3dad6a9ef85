/* col2im.c - Col2Im: columns, one for each place of a sliding window, are added back into the image
 * that they were taken from. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"
#include "ops/window.h"

enum { COLUMNS, IMAGE, BLOCK };

/* The window is that of a convolution whose kernel is the block. */
static const char *read_window(const ir_node *n, int32_t rank, const int64_t *block, window *w)
{
    for (int32_t i = 0; i < rank; i++)
        if (block[i] < 1)
            return "block extents of at least 1";
    return window_read(n, rank, block, w);
}

/* How many places the block has in the image; DIM_UNKNOWN when that is not known. */
static ir_dim count_places(ir_dims *t, const window *w, const content_entry *image)
{
    int64_t places = 1;
    for (int32_t i = 0; i < w->rank; i++) {
        if (!image[i].known)
            return DIM_UNKNOWN;
        ir_dim extent = window_extent(t, w, i, image[i].number);
        extent = extent < 0 ? 0 : extent;
        if (extent > 0 && places > TENSOR_MAX_DIM / extent)
            return TENSOR_MAX_DIM + 1;
        places *= extent;
    }
    return places;
}

static heed_status check_columns(op_infer *c, const window *w, const content_entry *image,
                                 int64_t taps)
{
    ir_dim columns = infer_dim(c, COLUMNS, 2), rows = infer_dim(c, COLUMNS, 1);
    ir_dim places = count_places(c->dims, w, image);
    if (dim_known(columns) && dim_known(places) && columns != places)
        return infer_error(c, "a column for each place of the block", "%lld for %lld",
                           (long long)columns, (long long)places);
    if (dim_known(rows) && rows % taps != 0)
        return infer_error(c, "rows that the block's elements divide", "%lld by %lld",
                           (long long)rows, (long long)taps);
    return HEED_OK;
}

static heed_status infer_col2im(op_infer *c)
{
    content_entry *image;
    const int64_t *block;
    ir_dim dims[TENSOR_MAX_RANK];
    int64_t rank, blocks, taps = 1;
    window w;
    if (infer_rank(c, COLUMNS) >= 0 && infer_rank(c, COLUMNS) != 3)
        return infer_error(c, "columns of rank 3", "rank %d", infer_rank(c, COLUMNS));
    if (!content_get(c, IMAGE, &image, &rank) || !infer_numbers(c, BLOCK, &block, &blocks))
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 1 || rank > TENSOR_MAX_RANK - 2 || blocks != rank)
        return infer_error(c, "extents of image and block for the same axes", "%lld and %lld",
                           (long long)rank, (long long)blocks);
    for (int64_t i = 0; i < rank; i++)
        if (image[i].known && (image[i].number < 0 || image[i].number > TENSOR_MAX_DIM))
            return infer_error(c, "image extents from 0 on", "%lld", (long long)image[i].number);
    const char *problem = read_window(c->node, (int32_t)rank, block, &w);
    if (problem)
        return infer_error(c, problem, "another");
    dims[0] = infer_dim(c, COLUMNS, 0);
    for (int64_t i = 0; i < rank; i++) {
        taps *= block[i];
        dims[2 + i] = content_extent(c, &image[i]);
    }
    TRY(check_columns(c, &w, image, taps));
    ir_dim rows = infer_dim(c, COLUMNS, 1);
    dims[1] = rows == DIM_UNKNOWN ? DIM_UNKNOWN : dims_floor_div(c->dims, rows, taps);
    return infer_set(c, 0, 0, (int32_t)rank + 2, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

/* Sums are doubles, or integers modulo 2^64; a complex number is two doubles. */
typedef struct folding {
    window window;
    const int64_t *image;
    int64_t places[TENSOR_MAX_RANK];
    int64_t taps, columns, size, parts;
    bool whole;
    heed_dtype part; /* the dtype of a part */
    void *row, *plane;
} folding;

static void load_row(const folding *f, const heed_tensor *in, int64_t row)
{
    int64_t n = f->columns * f->parts, first = row * n;
    if (f->whole)
        dtype_load_u64(f->part, tensor_data(in), first, n, f->row);
    else
        dtype_load_f64(f->part, tensor_data(in), first, n, f->row);
}

/* One row has the elements that one tap of the block meets at all places. */
static void add_row(const folding *f, const int64_t *tap)
{
    int64_t place[TENSOR_MAX_RANK] = {0};
    for (int64_t i = 0; i < f->columns; i++) {
        int64_t offset = 0;
        for (int32_t a = 0; a < f->window.rank && offset >= 0; a++) {
            int64_t at = window_tap(&f->window, a, place[a], tap[a], f->image[a]);
            offset = at < 0 ? -1 : offset * f->image[a] + at;
        }
        for (int64_t p = 0; p < f->parts && offset >= 0; p++) {
            if (f->whole)
                ((uint64_t *)f->plane)[offset] += ((const uint64_t *)f->row)[i];
            else
                ((double *)f->plane)[offset * f->parts + p] +=
                    ((const double *)f->row)[i * f->parts + p];
        }
        layout_next(f->window.rank, f->places, place);
    }
}

static void store_plane(const folding *f, heed_tensor *out, int64_t plane)
{
    int64_t n = f->size * f->parts, first = plane * n;
    if (f->whole)
        dtype_store_u64(f->part, tensor_data(out), first, n, f->plane);
    else
        dtype_store_f64(f->part, tensor_data(out), first, n, f->plane, true);
}

static heed_status describe(op_call *c, folding *f)
{
    const heed_tensor *in = c->in[COLUMNS], *out = c->out[0];
    int64_t *block = call_ints(c, BLOCK);
    int32_t rank = tensor_rank(out) - 2;
    dtype_class class = dtype_get_class(in->dtype);
    if (!block)
        return err_get()->status;
    if (class == CLASS_STRING)
        return call_error(c, HEED_UNSUPPORTED, "%s has no sum", dtype_name(in->dtype));
    const char *problem = read_window(c->node, rank, block, &f->window);
    if (problem)
        return call_error(c, HEED_INVALID, "expected %s", problem);
    f->image = out->dims + 2;
    f->taps = 1;
    for (int32_t i = 0; i < rank; i++) {
        f->taps *= block[i];
        f->places[i] = window_extent(NULL, &f->window, i, f->image[i]);
    }
    f->columns = in->dims[2];
    f->size = layout_product(out->dims, 2, rank + 2);
    f->parts = class == CLASS_C64 || class == CLASS_C128 ? 2 : 1;
    f->part = class == CLASS_C64 ? HEED_FLOAT32 : class == CLASS_C128 ? HEED_FLOAT64 : in->dtype;
    f->whole = class == CLASS_I64 || class == CLASS_U64 || class == CLASS_BOOL;
    f->row = call_scratch(c, (size_t)(f->columns * f->parts) * sizeof(double) + 1);
    f->plane = call_scratch(c, (size_t)(f->size * f->parts) * sizeof(double) + 1);
    return f->row && f->plane ? HEED_OK : err_get()->status;
}

static heed_status run_col2im(op_call *c)
{
    folding f = {0};
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(describe(c, &f));
    for (int64_t plane = 0; plane < out->dims[0] * out->dims[1]; plane++) {
        int64_t tap[TENSOR_MAX_RANK] = {0};
        memset(f.plane, 0, (size_t)(f.size * f.parts) * sizeof(double));
        for (int64_t t = 0; t < f.taps && f.columns > 0; t++) {
            load_row(&f, c->in[COLUMNS], plane * f.taps + t);
            add_row(&f, tap);
            layout_next(f.window.rank, f.window.kernel, tap);
        }
        store_plane(&f, out, plane);
    }
    return HEED_OK;
}

// clang-format off
static const op_def col2im = {
    .domain = "", .name = "Col2Im", .since = 18,
    .signature = "input:T, image_shape:int64, block_shape:int64 -> output:T", .types = "T=any",
    .attrs = "dilations:ints pads:ints strides:ints",
    .infer = infer_col2im, .run = run_col2im};
// clang-format on

const op_def *const ops_col2im[] = {&col2im, NULL};
