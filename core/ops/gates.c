/* gates.c - gates of com.microsoft: one tensor decides, through a sigmoid, how much of another goes
 * on. Each computes in float32 and rounds where its definition does. */
#include <math.h>

#include "ops/body.h"

static ir_value *wide(op_body *b, uint32_t input)
{
    ir_value *x = body_in(b, input);
    return x ? body_cast(b, x, HEED_FLOAT32) : NULL;
}

/* Output o is x, rounded to input 0's type. */
static void give(op_body *b, uint32_t o, ir_value *x)
{
    if (!b->status)
        body_set(b, o, body_cast(b, x, body_in(b, 0)->type.dtype));
}

static ir_value *rounded(op_body *b, ir_value *x)
{
    return b->status ? NULL : body_cast(b, x, body_in(b, 0)->type.dtype);
}

/* X + Y * gate, the product rounded; with a weight, the gate is sigmoid(gate . weight), rounded
 * after each step. */
static void decompose_gated_add(op_body *b)
{
    ir_value *gate = body_in(b, 2);
    if (body_in(b, 3))
        gate = body_1(b, body_2(b, gate, body_in(b, 3), "MatMul"), "Sigmoid");
    body_set(b, 0, body_2(b, body_in(b, 0), body_2(b, body_in(b, 1), gate, "Mul"), "Add"));
}

static void decompose_scaled_silu(op_body *b)
{
    ir_value *x = wide(b, 0), *scale = wide(b, 1);
    scale = scale ? body_reshape(b, scale, "%s", "")
                  : body_number(b, HEED_FLOAT32, ir_attr_float(b->node, "alpha", 1));
    ir_value *z = rounded(b, body_2(b, x, scale, "Mul"));
    body_set(b, 0, body_2(b, z, body_1(b, z, "Sigmoid"), "Mul"));
}

/* decay = decay_scale * Softplus(a + dt_bias), beta = Sigmoid(b) */
static void decompose_decay(op_body *b)
{
    ir_value *sum = body_2(b, wide(b, 0), wide(b, 1), "Add");
    give(b, 0, body_2(b, wide(b, 2), body_1(b, sum, "Softplus"), "Mul"));
    if (body_in(b, 3))
        body_set(b, 1, body_1(b, body_in(b, 3), "Sigmoid"));
    else if (body_wants(b, 1))
        body_fail(b, HEED_INVALID, "beta without an input for it");
}

/* ---- SwiGLU ---------------------------------------------------------------------------------- */

static heed_status infer_swiglu(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (infer_has(c, 1) || rank < 0)
        return infer_set_like(c, 0, 0);
    if (rank < 1)
        return infer_error(c, "both halves on the last axis", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank - 1] = dims_floor_div(c->dims, dims[rank - 1], 2);
    return infer_set(c, 0, 0, rank, dims);
}

/* The gate is limited from above, the other half from both sides. */
static void limit(op_body *b, ir_value **half)
{
    double most = ir_attr_float(b->node, "limit", 0);
    if (!(most > 0))
        return;
    ir_value *above = body_number(b, HEED_FLOAT32, most);
    half[0] = body_2(b, half[0], above, "Min");
    half[1] = body_3(b, half[1], body_number(b, HEED_FLOAT32, -most), above, "Clip");
}

static void decompose_swiglu(op_body *b)
{
    double beta = ir_attr_float(b->node, "activation_beta", 0);
    ir_value *half[2] = {wide(b, 0), wide(b, 1)};
    if (!half[1])
        body_nodes(b, 1, (ir_value *[]){half[0]}, 2, half, "Split axis=-1 num_outputs=2");
    limit(b, half);
    ir_value *gate =
        body_1(b, half[0], "Swish alpha=%.9g", ir_attr_float(b->node, "activation_alpha", 1));
    if (ir_attr_int(b->node, "round_activation", 0) && !b->status)
        gate = body_cast(b, rounded(b, gate), HEED_FLOAT32);
    if (beta != 0)
        half[1] = body_2(b, half[1], body_like(b, beta, half[1]), "Add");
    give(b, 0, body_2(b, gate, half[1], "Mul"));
}

/* ---- RouterGateUpProj: one product, whose first columns are a router's and whose rest is SwiGLU's
 */

static heed_status infer_router_gate(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    int64_t router = ir_attr_int(c->node, "router_size", 0);
    ir_dim dims[TENSOR_MAX_RANK], columns = infer_dim(c, 1, 1);
    if (router < 0 || (dim_known(columns) && columns < router))
        return infer_error(c, "a router_size within the columns", "%lld", (long long)router);
    if (rank < 1 || columns == DIM_UNKNOWN) {
        TRY(infer_set_unknown(c, 0, 0, rank < 1 ? -1 : rank));
        return infer_set_unknown(c, 1, 0, rank < 1 ? -1 : rank);
    }
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank - 1] = router;
    TRY(infer_set(c, 0, 0, rank, dims));
    dims[rank - 1] = dims_floor_div(c->dims, dims_sub(c->dims, columns, router), 2);
    return infer_set(c, 1, 0, rank, dims);
}

