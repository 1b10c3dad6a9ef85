/* trilu.c - the upper or lower triangle of matrices: Trilu. */
#include "ops/layout.h"

static heed_status infer_trilu(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    if (rank == 0 || rank == 1)
        return infer_error(c, "matrices (rank 2 or more)", "rank %d", rank);
    return infer_set_like(c, 0, 0);
}

/* Row r keeps its columns [from, to). */
static void keep_range(bool upper, int64_t r, int64_t k, int64_t columns, int64_t *from,
                       int64_t *to)
{
    int64_t edge = upper ? r + k : r + k + 1;
    edge = edge < 0 ? 0 : edge > columns ? columns : edge;
    *from = upper ? edge : 0;
    *to = upper ? columns : edge;
}

static heed_status run_trilu(op_call *c)
{
    const heed_tensor *in = c->in[0];
    heed_tensor *out = call_out(c, 0);
    bool upper = ir_attr_int(c->node, "upper", 1) != 0;
    int32_t rank = tensor_rank(in);
    if (!out || rank < 2)
        return HEED_OK;
    int64_t k = 0, columns = in->dims[rank - 1], rows = in->dims[rank - 2], from, to;
    if (call_has(c, 1) && tensor_count(c->in[1]) > 0)
        k = tensor_get_int(c->in[1], 0);
    /* Beyond the matrix all diagonals are alike, and sums cannot overflow. */
    k = k > columns ? columns : k < -rows - 1 ? -rows - 1 : k;
    int64_t lines = layout_product(in->dims, 0, rank - 1);
    for (int64_t line = 0; line < lines; line++) {
        int64_t at = line * columns;
        keep_range(upper, line % rows, k, columns, &from, &to);
        layout_zero(in->dtype, tensor_data(out), at, from);
        if (to > from)
            dtype_copy(in->dtype, tensor_data(out), at + from, tensor_data(in), at + from,
                       to - from);
        layout_zero(in->dtype, tensor_data(out), at + to, columns - to);
    }
    return HEED_OK;
}

// clang-format off
static const op_def trilu = {
    .domain = "", .name = "Trilu", .since = 14,
    .signature = "input:T, k:int64? -> output:T", .types = "T=any", .attrs = "upper:int=1",
    .infer = infer_trilu, .run = run_trilu};
// clang-format on

const op_def *const ops_trilu[] = {&trilu, NULL};
