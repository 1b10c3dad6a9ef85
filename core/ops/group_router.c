/* group_router.c - MoEGroupRouter of com.microsoft: chooses experts among the best groups of them
 * (DeepSeek-V3, 2024). */
#include <math.h>

#include "ops/body.h"

static heed_status infer_router(op_infer *c)
{
    ir_dim dims[2] = {DIM_UNKNOWN, infer_dim(c, 1, 0)};
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set(c, o, o ? HEED_FLOAT32 : HEED_UNDEFINED, 2, dims));
    return HEED_OK;
}

static ir_value *ints(op_body *b, int64_t value) { return body_ints(b, 1, &value); }

/* The k largest along the last axis; k is int64 [1]. */
static void largest(op_body *b, ir_value *x, ir_value *k, ir_value **values, ir_value **indices)
{
    ir_value *in[] = {x, k}, *out[2];
    body_nodes(b, 2, in, 2, out, "TopK axis=-1");
    *values = out[0];
    *indices = out[1];
}

/* `score` [tokens, experts], minus infinity outside of the topk_group best groups. */
static ir_value *within_groups(op_body *b, ir_value *score)
{
    int64_t n_group = ir_attr_int(b->node, "n_group", 1);
    ir_value *values, *best;
    ir_value *groups = body_reshape(b, score, "0,%lld,-1", (long long)n_group);
    ir_value *k =
        body_2(b, ints(b, ir_attr_int(b->node, "group_topk", 2)), body_dim(b, groups, 2), "Min");
    largest(b, groups, k, &values, &best);
    ir_value *sum = body_2(b, values, ints(b, -1), "ReduceSum keepdims=0");
    largest(b, sum, ints(b, ir_attr_int(b->node, "topk_group", 1)), &values, &best);
    ir_value *none = body_2(b, sum, body_like(b, 0, sum), "Mul");
    ir_value *one =
        body_2(b, body_number(b, HEED_FLOAT32, 1), body_1(b, values, "Shape"), "Expand");
    ir_value *taken = body_3(b, none, best, one, "ScatterElements axis=1");
    taken = body_unsqueeze(b, body_cast(b, taken, HEED_BOOL), "2");
    ir_value *kept = body_3(b, taken, groups, body_like(b, -HUGE_VAL, groups), "Where");
    return body_2(b, kept, body_1(b, score, "Shape"), "Reshape allowzero=1");
}

/* log(weight) where an expert is chosen, router_sentinel elsewhere. */
static ir_value *chosen(op_body *b, ir_value *weight, ir_value *score)
{
    ir_value *values, *best;
    double sentinel = ir_attr_float(b->node, "router_sentinel", -10000);
    largest(b, within_groups(b, score), ints(b, ir_attr_int(b->node, "top_k", 1)), &values, &best);
    ir_value *least = body_number(b, HEED_FLOAT32, 1e-20);
    ir_value *logs = body_1(b, body_2(b, weight, least, "Max"), "Log");
    ir_value *none = body_2(b, body_like(b, sentinel, logs), body_1(b, logs, "Shape"), "Expand");
    logs = body_2(b, logs, best, "GatherElements axis=1");
    return body_3(b, none, best, logs, "ScatterElements axis=1");
}

static void decompose_router(op_body *b)
{
    ir_value *x = body_in(b, 0), *bias = body_in(b, 1), *projection = body_in(b, 2);
    ir_value *dims[] = {ints(b, -1), body_dim(b, bias, 0)};
    ir_value *logits = body_cast(b, x, HEED_FLOAT32);
    if (projection)
        logits = body_2(b, logits, body_cast(b, projection, HEED_FLOAT32), "Gemm transB=1");
    else
        logits = body_reshape_to(b, logits, 2, dims);
    ir_value *weight = body_1(b, logits, "Sigmoid"), *score = body_2(b, weight, bias, "Add");
    body_set(b, 1, score);
    body_set(b, 2, weight);
    if (body_wants(b, 0) && !b->status)
        body_set(b, 0, body_cast(b, chosen(b, weight, score), x->type.dtype));
}

// clang-format off
static const op_def router = {
    .domain = "com.microsoft", .name = "MoEGroupRouter", .since = 1,
    .signature = "logits:T, expert_bias:float32, projection_weight:T? -> "
                 "router_probs:T?, selection_scores:F?, router_weights:F?",
    .types = "T=float F=float32",
    .attrs = "group_topk:int=2 n_group:int=1 router_sentinel:float=-10000 top_k:int! "
             "topk_group:int=1",
    .infer = infer_router, .decompose = decompose_router};

const op_def *const ops_group_router[] = {&router, NULL};
// clang-format on
