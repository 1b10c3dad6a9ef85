/* conv_transpose.c - the transpose of a convolution: ConvTranspose. Each input element adds its
 * kernel, scaled, to the output.
 *
 * Separate from conv.c because its output extents, padding and inner loop are all different. */
#include <string.h>

#include "ops/layout.h"
#include "ops/product.h"
#include "ops/window.h"

#define SMALL ((int64_t)1 << 20)

/* Attribute `name` for each spatial axis, or zeros; false when it has another length. */
static bool read_extra(const ir_node *n, const char *name, int32_t rank, int64_t *values,
                       bool *given)
{
    uint64_t count;
    const int64_t *list = ir_attr_ints(n, name, &count);
    *given = list && count > 0;
    for (int32_t i = 0; i < rank; i++)
        values[i] = 0;
    if (!*given)
        return true;
    /* Some exporters write the whole output shape, batch and channels first. */
    if (count == (uint64_t)rank + 2)
        list += 2;
    else if (count != (uint64_t)rank)
        return false;
    for (int32_t i = 0; i < rank; i++) {
        if (list[i] < 0 || list[i] > SMALL)
            return false;
        values[i] = list[i];
    }
    return true;
}

typedef struct geometry {
    window window;
    int64_t extra[TENSOR_MAX_RANK];  /* output_padding */
    int64_t wanted[TENSOR_MAX_RANK]; /* output_shape */
    bool has_wanted;
} geometry;

static const char *read_geometry(const ir_node *n, int32_t rank, const int64_t *kernel, geometry *g)
{
    bool given;
    const char *problem = window_read(n, rank, kernel, &g->window);
    if (problem)
        return problem;
    if (!read_extra(n, "output_padding", rank, g->extra, &given))
        return "a small number in output_padding for each spatial axis";
    if (!read_extra(n, "output_shape", rank, g->wanted, &g->has_wanted))
        return "a small number in output_shape for each spatial axis";
    return NULL;
}

/* What the input covers without padding. */
static ir_dim full_extent(ir_dims *t, const geometry *g, int32_t axis, ir_dim in)
{
    ir_dim steps = dims_mul(t, dims_sub(t, in, 1), g->window.stride[axis]);
    return dims_add(t, steps, g->extra[axis] + window_reach(&g->window, axis));
}

static ir_dim output_extent(ir_dims *t, const geometry *g, int32_t axis, ir_dim in)
{
    if (g->has_wanted)
        return g->wanted[axis];
    if (g->window.same)
        return dims_mul(t, in, g->window.stride[axis]);
    int64_t pads = g->window.before[axis] + g->window.after[axis];
    return dims_add(t, full_extent(t, g, axis, in), dims_constant(t, -pads));
}

/* Padding that makes the wanted extent. */
static void place(geometry *g, const int64_t *in, const int64_t *out)
{
    window *w = &g->window;
    for (int32_t i = 0; (g->has_wanted || w->same) && i < w->rank; i++) {
        int64_t total = (in[i] - 1) * w->stride[i] + g->extra[i] + window_reach(w, i) - out[i];
        total = total < 0 ? 0 : total;
        w->before[i] = w->same_upper ? total / 2 : total - total / 2;
    }
}

static heed_status check_channels(op_infer *c, int64_t group)
{
    ir_dim channels = infer_dim(c, 0, 1), rows = infer_dim(c, 1, 0), per_group = infer_dim(c, 1, 1);
    ir_dim bias = infer_dim(c, 2, 0);
    if (group < 1 || group > INT32_MAX)
        return infer_error(c, "a group of at least 1", "%lld", (long long)group);
    if (dim_known(channels) && dim_known(rows) && (channels != rows || channels % group != 0))
        return infer_error(c, "as many weight rows as input channels, which group divides",
                           "%lld, %lld, group %lld", (long long)rows, (long long)channels,
                           (long long)group);
    if (dim_known(bias) && dim_known(per_group) && bias != dims_mul(NULL, per_group, group))
        return infer_error(c, "a bias for each output channel", "%lld", (long long)bias);
    return HEED_OK;
}

