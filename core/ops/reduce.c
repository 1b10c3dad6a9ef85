/* reduce.c - the Reduce operators: a row each of how to start, add an element, and finish.
 *
 * Axes are merged into outer kept axes, outer reduced axes and one inner axis, which is either
 * kept (then a block of results is accumulated side by side) or reduced (then one result is). Sums
 * of floats are accumulated in double. */
#include <math.h>

#include "ops/content.h"
#include "ops/loops.h"

/* Adds n elements of `in`: to acc[0] when step is 0, to acc[i] when it is 1. */
typedef void step_fn(int64_t step, int64_t n, const void *in, void *acc);

typedef enum start { START_ZERO, START_ONE, START_LOWEST, START_HIGHEST } start;

typedef struct reduction {
    start start;
    step_fn *f64, *i64, *u64; /* integers without a function of their own use f64 */
    double (*finish)(double sum, double count);
    bool shifted; /* exp(x - max): the maximum is found first */
    ir_dim (*content)(ir_dims *t, ir_dim a, ir_dim b);
} reduction;

#define REDUCE_STEP(name, type, expression)                                                        \
    static void name(int64_t step, int64_t n, const void *in, void *acc)                           \
    {                                                                                              \
        const type *a = in;                                                                        \
        type *restrict to = acc;                                                                   \
        type s = *to;                                                                              \
        for (int64_t i = 0; step == 0 && i < n; i++) {                                             \
            type x = a[i];                                                                         \
            s = (expression);                                                                      \
        }                                                                                          \
        *to = s;                                                                                   \
        for (int64_t i = 0; step == 1 && i < n; i++) {                                             \
            type x = a[i];                                                                         \
            s = to[i];                                                                             \
            to[i] = (expression);                                                                  \
        }                                                                                          \
    }

// clang-format off
REDUCE_STEP(sum_f64, double, s + x)
REDUCE_STEP(sum_u64, uint64_t, s + x)
REDUCE_STEP(prod_f64, double, s * x)
REDUCE_STEP(prod_u64, uint64_t, s * x)
REDUCE_STEP(max_f64, double, x > s || x != x ? x : s)
REDUCE_STEP(max_i64, int64_t, x > s ? x : s)
REDUCE_STEP(max_u64, uint64_t, x > s ? x : s)
REDUCE_STEP(min_f64, double, x < s || x != x ? x : s)
REDUCE_STEP(min_i64, int64_t, x < s ? x : s)
REDUCE_STEP(min_u64, uint64_t, x < s ? x : s)
REDUCE_STEP(abs_f64, double, s + fabs(x))
REDUCE_STEP(abs_i64, int64_t, (int64_t)((uint64_t)s + (x < 0 ? (uint64_t)0 - (uint64_t)x : (uint64_t)x)))
REDUCE_STEP(square_f64, double, s + x * x)
REDUCE_STEP(square_u64, uint64_t, s + x * x)
REDUCE_STEP(exp_f64, double, s + exp(x))
// clang-format on

static double finish_mean(double sum, double count) { return sum / count; }

static double finish_root(double sum, double count)
{
    (void)count;
    return sqrt(sum);
}

static double finish_log(double sum, double count)
{
    (void)count;
    return log(sum);
}

/* ---- Merged axes ----------------------------------------------------------------------------- */

