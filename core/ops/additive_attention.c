/* additive_attention.c - heed.AdditiveAttention: scores from a small network instead of a product
 * (Bahdanau 2015).
 *
 *     scores = scale * sum over d of w[d] * tanh(Q[i, d] + K[j, d]);  Y = softmax(mask(scores)) V
 *
 * Q is [B, H, Sq, D], K is [B, H, Skv, D], V is [B, H, Skv, Dv], w is [D] or, one a head, [H, D]. A
 * float bias is added and a bool mask (true: attend) hides; both broadcast to [B, H, Sq, Skv]. A
 * hidden score becomes `fill`, before the bias is added when fill_first = 1. With empty = guard
 * weights that are not numbers become 0. `weights` is the softmax's result. Layouts say how the
 * axes lie in memory, as in heed.Attention.
 *
 * Separate from attention.c because nothing here is a product of queries and keys. The body holds
 * Sq x Skv x D numbers; a kernel need not. */
#include <math.h>
#include <string.h>

#include "ops/heads.h"

enum { Q, K, V, W, BIAS, MASK };

/* Right-aligned with the scores' dims: 1 or equal. */
static heed_status check_broadcast(const op_infer *c, uint32_t input, const ir_dim *scores)
{
    int32_t rank = infer_rank(c, input);
    if (rank > 4)
        return infer_error(c, "a mask or bias of at most 4 dims", "%d", rank);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim have = infer_dim(c, input, i), want = scores[4 - rank + i];
        if (dim_known(have) && dim_known(want) && have != 1 && have != want)
            return infer_error(c, "a mask or bias that broadcasts to the scores",
                               "%lld for %lld on axis %d", (long long)have, (long long)want, i);
    }
    return HEED_OK;
}

static heed_status check_weights(const op_infer *c, ir_dim heads, ir_dim channels)
{
    int32_t rank = infer_rank(c, W);
    if (rank < 0)
        return HEED_OK;
    if (rank != 1 && rank != 2)
        return infer_error(c, "weights of rank 1 or 2", "%d", rank);
    ir_dim want[2] = {heads, channels};
    for (int32_t i = 0; i < rank; i++) {
        ir_dim have = infer_dim(c, W, i), due = want[2 - rank + i];
        if (dim_known(have) && dim_known(due) && have != due)
            return infer_error(c, "a weight for each channel", "%lld for %lld on axis %d",
                               (long long)have, (long long)due, i);
    }
    return HEED_OK;
}

static heed_status infer_additive(op_infer *c)
{
    static const char *const attrs[] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    ir_dim scores[4];
    heads_layout layouts[4];
    const char *empty = ir_attr_string(c->node, "empty", "nan");
    for (size_t i = 0; i < 4; i++)
        if (!heads_layout_read(c->node, attrs[i], &layouts[i]))
            return infer_error(c, "a layout of the letters b, h, s, d", "%s", attrs[i]);
    if (strcmp(empty, "nan") != 0 && strcmp(empty, "guard") != 0)
        return infer_error(c, "empty rows as nan or guard", "%s", empty);
    TRY(heads_infer_in(c, layouts, &layouts[3], true, scores));
    ir_dim heads = infer_dim(c, K, layouts[K].place[1]);
    if (dim_known(heads) && dim_known(scores[1]) && heads != scores[1])
        return infer_error(c, "as many key heads as query heads", "%lld and %lld", (long long)heads,
                           (long long)scores[1]);
    if (c->n_out > 1)
        TRY(infer_set(c, 1, 0, 4, scores));
    TRY(check_weights(c, scores[1], infer_dim(c, Q, layouts[Q].place[3])));
    TRY(check_broadcast(c, BIAS, scores));
    return check_broadcast(c, MASK, scores);
}

/* ---- Body ----------------------------------------------------------------------------------- */

static ir_value *raw_scores(op_body *b, ir_value *q, ir_value *k)
{
    double scale = ir_attr_float(b->node, "scale", 1);
    ir_value *w = body_in(b, W);
    ir_value *t = body_2(b, body_unsqueeze(b, q, "3"), body_unsqueeze(b, k, "2"), "Add");
    w = body_unsqueeze(b, w, body_rank(b, w) == 2 ? "1,3" : "1"); /* [H, 1, D, 1] or [D, 1] */
    t = body_2(b, body_1(b, t, "Tanh"), w, "MatMul");
    t = body_2(b, t, body_ints(b, 1, (int64_t[]){-1}), "Squeeze");
    return scale == 1 || b->status ? t : body_2(b, t, body_like(b, scale, t), "Mul");
}

static ir_value *masked(op_body *b, ir_value *scores)
{
    double fill = ir_attr_float(b->node, "fill", -(double)INFINITY);
    bool late = ir_attr_int(b->node, "fill_first", 0) != 0;
    ir_value *bias = body_in(b, BIAS);
    if (bias && !b->status)
        bias = body_cast(b, bias, scores->type.dtype);
    if (bias && !late)
        scores = body_2(b, scores, bias, "Add");
    if (body_in(b, MASK) && !b->status)
        scores = body_3(b, body_in(b, MASK), scores, body_like(b, fill, scores), "Where");
    return bias && late ? body_2(b, scores, bias, "Add") : scores;
}

static ir_value *weights_of(op_body *b, ir_value *scores)
{
    heed_dtype inner = (heed_dtype)ir_attr_int(b->node, "softmax_precision", 0);
    if (b->status)
        return NULL;
    heed_dtype type = scores->type.dtype;
    ir_value *p = body_1(b, body_cast(b, scores, inner ? inner : type), "Softmax axis=-1");
    p = b->status ? NULL : body_cast(b, p, type);
    if (b->status || strcmp(ir_attr_string(b->node, "empty", "nan"), "guard") != 0)
        return p;
    return body_3(b, body_1(b, p, "IsNaN"), body_like(b, 0, p), p, "Where");
}

static void decompose_additive(op_body *b)
{
    static const char *const attrs[] = {"q_layout", "k_layout", "v_layout", "y_layout"};
    heads_layout layouts[4];
    ir_value *in[3];
    for (uint32_t i = Q; i <= V; i++)
        if (body_rank(b, body_in(b, i)) != 4)
            return;
    for (uint32_t i = 0; i < 4; i++)
        heads_layout_read(b->node, attrs[i], &layouts[i]); /* inference has checked them */
    for (uint32_t i = Q; i <= V; i++)
        in[i] = heads_from(b, body_in(b, i), &layouts[i]);
    ir_value *p = weights_of(b, masked(b, raw_scores(b, in[Q], in[K])));
    body_set(b, 0, heads_to(b, body_2(b, p, in[V], "MatMul"), &layouts[3]));
    if (body_wants(b, 1))
        body_set(b, 1, p);
}

// clang-format off
static const op_def additive = {
    .domain = "heed", .name = "AdditiveAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "Q:T, K:T, V:T, w:T, bias:T?, mask:bool? -> Y:T, weights:T?",
    .types = "T=float",
    .attrs = "proof:string mask_kinds:string scale:float=1 fill:float=-inf fill_first:int=0 softmax_precision:int=0 "
             "empty:string=nan q_layout:string=bhsd k_layout:string=bhsd v_layout:string=bhsd "
             "y_layout:string=bhsd",
    .infer = infer_additive, .decompose = decompose_additive};
// clang-format on

const op_def *const ops_additive_attention[] = {&additive, NULL};