static heed_status infer_transposed(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    int64_t group = ir_attr_int(c->node, "group", 1);
    ir_dim dims[TENSOR_MAX_RANK];
    geometry g;
    if (rank < 0 || infer_rank(c, 1) < 0)
        return infer_set_unknown(c, 0, 0, rank >= 0 ? rank : infer_rank(c, 1));
    if (rank < 2 || infer_rank(c, 1) != rank)
        return infer_error(c, "input and weights of one rank, 2 or more", "ranks %d and %d", rank,
                           infer_rank(c, 1));
    if (infer_rank(c, 2) >= 0 && infer_rank(c, 2) != 1)
        return infer_error(c, "a bias of rank 1", "rank %d", infer_rank(c, 2));
    TRY(check_channels(c, group));
    for (int32_t i = 2; i < rank; i++)
        if (!dim_known(c->in[1]->dims[i]))
            return infer_set_unknown(c, 0, 0, rank);
    const char *problem = read_geometry(c->node, rank - 2, c->in[1]->dims + 2, &g);
    if (problem)
        return infer_error(c, problem, "another");
    dims[0] = c->in[0]->dims[0];
    dims[1] = dims_mul(c->dims, c->in[1]->dims[1], group);
    for (int32_t i = 2; i < rank; i++)
        dims[i] = output_extent(c->dims, &g, i - 2, c->in[0]->dims[i]);
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

typedef struct job {
    geometry geometry;
    const product_type *type;
    int64_t group, channels, maps, in_size, out_size, taps; /* channels and maps of one group */
    const int64_t *in, *out;
    const char *x, *weights, *bias;
    char *columns, *result; /* [map, tap, input element] and [map, output element] */
} job;

static heed_status describe(op_call *c, job *v)
{
    const heed_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    int32_t rank = tensor_rank(x);
    const char *problem = read_geometry(c->node, rank - 2, w->dims + 2, &v->geometry);
    v->type = product_for(x->dtype);
    if (problem || !v->type)
        return call_error(c, HEED_INVALID, "expected %s", problem ? problem : "numbers");
    v->group = ir_attr_int(c->node, "group", 1);
    v->channels = x->dims[1] / v->group;
    v->maps = w->dims[1];
    v->in = x->dims + 2;
    v->out = y->dims + 2;
    v->in_size = layout_product(x->dims, 2, rank);
    v->out_size = layout_product(y->dims, 2, rank);
    v->taps = layout_product(w->dims, 2, rank);
    place(&v->geometry, v->in, v->out);
    return HEED_OK;
}

static heed_status reserve(op_call *c, job *v)
{
    const heed_tensor *x = c->in[0], *w = c->in[1], *b = call_has(c, 2) ? c->in[2] : NULL;
    int64_t sizes[2][3] = {{v->maps, v->taps, v->in_size}, {v->maps, v->out_size, 1}};
    int64_t columns, result;
    if (!shape_count(3, sizes[0], &columns) || !shape_count(3, sizes[1], &result))
        return call_error(c, HEED_NOMEM, "the kernel is too large");
    v->x = product_read(c, v->type, x->dtype, tensor_data(x), 0, tensor_count(x));
    v->weights = product_read(c, v->type, w->dtype, tensor_data(w), 0, tensor_count(w));
    v->bias = b ? product_read(c, v->type, b->dtype, tensor_data(b), 0, tensor_count(b)) : NULL;
    v->columns = call_scratch(c, (size_t)columns * v->type->size + 1);
    v->result = call_scratch(c, (size_t)result * v->type->size + 1);
    bool good = v->x && v->weights && (v->bias || !b) && v->columns && v->result;
    return good ? HEED_OK : err_get()->status;
}

/* Where tap `tap` of input element `from` lands in a map, or -1 outside. */
static int64_t target(const job *v, const int64_t *from, const int64_t *tap)
{
    const window *w = &v->geometry.window;
    int64_t offset = 0;
    for (int32_t a = 0; a < w->rank; a++) {
        int64_t i = from[a] * w->stride[a] - w->before[a] + tap[a] * w->dilation[a];
        if (i < 0 || i >= v->out[a])
            return -1;
        offset = offset * v->out[a] + i;
    }
    return offset;
}

static void add_element(const product_type *type, char *to, const char *from)
{
    if (type->dtype == HEED_FLOAT32) {
        float a, b;
        memcpy(&a, to, sizeof(a));
        memcpy(&b, from, sizeof(b));
        a += b;
        memcpy(to, &a, sizeof(a));
    } else {
        double a, b;
        memcpy(&a, to, sizeof(a));
        memcpy(&b, from, sizeof(b));
        a += b;
        memcpy(to, &a, sizeof(a));
    }
}

/* Adds the columns of every tap into the maps of the result. */
static void fold_columns(const job *v)
{
    const window *w = &v->geometry.window;
    int64_t tap[TENSOR_MAX_RANK], from[TENSOR_MAX_RANK];
    size_t size = v->type->size;
    for (int64_t t = 0; t < v->taps; t++) {
        layout_index(t, w->rank, w->kernel, tap);
        for (int64_t i = 0; i < v->in_size; i++) {
            layout_index(i, w->rank, v->in, from);
            int64_t to = target(v, from, tap);
            for (int64_t m = 0; to >= 0 && m < v->maps; m++)
                add_element(v->type, v->result + (size_t)(m * v->out_size + to) * size,
                            v->columns + (size_t)((m * v->taps + t) * v->in_size + i) * size);
        }
    }
}

/* Weights of a group [channels, maps * taps], transposed for the product. */
static heed_status transpose_weights(op_call *c, job *v)
{
    int64_t rows = v->channels, columns = v->maps * v->taps;
    layout_box box = {.rank = 3,
                      .dims = {v->group, columns, rows},
                      .dst = {rows * columns, rows, 1},
                      .src = {rows * columns, 1, columns}};
    void *to = call_scratch(c, (size_t)(v->group * rows * columns) * v->type->size + 1);
    if (!to)
        return err_get()->status;
    layout_copy(v->type->dtype, &box, to, 0, v->weights, 0);
    v->weights = to;
    return HEED_OK;
}

static void run_group(const job *v, heed_tensor *out, int64_t image, int64_t g)
{
    size_t size = v->type->size;
    int64_t columns = v->maps * v->taps, first = (image * v->group + g) * v->maps;
    memset(v->columns, 0, (size_t)(columns * v->in_size) * size);
    product_run(v->type, columns, v->in_size, v->channels,
                v->weights + (size_t)(g * v->channels * columns) * size,
                v->x + (size_t)((image * v->group + g) * v->channels * v->in_size) * size,
                v->columns);
    for (int64_t m = 0; m < v->maps; m++) {
        char *row = v->result + (size_t)(m * v->out_size) * size;
        if (v->bias)
            layout_fill(v->type->dtype, row, 0, v->out_size, v->bias, g * v->maps + m);
        else
            memset(row, 0, (size_t)v->out_size * size);
    }
    fold_columns(v);
    product_write(v->type, out->dtype, tensor_data(out), first * v->out_size, v->maps * v->out_size,
                  v->result);
}

static heed_status run_transposed(op_call *c)
{
    job v = {0};
    heed_tensor *out = call_out(c, 0);
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    TRY(describe(c, &v));
    TRY(reserve(c, &v));
    TRY(transpose_weights(c, &v));
    for (int64_t image = 0; image < c->in[0]->dims[0]; image++)
        for (int64_t g = 0; g < v.group; g++)
            run_group(&v, out, image, g);
    return HEED_OK;
}

// clang-format off
static const op_def conv_transpose = {
    .domain = "", .name = "ConvTranspose", .since = 22,
    .signature = "X:T, W:T, B:T? -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET dilations:ints group:int=1 kernel_shape:ints "
             "output_padding:ints output_shape:ints pads:ints strides:ints",
    .infer = infer_transposed, .run = run_transposed};
// clang-format on

const op_def *const ops_conv_transpose[] = {&conv_transpose, NULL};
