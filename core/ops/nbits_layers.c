/* nbits_layers.c - several MatMulNBits in one node of com.microsoft: MatMulNBitsMlp,
 * MatMulNBitsQkv, MatMulNBitsQLoRA. */
#include <string.h>

#include "ops/body.h"

/* ---- What the first two begin with ---------------------------------------------------------- */

enum { A, SKIP, NORM };

/* The input plus what skips it, under an RMS norm; whatever of it there is. */
static ir_value *normalised(op_body *b, uint32_t sum_output)
{
    ir_value *x = body_in(b, A), *skip = body_in(b, SKIP), *scale = body_in(b, NORM);
    x = skip ? body_2(b, x, skip, "Add") : x;
    if (body_wants(b, sum_output) && !skip)
        body_fail(b, HEED_INVALID, "a sum as output %u needs input 1", sum_output);
    body_set(b, sum_output, x);
    double epsilon = ir_attr_float(b->node, "epsilon", 1e-5);
    return scale ? body_2(b, x, scale, "RMSNormalization axis=-1 epsilon=%.9g", epsilon) : x;
}

/* x times the weights in inputs i and i + 1, plus the bias in i + 2. */
static ir_value *projected(op_body *b, ir_value *x, uint32_t i, const char *columns)
{
    const ir_node *n = b->node;
    ir_value *in[] = {x, body_in(b, i), body_in(b, i + 1), NULL, NULL, body_in(b, i + 2)};
    return body_n(b, 6, in, "com.microsoft.MatMulNBits K=%lld N=%lld bits=%lld block_size=%lld",
                  (long long)ir_attr_int(n, "K", 0), (long long)ir_attr_int(n, columns, 0),
                  (long long)ir_attr_int(n, "bits", 4), (long long)ir_attr_int(n, "block_size", 0));
}

/* Output o is the input with another last extent. */
static heed_status infer_columns(op_infer *c, uint32_t o, int64_t columns)
{
    int32_t rank = infer_rank(c, A);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_unknown(c, o, c->in[A]->dtype, -1);
    if (rank == 0 || columns < 1)
        return infer_error(c, "rows of A, and N of at least 1", "rank %d and %lld", rank,
                           (long long)columns);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = i == rank - 1 ? columns : c->in[A]->dims[i];
    return infer_set(c, o, c->in[A]->dtype, rank, dims);
}

/* ---- MatMulNBitsMlp ------------------------------------------------------------------------- */

static heed_status infer_mlp(op_infer *c)
{
    TRY(infer_columns(c, 0, ir_attr_int(c->node, "N", 0)));
    return infer_set_like(c, 1, A);
}

static void decompose_mlp(op_body *b)
{
    enum { GATE = 3, UP = 6 };
    const char *name = ir_attr_string(b->node, "activation", "");
    if (strcmp(name, "silu") != 0)
        body_fail(b, HEED_UNSUPPORTED, "activation \"%.32s\"", name);
    ir_value *x = normalised(b, 1), *gate = projected(b, x, GATE, "N");
    ir_value *up = projected(b, x, UP, "N");
    body_set(b, 0, body_2(b, body_1(b, gate, "Swish"), up, "Mul"));
}

/* ---- MatMulNBitsQkv ------------------------------------------------------------------------- */

static heed_status infer_qkv(op_infer *c)
{
    for (uint32_t o = 0; o < 3; o++)
        TRY(infer_columns(c, o, ir_attr_int(c->node, o == 0 ? "Nq" : "Nkv", 0)));
    return infer_set_like(c, 3, A);
}

static void decompose_qkv(op_body *b)
{
    ir_value *x = normalised(b, 3);
    for (uint32_t o = 0; o < 3; o++)
        if (body_wants(b, o))
            body_set(b, o, projected(b, x, 3 + 3 * o, o == 0 ? "Nq" : "Nkv"));
}

/* ---- MatMulNBitsQLoRA ----------------------------------------------------------------------- */

enum { X, W, W_SCALES, DOWN, DOWN_SCALES, UP, UP_SCALES };

static heed_status infer_lora(op_infer *c)
{
    return infer_columns(c, 0, ir_attr_int(c->node, "N", 0));
}

