/* deform_conv.c - DeformConv: a convolution whose taps are moved by offsets that are data, so that
 * they lie between the elements of the input.
 *
 * As in conv.c the input is unfolded into columns, block by block, and multiplied with the weights;
 * here an element of a column is the value at a point, scaled by a mask. */
#include <string.h>

#include "ops/layout.h"
#include "ops/point.h"
#include "ops/product.h"
#include "ops/window.h"

enum { BLOCK = 256 }; /* output places that are unfolded at a time */
enum { X, W, OFFSET, BIAS, MASK };

#define SMALL ((int64_t)1 << 20)

/* ---- Inference ----------------------------------------------------------------------------- */

typedef struct expectation {
    uint32_t input;
    int32_t axis;
    ir_dim extent;
    const char *text;
} expectation;

/* All dims of weights and offsets that follow from each other. */
static heed_status check_extents(op_infer *c, int64_t taps)
{
    int64_t group = ir_attr_int(c->node, "group", 1);
    int64_t offsets = ir_attr_int(c->node, "offset_group", 1);
    ir_dim channels = infer_dim(c, X, 1), maps = infer_dim(c, W, 0);
    if (group < 1 || offsets < 1 || group > SMALL || offsets > SMALL)
        return infer_error(c, "group and offset_group from 1 to 2^20", "%lld and %lld",
                           (long long)group, (long long)offsets);
    if (dim_known(channels) && (channels % group != 0 || channels % offsets != 0))
        return infer_error(c, "channels that group and offset_group divide", "%lld",
                           (long long)channels);
    if (dim_known(maps) && maps % group != 0)
        return infer_error(c, "output channels that group divides", "%lld by %lld", (long long)maps,
                           (long long)group);
    const expectation all[] = {
        {W, 1, dim_known(channels) ? channels / group : DIM_UNKNOWN, "channels of a group"},
        {OFFSET, 0, infer_dim(c, X, 0), "offsets for each image"},
        {OFFSET, 1, (infer_rank(c, X) - 2) * offsets * taps, "offsets for each axis of each tap"},
        {MASK, 0, infer_dim(c, X, 0), "masks for each image"},
        {MASK, 1, offsets * taps, "a mask for each tap"},
        {BIAS, 0, maps, "a bias for each output channel"},
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ir_dim found = infer_dim(c, all[i].input, all[i].axis);
        if (dim_known(found) && dim_known(all[i].extent) && found != all[i].extent)
            return infer_error(c, all[i].text, "%lld, not %lld", (long long)found,
                               (long long)all[i].extent);
    }
    return HEED_OK;
}

/* Offsets and masks have the output's spatial extents. */
static heed_status check_places(op_infer *c, int32_t rank, const ir_dim *dims)
{
    for (uint32_t input = OFFSET; input <= MASK; input += MASK - OFFSET)
        for (int32_t i = 2; i < rank && infer_rank(c, input) >= 0; i++) {
            ir_dim found = infer_dim(c, input, i);
            if (infer_rank(c, input) != rank ||
                (dim_known(found) && dim_known(dims[i]) && found != dims[i]))
                return infer_error(c, "offsets and masks of the output's extents", "%lld, not %lld",
                                   (long long)found, (long long)dims[i]);
        }
    return HEED_OK;
}

