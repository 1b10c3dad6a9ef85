/* pool.c - one number from the values in a sliding window: MaxPool, AveragePool, LpPool, and over
 * whole planes: GlobalMaxPool, GlobalAveragePool, GlobalLpPool; com.microsoft's MaxpoolWithMask. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/layout.h"
#include "ops/window.h"

/* ---- Inference ----------------------------------------------------------------------------- */

static heed_status infer_pool(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    window w;
    if (rank < 0)
        return infer_late(c);
    if (rank < 3)
        return infer_error(c, "an input of rank 3 or more", "rank %d", rank);
    const char *problem = window_read(c->node, rank - 2, NULL, &w);
    if (problem)
        return infer_error(c, problem, "another");
    memcpy(dims, c->in[0]->dims, 2 * sizeof(*dims));
    for (int32_t i = 2; i < rank; i++)
        dims[i] = window_extent(c->dims, &w, i - 2, c->in[0]->dims[i]);
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set(c, o, 0, rank, dims));
    return HEED_OK;
}

static heed_status infer_global(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank < 2)
        return infer_error(c, "an input of rank 2 or more", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i < 2 ? c->in[0]->dims[i] : 1;
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel -------------------------------------------------------------------------------- */

typedef struct pool {
    window window;
    const int64_t *in, *out;
    int64_t planes, in_size, out_size, taps;
    double *plane, *row;    /* one plane of the input, of the output */
    int64_t *where;         /* of the output: offset of the largest, row-major */
    bool largest, with_pad; /* maximum, else average; padding counts as elements */
    double power;           /* of LpPool, else 0 */
    const int64_t *masks;   /* one or more planes, used in turn; NULL: none */
    int64_t n_masks;
    const int64_t *mask; /* of this plane */
} pool;

/* A window ends at the first element of a line that the mask does not have. */
static bool is_masked(const pool *p, int64_t offset)
{
    return p->mask && p->mask[offset] == 0 && (offset > 0 || p->window.rank == 1);
}

/* One window: visits its taps and leaves the result in row[at]. */
static void pool_window(const pool *p, int64_t at, const int64_t *place)
{
    const window *w = &p->window;
    int64_t tap[TENSOR_MAX_RANK] = {0}, inside = 0, counted = 0, best = 0;
    double sum = 0.0, most = p->mask ? -(double)FLT_MAX : -HUGE_VAL;
    bool stopped = false;
    do {
        int64_t offset = 0;
        bool padded = true; /* inside the input or its declared padding */
        for (int32_t a = 0; a < w->rank; a++) {
            int64_t i = place[a] * w->stride[a] - w->before[a] + tap[a] * w->dilation[a];
            padded = padded && i < p->in[a] + w->after[a];
            offset = offset < 0 || i < 0 || i >= p->in[a] ? -1 : offset * p->in[a] + i;
        }
        counted += padded;
        stopped = (stopped && tap[w->rank - 1] > 0) || (offset >= 0 && is_masked(p, offset));
        if (offset < 0 || stopped)
            continue;
        double x = p->plane[offset];
        if (inside++ == 0 || x > most || (isnan(x) && !isnan(most))) {
            most = x;
            best = offset;
        }
        sum += p->power > 0.0 ? pow(fabs(x), p->power) : x;
    } while (layout_next(w->rank, w->kernel, tap));
    int64_t divisor = p->with_pad ? counted : inside;
    p->where[at] = best;
    if (p->power > 0.0)
        p->row[at] = pow(sum, 1.0 / p->power);
    else
        p->row[at] = p->largest ? most : divisor ? sum / (double)divisor : 0.0;
}

/* The offset of a row-major one when the first axis runs fastest. */
static int64_t column_major(int64_t offset, int32_t rank, const int64_t *dims)
{
    int64_t index[TENSOR_MAX_RANK], result = 0;
    layout_index(offset, rank, dims, index);
    for (int32_t a = rank - 1; a >= 0; a--)
        result = result * dims[a] + index[a];
    return result;
}

static void write_indices(op_call *c, const pool *p, int64_t plane)
{
    heed_tensor *indices = call_out(c, 1);
    bool columns = ir_attr_int(c->node, "storage_order", 0) != 0;
    for (int64_t i = 0; indices && i < p->out_size; i++) {
        int64_t at = p->where[i];
        if (columns)
            at = column_major(at, p->window.rank, p->in);
        at += plane * p->in_size;
        dtype_store_i64(HEED_INT64, tensor_data(indices), plane * p->out_size + i, 1, &at);
    }
}

static heed_status pool_planes(op_call *c, pool *p)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = c->out[0];
    p->plane = call_scratch(c, ((size_t)p->in_size + 1) * sizeof(double));
    p->row = call_scratch(c, ((size_t)p->out_size + 1) * sizeof(double));
    p->where = call_scratch(c, ((size_t)p->out_size + 1) * sizeof(int64_t));
    if (!p->plane || !p->row || !p->where)
        return err_get()->status;
    for (int64_t i = 0; i < p->planes; i++) {
        int64_t place[TENSOR_MAX_RANK] = {0};
        dtype_load_f64(in->dtype, tensor_data(in), i * p->in_size, p->in_size, p->plane);
        if (p->masks)
            p->mask = p->masks + i % p->n_masks * p->in_size;
        for (int64_t at = 0; at < p->out_size; at++) {
            pool_window(p, at, place);
            layout_next(p->window.rank, p->out, place);
        }
        if (out)
            dtype_store_f64(out->dtype, tensor_data(out), i * p->out_size, p->out_size, p->row,
                            true);
        write_indices(c, p, i);
    }
    return HEED_OK;
}

