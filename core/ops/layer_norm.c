/* layer_norm.c - LayerNormalization and RMSNormalization: over all axes from one on, then scaled
 * (and shifted) by tensors that broadcast to the input. Computed in double, whatever stash_type
 * asks for at least. */
#include <math.h>

#include "ops/moments.h"

typedef struct rows {
    int64_t count, n; /* rows, and elements of each */
} rows;               /* none when all of them are empty and nobody asks for their moments */

static heed_status rows_of(const op_call *c, rows *out)
{
    const heed_tensor *x = c->in[0];
    int32_t axis;
    TRY(loop_axis(c, ir_attr_int(c->node, "axis", -1), tensor_rank(x), &axis));
    *out = (rows){1, 1};
    for (int32_t i = 0; i < tensor_rank(x); i++)
        *(i < axis ? &out->count : &out->n) *= x->dims[i];
    if (out->n == 0 && !call_out(c, 1) && !call_out(c, 2))
        out->count = 0;
    return HEED_OK;
}

/* Reads scale or bias as if it had x's shape. */
static void broadcast(const op_call *c, uint32_t input, loop_reader *r)
{
    if (call_has(c, input))
        loop_reader_init(r, c->in[input], CLASS_F64, tensor_rank(c->in[0]), c->in[0]->dims);
}

typedef struct norm {
    loop_reader scale, bias;
    bool has_bias;
    bool rounded; /* the normalised value is rounded to x's type before it is scaled */
} norm;

/* One row: (x - mean) * factor, times scale, plus bias. */
static void write_row(op_call *c, const norm *p, int64_t first, int64_t n, double mean,
                      double factor)
{
    loop_block scale_block, bias_block;
    double x[LOOP_BLOCK];
    for (int64_t done = 0; done < n; done += LOOP_BLOCK) {
        int64_t at = first + done;
        int64_t part = n - done < LOOP_BLOCK ? n - done : LOOP_BLOCK;
        const double *scale = loop_read(&p->scale, at, part, &scale_block);
        const double *bias = p->has_bias ? loop_read(&p->bias, at, part, &bias_block) : NULL;
        loop_load(c->in[0], CLASS_F64, at, part, x);
        for (int64_t i = 0; i < part; i++)
            x[i] = (x[i] - mean) * factor;
        if (p->rounded)
            loop_round(c->in[0]->dtype, part, x);
        for (int64_t i = 0; i < part; i++)
            x[i] *= scale[i];
        for (int64_t i = 0; bias && i < part; i++)
            x[i] += bias[i];
        loop_store(c->out[0], CLASS_F64, at, part, x);
    }
}

static heed_status run_layer_norm(op_call *c)
{
    norm p = {.has_bias = call_has(c, 2)};
    rows r;
    double epsilon = ir_attr_float(c->node, "epsilon", 1e-5);
    TRY(rows_of(c, &r));
    broadcast(c, 1, &p.scale);
    broadcast(c, 2, &p.bias);
    for (int64_t row = 0; row < r.count; row++) {
        moments m = {0};
        moments_add(&m, c->in[0], row * r.n, r.n);
        double factor = 1 / sqrt(moments_variance(&m) + epsilon);
        if (call_out(c, 1))
            loop_store(c->out[1], CLASS_F64, row, 1, &m.mean);
        if (call_out(c, 2))
            loop_store(c->out[2], CLASS_F64, row, 1, &factor);
        if (call_out(c, 0))
            write_row(c, &p, row * r.n, r.n, m.mean, factor);
    }
    return HEED_OK;
}

static double mean_square(const heed_tensor *t, int64_t first, int64_t n)
{
    double x[LOOP_BLOCK], sum = 0;
    for (int64_t done = 0; done < n; done += LOOP_BLOCK) {
        int64_t part = n - done < LOOP_BLOCK ? n - done : LOOP_BLOCK;
        loop_load(t, CLASS_F64, first + done, part, x);
        for (int64_t i = 0; i < part; i++)
            sum += x[i] * x[i];
    }
    return n > 0 ? sum / (double)n : 0;
}

