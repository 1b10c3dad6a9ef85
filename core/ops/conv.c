/* conv.c - convolution over any number of spatial axes: Conv, ConvInteger.
 *
 * For each image and group, the input is unfolded into columns (one a place of the window), block
 * by block, and multiplied with the weights. Integers are widened and lose their zero points first;
 * so what padding adds is 0, as the standard has it. */
#include <string.h>

#include "ops/layout.h"
#include "ops/product.h"
#include "ops/window.h"

enum { BLOCK = 1024 }; /* output places that are unfolded at a time */

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_channels(op_infer *c, int64_t group)
{
    ir_dim channels = infer_dim(c, 0, 1), per_group = infer_dim(c, 1, 1);
    ir_dim maps = infer_dim(c, 1, 0);
    if (group < 1 || group > INT32_MAX)
        return infer_error(c, "a group of at least 1", "%lld", (long long)group);
    if (dim_known(channels) && dim_known(per_group) && channels != dims_mul(NULL, per_group, group))
        return infer_error(c, "input channels = group * weight channels", "%lld, %lld * %lld",
                           (long long)channels, (long long)group, (long long)per_group);
    if (dim_known(maps) && maps % group != 0)
        return infer_error(c, "output channels that group divides", "%lld by %lld", (long long)maps,
                           (long long)group);
    return HEED_OK;
}

static heed_status infer_windows(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    window w;
    if (rank < 0 || infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, 0, rank >= 0 ? rank : infer_rank(c, 1));
    if (rank < 2 || infer_rank(c, 1) != rank)
        return infer_error(c, "input and weights of one rank, 2 or more", "ranks %d and %d", rank,
                           infer_rank(c, 1));
    TRY(check_channels(c, ir_attr_int(c->node, "group", 1)));
    bool sized = true; /* the weights say how large the window is */
    for (int32_t i = 2; i < rank; i++)
        sized &= dim_known(c->in[1]->dims[i]);
    const char *problem = sized ? window_read(c->node, rank - 2, c->in[1]->dims + 2, &w) : NULL;
    if (problem)
        return infer_error(c, problem, "another");
    dims[0] = c->in[0]->dims[0];
    dims[1] = c->in[1]->dims[0];
    for (int32_t i = 2; i < rank; i++)
        dims[i] =
            sized ? window_extent(c->dims, &w, i - 2, c->in[0]->dims[i]) : dims_fresh(c->dims);
    return infer_set(c, 0, 0, rank, dims);
}

/* Input i has one element for each output channel. */
static heed_status check_maps(op_infer *c, uint32_t i, const char *what)
{
    ir_dim maps = infer_dim(c, 1, 0), found = infer_dim(c, i, 0);
    int32_t rank = infer_rank(c, i);
    if (rank >= 0 && rank != 1)
        return infer_error(c, what, "rank %d", rank);
    if (dim_known(found) && dim_known(maps) && found != maps)
        return infer_error(c, what, "%lld for %lld", (long long)found, (long long)maps);
    return HEED_OK;
}

static heed_status infer_conv(op_infer *c)
{
    TRY(check_maps(c, 2, "a bias of rank 1 for each output channel"));
    return infer_windows(c);
}

/* One element, for all that is known. */
static bool may_be_one(op_infer *c, uint32_t i)
{
    ir_dim dim = infer_dim(c, i, 0);
    return infer_rank(c, i) <= 0 || (infer_rank(c, i) == 1 && (dim == 1 || !dim_known(dim)));
}

