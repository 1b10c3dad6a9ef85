/* gated_activation.c - heed.GatedActivation: the activation of one tensor times another (Dauphin
 * 2017, Shazeer 2020). Without a second tensor both are the halves of the first one's last axis. */
#include <string.h>

#include "ops/body.h"

/* What the attribute may say, and the node that computes it. */
static const struct {
    const char *activation, *node;
} rows[] = {
    {"gelu", "Gelu"},
    {"gelu_tanh", "Gelu approximate=tanh"},
    {"swish", "Swish"},
};

static heed_status infer_halves(op_infer *c)
{
    int32_t rank = infer_rank(c, 0);
    ir_dim dims[TENSOR_MAX_RANK];
    if (rank < 0)
        return infer_set_like(c, 0, 0);
    if (rank < 1 || (dim_known(infer_dim(c, 0, rank - 1)) && infer_dim(c, 0, rank - 1) % 2))
        return infer_error(c, "two halves on the last axis", "rank %d", rank);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = c->in[0]->dims[i];
    dims[rank - 1] = dims_floor_div(c->dims, dims[rank - 1], 2);
    return infer_set(c, 0, 0, rank, dims);
}

static heed_status infer_gated(op_infer *c)
{
    int32_t a = infer_rank(c, 0), b = infer_rank(c, 1);
    if (!infer_has(c, 1))
        return infer_halves(c);
    if (a < 0 || a != b)
        return infer_error(c, "inputs of one shape", "ranks %d and %d", a, b);
    for (int32_t i = 0; i < a; i++) {
        ir_dim x = c->in[0]->dims[i], y = c->in[1]->dims[i];
        if (!dim_may_equal(x, y)) /* the body would broadcast what is found out later */
            return infer_error(c, "inputs of one shape", "different extents on axis %d", i);
    }
    return infer_set_like(c, 0, 0);
}

static ir_value *activated(op_body *b, ir_value *gate)
{
    const char *wanted = ir_attr_string(b->node, "activation", "swish");
    if (strcmp(wanted, "swish") == 0)
        return body_1(b, gate, "Swish alpha=%.9g", ir_attr_float(b->node, "alpha", 1));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(wanted, rows[i].activation) == 0)
            return body_1(b, gate, "%s", rows[i].node);
    body_fail(b, HEED_INVALID, "the activation \"%.40s\"", wanted);
    return NULL;
}

static void decompose_gated(op_body *b)
{
    ir_value *half[2] = {body_in(b, 0), body_in(b, 1)};
    if (!half[1])
        body_nodes(b, 1, (ir_value *[]){half[0]}, 2, half, "Split axis=-1 num_outputs=2");
    bool second = !body_in(b, 1) && !ir_attr_int(b->node, "gate_first", 1);
    body_set(b, 0, body_2(b, activated(b, half[second]), half[!second], "Mul"));
}

// clang-format off
static const op_def gated = {
    .domain = "heed", .name = "GatedActivation", .since = 1,
    .signature = "gate:T, up:T? -> Y:T", .types = "T=float",
    .attrs = "activation:string=swish alpha:float=1 gate_first:int=1",
    .infer = infer_gated, .decompose = decompose_gated};
// clang-format on

const op_def *const ops_gated_activation[] = {&gated, NULL};