typedef struct walk {
    int32_t rank;
    int64_t dims[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
} walk;

typedef struct layout {
    walk kept, reduced; /* outer axes */
    int64_t inner;      /* extent of the inner axis */
    bool inner_kept;
    int64_t count; /* elements that make one result */
} layout;

/* The next place of an odometer; -1 after the last. */
static int64_t walk_next(const walk *w, int64_t *index, int64_t place)
{
    for (int32_t axis = w->rank - 1; axis >= 0; axis--) {
        place += w->strides[axis];
        if (++index[axis] < w->dims[axis])
            return place;
        place -= w->strides[axis] * w->dims[axis];
        index[axis] = 0;
    }
    return -1;
}

static void walk_push_front(walk *w, int64_t extent, int64_t stride)
{
    for (int32_t i = w->rank; i > 0; i--) {
        w->dims[i] = w->dims[i - 1];
        w->strides[i] = w->strides[i - 1];
    }
    w->dims[0] = extent;
    w->strides[0] = stride;
    w->rank++;
}

/* From the last axis to the first; neighbours of the same kind become one. */
static void layout_of(const heed_tensor *t, const bool *reduced, layout *out)
{
    *out = (layout){.inner = 1, .inner_kept = false, .count = 1};
    int64_t stride = 1;
    bool inner = true, first = true, previous = false;
    for (int32_t axis = tensor_rank(t) - 1; axis >= 0; axis--) {
        int64_t extent = t->dims[axis];
        bool kept = !reduced[axis];
        out->count *= kept ? 1 : extent;
        if (extent == 1)
            continue;
        walk *w = kept ? &out->kept : &out->reduced;
        if (first) {
            out->inner = extent;
            out->inner_kept = kept;
        } else if (kept == previous && inner) {
            out->inner *= extent;
        } else if (kept == previous) {
            w->dims[0] *= extent;
        } else {
            walk_push_front(w, extent, stride);
            inner = false;
        }
        first = false;
        previous = kept;
        stride *= extent;
    }
}

/* ---- The driver ----------------------------------------------------------------------------- */

typedef struct job {
    const reduction *op;
    const heed_tensor *in;
    heed_tensor *out;
    const layout *layout;
    dtype_class class; /* of the accumulators */
    step_fn *step;
} job;

static void fill_start(const job *j, start how, int64_t n, loop_block *acc)
{
    uint32_t bits = dtype_bits(j->out->dtype);
    bool boolean = j->out->dtype == HEED_BOOL;
    int64_t low = -(int64_t)((uint64_t)1 << (bits - 1) >> 1) * 2;
    uint64_t high = boolean ? 1 : UINT64_MAX >> (64 - (bits < 64 ? bits : 64));
    double infinity = how == START_LOWEST ? -(double)INFINITY : (double)INFINITY;
    bool extreme = how == START_LOWEST || how == START_HIGHEST;
    for (int64_t i = 0; i < n; i++) {
        if (j->class == CLASS_F64)
            acc->f64[i] = extreme ? infinity : (double)(how == START_ONE);
        else if (how == START_HIGHEST)
            acc->u64[i] = j->class == CLASS_I64 ? high >> 1 : high;
        else if (how == START_LOWEST && j->class == CLASS_I64)
            acc->i64[i] = low;
        else
            acc->u64[i] = how == START_ONE;
    }
}

/* Loads and, for sums of exponentials, takes the maximum of each result away. */
static const void *load_shifted(const job *j, int64_t place, int64_t n, const double *shift,
                                int64_t step, loop_block *b)
{
    loop_load(j->in, j->class, place, n, b);
    for (int64_t i = 0; shift && i < n; i++)
        b->f64[i] -= shift[i * step];
    return b;
}

/* All elements of n results whose first elements lie at `place` side by side. */
static void accumulate(const job *j, step_fn *fn, int64_t place, int64_t n, const double *shift,
                       loop_block *acc)
{
    const layout *l = j->layout;
    int64_t index[TENSOR_MAX_RANK] = {0};
    int64_t step = l->inner_kept ? 1 : 0;
    int64_t run = l->inner_kept ? n : l->inner;
    loop_block b;
    if (l->count == 0)
        return;
    for (int64_t at = 0; at >= 0; at = walk_next(&l->reduced, index, at))
        for (int64_t done = 0; done < run; done += LOOP_BLOCK) {
            int64_t part = run - done < LOOP_BLOCK ? run - done : LOOP_BLOCK;
            fn(step, part, load_shifted(j, place + at + done, part, shift, step, &b), acc);
        }
}

static void finish(const job *j, int64_t first, int64_t n, const double *shift, loop_block *acc)
{
    dtype_class class = j->class;
    if (j->op->finish) {
        for (int64_t i = 0; i < n; i++) {
            double value = j->op->finish(acc->f64[i], (double)j->layout->count);
            acc->f64[i] = shift ? value + shift[i] : value;
        }
    }
    loop_store(j->out, class, first, n, acc);
}

static void reduce_part(const job *j, int64_t place, int64_t first, int64_t n)
{
    loop_block acc;
    double shift[LOOP_BLOCK];
    bool shifted = j->op->shifted;
    if (shifted) {
        fill_start(j, START_LOWEST, n, &acc);
        accumulate(j, max_f64, place, n, NULL, &acc);
        for (int64_t i = 0; i < n; i++)
            shift[i] = isfinite(acc.f64[i]) ? acc.f64[i] : 0;
    }
    fill_start(j, j->op->start, n, &acc);
    accumulate(j, j->step, place, n, shifted ? shift : NULL, &acc);
    finish(j, first, n, shifted ? shift : NULL, &acc);
}

static void reduce_all(const job *j)
{
    const layout *l = j->layout;
    int64_t index[TENSOR_MAX_RANK] = {0};
    int64_t width = l->inner_kept ? l->inner : 1, first = 0;
    if (tensor_count(j->out) == 0)
        return;
    for (int64_t at = 0; at >= 0; at = walk_next(&l->kept, index, at), first += width)
        for (int64_t done = 0; done < width; done += LOOP_BLOCK)
            reduce_part(j, at + done, first + done,
                        width - done < LOOP_BLOCK ? width - done : LOOP_BLOCK);
}

/* Which axes go; `axes` in [-rank, rank). None given means all, or none if the node says so. */
static heed_status mark_axes(op_call *c, int32_t rank, bool *reduced)
{
    int64_t n = call_has(c, 1) ? tensor_count(c->in[1]) : 0;
    bool none = ir_attr_int(c->node, "noop_with_empty_axes", 0) != 0;
    for (int32_t i = 0; i < rank; i++)
        reduced[i] = n == 0 && !none;
    for (int64_t i = 0; i < n; i++) {
        int32_t axis;
        TRY(loop_axis(c, tensor_get_int(c->in[1], i), rank, &axis));
        reduced[axis] = true;
    }
    return HEED_OK;
}

static heed_status run_reduce(op_call *c)
{
    const reduction *op = c->node->op->data;
    const heed_tensor *in = c->in[0];
    bool reduced[TENSOR_MAX_RANK];
    layout l;
    TRY(mark_axes(c, tensor_rank(in), reduced));
    layout_of(in, reduced, &l);
    job j = {op, in, c->out[0], &l, CLASS_F64, op->f64};
    if (op->i64 && dtype_is_int(in->dtype) && dtype_is_signed(in->dtype)) {
        j.class = CLASS_I64;
        j.step = op->i64;
    } else if (op->u64 && !dtype_is_float(in->dtype)) {
        j.class = CLASS_U64;
        j.step = op->u64;
    }
    reduce_all(&j);
    return HEED_OK;
}

/* ---- Shapes and content --------------------------------------------------------------------- */

/* False: the axes are not known yet. */
static bool known_axes(op_infer *c, const int64_t **axes, int64_t *n)
{
    *n = 0;
    return !infer_has(c, 1) || infer_numbers(c, 1, axes, n);
}

static heed_status infer_reduce(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), kept = 0;
    bool keep = ir_attr_int(c->node, "keepdims", 1) != 0;
    bool none = ir_attr_int(c->node, "noop_with_empty_axes", 0) != 0;
    const int64_t *axes = NULL;
    int64_t n;
    bool reduced[TENSOR_MAX_RANK] = {false};
    ir_dim dims[TENSOR_MAX_RANK];
    bool known = known_axes(c, &axes, &n);
    if (rank < 0 && known && n == 0 && !none && !keep)
        return infer_set(c, 0, 0, 0, NULL);
    if (rank < 0 || !known)
        return infer_set_unknown(c, 0, 0, keep ? rank : -1);
    for (int64_t i = 0; i < n; i++) {
        int32_t axis;
        TRY(infer_axis(c, axes[i], rank, &axis));
        reduced[axis] = true;
    }
    for (int32_t i = 0; i < rank; i++) {
        bool gone = n == 0 ? !none : reduced[i];
        if (!gone || keep)
            dims[kept++] = gone ? 1 : c->in[0]->dims[i];
    }
    return infer_set(c, 0, 0, kept, dims);
}