static heed_status run_windows(op_call *c, pool *p)
{
    const heed_tensor *in = c->in[0];
    const heed_tensor *shape = c->out[0] ? c->out[0] : call_out(c, 1);
    if (!shape || tensor_count(shape) == 0)
        return HEED_OK;
    int32_t rank = tensor_rank(in);
    const char *problem = window_read(c->node, rank - 2, NULL, &p->window);
    if (problem)
        return call_error(c, HEED_INVALID, "expected %s", problem);
    p->in = in->dims + 2;
    p->out = shape->dims + 2;
    p->planes = in->dims[0] * in->dims[1];
    p->in_size = layout_product(in->dims, 2, rank);
    p->out_size = layout_product(shape->dims, 2, rank);
    window_place(&p->window, p->in, p->out);
    return pool_planes(c, p);
}

static heed_status run_max(op_call *c)
{
    pool p = {.largest = true};
    return run_windows(c, &p);
}

static heed_status run_average(op_call *c)
{
    pool p = {.with_pad = ir_attr_int(c->node, "count_include_pad", 0) != 0};
    return run_windows(c, &p);
}

/* p of the Lp norms; 0: the error is set. */
static double read_power(const op_call *c)
{
    int64_t p = ir_attr_int(c->node, "p", 2);
    if (p < 1)
        call_error(c, HEED_INVALID, "the p of %s is %lld", c->node->op->name, (long long)p);
    return p < 1 ? 0.0 : (double)p;
}

static heed_status run_lp(op_call *c)
{
    pool p = {.power = read_power(c)};
    return p.power > 0.0 ? run_windows(c, &p) : err_get()->status;
}

/* The mask has the input's planes, or a number of them that is used again and again. */
static heed_status infer_masked(op_infer *c)
{
    for (int32_t i = 0; infer_rank(c, 0) >= 0 && infer_rank(c, 1) >= 0 && i < infer_rank(c, 0);
         i++) {
        ir_dim x = infer_dim(c, 0, i), mask = infer_dim(c, 1, i);
        bool wrong = i < 2 ? mask == 0 && x != 0 : x != mask;
        if (infer_rank(c, 1) != infer_rank(c, 0) || (dim_known(x) && dim_known(mask) && wrong))
            return infer_error(c, "a mask for the planes of the input", "%lld for %lld on axis %d",
                               (long long)mask, (long long)x, i);
    }
    return infer_pool(c);
}

