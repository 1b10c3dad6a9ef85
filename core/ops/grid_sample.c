/* grid_sample.c - an image read at the coordinates of a grid: GridSample, of ai.onnx for any number
 * of spatial axes, and the same operator of com.microsoft. */
#include <math.h>
#include <string.h>

#include "ops/layout.h"
#include "ops/point.h"

/* ---- Inference ----------------------------------------------------------------------------- */

static heed_status infer_grid(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0 || infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, 0, rank < 0 ? infer_rank(c, 1) : rank);
    if (rank < 3 || infer_rank(c, 1) != rank)
        return infer_error(c, "image and grid of one rank, 3 or more", "ranks %d and %d", rank,
                           infer_rank(c, 1));
    ir_dim images = infer_dim(c, 0, 0), grids = infer_dim(c, 1, 0);
    if (dim_known(images) && dim_known(grids) && images != grids)
        return infer_error(c, "a grid for each image", "%lld for %lld", (long long)grids,
                           (long long)images);
    ir_dim last = infer_dim(c, 1, rank - 1);
    if (dim_known(last) && last != rank - 2)
        return infer_error(c, "a coordinate for each spatial axis", "%lld for %d", (long long)last,
                           rank - 2);
    dims[0] = images;
    dims[1] = infer_dim(c, 0, 1);
    for (int32_t i = 2; i < rank; i++)
        dims[i] = infer_dim(c, 1, i - 1);
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

typedef enum padding { ZEROS, BORDER, REFLECTION, PADDINGS } padding;

typedef struct grid_mode {
    const char *name;
    void (*taps)(point_axis *a, double x);
    int64_t n;
} grid_mode;

static const grid_mode modes[] = {
    {"nearest", point_nearest, 1}, {"linear", point_linear, 2}, {"bilinear", point_linear, 2},
    {"cubic", point_cubic, 4},     {"bicubic", point_cubic, 4},
};

static const char *const paddings[PADDINGS] = {"zeros", "border", "reflection"};

typedef struct grid {
    const grid_mode *mode;
    padding padding;
    bool corners; /* -1 and 1 are the centres of the outermost elements, not their edges */
    bool single;  /* coordinates are computed in float, as their dtype is no wider */
    int32_t rank; /* spatial */
    const int64_t *in;
    int64_t in_size, out_size, channels;
    double *coordinates; /* of one image */
    point_image image;
    point point;
} grid;

static heed_status read_modes(const op_call *c, grid *g)
{
    const char *mode = ir_attr_string(c->node, "mode", "linear");
    const char *name = ir_attr_string(c->node, "padding_mode", "zeros");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(modes[i].name, mode) == 0)
            g->mode = &modes[i];
    while (g->padding < PADDINGS && strcmp(paddings[g->padding], name) != 0)
        g->padding++;
    if (!g->mode)
        return call_error(c, HEED_INVALID, "mode %s is not known", mode);
    if (g->padding == PADDINGS)
        return call_error(c, HEED_INVALID, "padding_mode %s is not known", name);
    return HEED_OK;
}

/* From [-1, 1] to elements. */
static double place(const grid *g, double x, int64_t extent)
{
    float n = (float)x, whole = (float)extent;
    if (g->single && g->corners)
        return (double)((n + 1.0f) / 2.0f * (whole - 1.0f));
    if (g->single)
        return (double)(((n + 1.0f) * whole - 1.0f) / 2.0f);
    return g->corners ? (x + 1.0) / 2.0 * ((double)extent - 1.0)
                      : ((x + 1.0) * (double)extent - 1.0) / 2.0;
}

static void set_axis(const grid *g, double x, int64_t extent, point_axis *axis)
{
    double low = g->corners ? 0.0 : -0.5, high = (double)(extent - 1) - low;
    if (g->mode->n == 1)
        x = nearbyint(x);
    bool cubic = g->mode->taps == point_cubic; /* bounds its elements, not the coordinate */
    if (g->padding == BORDER && !cubic)
        x = x < 0.0 ? 0.0 : x > (double)(extent - 1) ? (double)(extent - 1) : x;
    else if (g->padding == REFLECTION && !cubic && (x < low || x > high))
        x = point_mirror(x, low, high);
    g->mode->taps(axis, x);
    if (g->padding == ZEROS)
        point_inside(axis, extent);
    else if (g->padding == BORDER)
        point_clamp(axis, extent);
    else
        point_reflect(axis, extent, low, high);
    point_merge(axis);
}