/* A list of integers that is reduced to one. */
static void content_reduce(op_infer *c)
{
    const reduction *op = c->op->data;
    const ir_dim *values;
    const int64_t *axes;
    int64_t n, n_axes;
    bool none = ir_attr_int(c->node, "noop_with_empty_axes", 0) != 0;
    if (!op->content || infer_rank(c, 0) != 1 || !infer_ints(c, 0, &values, &n) ||
        !known_axes(c, &axes, &n_axes) || (n_axes == 0 && none))
        return;
    bool extreme = op->start == START_LOWEST || op->start == START_HIGHEST;
    if (extreme && n == 0)
        return;
    ir_dim result = extreme ? values[0] : op->start == START_ONE;
    for (int64_t i = extreme; i < n && result != DIM_UNKNOWN; i++)
        result = op->content(c->dims, result, values[i]);
    content_put(c, 0, 1, &result);
}

// clang-format off
static const reduction sum = {START_ZERO, sum_f64, sum_u64, sum_u64, NULL, false, dims_add};
static const reduction prod = {START_ONE, prod_f64, prod_u64, prod_u64, NULL, false, dims_mul};
static const reduction max = {START_LOWEST, max_f64, max_i64, max_u64, NULL, false, dims_max};
static const reduction min = {START_HIGHEST, min_f64, min_i64, min_u64, NULL, false, dims_min};
static const reduction mean = {START_ZERO, sum_f64, NULL, NULL, finish_mean, false, NULL};
static const reduction l1 = {START_ZERO, abs_f64, abs_i64, sum_u64, NULL, false, NULL};
static const reduction l2 = {START_ZERO, square_f64, NULL, NULL, finish_root, false, NULL};
static const reduction square = {START_ZERO, square_f64, square_u64, square_u64, NULL, false, NULL};
static const reduction logsum = {START_ZERO, sum_f64, NULL, NULL, finish_log, false, NULL};
static const reduction logsumexp = {START_ZERO, exp_f64, NULL, NULL, finish_log, true, NULL};