static heed_status run_rms_norm(op_call *c)
{
    norm p = {.rounded = dtype_bits(c->in[0]->dtype) < 32};
    rows r;
    double epsilon = ir_attr_float(c->node, "epsilon", 1e-5);
    TRY(rows_of(c, &r));
    broadcast(c, 1, &p.scale);
    for (int64_t row = 0; row < r.count; row++) {
        double square = mean_square(c->in[0], row * r.n, r.n);
        write_row(c, &p, row * r.n, r.n, 0, 1 / sqrt(square + epsilon));
    }
    return HEED_OK;
}

/* ---- Shapes ---------------------------------------------------------------------------------- */

/* Input i must broadcast to input 0's shape. */
static heed_status check_broadcast(op_infer *c, uint32_t i)
{
    int32_t rank = infer_rank(c, 0), own = infer_rank(c, i);
    if (rank < 0 || own < 0)
        return HEED_OK;
    if (own > rank)
        return infer_error(c, "a scale or bias that broadcasts to the input", "rank %d", own);
    for (int32_t k = 1; k <= own; k++) {
        ir_dim x = infer_dim(c, 0, rank - k), s = infer_dim(c, i, own - k);
        if (dim_known(x) && dim_known(s) && s != 1 && s != x)
            return infer_error(c, "a scale or bias that broadcasts to the input",
                               "extent %lld for %lld on axis -%d", (long long)s, (long long)x, k);
    }
    return HEED_OK;
}

static heed_status infer_rms_norm(op_infer *c)
{
    int32_t axis;
    if (infer_rank(c, 0) >= 0)
        TRY(infer_axis(c, ir_attr_int(c->node, "axis", -1), infer_rank(c, 0), &axis));
    TRY(check_broadcast(c, 1));
    return infer_same(c);
}

static heed_status infer_layer_norm(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), axis;
    int64_t stash = ir_attr_int(c->node, "stash_type", 1);
    ir_dim dims[TENSOR_MAX_RANK];
    if (stash <= 0 || !dtype_is_float((heed_dtype)stash))
        return infer_error(c, "a float type in attribute \"stash_type\"", "%lld", (long long)stash);
    heed_dtype dtype = (heed_dtype)stash;
    TRY(check_broadcast(c, 1));
    TRY(check_broadcast(c, 2));
    TRY(infer_set_like(c, 0, 0));
    if (rank < 0) {
        TRY(infer_set_unknown(c, 1, dtype, -1));
        return infer_set_unknown(c, 2, dtype, -1);
    }
    TRY(infer_axis(c, ir_attr_int(c->node, "axis", -1), rank, &axis));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i < axis ? c->in[0]->dims[i] : 1;
    TRY(infer_set(c, 1, dtype, rank, dims));
    return infer_set(c, 2, dtype, rank, dims);
}

// clang-format off
static const op_def layer_norm = {
    .domain = "", .name = "LayerNormalization", .since = 17, .flags = OP_INPLACE,
    .signature = "X:T, Scale:T, B:T? -> Y:T, Mean:U?, InvStdDev:U?", .types = "T=float U=float",
    .attrs = "axis:int=-1 epsilon:float=0.00001 stash_type:int=1",
    .infer = infer_layer_norm, .run = run_layer_norm};
static const op_def rms_norm = {
    .domain = "", .name = "RMSNormalization", .since = 23,
    .signature = "X:T, scale:V -> Y:V", .types = "T=float V=float",
    .attrs = "axis:int=-1 epsilon:float=0.00001 stash_type:int=1",
    .infer = infer_rms_norm, .run = run_rms_norm};

const op_def *const ops_layer_norm[] = {&layer_norm, &rms_norm, NULL};
// clang-format on
