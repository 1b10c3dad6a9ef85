/* clip.c - Clip: both bounds are inputs, and each may be left out. */
#include <math.h>

#include "ops/content.h"
#include "ops/loops.h"

typedef struct bounds_f64 {
    double low, high;
} bounds_f64;

typedef struct bounds_i64 {
    int64_t low, high;
} bounds_i64;

typedef struct bounds_u64 {
    uint64_t low, high;
} bounds_u64;

typedef union bounds {
    bounds_f64 f64;
    bounds_i64 i64;
    bounds_u64 u64;
} bounds;

/* The upper bound wins where they cross; NaN stays. */
static double clip_double(const bounds_f64 *b, double x)
{
    double y = x < b->low ? b->low : x;
    return y > b->high ? b->high : y;
}

static int64_t clip_signed(const bounds_i64 *b, int64_t x)
{
    int64_t y = x < b->low ? b->low : x;
    return y > b->high ? b->high : y;
}

static uint64_t clip_unsigned(const bounds_u64 *b, uint64_t x)
{
    uint64_t y = x < b->low ? b->low : x;
    return y > b->high ? b->high : y;
}

LOOP_MAP1(clip_f64, double, double, clip_double(args, x))
LOOP_MAP1(clip_i64, int64_t, int64_t, clip_signed(args, x))
LOOP_MAP1(clip_u64, uint64_t, uint64_t, clip_unsigned(args, x))

static loop_fn *const clip_rows[LOOP_CLASSES] = {
    [CLASS_F64] = clip_f64, [CLASS_I64] = clip_i64, [CLASS_U64] = clip_u64};

static bounds no_bounds(dtype_class class)
{
    bounds b = {.f64 = {-(double)INFINITY, (double)INFINITY}};
    if (class == CLASS_I64)
        b.i64 = (bounds_i64){INT64_MIN, INT64_MAX};
    if (class == CLASS_U64)
        b.u64 = (bounds_u64){0, UINT64_MAX};
    return b;
}

static heed_status run_clip(op_call *c)
{
    dtype_class class = loop_class(clip_rows, c->in[0]->dtype);
    if (class == CLASS_NONE)
        return call_error(c, HEED_UNSUPPORTED, "Clip has no reference kernel for %s",
                          dtype_name(c->in[0]->dtype));
    bounds b = no_bounds(class);
    /* In each form the lower bound is the first 8 bytes and the upper one the next. */
    for (uint32_t i = 1; i <= 2; i++) {
        if (!call_has(c, i))
            continue;
        if (tensor_count(c->in[i]) != 1)
            return call_error(c, HEED_INVALID, "the bound of Clip (input %u) has %lld elements", i,
                              (long long)tensor_count(c->in[i]));
        loop_load(c->in[i], class, 0, 1, i == 1 ? (void *)&b.u64.low : (void *)&b.u64.high);
    }
    const loop_map m = {.rows = clip_rows, .args = &b};
    return loop_run(c, &m, 1, c->in, c->out[0]);
}

/* min(max(x, low), high) of known or symbolic integers. */
static void content_clip(op_infer *c)
{
    const ir_dim *x, *low = NULL, *high = NULL;
    int64_t n, count;
    if (!infer_ints(c, 0, &x, &n) || n > CONTENT_MAX ||
        (infer_has(c, 1) && (!infer_ints(c, 1, &low, &count) || count != 1)) ||
        (infer_has(c, 2) && (!infer_ints(c, 2, &high, &count) || count != 1)))
        return;
    ir_dim *out = infer_dims_new(c, n);
    for (int64_t i = 0; out && i < n; i++) {
        out[i] = low ? dims_max(c->dims, x[i], low[0]) : x[i];
        out[i] = high ? dims_min(c->dims, out[i], high[0]) : out[i];
    }
    if (out)
        content_put(c, 0, n, out);
}

static heed_status infer_clip(op_infer *c)
{
    for (uint32_t i = 1; i <= 2; i++)
        for (int32_t k = 0; k < infer_rank(c, i); k++)
            if (dim_known(infer_dim(c, i, k)) && infer_dim(c, i, k) != 1)
                return infer_error(c, "bounds of one element", "extent %lld",
                                   (long long)infer_dim(c, i, k));
    return infer_set_like(c, 0, 0);
}

// clang-format off
static const op_def clip = {
    .domain = "", .name = "Clip", .since = 13, .flags = OP_INPLACE,
    .signature = "input:T, min:T?, max:T? -> output:T", .types = "T=real",
    .infer = infer_clip, .content = content_clip, .run = run_clip};

const op_def *const ops_clip[] = {&clip, NULL};
// clang-format on
