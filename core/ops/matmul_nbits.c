/* matmul_nbits.c - products with weights of a few bits, of com.microsoft: MatMulNBits (a scale and
 * a zero point for each block), MatMulBnb4 (a code book and a largest value for each block). */
#include <math.h>

#include "ops/matmul.h"
#include "ops/nbits.h"
#include "ops/product.h"

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check_count(op_infer *c, uint32_t i, int64_t expected)
{
    ir_dim count = 1;
    if (infer_rank(c, i) < 0)
        return HEED_OK;
    for (int32_t k = 0; k < infer_rank(c, i); k++)
        count = dims_mul(c->dims, count, infer_dim(c, i, k));
    if (dim_known(count) && count != expected)
        return infer_error(c, "inputs of the sizes that N, K and block_size say",
                           "%lld elements in input %u, not %lld", (long long)count, i,
                           (long long)expected);
    return HEED_OK;
}

/* N, K and block_size in ranges whose products are small numbers. */
static heed_status check_extents(op_infer *c, int64_t n, int64_t k, int64_t block)
{
    if (n < 1 || k < 1 || n > INT32_MAX || k > INT32_MAX)
        return infer_error(c, "N and K from 1 to 2^31", "%lld and %lld", (long long)n,
                           (long long)k);
    if (block < 16 || block > INT32_MAX || (block & (block - 1)) != 0)
        return infer_error(c, "a block_size that is a power of two, 16 or more", "%lld",
                           (long long)block);
    return HEED_OK;
}

/* A's last axis, `from` wide, becomes `to` wide. */
static heed_status infer_output(op_infer *c, int64_t from, int64_t to)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, 0, 0, -1);
    if (rank == 0 || (dim_known(infer_dim(c, 0, rank - 1)) && infer_dim(c, 0, rank - 1) != from))
        return infer_error(c, "a last axis of A as the attributes say", "another, not %lld",
                           (long long)from);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == rank - 1 ? to : c->in[0]->dims[i];
    return infer_set(c, 0, 0, rank, dims);
}

enum { A, B, SCALES, ZEROS, GROUPS, BIAS };

/* No weights at all stand for a product of zeros. */
static bool is_empty(op_infer *c)
{
    bool empty = false;
    for (int32_t i = 0; i < infer_rank(c, B); i++)
        empty = empty || infer_dim(c, B, i) == 0;
    return empty;
}

static heed_status check_weights(op_infer *c, int64_t n, int64_t k, int64_t block, int64_t bits)
{
    int64_t blocks = (k + block - 1) / block;
    bool packed = infer_has(c, ZEROS) && c->in[ZEROS]->dtype == HEED_UINT8;
    TRY(check_count(c, B, n * blocks * (block * bits / 8)));
    TRY(check_count(c, SCALES, n * blocks));
    TRY(check_count(c, ZEROS, n * (packed ? (blocks * bits + 7) / 8 : blocks)));
    ir_dim groups = infer_dim(c, GROUPS, 0);
    if (infer_has(c, GROUPS) && dim_known(groups) && groups < k)
        return infer_error(c, "a g_idx for each of K", "%lld", (long long)groups);
    return HEED_OK;
}

static heed_status infer_nbits(op_infer *c)
{
    int64_t n = ir_attr_int(c->node, "N", 0), k = ir_attr_int(c->node, "K", 0);
    int64_t block = ir_attr_int(c->node, "block_size", 0), bits = ir_attr_int(c->node, "bits", 4);
    TRY(check_extents(c, n, k, block));
    if (bits != 2 && bits != 4 && bits != 8)
        return infer_error(c, "2, 4 or 8 bits", "%lld", (long long)bits);
    if (ir_attr_int(c->node, "weight_prepacked", 0) != 0)
        return infer_error(c, "weights that are not packed for a device", "weight_prepacked");
    if (!is_empty(c))
        TRY(check_weights(c, n, k, block, bits));
    TRY(check_count(c, BIAS, n));
    return infer_output(c, k, n);
}

/* ---- MatMulNBits ---------------------------------------------------------------------------- */