static void decompose_router_gate(op_body *b)
{
    int64_t router = ir_attr_int(b->node, "router_size", 0);
    ir_value *y = body_2(b, body_in(b, 0), body_in(b, 1), "MatMul");
    body_set(b, 0, body_part(b, y, -1, 0, router));
    y = body_part(b, y, -1, router, INT64_MAX);
    body_set(b, 1,
             body_1(b, y,
                    "com.microsoft.SwiGLU activation_alpha=%.9g activation_beta=%.9g "
                    "limit=%.9g",
                    ir_attr_float(b->node, "activation_alpha", 1),
                    ir_attr_float(b->node, "activation_beta", 0),
                    ir_attr_float(b->node, "limit", 0)));
}

/* ---- EngramGate -------------------------------------------------------------------------------
 */

static heed_status infer_engram(op_infer *c)
{
    TRY(infer_set_like(c, 0, 0));
    return infer_set_like(c, 1, 0);
}

static ir_value *norm(op_body *b, ir_value *x, uint32_t scale)
{
    return body_2(b, x, wide(b, scale), "RMSNormalization axis=-1 epsilon=%.9g",
                  ir_attr_float(b->node, "epsilon", 1e-5));
}

/* sign(dot) * sqrt(max(|dot|, 1e-6)) of the mean product of normalised key and query. */
static ir_value *engram_gate(op_body *b)
{
    ir_value *last = body_ints(b, 1, (int64_t[]){-1});
    ir_value *product = body_2(b, norm(b, wide(b, 0), 3), norm(b, wide(b, 1), 4), "Mul");
    ir_value *dot = body_2(b, product, last, "ReduceSum");
    ir_value *size = body_cast(b, body_size(b, body_in(b, 0), -1), HEED_FLOAT32);
    dot = body_2(b, dot, body_1(b, size, "Sqrt"), "Div");
    ir_value *least = body_number(b, HEED_FLOAT32, 1e-6);
    ir_value *root = body_1(b, body_2(b, body_1(b, dot, "Abs"), least, "Max"), "Sqrt");
    return body_1(b, body_2(b, body_1(b, dot, "Sign"), root, "Mul"), "Sigmoid");
}

static void decompose_engram(op_body *b)
{
    ir_value *value = body_unsqueeze(b, wide(b, 2), "2");
    ir_value *gated = body_2(b, engram_gate(b), value, "Mul");
    give(b, 0, gated);
    if (body_in(b, 5))
        give(b, 1, norm(b, gated, 5));
    else if (body_wants(b, 1))
        body_fail(b, HEED_INVALID, "gated_value_normed without a conv_norm_scale");
}

// clang-format off
static const op_def gated_add = {
    .domain = "com.microsoft", .name = "GatedAdd", .since = 1,
    .signature = "X:T, Y:T, gate:T, gate_weight:T? -> output:T", .types = "T=float",
    .infer = infer_same, .decompose = decompose_gated_add};
static const op_def scaled_silu = {
    .domain = "com.microsoft", .name = "ScaledSiLU", .since = 1,
    .signature = "X:T, scale:M? -> Y:T", .types = "T=float M=float", .attrs = "alpha:float=1",
    .infer = infer_same, .decompose = decompose_scaled_silu};
static const op_def decay = {
    .domain = "com.microsoft", .name = "LinearAttentionGate", .since = 1,
    .signature = "a:T, dt_bias:F, decay_scale:F, b:T? -> decay:T, beta:T?",
    .types = "T=float F=float",
    .infer = infer_same, .decompose = decompose_decay};
static const op_def swiglu = {
    .domain = "com.microsoft", .name = "SwiGLU", .since = 1,
    .signature = "gate:T, up:T? -> output:T", .types = "T=float",
    .attrs = "activation_alpha:float=1 activation_beta:float=0 limit:float=0 "
             "round_activation:int=0",
    .infer = infer_swiglu, .decompose = decompose_swiglu};
static const op_def router_gate = {
    .domain = "com.microsoft", .name = "RouterGateUpProj", .since = 1,
    .signature = "X:T, W:T -> router:T, activated:T", .types = "T=float",
    .attrs = "activation:string=swiglu activation_alpha:float=1 activation_beta:float=0 "
             "limit:float=0 router_size:int!",
    .infer = infer_router_gate, .decompose = decompose_router_gate};
static const op_def engram = {
    .domain = "com.microsoft", .name = "EngramGate", .since = 1,
    .signature = "key:T, query:T, value:T, key_norm_scale:T, query_norm_scale:T, "
                 "conv_norm_scale:T? -> output:T, gated_value_normed:T?",
    .types = "T=float", .attrs = "epsilon:float=0.00001",
    .infer = infer_engram, .decompose = decompose_engram};

const op_def *const ops_gates[] = {&gated_add, &scaled_silu, &decay, &swiglu, &router_gate, &engram,
                                   NULL};
// clang-format on
