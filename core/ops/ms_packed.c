/* ms_packed.c - tokens without padding: RemovePadding and RestorePadding, and the attention
 * operators of com.microsoft that take such tokens.
 *
 * token_offset [B, S] lists where the tokens stand among B * S places: first those of the tokens
 * that are there, T of them, then those of padding. Sequence b has the tokens from
 * cumulative_sequence_length[b] to the next. */
#include "ops/attend.h"

/* The places of the first T tokens, int64 [T]; x is [T, ...]. */
static ir_value *places(op_body *b, ir_value *x, ir_value *offsets)
{
    return body_slice(b, attend_list(b, offsets), 0, NULL, body_dim(b, x, 0));
}

/* [T, H] to [B, S, H], with zeros for padding. */
static ir_value *restore(op_body *b, ir_value *x, ir_value *offsets)
{
    ir_value *width = body_dim(b, x, 1), *shape = body_1(b, offsets, "Shape");
    ir_value *count = body_1(b, shape, "ReduceProd");
    ir_value *zeros = body_2(b, body_like(b, 0, x), body_concat(b, count, width, 0), "Expand");
    ir_value *at = body_unsqueeze(b, places(b, x, offsets), "1");
    ir_value *all = body_3(b, zeros, at, x, "ScatterND");
    return body_2(b, all, body_concat(b, shape, width, 0), "Reshape");
}

/* [B, S, H] to [T, H], for the tokens of `like` [T, ...]. */
static ir_value *collect(op_body *b, ir_value *x, ir_value *offsets, ir_value *like)
{
    ir_value *dims[] = {body_2(b, body_dim(b, x, 0), body_dim(b, x, 1), "Mul"), body_dim(b, x, 2)};
    return body_2(b, body_reshape_to(b, x, 2, dims), places(b, like, offsets), "Gather axis=0");
}

/* ---- RemovePadding and RestorePadding ------------------------------------------------------- */

static heed_status infer_remove(op_infer *c)
{
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 3)
        return infer_error(c, "an input of rank 3", "rank %d", infer_rank(c, 0));
    ir_dim batch = infer_dim(c, 0, 0), one = 1, sums = dims_add(c->dims, batch, 1);
    ir_dim tokens[] = {c->dims ? dims_fresh(c->dims) : DIM_UNKNOWN, infer_dim(c, 0, 2)};
    TRY(infer_set(c, 0, 0, 2, tokens));
    TRY(infer_set(c, 1, 0, 2, (ir_dim[]){batch, infer_dim(c, 0, 1)}));
    TRY(infer_set(c, 2, 0, 1, &sums));
    return infer_set(c, 3, 0, 1, &one);
}

static void decompose_remove(op_body *b)
{
    ir_value *x = body_in(b, 0), *given = body_in(b, 1), *counts = attend_list(b, given);
    ir_value *rows = body_range(b, body_size(b, x, 1));
    ir_value *is_there = body_2(b, rows, body_unsqueeze(b, counts, "1"), "Less");
    ir_value *flat = body_reshape(b, is_there, "-1");
    ir_value *kept = body_reshape(b, body_1(b, flat, "NonZero"), "-1");
    ir_value *rest = body_reshape(b, body_1(b, body_1(b, flat, "Not"), "NonZero"), "-1");
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 1)};
    ir_value *offsets = body_reshape_to(b, body_concat(b, kept, rest, 0), 2, dims);
    ir_value *zero = body_ints(b, 1, (int64_t[]){0});
    ir_value *sums = body_2(b, counts, body_int(b, 0), "CumSum");
    if (b->status)
        return;
    heed_dtype type = given->type.dtype;
    body_set(b, 0, collect(b, x, kept, kept));
    body_set(b, 1, body_cast(b, offsets, type));
    body_set(b, 2, body_cast(b, body_concat(b, zero, sums, 0), type));
    body_set(b, 3, body_cast(b, body_2(b, counts, zero, "ReduceMax"), type));
}

static heed_status infer_restore(op_infer *c)
{
    ir_dim dims[] = {infer_dim(c, 1, 0), infer_dim(c, 1, 1), infer_dim(c, 0, 1)};
    for (uint32_t i = 0; i < 2; i++)
        if (infer_rank(c, i) >= 0 && infer_rank(c, i) != 2)
            return infer_error(c, "inputs of rank 2", "rank %d", infer_rank(c, i));
    return infer_set(c, 0, 0, 3, dims);
}

static void decompose_restore(op_body *b)
{
    body_set(b, 0, restore(b, body_in(b, 0), body_in(b, 1)));
}

/* ---- Attention ------------------------------------------------------------------------------ */

/* Queries, keys and values, [T, heads * D] each. */
static void attend_tokens(op_body *b, ir_value **qkv, ir_value *offsets, ir_value *sums,
                          ir_value *bias)
{
    int64_t heads = attend_heads(b, "num_heads");
    attend a = {.bias = bias, .scale = ir_attr_float(b->node, "scale", 0)};
    sums = attend_list(b, sums);
    ir_value *ends = body_part(b, sums, 0, 1, INT64_MAX);
    a.q = attend_split(b, restore(b, qkv[0], offsets), heads);
    a.k = attend_split(b, restore(b, qkv[1], offsets), heads);
    a.v = attend_split(b, restore(b, qkv[2], offsets), heads);
    a.lengths = body_2(b, ends, body_part(b, sums, 0, 0, -1), "Sub");
    body_set(b, 0, collect(b, heads_merge(b, attend_run(b, &a)), offsets, qkv[0]));
}

