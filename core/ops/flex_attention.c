/* flex_attention.c - FlexAttention of ai.onnx.preview: attention whose scores and probabilities
 * pass through graphs that the model brings. Unlike Attention it says nothing about masks: a row
 * of -inf gives what the arithmetic gives. */
#include "ops/control.h"
#include "ops/heads.h"

/* The type between the products. */
static heed_dtype inner_type(const ir_node *n, heed_dtype type)
{
    heed_dtype otherwise = type == HEED_FLOAT64 ? HEED_FLOAT64 : HEED_FLOAT32;
    return (heed_dtype)ir_attr_int(n, "softmax_precision", (int64_t)otherwise);
}

static heed_status infer_graph(op_infer *c, const char *name, const ir_type *scores)
{
    ir_graph *graph = ir_attr_graph(c->node, name);
    if (!graph || !c->body)
        return HEED_OK;
    if (graph->n_inputs != 1 || graph->n_outputs != 1)
        return infer_error(c, "a graph of one input and one output", "%u and %u in %s",
                           graph->n_inputs, graph->n_outputs, name);
    return c->body(c, graph, 1, &scores);
}

static heed_status infer_flex(op_infer *c)
{
    ir_dim dims[4];
    ir_type type = {.kind = HEED_KIND_TENSOR, .rank = 4, .dims = dims}, kept;
    TRY(heads_infer(c, dims));
    type.dtype = inner_type(c->node, c->in[0]->dtype);
    if (!dtype_valid(type.dtype) || !dtype_is_float(type.dtype))
        return infer_error(c, "a floating type as softmax_precision", "%u", type.dtype);
    TRY(control_keep_type(c, &type, &kept));
    TRY(infer_graph(c, "score_mod", &kept));
    return infer_graph(c, "prob_mod", &kept);
}

/* x through a graph of the model, which must keep its shape. */
static ir_value *modified(op_body *b, const char *name, ir_value *x)
{
    ir_graph *graph = ir_attr_graph(b->node, name);
    ir_value *y = NULL;
    if (!graph || b->status)
        return x;
    body_inline(b, graph, 1, &x, 1, &y);
    if (!b->status && y->type.rank >= 0 && y->type.rank != 4)
        body_fail(b, HEED_INVALID, "%s gives a tensor of rank %d", name, y->type.rank);
    for (int32_t i = 0; i < 4; i++) {
        int64_t have = body_extent(b, y, i), want = body_extent(b, x, i);
        if (have >= 0 && want >= 0 && have != want)
            body_fail(b, HEED_INVALID, "%s makes %lld of %lld on axis %d", name, (long long)have,
                      (long long)want, i);
    }
    return b->status ? NULL : body_cast(b, y, x->type.dtype);
}

static void decompose_flex(op_body *b)
{
    ir_value *q = body_in(b, 0), *k = body_in(b, 1), *v = body_in(b, 2);
    for (uint32_t i = 0; i < 3; i++)
        if (body_rank(b, body_in(b, i)) != 4)
            return;
    heed_dtype type = q->type.dtype, inner = inner_type(b->node, type);
    ir_value *x = heads_scores(b, q, k, ir_attr_float(b->node, "scale", 0));
    x = modified(b, "score_mod", b->status ? NULL : body_cast(b, x, inner));
    x = modified(b, "prob_mod", body_1(b, x, "Softmax axis=-1"));
    x = heads_weigh(b, x, q, body_cast(b, v, inner));
    body_set(b, 0, b->status ? NULL : body_cast(b, x, type));
}

// clang-format off
static const op_def flex = {
    .domain = "ai.onnx.preview", .name = "FlexAttention", .since = 1, .flags = OP_ATTENTION,
    .signature = "Q:T, K:T, V:T -> Y:T", .types = "T=float",
    .attrs = "scale:float softmax_precision:int score_mod:graph prob_mod:graph",
    .infer = infer_flex, .decompose = decompose_flex};

const op_def *const ops_flex_attention[] = {&flex, NULL};
// clang-format on
