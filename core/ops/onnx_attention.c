/* onnx_attention.c - the standard's Attention, in the newest form (25): heads side by side or
 * apart, past and present keys, lengths of a cache kept outside. The rest is heed.Attention. */
#include <string.h>

#include "ops/heads.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, LENGTHS };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };

static int64_t heads_of(const ir_node *n, uint32_t i)
{
    return ir_attr_int(n, i == Q ? "q_num_heads" : "kv_num_heads", 0);
}

/* ---- Inference ------------------------------------------------------------------------------ */

static heed_status check(const op_infer *c)
{
    int64_t left = ir_attr_int(c->node, "left_window_size", -1);
    int64_t right = ir_attr_int(c->node, "right_window_size", -1);
    if (infer_has(c, PAST_KEY) != infer_has(c, PAST_VALUE))
        return infer_error(c, "past_key and past_value together", "one of them");
    if (infer_has(c, LENGTHS) && infer_has(c, PAST_KEY))
        return infer_error(c, "nonpad_kv_seqlen or past_key", "both");
    if (left < -1 || right < -1)
        return infer_error(c, "windows of -1 or more", "%lld and %lld", (long long)left,
                           (long long)right);
    return HEED_OK;
}

/* Keys or values with what was before them. */
static heed_status total_dims(const op_infer *c, uint32_t i, uint32_t past, ir_dim out[4])
{
    TRY(heads_dims(c, i, heads_of(c->node, i), out));
    if (!infer_has(c, past))
        return HEED_OK;
    if (infer_rank(c, past) >= 0 && infer_rank(c, past) != 4)
        return infer_error(c, "a past of rank 4", "rank %d", infer_rank(c, past));
    out[2] = dims_add(c->dims, out[2], infer_dim(c, past, 2));
    return HEED_OK;
}

static heed_status set_output(op_infer *c, const ir_dim *q, const ir_dim *v)
{
    ir_dim dims[] = {q[0], q[1], q[2], v[3]};
    if (infer_rank(c, Q) == 4)
        return infer_set(c, Y, 0, 4, dims);
    dims[1] = q[2];
    dims[2] = dims_mul(c->dims, q[1], v[3]);
    return infer_set(c, Y, 0, 3, dims);
}

static heed_status set_unknown(op_infer *c)
{
    TRY(infer_set_unknown(c, Y, 0, infer_rank(c, Q)));
    for (uint32_t o = PRESENT_KEY; o < c->n_out; o++)
        TRY(infer_set_unknown(c, o, 0, 4));
    return HEED_OK;
}

static heed_status infer_attention(op_infer *c)
{
    ir_dim q[4], k[4], v[4];
    TRY(check(c));
    for (uint32_t i = Q; i <= V; i++)
        if (infer_rank(c, i) < 0)
            return set_unknown(c);
    TRY(heads_dims(c, Q, heads_of(c->node, Q), q));
    TRY(total_dims(c, K, PAST_KEY, k));
    TRY(total_dims(c, V, PAST_VALUE, v));
    TRY(set_output(c, q, v));
    if (c->n_out > PRESENT_KEY)
        TRY(infer_set(c, PRESENT_KEY, 0, 4, k));
    if (c->n_out > PRESENT_VALUE)
        TRY(infer_set(c, PRESENT_VALUE, 0, 4, v));
    q[3] = k[2];
    return c->n_out > SCORES ? infer_set(c, SCORES, 0, 4, q) : HEED_OK;
}

/* ---- Body ----------------------------------------------------------------------------------- */

static ir_value *with_heads(op_body *b, uint32_t i)
{
    ir_value *x = body_in(b, i);
    return body_rank(b, x) == 3 ? heads_split(b, x, heads_of(b->node, i)) : x;
}

static ir_value *with_past(op_body *b, uint32_t i, uint32_t past)
{
    ir_value *x = with_heads(b, i);
    return body_in(b, past) ? body_concat(b, body_in(b, past), x, 2) : x;
}

/* An explicit scale of 0 is one; heed.Attention takes it for the default. */
static ir_value *query(op_body *b)
{
    ir_value *q = with_heads(b, Q);
    return ir_attr_float(b->node, "scale", 1) != 0 ? q : body_2(b, q, body_like(b, 0, q), "Mul");
}

/* How many keys stand before the queries: NULL is none. */
static ir_value *offsets(op_body *b, ir_value *q)
{
    if (body_in(b, PAST_KEY))
        return body_dim(b, body_in(b, PAST_KEY), 2);
    if (body_in(b, LENGTHS))
        return body_2(b, body_in(b, LENGTHS), body_dim(b, q, 2), "Sub");
    return NULL;
}

static bool positional(const ir_node *n)
{
    return ir_attr_int(n, "is_causal", 0) || ir_attr_int(n, "left_window_size", -1) >= 0 ||
           ir_attr_int(n, "right_window_size", -1) >= 0;
}

static void attend(op_body *b, ir_value *k, ir_value *v, ir_value **out)
{
    const ir_node *n = b->node;
    ir_value *q = query(b);
    if (b->status)
        return;
    ir_value *in[] = {q,
                      k,
                      body_cast(b, v, q->type.dtype),
                      body_in(b, MASK),
                      body_in(b, LENGTHS),
                      positional(n) ? offsets(b, q) : NULL};
    body_nodes(b, 6, in, 2, out,
               "heed.Attention short_mask=1 scale=%.17g softcap=%.17g causal=%d left_window=%lld "
               "right_window=%lld scores=%lld softmax_precision=%lld",
               ir_attr_float(n, "scale", 0), ir_attr_float(n, "softcap", 0),
               ir_attr_int(n, "is_causal", 0) != 0,
               (long long)ir_attr_int(n, "left_window_size", -1),
               (long long)ir_attr_int(n, "right_window_size", -1),
               (long long)ir_attr_int(n, "qk_matmul_output_mode", 0),
               (long long)ir_attr_int(n, "softmax_precision", 0));
}

static void decompose_attention(op_body *b)
{
    ir_value *out[2] = {NULL, NULL};
    ir_value *k = with_past(b, K, PAST_KEY), *v = with_past(b, V, PAST_VALUE);
    attend(b, k, v, out);
    body_set(b, Y, body_rank(b, body_in(b, Q)) == 3 ? heads_merge(b, out[0]) : out[0]);
    body_set(b, PRESENT_KEY, k);
    body_set(b, PRESENT_VALUE, v);
    body_set(b, SCORES, out[1]);
}

// clang-format off
static const op_def attention = {
    .domain = "", .name = "Attention", .since = 25, .flags = OP_ATTENTION,
    .signature = "Q:T, K:T, V:S, attn_mask:U?, past_key:T?, past_value:S?, "
                 "nonpad_kv_seqlen:int64? -> "
                 "Y:T, present_key:T?, present_value:S?, qk_matmul_output:T?",
    .types = "T=float S=float U=bool|real",
    .attrs = "is_causal:int=0 scale:float softcap:float=0 q_num_heads:int kv_num_heads:int "
             "qk_matmul_output_mode:int=0 softmax_precision:int left_window_size:int=-1 "
             "right_window_size:int=-1",
    .infer = infer_attention, .decompose = decompose_attention};

const op_def *const ops_onnx_attention[] = {&attention, NULL};
// clang-format on
