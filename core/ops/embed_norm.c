/* embed_norm.c - EmbedLayerNormalization of com.microsoft, where BERT begins, and its quantised
 * form. */
#include "ops/body.h"

/* Where the quantised form has another place for an input. */
typedef struct embedding {
    uint32_t mask, positions, first_scale;
} embedding;

static const embedding plain = {.mask = 7, .positions = 8};
static const embedding quantised = {.mask = 7, .positions = 18, .first_scale = 8};

static heed_status infer_embed(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    heed_dtype dtype = HEED_UNDEFINED;
    const embedding *e = c->op->data;
    if (e->first_scale)
        dtype = c->in[e->first_scale]->dtype;
    if (rank >= 0 && rank != 2)
        return infer_error(c, "input_ids [batch, sequence]", "rank %d", rank);
    ir_dim dims[3] = {infer_dim(c, 0, 0), infer_dim(c, 0, 1), infer_dim(c, 2, 1)};
    if (rank < 0 || infer_rank(c, 2) < 0) {
        TRY(infer_set_unknown(c, 0, dtype, 3));
        TRY(infer_set_unknown(c, 1, HEED_INT32, 1));
        return infer_set_unknown(c, 2, dtype, 3);
    }
    if (infer_rank(c, 2) != 2)
        return infer_error(c, "word_embedding [words, hidden]", "rank %d", infer_rank(c, 2));
    TRY(infer_set(c, 0, dtype, 3, dims));
    TRY(infer_set(c, 1, HEED_INT32, 1, dims));
    return infer_set(c, 2, dtype, 3, dims);
}

/* x, which is of table `which` (0: words, 1: positions, 2: segments, 3: gamma, 4: beta), as
 * numbers. */
static ir_value *numbers(op_body *b, uint32_t which, ir_value *x)
{
    const embedding *e = b->node->op->data;
    if (!e->first_scale)
        return x;
    return body_3(b, x, body_in(b, e->first_scale + which), body_in(b, e->first_scale + 5 + which),
                  "DequantizeLinear");
}

static ir_value *table(op_body *b, uint32_t which)
{
    return numbers(b, which, body_in(b, 2 + which));
}

/* A row for each id; ids are [batch or 1, sequence]. */
static ir_value *rows(op_body *b, uint32_t which, ir_value *ids)
{
    return numbers(b, which, body_2(b, body_in(b, 2 + which), ids, "Gather axis=0"));
}

static ir_value *positions(op_body *b, const embedding *e)
{
    ir_value *ids = body_in(b, e->positions);
    return ids ? ids : body_unsqueeze(b, body_range(b, body_size(b, body_in(b, 0), 1)), "0");
}

/* How many entries of each row of the mask are 1; zeros without a mask. */
static ir_value *mask_index(op_body *b, const embedding *e)
{
    ir_value *mask = body_in(b, e->mask), *axis = body_ints(b, 1, (int64_t[]){1});
    if (mask)
        mask = body_cast(b, body_2(b, mask, body_like(b, 1, mask), "Equal"), HEED_INT32);
    else
        mask = body_2(b, body_in(b, 0), body_like(b, 0, body_in(b, 0)), "Mul");
    return body_2(b, mask, axis, "ReduceSum keepdims=0");
}

static void decompose_embed(op_body *b)
{
    const embedding *e = b->node->op->data;
    ir_value *sum = rows(b, 0, body_in(b, 0));
    sum = body_2(b, sum, rows(b, 1, positions(b, e)), "Add");
    if (body_in(b, 1) && body_in(b, 4))
        sum = body_2(b, sum, rows(b, 2, body_in(b, 1)), "Add");
    else if (body_in(b, 1))
        body_fail(b, HEED_INVALID, "segment_ids without a segment_embedding");
    body_set(b, 0,
             body_3(b, sum, table(b, 3), table(b, 4), "LayerNormalization axis=-1 epsilon=%.9g",
                    ir_attr_float(b->node, "epsilon", 1e-12)));
    if (body_wants(b, 1))
        body_set(b, 1, mask_index(b, e));
    body_set(b, 2, sum);
}

// clang-format off
static const op_def embed = {
    .domain = "com.microsoft", .name = "EmbedLayerNormalization", .since = 1, .data = &plain,
    .signature = "input_ids:I, segment_ids:I?, word_embedding:T, position_embedding:T, "
                 "segment_embedding:T?, gamma:T, beta:T, mask:I?, position_ids:I? -> "
                 "output:T, mask_index:I?, embedding_sum:T?",
    .types = "T=float I=int32", .attrs = "epsilon:float=0.000000000001 mask_index_type:int",
    .infer = infer_embed, .decompose = decompose_embed};
static const op_def quantised_embed = {
    .domain = "com.microsoft", .name = "QEmbedLayerNormalization", .since = 1, .data = &quantised,
    .signature = "input_ids:I, segment_ids:I?, word_embedding:Q, position_embedding:Q, "
                 "segment_embedding:Q?, gamma:Q, beta:Q, mask:I?, word_scale:T, position_scale:T, "
                 "segment_scale:T?, gamma_scale:T, beta_scale:T, word_zero:Q, position_zero:Q, "
                 "segment_zero:Q?, gamma_zero:Q, beta_zero:Q, position_ids:I? -> "
                 "output:T, mask_index:I?",
    .types = "T=float I=int32 Q=int8|uint8", .attrs = "epsilon:float=0.000000000001",
    .infer = infer_embed, .decompose = decompose_embed};

const op_def *const ops_embed_norm[] = {&embed, &quantised_embed, NULL};
// clang-format on