static heed_status run_masked(op_call *c)
{
    const int64_t *dims = c->in[1]->dims;
    pool p = {.largest = true, .masks = call_ints(c, 1), .n_masks = dims[0] * dims[1]};
    return p.masks ? run_windows(c, &p) : err_get()->status;
}

/* ---- Whole planes -------------------------------------------------------------------------- */

static double average_of(const double *x, int64_t n, double power)
{
    double sum = 0.0;
    (void)power;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    return sum / (double)n;
}

static double largest_of(const double *x, int64_t n, double power)
{
    double most = -HUGE_VAL;
    (void)power;
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most || isnan(x[i]) ? x[i] : most;
    return most;
}

static double length_of(const double *x, int64_t n, double power)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += pow(fabs(x[i]), power);
    return pow(sum, 1.0 / power);
}

typedef struct global_kind {
    double (*reduce)(const double *x, int64_t n, double power);
} global_kind;

static const global_kind global_average = {average_of}, global_max = {largest_of},
                         global_lp = {length_of};

static heed_status run_global(op_call *c)
{
    const global_kind *kind = c->node->op->data;
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    int64_t size = layout_product(in->dims, 2, tensor_rank(in)), n = tensor_count(out);
    double *plane = call_scratch(c, ((size_t)size + 1) * sizeof(double)), power = read_power(c);
    if (!plane || power < 1.0)
        return err_get()->status;
    for (int64_t i = 0; i < n; i++) {
        dtype_load_f64(in->dtype, tensor_data(in), i * size, size, plane);
        double value = kind->reduce(plane, size, power);
        dtype_store_f64(out->dtype, tensor_data(out), i, 1, &value, true);
    }
    return HEED_OK;
}

// clang-format off
static const op_def max_pool = {
    .domain = "", .name = "MaxPool", .since = 22,
    .signature = "X:T -> Y:T, Indices:int64?", .types = "T=float|int8|uint8",
    .attrs = "auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints kernel_shape:ints! pads:ints "
             "storage_order:int=0 strides:ints",
    .infer = infer_pool, .run = run_max};
static const op_def average_pool = {
    .domain = "", .name = "AveragePool", .since = 22, .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET ceil_mode:int=0 count_include_pad:int=0 dilations:ints "
             "kernel_shape:ints! pads:ints strides:ints",
    .infer = infer_pool, .run = run_average};
static const op_def global_average_pool = {
    .domain = "", .name = "GlobalAveragePool", .since = 22, .data = &global_average,
    .signature = "X:T -> Y:T", .types = "T=float", .infer = infer_global, .run = run_global};
static const op_def global_max_pool = {
    .domain = "", .name = "GlobalMaxPool", .since = 22, .data = &global_max,
    .signature = "X:T -> Y:T", .types = "T=float", .infer = infer_global, .run = run_global};
static const op_def lp_pool = {
    .domain = "", .name = "LpPool", .since = 22, .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET ceil_mode:int=0 dilations:ints kernel_shape:ints! p:int=2 "
             "pads:ints strides:ints",
    .infer = infer_pool, .run = run_lp};
static const op_def global_lp_pool = {
    .domain = "", .name = "GlobalLpPool", .since = 22, .data = &global_lp,
    .signature = "X:T -> Y:T", .types = "T=float", .attrs = "p:int=2",
    .infer = infer_global, .run = run_global};
static const op_def max_pool_with_mask = {
    .domain = "com.microsoft", .name = "MaxpoolWithMask", .since = 1,
    .signature = "X:T, M:int32 -> Y:T", .types = "T=float",
    .attrs = "auto_pad:string=NOTSET kernel_shape:ints! pads:ints storage_order:int=0 "
             "strides:ints",
    .infer = infer_masked, .run = run_masked};
// clang-format on

const op_def *const ops_pool[] = {
    &max_pool,       &average_pool,       &lp_pool, &global_average_pool, &global_max_pool,
    &global_lp_pool, &max_pool_with_mask, NULL,
};