static heed_status infer_integer(op_infer *c)
{
    if (!may_be_one(c, 2))
        return infer_error(c, "one zero point of x", "rank %d", infer_rank(c, 2));
    if (!may_be_one(c, 3))
        TRY(check_maps(c, 3, "one zero point of w, or one for each output channel"));
    return infer_windows(c);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

typedef struct conv {
    window window;
    const product_type *type;
    int64_t images, group, channels, maps; /* channels and maps of one group */
    int64_t in_size, out_size, taps;       /* elements of one channel; of one kernel */
    const int64_t *in, *out;               /* spatial extents */
    const char *x, *weights, *bias;
    char *columns, *result;
} conv;

static heed_status describe(op_call *c, conv *v)
{
    const heed_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    int32_t rank = tensor_rank(x);
    const char *problem = window_read(c->node, rank - 2, w->dims + 2, &v->window);
    if (problem || !v->type)
        return call_error(c, HEED_INVALID, "expected %s", problem ? problem : "numbers");
    v->images = x->dims[0];
    v->group = ir_attr_int(c->node, "group", 1);
    v->channels = w->dims[1];
    v->maps = w->dims[0] / v->group;
    v->in = x->dims + 2;
    v->out = y->dims + 2;
    v->in_size = layout_product(x->dims, 2, rank);
    v->out_size = layout_product(y->dims, 2, rank);
    v->taps = layout_product(w->dims, 2, rank);
    window_place(&v->window, v->in, v->out);
    return HEED_OK;
}

static heed_status reserve(op_call *c, conv *v)
{
    int64_t depth = v->channels * v->taps, block = v->out_size < BLOCK ? v->out_size : BLOCK;
    size_t columns, result;
    if (!size_mul((size_t)depth, (size_t)block * v->type->size, &columns) ||
        !size_mul((size_t)v->maps, (size_t)block * v->type->size, &result))
        return call_error(c, HEED_NOMEM, "the kernel is too large");
    v->columns = call_scratch(c, columns + 1);
    v->result = call_scratch(c, result + 1);
    return v->columns && v->result ? HEED_OK : err_get()->status;
}

/* Offset within a channel of one tap of the window at `place`, or -1 in the padding. */
static int64_t tap_offset(const conv *v, const int64_t *place, const int64_t *tap)
{
    int64_t offset = 0;
    for (int32_t a = 0; a < v->window.rank; a++) {
        int64_t i = window_tap(&v->window, a, place[a], tap[a], v->in[a]);
        if (i < 0)
            return -1;
        offset = offset * v->in[a] + i;
    }
    return offset;
}

/* columns[channel, tap, place] for n places from `first` on. */
static void unfold(const conv *v, const char *image, int64_t first, int64_t n)
{
    size_t size = v->type->size;
    int64_t tap[TENSOR_MAX_RANK], place[TENSOR_MAX_RANK];
    for (int64_t t = 0; t < v->taps; t++) {
        layout_index(t, v->window.rank, v->window.kernel, tap);
        layout_index(first, v->window.rank, v->out, place);
        for (int64_t i = 0; i < n; i++) {
            int64_t from = tap_offset(v, place, tap);
            for (int64_t ch = 0; ch < v->channels; ch++) {
                char *to = v->columns + (size_t)((ch * v->taps + t) * n + i) * size;
                if (from < 0)
                    memset(to, 0, size);
                else
                    memcpy(to, image + (size_t)(ch * v->in_size + from) * size, size);
            }
            layout_next(v->window.rank, v->out, place);
        }
    }
}

/* Rows of the result begin as the bias. */
static void begin_result(const conv *v, int64_t first_map, int64_t n)
{
    size_t size = v->type->size;
    for (int64_t m = 0; m < v->maps; m++) {
        char *row = v->result + (size_t)(m * n) * size;
        if (v->bias)
            layout_fill(v->type->dtype, row, 0, n, v->bias, first_map + m);
        else
            memset(row, 0, (size_t)n * size);
    }
}

static void run_group(const conv *v, heed_tensor *out, int64_t image, int64_t g)
{
    size_t size = v->type->size;
    int64_t first_channel = (image * v->group + g) * v->channels;
    int64_t first_map = (image * v->group + g) * v->maps, depth = v->channels * v->taps;
    const char *x = v->x + (size_t)(first_channel * v->in_size) * size;
    const char *weights = v->weights + (size_t)(g * v->maps * depth) * size;
    for (int64_t first = 0; first < v->out_size; first += BLOCK) {
        int64_t n = v->out_size - first < BLOCK ? v->out_size - first : BLOCK;
        unfold(v, x, first, n);
        begin_result(v, g * v->maps, n);
        product_run(v->type, v->maps, n, depth, weights, v->columns, v->result);
        for (int64_t m = 0; m < v->maps; m++)
            product_write(v->type, out->dtype, tensor_data(out),
                          (first_map + m) * v->out_size + first, n,
                          v->result + (size_t)(m * n) * size);
    }
}

static heed_status convolve(op_call *c, conv *v)
{
    TRY(describe(c, v));
    TRY(reserve(c, v));
    for (int64_t image = 0; image < v->images; image++)
        for (int64_t g = 0; g < v->group; g++)
            run_group(v, c->out[0], image, g);
    return HEED_OK;
}

static const void *read_all(op_call *c, const conv *v, const heed_tensor *t)
{
    return product_read(c, v->type, t->dtype, tensor_data(t), 0, tensor_count(t));
}

static heed_status run_conv(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    conv v = {.type = product_for(c->in[0]->dtype)};
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    if (!v.type)
        return call_error(c, HEED_UNSUPPORTED, "no product of %s", dtype_name(c->in[0]->dtype));
    v.x = read_all(c, &v, c->in[0]);
    v.weights = read_all(c, &v, c->in[1]);
    v.bias = call_has(c, 2) ? read_all(c, &v, c->in[2]) : NULL;
    if (!v.x || !v.weights || (call_has(c, 2) && !v.bias))
        return err_get()->status;
    return convolve(c, &v);
}

/* ---- ConvInteger ---------------------------------------------------------------------------- */

/* Input i as int64, less zero points: one, or one for each of its outermost extent. */
static const void *less_zeros(op_call *c, uint32_t i, uint32_t zeros)
{
    int64_t *x = call_ints(c, i), *zero = call_has(c, zeros) ? call_ints(c, zeros) : NULL;
    if (!x || !zero)
        return call_has(c, zeros) ? NULL : x;
    int64_t count = tensor_count(c->in[i]), lines = tensor_count(c->in[zeros]);
    for (int64_t k = 0, run = count / (lines > 0 ? lines : 1); k < count; k++)
        x[k] -= zero[k / run];
    return x;
}

static heed_status run_integer(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    conv v = {.type = product_for(HEED_INT64)};
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    v.x = less_zeros(c, 0, 2);
    v.weights = less_zeros(c, 1, 3);
    if (!v.x || !v.weights)
        return err_get()->status;
    return convolve(c, &v);
}

// clang-format off
static const op_def conv_op = {
    .domain = "", .name = "Conv", .since = 22,
    .signature = "X:T, W:T, B:T? -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints "
             "strides:ints",
    .infer = infer_conv, .run = run_conv};
static const op_def conv_integer = {
    .domain = "", .name = "ConvInteger", .since = 10,
    .signature = "x:S, w:T, x_zero_point:S?, w_zero_point:T? -> y:int32",
    .types = "S=int8|uint8 T=int8|uint8",
    .attrs = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints pads:ints "
             "strides:ints",
    .infer = infer_integer, .run = run_integer};

const op_def *const ops_conv[] = {&conv_op, &conv_integer, NULL};
// clang-format on
