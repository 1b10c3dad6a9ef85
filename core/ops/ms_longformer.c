/* ms_longformer.c - LongformerAttention of com.microsoft: each token attends to `window` tokens on
 * either side and to those that are flagged as global; these attend to all, with a projection of
 * their own. */
#include <math.h>

#include "ops/attend.h"

enum { INPUT, WEIGHT, BIAS, MASK, GLOBAL_WEIGHT, GLOBAL_BIAS, GLOBAL };

/* Queries, keys and values of all tokens. */
static void project(op_body *b, attend *a, uint32_t weight)
{
    ir_value *out[3], *x = body_2(b, body_in(b, INPUT), body_in(b, weight), "MatMul");
    int64_t heads = attend_heads(b, "num_heads");
    x = body_2(b, x, body_in(b, weight + 1), "Add");
    body_nodes(b, 1, &x, 3, out, "Split axis=2 num_outputs=3");
    a->q = attend_split(b, out[0], heads);
    a->k = attend_split(b, out[1], heads);
    a->v = attend_split(b, out[2], heads);
}

/* What a local row adds to a key's score: [B, 1, S, S]. */
static ir_value *local_bias(op_body *b, ir_value *is_global, ir_value *mask)
{
    int64_t window = ir_attr_int(b->node, "window", 0);
    ir_value *at = body_range(b, body_size(b, body_in(b, INPUT), 1));
    ir_value *apart = body_1(b, body_2(b, body_unsqueeze(b, at, "1"), at, "Sub"), "Abs");
    ir_value *is_near = body_2(b, apart, body_int(b, window), "LessOrEqual");
    ir_value *visible = body_2(b, is_near, body_unsqueeze(b, is_global, "1,2"), "Or");
    return b->status ? NULL : body_3(b, visible, mask, body_like(b, -HUGE_VAL, mask), "Where");
}

static void decompose_longformer(op_body *b)
{
    attend local = {0}, global = {0};
    ir_value *flags = body_in(b, GLOBAL);
    if (body_rank(b, body_in(b, INPUT)) != 3 || ir_attr_int(b->node, "window", 0) < 0)
        body_fail(b, HEED_INVALID, "an input of rank 3 and a window of 0 or more");
    if (b->status)
        return;
    ir_value *is_global = body_2(b, flags, body_like(b, 0, flags), "Greater"); /* [B, S] */
    ir_value *mask = body_unsqueeze(b, body_in(b, MASK), "1,2");
    project(b, &local, WEIGHT);
    project(b, &global, GLOBAL_WEIGHT);
    local.bias = local_bias(b, is_global, mask);
    global.bias = mask;
    ir_value *near = heads_merge(b, attend_run(b, &local));
    ir_value *far = heads_merge(b, attend_run(b, &global));
    body_set(b, 0, body_3(b, body_unsqueeze(b, is_global, "2"), far, near, "Where"));
}

// clang-format off
static const op_def longformer = {
    .domain = "com.microsoft", .name = "LongformerAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "input:T, weight:T, bias:T, mask:T, global_weight:T, global_bias:T, global:G "
                 "-> output:T",
    .types = "T=float G=int32|int64", .attrs = "num_heads:int! window:int!",
    .infer = infer_same, .decompose = decompose_longformer};

const op_def *const ops_ms_longformer[] = {&longformer, NULL};
// clang-format on