static heed_status read_groups(op_call *c, int64_t k, nbits *w)
{
    if (!call_has(c, GROUPS))
        return HEED_OK;
    w->groups = call_ints(c, GROUPS);
    for (int64_t i = 0; w->groups && i < k; i++)
        if (w->groups[i] < 0 || w->groups[i] >= w->blocks)
            return call_error(c, HEED_INVALID, "g_idx %lld with %lld blocks",
                              (long long)w->groups[i], (long long)w->blocks);
    return w->groups ? HEED_OK : err_get()->status;
}

static heed_status read_weights(op_call *c, nbits *w)
{
    int64_t k = ir_attr_int(c->node, "K", 0);
    w->bits = (uint32_t)ir_attr_int(c->node, "bits", 4);
    w->block = ir_attr_int(c->node, "block_size", 0);
    w->blocks = (k + w->block - 1) / w->block;
    w->row_bytes = w->blocks * (w->block * w->bits / 8);
    w->data = tensor_data(c->in[B]);
    w->scales = c->in[SCALES];
    w->zeros = call_has(c, ZEROS) ? c->in[ZEROS] : NULL;
    w->zeros_packed = w->zeros && w->zeros->dtype == HEED_UINT8;
    w->zero_bytes = (w->blocks * w->bits + 7) / 8;
    nbits_init(w);
    return read_groups(c, k, w);
}

/* y (dense floats) with the bias in input i, if there is one, becomes output 0. */
static heed_status finish(op_call *c, int64_t m, int64_t n, float *y, uint32_t i)
{
    if (call_has(c, i)) {
        float *bias = call_scratch(c, (size_t)n * sizeof *bias);
        if (!bias)
            return HEED_NOMEM;
        dtype_load_f32(c->in[i]->dtype, tensor_data(c->in[i]), 0, n, bias);
        for (int64_t k = 0; k < m * n; k++)
            y[k] += bias[k % n];
    }
    dtype_store_f32(c->out[0]->dtype, tensor_data(c->out[0]), 0, m * n, y, false);
    return HEED_OK;
}

/* A in float32, and room for the product. */
static heed_status open_product(op_call *c, int64_t count, const float **a, float **y)
{
    const heed_tensor *t = c->in[A];
    *a = product_read(c, product_for(HEED_FLOAT32), t->dtype, tensor_data(t), 0, tensor_count(t));
    *y = call_scratch(c, (size_t)count * sizeof **y);
    return *a && *y ? HEED_OK : err_get()->status;
}

/* accuracy_level 4 asks for products of int8: A becomes multiples of a step, a block each. Its
 * largest magnitude is 127 steps. Weights whose blocks are no runs of K are read as floats. */
static bool wants_int8(const op_call *c, const nbits *w)
{
    return ir_attr_int(c->node, "accuracy_level", 0) == 4 && !w->groups &&
           (!w->zeros || w->zeros_packed);
}

static void round_block(const float *a, int64_t n, float *out)
{
    float most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(a[i]));
    float step = most / 127, inverse = most > 0 ? 1 / step : 0;
    for (int64_t i = 0; i < n; i++)
        out[i] = rintf(a[i] * inverse) * step;
}

static const float *round_to_int8(op_call *c, const nbits *w, const float *a, int64_t m, int64_t k)
{
    float *out = call_scratch(c, (size_t)(m * k) * sizeof *out);
    for (int64_t i = 0; out && i < m; i++)
        for (int64_t at = 0; at < k; at += w->block)
            round_block(a + i * k + at, k - at < w->block ? k - at : w->block, out + i * k + at);
    return out;
}

static heed_status run_nbits(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t n = ir_attr_int(c->node, "N", 0), k = ir_attr_int(c->node, "K", 0);
    const float *a;
    float *y;
    nbits w = {.bits = 0};
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    int64_t count = tensor_count(out);
    TRY(open_product(c, count, &a, &y)); /* scratch is zeroed */
    if (tensor_count(c->in[B]) > 0) {
        TRY(read_weights(c, &w));
        if (wants_int8(c, &w))
            a = round_to_int8(c, &w, a, count / n, k);
        if (!a)
            return HEED_NOMEM;
        rows_multiply(&w.rows, count / n, n, k, a, y);
    }
    return finish(c, count / n, n, y, BIAS);
}

