/* same.c - operators of com.microsoft, and of ai.onnx before it had them, that mean what one of
 * ai.onnx means today, up to the form of an input. */
#include "ops/body.h"

/* ---- Shapes: the body knows more; it stands in before anything is computed ------------------- */

static heed_status infer_unknown(op_infer *c, int32_t rank)
{
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set_unknown(c, o, 0, rank));
    return HEED_OK;
}

static heed_status infer_rank_of_data(op_infer *c) { return infer_unknown(c, infer_rank(c, 0)); }

static heed_status infer_vectors(op_infer *c) { return infer_unknown(c, 1); }

static heed_status infer_any(op_infer *c) { return infer_unknown(c, -1); }

static heed_status infer_expand_dims(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    return infer_unknown(c, rank < 0 || rank == TENSOR_MAX_RANK ? -1 : rank + 1);
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static void decompose_trilu(op_body *b)
{
    body_set(b, 0,
             body_2(b, body_in(b, 0), body_in(b, 1), "Trilu upper=%d",
                    ir_attr_int(b->node, "upper", 1) != 0));
}

static void decompose_gather_nd(op_body *b)
{
    ir_value *indices = body_cast(b, body_in(b, 1), HEED_INT64);
    body_set(b, 0, body_2(b, body_in(b, 0), indices, "GatherND"));
}

static void decompose_expand_dims(op_body *b)
{
    ir_value *axis = body_reshape(b, body_cast(b, body_in(b, 1), HEED_INT64), "1");
    body_set(b, 0, body_2(b, body_in(b, 0), axis, "Unsqueeze"));
}

/* A scalar from a tensor of one element. */
static ir_value *scalar(op_body *b, ir_value *x) { return x ? body_reshape(b, x, "%s", "") : NULL; }

static void decompose_range(op_body *b)
{
    ir_value *start = body_in(b, 0), *step = body_in(b, 2);
    step = step ? scalar(b, step) : body_like(b, 1, start);
    body_set(b, 0, body_3(b, scalar(b, start), scalar(b, body_in(b, 1)), step, "Range"));
}

static void decompose_pad(op_body *b)
{
    ir_value *pads = body_reshape(b, body_in(b, 1), "-1");
    body_set(b, 0,
             body_3(b, body_in(b, 0), pads, scalar(b, body_in(b, 2)), "Pad mode=%s",
                    body_word(b, "mode", "constant")));
}

static void decompose_unique(op_body *b)
{
    ir_value *x = body_in(b, 0), *out[4];
    body_nodes(b, 1, &x, 4, out, "Unique sorted=0");
    body_set(b, 0, out[0]);
    body_set(b, 1, out[2]);
    body_set(b, 2, out[3]);
}

static void decompose_dynamic_slice(op_body *b)
{
    ir_value *in[4];
    for (uint32_t i = 0; i < 4; i++)
        in[i] = body_in(b, i);
    body_set(b, 0, body_n(b, 4, in, "Slice"));
}

static void decompose_embedding(op_body *b)
{
    body_set(b, 0, body_2(b, body_in(b, 0), body_in(b, 1), "Gather axis=0"));
}

/* Only the last axis; longer signals would need what ai.onnx has no name for. */
static void check_signal(op_body *b)
{
    if (ir_attr_int(b->node, "signal_ndim", 1) != 1 || ir_attr_int(b->node, "normalized", 0) != 0 ||
        ir_attr_int(b->node, "onesided", 1) != 1)
        body_fail(b, HEED_UNSUPPORTED, "%s along more than one axis, or not one-sided",
                  b->node->op->name);
}

static void decompose_rfft(op_body *b)
{
    check_signal(b);
    ir_value *x = body_unsqueeze(b, body_in(b, 0), "-1");
    body_set(b, 0, body_3(b, x, NULL, body_int(b, -2), "DFT onesided=1"));
}

static void decompose_irfft(op_body *b)
{
    check_signal(b);
    ir_value *x = body_3(b, body_in(b, 0), NULL, body_int(b, -2), "DFT onesided=1 inverse=1");
    body_set(b, 0, body_2(b, x, body_ints(b, 1, (int64_t[]){-1}), "Squeeze"));
}

// clang-format off
static const op_def trilu = {
    .domain = "com.microsoft", .name = "Trilu", .since = 1,
    .signature = "X:T, k:int64? -> Y:T", .types = "T=any", .attrs = "upper:int=1",
    .infer = infer_same, .decompose = decompose_trilu};
static const op_def gather_nd = {
    .domain = "com.microsoft", .name = "GatherND", .since = 1,
    .signature = "data:T, indices:I -> output:T", .types = "T=any I=int32|int64",
    .infer = infer_any, .decompose = decompose_gather_nd};
static const op_def expand_dims = {
    .domain = "com.microsoft", .name = "ExpandDims", .since = 1,
    .signature = "X:T, axis:I -> Y:T", .types = "T=any I=int32|int64",
    .infer = infer_expand_dims, .decompose = decompose_expand_dims};
static const op_def range = {
    .domain = "com.microsoft", .name = "Range", .since = 1,
    .signature = "start:T, limit:T, delta:T? -> Y:T", .types = "T=real",
    .infer = infer_vectors, .decompose = decompose_range};
static const op_def pad = {
    .domain = "com.microsoft", .name = "Pad", .since = 1,
    .signature = "data:T, pads:int64, value:T? -> output:T", .types = "T=any",
    .attrs = "mode:string=constant",
    .infer = infer_rank_of_data, .decompose = decompose_pad};
static const op_def unique = {
    .domain = "com.microsoft", .name = "Unique", .since = 1,
    .signature = "x:T -> y:T, idx:int64?, counts:int64?", .types = "T=any",
    .infer = infer_vectors, .decompose = decompose_unique};
static const op_def sample = {
    .domain = "com.microsoft", .name = "SampleOp", .since = 1, .flags = OP_VIEW,
    .signature = "X:T -> Y:T", .types = "T=any",
    .infer = infer_same};
static const op_def embedding = {
    .domain = "com.microsoft", .name = "TorchEmbedding", .since = 1,
    .signature = "weight:T, indices:int64, padding_idx:int64?, scale_grad_by_freq:bool? -> Y:T",
    .types = "T=any",
    .infer = infer_any, .decompose = decompose_embedding};
static const op_def rfft = {
    .domain = "com.microsoft", .name = "Rfft", .since = 1,
    .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "normalized:int=0 onesided:int=1 signal_ndim:int=1",
    .infer = infer_expand_dims, .decompose = decompose_rfft};
static const op_def irfft = {
    .domain = "com.microsoft", .name = "Irfft", .since = 1,
    .signature = "X:T -> Y:T", .types = "T=float",
    .attrs = "normalized:int=0 onesided:int=1 signal_ndim:int!",
    .infer = infer_any, .decompose = decompose_irfft};
static const op_def dynamic_slice = {
    .domain = "", .name = "DynamicSlice", .since = 1,
    .signature = "data:T, starts:I, ends:I, axes:I? -> output:T", .types = "T=any I=int32|int64",
    .infer = infer_rank_of_data, .decompose = decompose_dynamic_slice};

const op_def *const ops_same[] = {&trilu, &gather_nd, &expand_dims, &range, &pad, &unique, &sample,
                                  &embedding, &rfft, &irfft, &dynamic_slice, NULL};
// clang-format on
