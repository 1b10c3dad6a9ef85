/* heads.c - see heads.h. */
#include "ops/heads.h"

#include <string.h>

heed_status heads_dims(const op_infer *c, uint32_t i, int64_t heads, ir_dim out[4])
{
    int32_t rank = infer_rank(c, i);
    if (rank != 3 && rank != 4)
        return infer_error(c, "rank 3 or 4", "rank %d of input %u", rank, i);
    const ir_dim *dims = c->in[i]->dims;
    if (rank == 4) {
        memcpy(out, dims, 4 * sizeof(*out));
        return HEED_OK;
    }
    if (heads < 1)
        return infer_error(c, "a number of heads for an input of rank 3", "%lld for input %u",
                           (long long)heads, i);
    if (dim_known(dims[2]) && dims[2] % heads != 0)
        return infer_error(c, "heads of one size", "%lld channels of input %u for %lld heads",
                           (long long)dims[2], i, (long long)heads);
    out[0] = dims[0];
    out[1] = heads;
    out[2] = dims[1];
    out[3] = dims_floor_div(c->dims, dims[2], heads);
    return HEED_OK;
}

ir_value *heads_split(op_body *b, ir_value *x, int64_t heads)
{
    ir_value *count = body_ints(b, 1, &heads);
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 1), count,
                        body_2(b, body_dim(b, x, 2), count, "Div")};
    return body_transpose(b, body_reshape_to(b, x, 4, dims), "0,2,1,3");
}

ir_value *heads_merge(op_body *b, ir_value *x)
{
    ir_value *dims[] = {body_dim(b, x, 0), body_dim(b, x, 2),
                        body_2(b, body_dim(b, x, 1), body_dim(b, x, 3), "Mul")};
    return body_reshape_to(b, body_transpose(b, x, "0,2,1,3"), 3, dims);
}