/* Everything but name, version, types and data is the same in every row. */
#define ROW(ident, op_name, version, set, row)                                                     \
    static const op_def ident = {                                                                  \
        .domain = "", .name = op_name, .since = version, .flags = 0,                               \
        .signature = "data:T, axes:int64? -> reduced:T", .types = "T=" set, .data = row,           \
        .attrs = "keepdims:int=1 noop_with_empty_axes:int=0",                                      \
        .infer = infer_reduce, .content = content_reduce, .run = run_reduce}

ROW(reduce_sum, "ReduceSum", 13, "real", &sum);
ROW(reduce_prod, "ReduceProd", 18, "real", &prod);
ROW(reduce_max, "ReduceMax", 20, "real|bool", &max);
ROW(reduce_min, "ReduceMin", 20, "real|bool", &min);
ROW(reduce_mean, "ReduceMean", 18, "real", &mean);
ROW(reduce_l1, "ReduceL1", 18, "real", &l1);
ROW(reduce_l2, "ReduceL2", 18, "real", &l2);
ROW(reduce_square, "ReduceSumSquare", 18, "real", &square);
ROW(reduce_logsum, "ReduceLogSum", 18, "real", &logsum);
ROW(reduce_logsumexp, "ReduceLogSumExp", 18, "real", &logsumexp);

const op_def *const ops_reduce[] = {
    &reduce_sum, &reduce_prod, &reduce_max, &reduce_min, &reduce_mean, &reduce_l1, &reduce_l2,
    &reduce_square, &reduce_logsum, &reduce_logsumexp, NULL};
// clang-format on