static heed_status infer_deform(op_infer *c)
{
    int32_t rank = infer_rank(c, X);
    ir_dim dims[TENSOR_MAX_RANK];
    int64_t taps = 1;
    window w;
    if (rank < 0 || infer_rank(c, W) < 0)
        return infer_set_unknown(c, 0, 0, rank >= 0 ? rank : infer_rank(c, W));
    if (rank < 3 || infer_rank(c, W) != rank ||
        (infer_rank(c, BIAS) >= 0 && infer_rank(c, BIAS) != 1))
        return infer_error(c, "image and weights of one rank, 3 or more, and a vector of biases",
                           "ranks %d and %d", rank, infer_rank(c, W));
    for (int32_t i = 2; i < rank; i++)
        if (!dim_known(c->in[W]->dims[i]))
            return infer_set_unknown(c, 0, 0, rank);
    const char *problem = window_read(c->node, rank - 2, c->in[W]->dims + 2, &w);
    if (problem)
        return infer_error(c, problem, "another");
    for (int32_t i = 0; i < w.rank; i++)
        taps *= w.kernel[i];
    TRY(check_extents(c, taps));
    dims[0] = c->in[X]->dims[0];
    dims[1] = c->in[W]->dims[0];
    for (int32_t i = 2; i < rank; i++)
        dims[i] = window_extent(c->dims, &w, i - 2, c->in[X]->dims[i]);
    TRY(check_places(c, rank, dims));
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

typedef struct deform {
    window window;
    const product_type *type;
    int64_t images, group, offset_group;
    int64_t channels, maps, depth; /* all of an image; columns of one group */
    int64_t in_size, out_size, taps;
    const int64_t *in, *out;
    const char *weights, *bias;
    double *offsets, *masks; /* of one tap, of a block of places */
    char *columns, *result;
    point_image image;
    point point;
} deform;

static heed_status describe(op_call *c, deform *d)
{
    const heed_tensor *x = c->in[X], *w = c->in[W], *y = c->out[0];
    int32_t rank = tensor_rank(x);
    const char *problem = window_read(c->node, rank - 2, w->dims + 2, &d->window);
    d->type = product_for(x->dtype);
    if (problem || !d->type)
        return call_error(c, HEED_INVALID, "expected %s", problem ? problem : "numbers");
    d->images = x->dims[0];
    d->group = ir_attr_int(c->node, "group", 1);
    d->offset_group = ir_attr_int(c->node, "offset_group", 1);
    d->channels = x->dims[1];
    d->maps = w->dims[0];
    d->in = x->dims + 2;
    d->out = y->dims + 2;
    d->in_size = layout_product(x->dims, 2, rank);
    d->out_size = layout_product(y->dims, 2, rank);
    d->taps = layout_product(w->dims, 2, rank);
    d->depth = w->dims[1] * d->taps;
    return HEED_OK;
}

static heed_status reserve(op_call *c, deform *d)
{
    const heed_tensor *w = c->in[W], *b = call_has(c, BIAS) ? c->in[BIAS] : NULL;
    size_t columns, result, line = BLOCK * d->type->size;
    int64_t around = 1;
    for (int32_t i = 0; i < d->window.rank; i++)
        around *= d->in[i] < 2 ? 1 : 2;
    if (!size_mul((size_t)(d->channels * d->taps), line, &columns) ||
        !size_mul((size_t)d->maps, line, &result))
        return call_error(c, HEED_NOMEM, "the kernel is too large");
    d->weights = product_read(c, d->type, w->dtype, tensor_data(w), 0, tensor_count(w));
    d->bias = b ? product_read(c, d->type, b->dtype, tensor_data(b), 0, tensor_count(b)) : NULL;
    d->columns = call_scratch(c, columns + 1);
    d->result = call_scratch(c, result + 1);
    d->offsets = call_scratch(c, (size_t)d->window.rank * BLOCK * sizeof(double));
    d->masks = call_scratch(c, BLOCK * sizeof(double));
    if (!d->weights || (b && !d->bias) || !d->columns || !d->result || !d->offsets || !d->masks)
        return err_get()->status;
    TRY(point_open(c, c->in[X], &d->image));
    return point_reserve(c, around, &d->point);
}

/* Offsets [axis, place] and masks of tap `tap` (counted over offset groups) for n places. */
static void load_tap(const op_call *c, deform *d, int64_t image, int64_t tap, int64_t first,
                     int64_t n)
{
    const heed_tensor *offset = c->in[OFFSET], *mask = call_has(c, MASK) ? c->in[MASK] : NULL;
    int32_t rank = d->window.rank;
    int64_t row = image * d->offset_group * d->taps + tap;
    for (int32_t a = 0; a < rank; a++)
        dtype_load_f64(offset->dtype, tensor_data(offset), (row * rank + a) * d->out_size + first,
                       n, d->offsets + a * BLOCK);
    for (int64_t i = 0; !mask && i < n; i++)
        d->masks[i] = 1.0;
    if (mask)
        dtype_load_f64(mask->dtype, tensor_data(mask), row * d->out_size + first, n, d->masks);
}

static void set_point(deform *d, const int64_t *place, const int64_t *tap, int64_t i)
{
    point_axis axes[TENSOR_MAX_RANK];
    const window *w = &d->window;
    for (int32_t a = 0; a < w->rank; a++) {
        int64_t at = place[a] * w->stride[a] - w->before[a] + tap[a] * w->dilation[a];
        point_linear(&axes[a], (double)at + d->offsets[a * BLOCK + i]);
        point_inside(&axes[a], d->in[a]);
    }
    point_set(&d->point, w->rank, axes, d->in);
}

/* Column elements of one tap in the channels of one offset group. */
static void unfold_tap(const op_call *c, deform *d, int64_t image, int64_t part, int64_t t,
                       int64_t first, int64_t n)
{
    int64_t tap[TENSOR_MAX_RANK], place[TENSOR_MAX_RANK], width = d->channels / d->offset_group;
    layout_index(t, d->window.rank, d->window.kernel, tap);
    layout_index(first, d->window.rank, d->out, place);
    load_tap(c, d, image, part * d->taps + t, first, n);
    for (int64_t i = 0; i < n; i++) {
        set_point(d, place, tap, i);
        for (int64_t ch = part * width; ch < (part + 1) * width; ch++) {
            double x = point_value(&d->point, &d->image, (image * d->channels + ch) * d->in_size);
            x *= d->masks[i];
            dtype_store_f64(d->type->dtype, d->columns, (ch * d->taps + t) * n + i, 1, &x, true);
        }
        layout_next(d->window.rank, d->out, place);
    }
}

static void multiply(const op_call *c, deform *d, int64_t image, int64_t first, int64_t n)
{
    size_t size = d->type->size;
    int64_t maps = d->maps / d->group;
    for (int64_t m = 0; m < d->maps; m++) {
        char *row = d->result + (size_t)(m * n) * size;
        memset(row, 0, (size_t)n * size);
        if (d->bias)
            layout_fill(d->type->dtype, row, 0, n, d->bias, m);
    }
    for (int64_t g = 0; g < d->group; g++)
        product_run(d->type, maps, n, d->depth, d->weights + (size_t)(g * maps * d->depth) * size,
                    d->columns + (size_t)(g * d->depth * n) * size,
                    d->result + (size_t)(g * maps * n) * size);
    for (int64_t m = 0; m < d->maps; m++)
        product_write(d->type, c->out[0]->dtype, tensor_data(c->out[0]),
                      (image * d->maps + m) * d->out_size + first, n,
                      d->result + (size_t)(m * n) * size);
}

static heed_status run_deform(op_call *c)
{
    deform d = {0};
    if (!call_out(c, 0) || tensor_count(c->out[0]) == 0)
        return HEED_OK;
    TRY(describe(c, &d));
    TRY(reserve(c, &d));
    for (int64_t image = 0; image < d.images; image++)
        for (int64_t first = 0; first < d.out_size; first += BLOCK) {
            int64_t n = d.out_size - first < BLOCK ? d.out_size - first : BLOCK;
            for (int64_t part = 0; part < d.offset_group; part++)
                for (int64_t t = 0; t < d.taps; t++)
                    unfold_tap(c, &d, image, part, t, first, n);
            multiply(c, &d, image, first, n);
        }
    return HEED_OK;
}

// clang-format off
static const op_def deform_conv = {
    .domain = "", .name = "DeformConv", .since = 22,
    .signature = "X:T, W:T, offset:T, B:T?, mask:T? -> Y:T", .types = "T=float",
    .attrs = "dilations:ints group:int=1 kernel_shape:ints offset_group:int=1 pads:ints "
             "strides:ints",
    .infer = infer_deform, .run = run_deform};
// clang-format on

const op_def *const ops_deform_conv[] = {&deform_conv, NULL};