/* The coordinates of a grid begin with the innermost axis. */
static void set_point(grid *g, const double *coordinates)
{
    point_axis axes[TENSOR_MAX_RANK];
    for (int32_t i = 0; i < g->rank; i++)
        set_axis(g, place(g, coordinates[g->rank - 1 - i], g->in[i]), g->in[i], &axes[i]);
    point_set(&g->point, g->rank, axes, g->in);
}

/* An element moves as it is; outside there is zero. */
static void move_nearest(const op_call *c, const grid *g, int64_t from, int64_t to)
{
    heed_tensor *out = c->out[0];
    if (g->point.n == 0)
        layout_zero(out->dtype, tensor_data(out), to, 1);
    else
        dtype_copy(out->dtype, tensor_data(out), to, tensor_data(c->in[0]), from + g->point.at[0],
                   1);
}

static void read_image(op_call *c, grid *g, int64_t image)
{
    heed_tensor *out = c->out[0];
    int64_t first = image * g->channels;
    dtype_load_f64(c->in[1]->dtype, tensor_data(c->in[1]), image * g->out_size * g->rank,
                   g->out_size * g->rank, g->coordinates);
    for (int64_t i = 0; i < g->out_size; i++) {
        set_point(g, g->coordinates + i * g->rank);
        for (int64_t ch = first; ch < first + g->channels; ch++) {
            if (g->mode->n == 1)
                move_nearest(c, g, ch * g->in_size, ch * g->out_size + i);
            else
                point_store(&g->point, &g->image, ch * g->in_size, out, ch * g->out_size + i);
        }
    }
}

static heed_status reserve(op_call *c, grid *g)
{
    const heed_tensor *in = c->in[0], *out = c->out[0];
    int64_t taps = 1;
    size_t bytes;
    g->rank = tensor_rank(in) - 2;
    g->in = in->dims + 2;
    g->channels = in->dims[1];
    g->in_size = layout_product(in->dims, 2, g->rank + 2);
    g->out_size = layout_product(out->dims, 2, g->rank + 2);
    g->corners = ir_attr_int(c->node, "align_corners", 0) != 0;
    g->single = c->in[1]->dtype != HEED_FLOAT64;
    for (int32_t i = 0; i < g->rank; i++)
        taps *= g->in[i] < g->mode->n ? g->in[i] + 1 : g->mode->n;
    if (!size_mul((size_t)(g->out_size * g->rank), sizeof(double), &bytes))
        return call_error(c, HEED_NOMEM, "the grid is too large");
    g->coordinates = call_scratch(c, bytes + 1);
    return g->coordinates ? point_reserve(c, taps, &g->point) : err_get()->status;
}

static heed_status run_grid(op_call *c)
{
    grid g = {0};
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    TRY(read_modes(c, &g));
    TRY(reserve(c, &g));
    if (g.mode->n > 1)
        TRY(point_open(c, c->in[0], &g.image));
    for (int64_t image = 0; image < c->in[0]->dims[0]; image++)
        read_image(c, &g, image);
    return HEED_OK;
}

// clang-format off
static const op_def grid_sample = {
    .domain = "", .name = "GridSample", .since = 22,
    .signature = "X:T, grid:G -> Y:T", .types = "T=any G=float",
    .attrs = "align_corners:int=0 mode:string=linear padding_mode:string=zeros",
    .infer = infer_grid, .run = run_grid};
static const op_def grid_sample_ms = {
    .domain = "com.microsoft", .name = "GridSample", .since = 1,
    .signature = "X:T, Grid:G -> Y:T", .types = "T=any G=float",
    .attrs = "align_corners:int=0 mode:string=bilinear padding_mode:string=zeros",
    .infer = infer_grid, .run = run_grid};
// clang-format on

const op_def *const ops_grid_sample[] = {&grid_sample, &grid_sample_ms, NULL};
