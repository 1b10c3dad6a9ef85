/* eye.c - EyeLike: ones on a diagonal of a matrix of another one's shape. */
#include "ops/dtype_attr.h"
#include "ops/layout.h"

static bool can_hold(heed_dtype dtype) { return dtype_is_real(dtype) || dtype == HEED_BOOL; }

static heed_status infer_eye(op_infer *c)
{
    if (infer_rank(c, 0) >= 0 && infer_rank(c, 0) != 2)
        return infer_error(c, "a matrix", "rank %d", infer_rank(c, 0));
    TRY(infer_dtype_attr(c, "dtype", c->in[0]->dtype, can_hold));
    return infer_set_like(c, 0, 0);
}

static heed_status run_eye(op_call *c)
{
    const int64_t one = 1;
    heed_tensor *out = call_out(c, 0);
    if (!out)
        return HEED_OK;
    int64_t rows = out->dims[0], columns = out->dims[1], k = ir_attr_int(c->node, "k", 0);
    layout_zero(out->dtype, tensor_data(out), 0, tensor_count(out));
    if (k >= columns || k <= -rows) /* so that nothing below overflows */
        return HEED_OK;
    for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++)
        dtype_store_i64(out->dtype, tensor_data(out), i * columns + i + k, 1, &one);
    return HEED_OK;
}

// clang-format off
static const op_def eye = {
    .domain = "", .name = "EyeLike", .since = 22,
    .signature = "input:A -> output:B", .types = "A=any B=real|bool", .attrs = "dtype:int k:int=0",
    .infer = infer_eye, .run = run_eye};
// clang-format on

const op_def *const ops_eye[] = {&eye, NULL};