static heed_status infer_tokens(op_infer *c, ir_dim width)
{
    return infer_set(c, 0, 0, 2, (ir_dim[]){infer_dim(c, 0, 0), width});
}

static heed_status infer_packed(op_infer *c)
{
    uint64_t n;
    const int64_t *sizes = ir_attr_ints(c->node, "qkv_hidden_sizes", &n);
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "an input of rank 2", "rank %d", infer_rank(c, 0));
    if (sizes && n == 3 && sizes[2] >= 0)
        return infer_tokens(c, sizes[2]);
    return infer_tokens(c, dims_floor_div(c->dims, infer_dim(c, 1, 1), 3));
}

static void decompose_packed(op_body *b)
{
    uint64_t n;
    const int64_t *sizes = ir_attr_ints(b->node, "qkv_hidden_sizes", &n);
    ir_value *out[3], *all = body_2(b, body_in(b, 0), body_in(b, 1), "MatMul");
    ir_value *in[] = {attend_add(b, all, body_in(b, 2)), NULL};
    if (sizes && n == 3) {
        in[1] = body_ints(b, 3, sizes);
        body_nodes(b, 2, in, 3, out, "Split axis=1");
    } else {
        body_nodes(b, 1, in, 3, out, "Split axis=1 num_outputs=3");
    }
    attend_tokens(b, out, body_in(b, 3), body_in(b, 4), body_in(b, 5));
}

static heed_status infer_multi(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank >= 0 && rank != 2 && rank != 4)
        return infer_error(c, "a query of rank 2 or 4", "rank %d", rank);
    if (rank == 4)
        return infer_tokens(c, dims_mul(c->dims, infer_dim(c, 0, 1), infer_dim(c, 0, 3)));
    return infer_tokens(c, infer_dim(c, 2, 1));
}

/* [T, heads, 3, D] as three tensors [T, heads * D]. */
static void unpack(op_body *b, ir_value *x, ir_value **out)
{
    ir_value *dims[] = {body_dim(b, x, 0), body_2(b, body_dim(b, x, 1), body_dim(b, x, 3), "Mul")};
    x = body_transpose(b, x, "2,0,1,3");
    for (uint32_t i = 0; i < 3; i++)
        out[i] = body_reshape_to(b, attend_pick(b, x, i), 2, dims);
}

static void decompose_multi(op_body *b)
{
    ir_value *qkv[] = {body_in(b, 0), body_in(b, 1), body_in(b, 2)}, *bias = body_in(b, 3);
    ir_value *start = NULL;
    if (body_rank(b, qkv[0]) == 4)
        unpack(b, qkv[0], qkv);
    if (!b->status && (!qkv[1] || !qkv[2]))
        body_fail(b, HEED_INVALID, "key and value are missing");
    for (uint32_t i = 0; i < 3 && bias; i++) {
        ir_value *size = body_dim(b, qkv[i], 1);
        ir_value *end = start ? body_2(b, start, size, "Add") : size;
        qkv[i] = body_2(b, qkv[i], body_slice(b, bias, 0, start, end), "Add");
        start = end;
    }
    attend_tokens(b, qkv, body_in(b, 4), body_in(b, 5), body_in(b, 6));
}

// clang-format off
static const op_def remove_padding = {
    .domain = "com.microsoft", .name = "RemovePadding", .since = 1,
    .signature = "input:T, sequence_token_count:M "
                 "-> output:T, token_offset:M?, cumulated_seq_len:M?, max_seq_len:M?",
    .types = "T=float M=int32|int64",
    .infer = infer_remove, .decompose = decompose_remove};
static const op_def restore_padding = {
    .domain = "com.microsoft", .name = "RestorePadding", .since = 1,
    .signature = "input:T, token_offset:M -> output:T", .types = "T=float M=int32|int64",
    .infer = infer_restore, .decompose = decompose_restore};
static const op_def packed = {
    .domain = "com.microsoft", .name = "PackedAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "input:T, weights:T, bias:T?, token_offset:M, cumulative_sequence_length:M, "
                 "attention_bias:T? -> output:T",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! qkv_hidden_sizes:ints scale:float=0",
    .infer = infer_packed, .decompose = decompose_packed};
static const op_def packed_multi = {
    .domain = "com.microsoft", .name = "PackedMultiHeadAttention", .since = 1,
    .flags = OP_ATTENTION,
    .signature = "query:T, key:T?, value:T?, bias:T?, token_offset:M, "
                 "cumulative_sequence_length:M, attention_bias:T? -> output:T",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! mask_filter_value:float=-10000 scale:float=0",
    .infer = infer_multi, .decompose = decompose_multi};

const op_def *const ops_ms_packed[] = {&remove_padding, &restore_padding, &packed, &packed_multi,
                                       NULL};
// clang-format on
