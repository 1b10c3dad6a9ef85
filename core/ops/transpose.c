/* transpose.c - axes in another order: Transpose. */
#include <string.h>

#include "ops/content.h"
#include "ops/layout.h"

/* The permutation for this rank: attribute perm, or all axes reversed. False: it is none. */
static bool permutation(const ir_node *n, int32_t rank, int32_t *perm)
{
    uint64_t count;
    const int64_t *given = ir_attr_ints(n, "perm", &count);
    bool seen[TENSOR_MAX_RANK] = {false};
    if (given && count != (uint64_t)rank)
        return false;
    for (int32_t i = 0; i < rank; i++) {
        int64_t axis = given ? given[i] : rank - 1 - i;
        axis = axis < 0 ? axis + rank : axis;
        if (axis < 0 || axis >= rank || seen[axis])
            return false;
        seen[axis] = true;
        perm[i] = (int32_t)axis;
    }
    return true;
}

static heed_status infer_transpose(op_infer *c)
{
    int32_t rank = infer_rank(c, 0), perm[TENSOR_MAX_RANK];
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0) {
        uint64_t count = 0;
        const int64_t *given = ir_attr_ints(c->node, "perm", &count);
        return infer_set_unknown(c, 0, 0, given && count <= TENSOR_MAX_RANK ? (int32_t)count : -1);
    }
    if (!permutation(c->node, rank, perm))
        return infer_error(c, "attribute perm to name each axis once", "another, for rank %d",
                           rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[perm[i]];
    return infer_set(c, 0, 0, rank, dims);
}

static heed_status run_transpose(op_call *c)
{
    heed_tensor *out = call_out(c, 0);
    int32_t perm[TENSOR_MAX_RANK];
    int64_t strides[TENSOR_MAX_RANK];
    if (!out)
        return HEED_OK;
    layout_box box = {.rank = tensor_rank(out)};
    if (!permutation(c->node, box.rank, perm))
        return call_error(c, HEED_INVALID, "perm does not name each axis once");
    memcpy(box.dims, out->dims, (size_t)box.rank * sizeof(int64_t));
    layout_strides(box.rank, out->dims, box.dst);
    layout_strides(box.rank, c->in[0]->dims, strides);
    for (int32_t i = 0; i < box.rank; i++)
        box.src[i] = strides[perm[i]];
    layout_copy(out->dtype, &box, tensor_data(out), 0, tensor_data(c->in[0]), 0);
    return HEED_OK;
}

// clang-format off
static const op_def transpose = {
    .domain = "", .name = "Transpose", .since = 25,
    .signature = "data:T -> transposed:T", .types = "T=any", .attrs = "perm:ints",
    .infer = infer_transpose, .content = content_forward, .run = run_transpose};
// clang-format on

const op_def *const ops_transpose[] = {&transpose, NULL};
