/* ms_sparse.c - SparseAttention of com.microsoft: causal attention over a cache, where a block of
 * queries reads some blocks of keys only.
 *
 * Row r of a layout lists the blocks of keys that block r of queries reads: columns[rows[r]] to
 * columns[rows[r + 1] - 1]. Head h goes by layout h modulo the number of layouts. */
#include "ops/attend.h"

enum { QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE, ROWS, COLUMNS, TOTAL, LENGTHS, COSINES, SINES };

static heed_status infer_sparse(op_infer *c)
{
    int64_t heads, kv_heads, block = ir_attr_int(c->node, "sparse_block_size", 0);
    TRY(attend_infer_heads(c, "num_heads", &heads, &kv_heads));
    if (block <= 0)
        return infer_error(c, "a positive sparse_block_size", "%lld", (long long)block);
    if (infer_rank(c, QUERY) >= 0 && infer_rank(c, QUERY) != 3)
        return infer_error(c, "a query of rank 3", "rank %d", infer_rank(c, QUERY));
    ir_dim dims[] = {infer_dim(c, QUERY, 0), infer_dim(c, QUERY, 1), infer_dim(c, QUERY, 2)};
    if (!infer_has(c, KEY))
        dims[2] = dims_mul(c->dims, heads, dims_floor_div(c->dims, dims[2], heads + 2 * kv_heads));
    TRY(infer_set(c, 0, 0, 3, dims));
    TRY(infer_set_like(c, 1, PAST_KEY));
    return infer_set_like(c, 2, PAST_VALUE);
}

/* [layouts, blocks + 1, blocks]: is it read? Entries of the padding of `columns` fall into the last
 * row. */
static ir_value *layouts(op_body *b)
{
    ir_value *rows = body_cast(b, body_in(b, ROWS), HEED_INT64);
    ir_value *columns = body_cast(b, body_in(b, COLUMNS), HEED_INT64);
    ir_value *entries = body_range(b, body_size(b, columns, 1));
    ir_value *ends = body_unsqueeze(b, body_part(b, rows, 1, 1, INT64_MAX), "1");
    ir_value *behind = body_2(b, body_unsqueeze(b, entries, "1"), ends, "GreaterOrEqual");
    ir_value *row = body_2(b, body_cast(b, behind, HEED_INT64), body_ints(b, 1, (int64_t[]){2}),
                           "ReduceSum keepdims=0");
    ir_value *layout = body_unsqueeze(b, body_range(b, body_size(b, rows, 0)), "1");
    layout = body_2(b, layout, body_1(b, columns, "Shape"), "Expand");
    ir_value *at[] = {body_unsqueeze(b, layout, "2"), body_unsqueeze(b, row, "2"),
                      body_unsqueeze(b, body_2(b, columns, body_int(b, 0), "Max"), "2")};
    ir_value *count = body_dim(b, rows, 1);
    ir_value *dims[] = {body_dim(b, rows, 0), count,
                        body_2(b, count, body_ints(b, 1, (int64_t[]){1}), "Sub")};
    ir_value *zeros = body_2(b, body_int(b, 0), body_n(b, 3, dims, "Concat axis=0"), "Expand");
    ir_value *ones = body_2(b, body_int(b, 1), body_1(b, columns, "Shape"), "Expand");
    zeros = body_3(b, zeros, body_n(b, 3, at, "Concat axis=2"), ones, "ScatterND");
    return body_cast(b, zeros, HEED_BOOL);
}

/* The block of each position, as far as there are blocks. */
static ir_value *block_of(op_body *b, ir_value *at, ir_value *read)
{
    int64_t size = ir_attr_int(b->node, "sparse_block_size", 1);
    ir_value *last = body_2(b, body_size(b, read, 2), body_int(b, 1), "Sub");
    return body_2(b, body_2(b, at, body_int(b, size), "Div"), last, "Min");
}

/* Which keys a query may read: [B, heads, S, M]. `at` [B, S] are the positions of the queries. */
static ir_value *readable(op_body *b, const attend *a, ir_value *at)
{
    ir_value *read = layouts(b), *keys = body_range(b, body_size(b, a->k, 2));
    ir_value *all = body_2(b, read, block_of(b, at, read), "Gather axis=1");
    all = body_2(b, all, block_of(b, keys, read), "Gather axis=3"); /* [layouts, B, S, M] */
    ir_value *one = body_ints(b, 1, (int64_t[]){1});
    ir_value *times[] = {one, body_2(b, body_dim(b, a->q, 1), body_dim(b, read, 0), "Div"), one,
                         one};
    return body_2(b, body_transpose(b, all, "1,0,2,3"), body_n(b, 4, times, "Concat axis=0"),
                  "Tile");
}

static void decompose_sparse(op_body *b)
{
    attend a = {.scale = ir_attr_float(b->node, "scale", 0), .causal = true};
    if (!attend_read_grouped(b, &a))
        return;
    a.lengths = attend_list(b, body_in(b, LENGTHS));
    a.offsets = body_2(b, body_2(b, a.lengths, body_dim(b, a.q, 2), "Sub"), body_int(b, 0), "Max");
    ir_value *at =
        body_2(b, body_unsqueeze(b, a.offsets, "1"), body_range(b, body_size(b, a.q, 2)), "Add");
    if (ir_attr_int(b->node, "do_rotary", 0)) {
        a.q = attend_turn(b, a.q, body_in(b, COSINES), body_in(b, SINES), at);
        a.k = attend_turn(b, a.k, body_in(b, COSINES), body_in(b, SINES), at);
    }
    a.k = attend_append(b, body_in(b, PAST_KEY), a.k, a.offsets);
    a.v = attend_append(b, body_in(b, PAST_VALUE), a.v, a.offsets);
    body_set(b, 1, a.k);
    body_set(b, 2, a.v);
    a.bias = readable(b, &a, at);
    body_set(b, 0, heads_merge(b, attend_run(b, &a)));
}

// clang-format off
static const op_def sparse = {
    .domain = "com.microsoft", .name = "SparseAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "query:T, key:T?, value:T?, past_key:T, past_value:T, block_row_indices:M, "
                 "block_col_indices:M, total_sequence_length:M, key_total_sequence_lengths:M, "
                 "cos_cache:T?, sin_cache:T? -> output:T, present_key:T?, present_value:T?",
    .types = "T=float M=int32|int64",
    .attrs = "num_heads:int! kv_num_heads:int! scale:float=0 sparse_block_size:int! "
             "do_rotary:int=0 rotary_interleaved:int=0",
    .infer = infer_sparse, .decompose = decompose_sparse};

const op_def *const ops_ms_sparse[] = {&sparse, NULL};
// clang-format on