/* ---- MatMulBnb4 ----------------------------------------------------------------------------- */

static heed_status infer_bnb4(op_infer *c)
{
    int64_t n = ir_attr_int(c->node, "N", 0), k = ir_attr_int(c->node, "K", 0);
    int64_t block = ir_attr_int(c->node, "block_size", 0);
    int64_t type = ir_attr_int(c->node, "quant_type", 0);
    TRY(check_extents(c, n, k, block));
    if (type != 0 && type != 1)
        return infer_error(c, "a quant_type of 0 (FP4) or 1 (NF4)", "%lld", (long long)type);
    TRY(check_count(c, B, (n * k + 1) / 2));
    TRY(check_count(c, SCALES, (n * k + block - 1) / block));
    bool transposed = ir_attr_int(c->node, "transB", 1) != 0;
    return infer_output(c, transposed ? k : n, transposed ? n : k);
}

/* What the 16 codes stand for: floats with 2 bits of exponent and 1 of mantissa, and the quantiles
 * of a normal distribution. */
static const float code_books[2][16] = {
    {0.0f, 5.208333333e-03f, 0.66666667f, 1.0f, 0.33333333f, 0.5f, 0.16666667f, 0.25f, -0.0f,
     -5.208333333e-03f, -0.66666667f, -1.0f, -0.33333333f, -0.5f, -0.16666667f, -0.25f},
    {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
     -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
     0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
     0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f},
};

typedef struct book {
    row_source rows; /* first */
    const float *codes;
    const uint8_t *data;
    const heed_tensor *most;
    int64_t block, row_step, column_step; /* of elements in the flat weight */
} book;

/* The first element of a byte is in its high bits. */
static void load_codes(const row_source *r, int64_t row, int64_t first, int64_t n, float *out)
{
    const book *w = (const book *)(const void *)r;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = row * w->row_step + (first + i) * w->column_step;
        uint32_t code = w->data[at / 2];
        float most;
        dtype_load_f32(w->most->dtype, tensor_data(w->most), at / w->block, 1, &most);
        out[i] = w->codes[at % 2 ? code & 15u : code >> 4] * most;
    }
}

static heed_status run_bnb4(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int64_t n = ir_attr_int(c->node, "N", 0), k = ir_attr_int(c->node, "K", 0);
    bool transposed = ir_attr_int(c->node, "transB", 1) != 0;
    const float *a;
    float *y;
    if (!out || tensor_count(out) == 0)
        return HEED_OK;
    book w = {.rows = {.load = load_codes},
              .codes = code_books[ir_attr_int(c->node, "quant_type", 0)],
              .data = tensor_data(c->in[B]),
              .most = c->in[SCALES],
              .block = ir_attr_int(c->node, "block_size", 0),
              .row_step = transposed ? k : 1,
              .column_step = transposed ? 1 : k};
    int64_t count = tensor_count(out), columns = transposed ? n : k;
    TRY(open_product(c, count, &a, &y));
    rows_multiply(&w.rows, count / columns, columns, transposed ? k : n, a, y);
    return finish(c, count / columns, columns, y, UINT32_MAX);
}

// clang-format off
static const op_def matmul_nbits = {
    .domain = "com.microsoft", .name = "MatMulNBits", .since = 1,
    .signature = "A:T, B:uint8, scales:T, zero_points:Z?, g_idx:int32?, bias:T? -> Y:T",
    .types = "T=float32|float16|bfloat16 Z=uint8|float32|float16|bfloat16",
    .attrs = "K:int! N:int! accuracy_level:int=0 bits:int=4 block_size:int! weight_prepacked:int=0",
    .infer = infer_nbits, .run = run_nbits};
static const op_def matmul_bnb4 = {
    .domain = "com.microsoft", .name = "MatMulBnb4", .since = 1,
    .signature = "A:T, B:uint8, absmax:T -> Y:T", .types = "T=float32|float16|bfloat16",
    .attrs = "K:int! N:int! block_size:int! quant_type:int! training_mode:int=0 transB:int=1",
    .infer = infer_bnb4, .run = run_bnb4};

const op_def *const ops_matmul_nbits[] = {&matmul_nbits, &matmul_bnb4, NULL};
// clang-format on
