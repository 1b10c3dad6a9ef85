/* verdict_judge.c - is a softmax that was not fused attention at all?
 *
 * Attention: two tensors that both depend on the input meet in a product, the softmax of that
 * weighs a third in another product. A router's scores, a classifier's and a pooling's come from a
 * product with weights; a sampler's and a contrastive loss's weigh nothing. Between the products
 * stands what moves elements or computes one from one. This only sorts the report: a doubtful
 * softmax that is called attention is counted as one that was missed. */
#include <string.h>

#include "passes/verdict/verdict.h"

enum { MOST_NODES = 512 };

static const char *const between[] = {
    "Abs",
    "Add",
    "Cast",
    "Clip",
    "Concat",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "Identity",
    "LeakyRelu",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "Relu",
    "Reshape",
    "ScatterElements",
    "ScatterND",
    "Sigmoid",
    "Slice",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Where",
};

static bool stands_between(const ir_node *n)
{
    for (size_t i = 0; i < sizeof(between) / sizeof(*between); i++)
        if (pass_is(n, between[i]))
            return true;
    return false;
}

/* Nodes to look at, each once, and whether a product with weights lies on the way. */
typedef struct queue {
    const ir_node *nodes[MOST_NODES];
    bool mixed[MOST_NODES];
    uint32_t n;
} queue;

static void push(queue *q, const ir_node *n, bool mixed)
{
    for (uint32_t i = 0; i < q->n; i++)
        if (q->nodes[i] == n)
            return;
    if (!n || q->n == MOST_NODES)
        return;
    q->mixed[q->n] = mixed;
    q->nodes[q->n++] = n;
}

static bool is_product(const ir_node *n)
{
    return pass_is(n, "MatMul") || pass_is(n, "Gemm") || pass_is(n, "Einsum") || pass_is(n, "Conv");
}

/* Two different tensors, neither of them weights. */
static bool is_meeting(const ir_node *n)
{
    const ir_value *first = NULL;
    for (uint32_t i = 0; i < n->n_in && i < 2; i++) {
        const ir_value *v = ir_input(n, i);
        if (!v || v == first || pass_constant(v))
            return false;
        first = v;
    }
    return n->n_in >= 2;
}

static void push_producers(queue *q, const ir_node *n, bool mixed)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value)
            push(q, n->in[i].value->producer, mixed);
}

static void push_readers(queue *q, const ir_node *n, bool mixed)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        for (const ir_use *u = n->out[i] ? n->out[i]->uses : NULL; u; u = u->next)
            push(q, u->node, mixed);
}

/* A meeting of tensors can be reached from the softmax, this way or that. One product with weights
 * may come first: some models mix the heads there (Shazeer 2020, talking heads). */
static bool reaches_meeting(const ir_node *softmax,
                            void (*spread)(queue *q, const ir_node *n, bool mixed))
{
    queue q;
    q.n = 0;
    spread(&q, softmax, false);
    for (uint32_t i = 0; i < q.n; i++) {
        const ir_node *n = q.nodes[i];
        if (is_product(n) && is_meeting(n))
            return true;
        if (is_product(n) ? !q.mixed[i] : stands_between(n))
            spread(&q, n, q.mixed[i] || is_product(n));
    }
    return false;
}

bool verdict_is_attention(const ir_node *softmax)
{
    return reaches_meeting(softmax, push_producers) && reaches_meeting(softmax, push_readers);
}
