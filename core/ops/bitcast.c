/* bitcast.c - BitCast: the same bits, read as another type of the same width. */
#include <string.h>

#include "ops/dtype_attr.h"

static bool has_bits(heed_dtype dtype) { return dtype != HEED_STRING; }

static heed_status infer_bitcast(op_infer *c)
{
    TRY(infer_dtype_attr(c, "to", HEED_UNDEFINED, has_bits));
    heed_dtype from = c->in[0]->dtype, to = c->out[0].dtype;
    if (from == HEED_STRING || dtype_bits(from) != dtype_bits(to))
        return infer_error(c, "types of the same width", "%s and %s", dtype_name(from),
                           dtype_name(to));
    return infer_set_like(c, 0, 0);
}

static heed_status run_bitcast(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    if (out && tensor_count(out) > 0)
        memmove(tensor_data(out), tensor_data(c->in[0]), tensor_bytes(out));
    return HEED_OK;
}

// clang-format off
static const op_def bitcast = {
    .domain = "", .name = "BitCast", .since = 26, .flags = OP_INPLACE,
    .signature = "input:A -> output:B", .types = "A=any B=any", .attrs = "to:int!",
    .infer = infer_bitcast, .run = run_bitcast};
// clang-format on

const op_def *const ops_bitcast[] = {&bitcast, NULL};
