/* matmul_floats.c - products with weights of 4 or 8 bits that are floats, of com.microsoft:
 * MatMulBlockQuantizedFp4Weight, MatMulBlockQuantizedFp8Weight. */
#include "ops/float_rows.h"

/* What differs: numbers in a byte, and where the inputs stand. */
typedef struct float_form {
    heed_dtype dtype, scale_dtype;
    int64_t in_byte;
    uint32_t global, rounding, bias; /* inputs; 0: there is none */
} float_form;

enum { A, B, SCALES };

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_scales(op_infer *c, ir_dim n, ir_dim k, int64_t block)
{
    ir_dim need[] = {n, dims_ceil_div(c->dims, k, block)};
    int32_t rank = infer_rank(c, SCALES);
    for (int32_t i = 0; i < 2 && rank >= 0; i++) {
        ir_dim found = infer_dim(c, SCALES, i);
        if (rank != 2 || (dim_known(found) && dim_known(need[i]) && found != need[i]))
            return infer_error(c, "a scale for each block of a row of the weights",
                               "scales of rank %d", rank);
    }
    return HEED_OK;
}

static heed_status check_count(op_infer *c, uint32_t i, ir_dim count)
{
    ir_dim found = 1;
    for (int32_t k = 0; k < infer_rank(c, i); k++)
        found = dims_mul(c->dims, found, infer_dim(c, i, k));
    bool good = infer_rank(c, i) < 0 || !dim_known(found) || !dim_known(count) || found == count;
    return good ? HEED_OK
                : infer_error(c, "one number, or a bias for each row of the weights",
                              "%lld in input %u", (long long)found, i);
}

static heed_status infer_floats(op_infer *c)
{
    const float_form *f = c->op->data;
    int64_t block = ir_attr_int(c->node, "block_size", 0);
    int32_t rank = infer_rank(c, A);
    ir_dim dims[TENSOR_MAX_RANK], n = infer_dim(c, B, 0);
    ir_dim k = dims_mul(c->dims, infer_dim(c, B, 1), f->in_byte);
    if (block < 1 || block > INT32_MAX)
        return infer_error(c, "a block_size of at least 1", "%lld", (long long)block);
    if (rank < 0 || infer_rank(c, B) < 0)
        return infer_set_unknown(c, 0, 0, rank);
    if (rank == 0 || infer_rank(c, B) != 2)
        return infer_error(c, "a matrix of weights and rows of A", "ranks %d and %d",
                           infer_rank(c, B), rank);
    ir_dim own = infer_dim(c, A, rank - 1);
    if (dim_known(own) && dim_known(k) && own != k)
        return infer_error(c, "equal inner extents", "%lld and %lld", (long long)own, (long long)k);
    TRY(check_scales(c, n, k, block));
    TRY(check_count(c, f->bias, n));
    if (f->global)
        TRY(check_count(c, f->global, 1));
    if (f->rounding)
        TRY(check_count(c, f->rounding, 1));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == rank - 1 ? n : c->in[A]->dims[i];
    return infer_set(c, 0, 0, rank, dims);
}

/* ---- Kernel --------------------------------------------------------------------------------- */

/* Rows of A are rounded to the weights' type under a scale, when one is given. */
static void round_rows(const op_call *c, const float_form *f, int64_t n, float *a)
{
    float scale;
    if (!f->rounding || !call_has(c, f->rounding))
        return;
    dtype_load_f32(HEED_FLOAT32, tensor_data(c->in[f->rounding]), 0, 1, &scale);
    for (int64_t i = 0; i < n; i++) {
        uint8_t code;
        float x = a[i] / scale;
        dtype_store_f32(f->dtype, &code, 0, 1, &x, true);
        dtype_load_f32(f->dtype, &code, 0, 1, &x);
        a[i] = x * scale;
    }
}

static void add_bias(const op_call *c, uint32_t input, int64_t m, int64_t n, float *y)
{
    for (int64_t j = 0; call_has(c, input) && j < n; j++) {
        float bias;
        dtype_load_f32(c->in[input]->dtype, tensor_data(c->in[input]), j, 1, &bias);
        for (int64_t i = 0; i < m; i++)
            y[i * n + j] += bias;
    }
}

static heed_status run_floats(op_call *c)
{
    const float_form *f = c->node->op->data;
    heed_tensor *out = call_out(c, 0);
    int64_t count = out ? tensor_count(out) : 0, n = c->in[B]->dims[0];
    if (count == 0)
        return HEED_OK;
    float_rows w = {.dtype = f->dtype,
                    .data = tensor_data(c->in[B]),
                    .columns = c->in[B]->dims[1] * f->in_byte,
                    .scales = c->in[SCALES],
                    .scale_dtype = f->scale_dtype,
                    .scale_columns = c->in[SCALES]->dims[1],
                    .high = 1,
                    .wide = ir_attr_int(c->node, "block_size", 0),
                    .global = 1.0f};
    int64_t total = tensor_count(c->in[A]);
    float *a = call_scratch(c, (size_t)total * sizeof *a + 1);
    float *y = call_scratch(c, (size_t)count * sizeof *y);
    if (!a || !y)
        return err_get()->status;
    if (f->global)
        dtype_load_f32(HEED_FLOAT32, tensor_data(c->in[f->global]), 0, 1, &w.global);
    dtype_load_f32(c->in[A]->dtype, tensor_data(c->in[A]), 0, total, a);
    round_rows(c, f, total, a);
    float_rows_init(&w);
    rows_multiply(&w.rows, count / n, n, w.columns, a, y);
    add_bias(c, f->bias, count / n, n, y);
    dtype_store_f32(out->dtype, tensor_data(out), 0, count, y, false);
    return HEED_OK;
}

// clang-format off
static const float_form nibbles = {.dtype = HEED_FLOAT4E2M1, .scale_dtype = HEED_FLOAT8E4M3FN,
                                   .in_byte = 2, .global = 3, .bias = 5};
static const float_form bytes = {.dtype = HEED_FLOAT8E4M3FN, .scale_dtype = HEED_FLOAT32,
                                 .in_byte = 1, .rounding = 3, .bias = 4};

static const op_def fp4_weight = {
    .domain = "com.microsoft", .name = "MatMulBlockQuantizedFp4Weight", .since = 1,
    .signature = "A:T, B:uint8, weight_scale:uint8, weight_scale_2:float32, input_scale:float32?, "
                 "bias:T? -> Y:T",
    .types = "T=float32|float16|bfloat16", .attrs = "block_size:int=16", .data = &nibbles,
    .infer = infer_floats, .run = run_floats};
static const op_def fp8_weight = {
    .domain = "com.microsoft", .name = "MatMulBlockQuantizedFp8Weight", .since = 1,
    .signature = "A:T, B:float8e4m3fn, b_scale:float32, a_scale:float32?, bias:T? -> Y:T",
    .types = "T=float32|float16|bfloat16", .attrs = "block_size:int=128", .data = &bytes,
    .infer = infer_floats, .run = run_floats};

const op_def *const ops_matmul_floats[] = {&fp4_weight, &fp8_weight, NULL};
// clang-format on