/* x times the weights in inputs i and i + 1: k to n numbers. */
static ir_value *adapted(op_body *b, ir_value *x, uint32_t i, int64_t k, int64_t n)
{
    bool base = i == W;
    ir_value *in[] = {x, body_in(b, i), body_in(b, i + 1)};
    return body_n(b, 3, in, "com.microsoft.MatMulNBits K=%lld N=%lld bits=%lld block_size=%lld",
                  (long long)k, (long long)n,
                  (long long)ir_attr_int(b->node, base ? "bits" : "lora_bits", base ? 4 : 8),
                  (long long)ir_attr_int(b->node, base ? "block_size" : "lora_block_size", 32));
}

static bool is_empty(const op_body *b, const ir_value *x)
{
    bool empty = false;
    for (int32_t i = 0; x && i < x->type.rank; i++)
        empty = empty || body_extent(b, x, i) == 0;
    return empty;
}

/* Rows of the down projection, from its scales, which stay when the adapter is empty. */
static int64_t adapter_rank(op_body *b, int64_t k)
{
    const ir_value *scales = body_in(b, DOWN_SCALES);
    int64_t block = ir_attr_int(b->node, "lora_block_size", 32), count = 1;
    for (int32_t i = 0, n = body_rank(b, scales); i < n; i++)
        if (body_extent(b, scales, i) < 0 ||
            __builtin_mul_overflow(count, body_extent(b, scales, i), &count))
            count = 0;
    int64_t blocks = block > 0 && k > 0 ? (k - 1) / block + 1 : 1;
    if (!b->status && (count < 1 || count % blocks != 0))
        body_fail(b, HEED_INVALID, "the scales of lora_A do not tell its rank");
    return count / blocks;
}

static void decompose_lora(op_body *b)
{
    int64_t k = ir_attr_int(b->node, "K", 0), n = ir_attr_int(b->node, "N", 0);
    ir_value *x = body_in(b, X), *y = adapted(b, x, W, k, n);
    if (!is_empty(b, body_in(b, UP))) {
        int64_t rank = adapter_rank(b, k);
        y = body_2(b, y, adapted(b, adapted(b, x, DOWN, k, rank), UP, rank, n), "Add");
    }
    body_set(b, 0, y);
}

// clang-format off
#define SHARED "K:int! accuracy_level:int=0 bits:int=4 "
static const op_def mlp = {
    .domain = "com.microsoft", .name = "MatMulNBitsMlp", .since = 1,
    .signature = "A:T, skip:T?, norm_scale:T?, gate_B:uint8, gate_scales:T, gate_bias:T?, "
                 "up_B:uint8, up_scales:T, up_bias:T? -> Y:T, input_skip_bias_sum:T?",
    .types = "T=float32|float16|bfloat16",
    .attrs = SHARED "N:int! activation:string! block_size:int! epsilon:float=0.00001",
    .infer = infer_mlp, .decompose = decompose_mlp};
static const op_def qkv = {
    .domain = "com.microsoft", .name = "MatMulNBitsQkv", .since = 1,
    .signature = "A:T, skip:T?, norm_scale:T, q_B:uint8, q_scales:T, q_bias:T?, k_B:uint8, "
                 "k_scales:T, k_bias:T?, v_B:uint8, v_scales:T, v_bias:T? -> "
                 "Q:T, K:T, V:T, input_skip_bias_sum:T?",
    .types = "T=float32|float16|bfloat16",
    .attrs = SHARED "Nkv:int! Nq:int! block_size:int! epsilon:float=0.000001",
    .infer = infer_qkv, .decompose = decompose_qkv};
static const op_def lora = {
    .domain = "com.microsoft", .name = "MatMulNBitsQLoRA", .since = 1,
    .signature = "X:T, W:uint8, scales:T, lora_A:uint8, lora_A_scales:T, lora_B:uint8, "
                 "lora_B_scales:T -> Y:T",
    .types = "T=float32|float16",
    .attrs = SHARED "N:int! block_size:int=32 lora_bits:int=8 lora_block_size:int=32",
    .infer = infer_lora, .decompose = decompose_lora};

const op_def *const ops_nbits_layers[] = {&mlp, &qkv, &lora, NULL};
// clang-format on
