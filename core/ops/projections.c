/* projections.c - heed.Projections: products of one input with several matrices, each with a bias
 * or without. Queries, keys and values are such products, and the gate and the values of a gated
 * layer.
 *
 * Y_i = MatMul(X, W_i) + B_i. The operands are the matrices, then as many biases, which may be left
 * out; a matrix is [K, N_i] (`transposed`: [N_i, K]), a bias [N_i]. */
#include "ops/matmul.h"

#include "ops/body.h"

enum { X, FIRST };

static heed_status infer_projections(op_infer *c)
{
    ir_dim dims[TENSOR_MAX_RANK];
    int32_t rank = infer_rank(c, X), turned = ir_attr_int(c->node, "transposed", 0) != 0;
    if (c->n_in != FIRST + 2 * c->n_out)
        return infer_error(c, "a matrix and a bias for each output", "%u operands for %u outputs",
                           c->n_in - FIRST, c->n_out);
    if (rank == 0 || rank > TENSOR_MAX_RANK)
        return infer_error(c, "an input of rank 1 or more", "a scalar");
    for (uint32_t o = 0; o < c->n_out; o++) {
        ir_dim rows = infer_dim(c, FIRST + o, turned), inner = infer_dim(c, X, rank - 1);
        ir_dim cols = infer_dim(c, FIRST + o, !turned),
               bias = infer_dim(c, FIRST + c->n_out + o, 0);
        if (infer_rank(c, FIRST + o) >= 0 && infer_rank(c, FIRST + o) != 2)
            return infer_error(c, "matrices", "rank %d", infer_rank(c, FIRST + o));
        if ((dim_known(rows) && dim_known(inner) && rows != inner) ||
            (dim_known(cols) && dim_known(bias) && cols != bias))
            return infer_error(c, "operands that fit the input", "output %u", o);
        for (int32_t d = 0; d < rank - 1; d++)
            dims[d] = c->in[X]->dims[d];
        if (rank > 0)
            dims[rank - 1] = cols;
        TRY(rank < 0 ? infer_set_unknown(c, o, 0, -1) : infer_set(c, o, 0, rank, dims));
    }
    return HEED_OK;
}

static void decompose_projections(op_body *b)
{
    uint32_t n = b->node->n_out;
    for (uint32_t o = 0; o < n; o++) {
        ir_value *bias = body_in(b, FIRST + n + o);
        ir_value *w = body_in(b, FIRST + o);
        if (ir_attr_int(b->node, "transposed", 0))
            w = body_transpose(b, w, "1,0");
        ir_value *y = body_2(b, body_in(b, X), w, "MatMul");
        body_set(b, o, bias ? body_2(b, y, bias, "Add") : y);
    }
}

// clang-format off
static const op_def projections = {
    .domain = "heed", .name = "Projections", .since = 1,
    .signature = "X:T, operands:T*? -> Y:T*", .types = "T=float",
    .attrs = "transposed:int=0",
    .infer = infer_projections, .decompose = decompose_projections};

const op_def *const ops_projections[] = {&projections, NULL};
// clang-format on
