/* ms_position_bias.c - what is added to scores for how far query and key are apart:
 * RelativePositionBias (by buckets, which widen with the distance) and GatedRelativePositionBias of
 * com.microsoft. */
#include <math.h>

#include "ops/attend.h"

/* ---- RelativePositionBias ------------------------------------------------------------------- */

static heed_status infer_relative(op_infer *c)
{
    ir_dim dims[] = {1, infer_dim(c, 0, 1), DIM_UNKNOWN, DIM_UNKNOWN};
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "a table of rank 2", "rank %d", infer_rank(c, 0));
    if (ir_attr_int(c->node, "max_distance", 0) <= 0)
        return infer_error(c, "a positive max_distance", "%lld",
                           (long long)ir_attr_int(c->node, "max_distance", 0));
    for (uint32_t i = 1; i <= 2; i++) {
        const ir_dim *length;
        int64_t n;
        if (infer_ints(c, i, &length, &n) && n == 1)
            dims[1 + i] = length[0];
    }
    return infer_set(c, 0, 0, 4, dims);
}

static ir_value *plus(op_body *b, ir_value *x, ir_value *y) { return body_2(b, x, y, "Add"); }

/* Distances of at least `exact`: buckets that widen as logarithms do. max_distance is where they
 * end in a table of 32 buckets, the half of which (a quarter, for both directions) is exact; it
 * means the same widening whatever the table, since that is how such nodes are made. */
static ir_value *far_bucket(op_body *b, ir_value *distance, ir_value *exact, ir_value *buckets)
{
    double most = (double)ir_attr_int(b->node, "max_distance", 1);
    double span = log(most / (ir_attr_int(b->node, "is_bidirectional", 0) ? 8 : 16));
    ir_value *x = body_cast(b, body_2(b, distance, body_int(b, 1), "Max"), HEED_FLOAT32);
    x = body_1(b, body_2(b, x, body_cast(b, exact, HEED_FLOAT32), "Div"), "Log");
    x = body_2(b, x, body_number(b, HEED_FLOAT32, span), "Div");
    x = body_2(b, x, body_cast(b, body_2(b, buckets, exact, "Sub"), HEED_FLOAT32), "Mul");
    ir_value *last = body_2(b, buckets, body_int(b, 1), "Sub");
    x = body_3(b, x, body_like(b, 0, x), body_cast(b, last, HEED_FLOAT32), "Clip");
    return body_2(b, plus(b, exact, body_cast(b, x, HEED_INT64)), last, "Min");
}

/* int64 [query, key]. Both directions have half of the buckets each. */
static ir_value *bucket_of(op_body *b, ir_value *distance, ir_value *buckets)
{
    ir_value *zero = body_int(b, 0), *two = body_int(b, 2), *side = zero;
    if (ir_attr_int(b->node, "is_bidirectional", 0)) {
        buckets = body_2(b, buckets, two, "Div");
        side = body_3(b, body_2(b, distance, zero, "Greater"), buckets, zero, "Where");
        distance = body_1(b, distance, "Abs");
    } else {
        distance = body_2(b, body_1(b, distance, "Neg"), zero, "Max");
    }
    ir_value *exact = body_2(b, body_2(b, buckets, two, "Div"), body_int(b, 1), "Max");
    ir_value *is_near = body_2(b, distance, exact, "Less");
    ir_value *far = far_bucket(b, distance, exact, buckets);
    return plus(b, side, body_3(b, is_near, distance, far, "Where"));
}

/* The table's memory is [heads, buckets], though its shape says [buckets, heads]. */
static void decompose_relative(op_body *b)
{
    ir_value *table = body_in(b, 0);
    ir_value *dims[] = {body_dim(b, table, 1), body_dim(b, table, 0)};
    ir_value *lengths[2];
    for (uint32_t i = 0; i < 2; i++)
        lengths[i] = body_reshape(b, body_cast(b, body_in(b, 1 + i), HEED_INT64), "%s", "");
    ir_value *rows = body_unsqueeze(b, body_range(b, lengths[0]), "1");
    ir_value *distance = body_2(b, body_range(b, lengths[1]), rows, "Sub");
    ir_value *bucket = bucket_of(b, distance, body_size(b, table, 0));
    table = body_reshape_to(b, table, 2, dims);
    body_set(b, 0, body_unsqueeze(b, body_2(b, table, bucket, "Gather axis=1"), "0"));
}

/* ---- GatedRelativePositionBias -------------------------------------------------------------- */

enum { QUERY, QUERY_BIAS, POSITIONS, WEIGHT, BIAS, CONSTANT, OFFSETS };

static heed_status infer_gated(op_infer *c)
{
    int64_t heads = ir_attr_int(c->node, "num_heads", 0);
    uint32_t from = infer_has(c, OFFSETS) ? OFFSETS : QUERY;
    if (heads <= 0)
        return infer_error(c, "a positive num_heads", "%lld", (long long)heads);
    ir_dim rows = infer_dim(c, from, 1);
    return infer_set(c, 0, 0, 4, (ir_dim[]){infer_dim(c, from, 0), heads, rows, rows});
}

/* Sums of the two halves of the last axis: [B, H, S, 2]. */
static ir_value *half_sums(op_body *b, ir_value *x)
{
    ir_value *two = body_ints(b, 1, (int64_t[]){2});
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 1), body_dim(b, x, 2), two,
                        body_2(b, body_dim(b, x, 3), two, "Div")};
    return body_2(b, body_reshape_to(b, x, 5, dims), body_ints(b, 1, (int64_t[]){-1}),
                  "ReduceSum keepdims=0");
}

static void decompose_gated(op_body *b)
{
    ir_value *q = body_in(b, QUERY), *gates[2], *offsets = body_in(b, OFFSETS);
    if (offsets)
        q = body_2(b, q, offsets, "com.microsoft.RestorePadding");
    q = attend_split(b, plus(b, q, body_in(b, QUERY_BIAS)), attend_heads(b, "num_heads"));
    ir_value *x = plus(b, body_2(b, q, body_in(b, WEIGHT), "MatMul"), body_in(b, BIAS));
    x = body_1(b, half_sums(b, x), "Sigmoid");
    body_nodes(b, 1, &x, 2, gates, "Split axis=3 num_outputs=2");
    ir_value *gate = body_2(b, gates[1], body_in(b, CONSTANT), "Mul");
    gate = body_2(b, gate, body_like(b, 1, gate), "Sub");
    gate = body_2(b, gates[0], gate, "Mul");
    gate = plus(b, gate, body_like(b, 2, gate));
    body_set(b, 0, body_2(b, gate, body_in(b, POSITIONS), "Mul"));
}

// clang-format off
static const op_def relative = {
    .domain = "com.microsoft", .name = "RelativePositionBias", .since = 1,
    .signature = "bias_table:T, query_length:U, key_length:U -> output:T",
    .types = "T=float U=int32|int64", .attrs = "max_distance:int! is_bidirectional:int=0",
    .infer = infer_relative, .decompose = decompose_relative};
static const op_def gated = {
    .domain = "com.microsoft", .name = "GatedRelativePositionBias", .since = 1,
    .signature = "query_layer:T, query_bias:T, rel_pos:T, weight:T, bias:T, eco_a:T, "
                 "token_offset:M? -> output:T",
    .types = "T=float M=int32|int64", .attrs = "num_heads:int!",
    .infer = infer_gated, .decompose = decompose_gated};

const op_def *const ops_ms_position_bias[] = {&relative, &gated, NULL};
// clang-format on
