/* residual_norm.c - heed.ResidualNormalization: the sum of two tensors (and of a row), and its
 * layer norm or RMS norm over the last axis. Separate from skip_norm.c, whose operators belong to
 * com.microsoft and broadcast: here shapes are equal, so that a kernel has rows and nothing else.
 */
#include "ops/body.h"

/* A row of the last axis. */
static heed_status check_row(const op_infer *c, uint32_t input)
{
    int32_t rank = infer_rank(c, 0), own = infer_rank(c, input);
    if (!infer_has(c, input))
        return HEED_OK;
    ir_dim n = infer_dim(c, 0, rank - 1), m = infer_dim(c, input, own - 1);
    if (own != 1 || !dim_may_equal(n, m))
        return infer_error(c, "one row of the last axis", "rank %d, or another extent", own);
    return HEED_OK;
}

static heed_status infer_norm(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), other = infer_rank(c, 1);
    if (rank < 1 || rank != other)
        return infer_error(c, "two tensors of one shape with a last axis", "ranks %d and %d", rank,
                           other);
    for (int32_t i = 0; i < rank; i++) {
        ir_dim x = infer_dim(c, 0, i), y = infer_dim(c, 1, i);
        if (!dim_may_equal(x, y)) /* the body would broadcast what is found out later */
            return infer_error(c, "two tensors of one shape", "different extents on axis %d", i);
    }
    for (uint32_t i = 2; i < 5; i++)
        TRY(check_row(c, i));
    TRY(infer_set_like(c, 0, 0));
    return infer_set_like(c, 1, 0);
}

static void decompose_norm(op_body *b)
{
    ir_value *x = body_in(b, 0);
    if (body_in(b, 4))
        x = body_2(b, x, body_in(b, 4), "Add");
    ir_value *in[] = {body_2(b, x, body_in(b, 1), "Add"), body_in(b, 2), body_in(b, 3)};
    bool rms = ir_attr_int(b->node, "rms", 0);
    if (rms && in[2])
        body_fail(b, HEED_INVALID, "an RMS norm has no bias");
    body_set(b, 1, in[0]);
    body_set(b, 0,
             body_n(b, in[2] ? 3 : 2, in, "%s axis=-1 epsilon=%.9g",
                    rms ? "RMSNormalization" : "LayerNormalization",
                    ir_attr_float(b->node, "epsilon", 1e-5)));
}

// clang-format off
static const op_def norm = {
    .domain = "heed", .name = "ResidualNormalization", .since = 1,
    .signature = "x:T, residual:T, scale:T, bias:T?, row:T? -> y:T, sum:T?", .types = "T=float",
    .attrs = "epsilon:float=0.00001 rms:int=0",
    .infer = infer_norm, .decompose = decompose_norm};
// clang-format on

const op_def *const ops_residual_norm[] = {&norm, NULL};
