/* verdict_judge.c - is a softmax that was not fused attention at all?
 *
 * Attention: two tensors that both depend on the input meet in a product, the softmax of that
 * weighs a third in another product. A router's scores, a classifier's and a pooling's come from a
 * product with weights; a sampler's and a contrastive loss's weigh nothing. Between the products
 * stands what moves elements or computes one from one. This only sorts the report: a doubtful
 * softmax that is called attention is counted as one that was missed. */
#include <string.h>

#include "passes/verdict.h"

enum { MOST_NODES = 96 };

static const char *const between[] = {
    "Abs",
    "Add",
    "Cast",
    "Clip",
    "Concat",
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

/* Nodes to look at, each once. */
typedef struct queue {
    const ir_node *nodes[MOST_NODES];
    uint32_t n;
} queue;

static void push(queue *q, const ir_node *n)
{
    for (uint32_t i = 0; i < q->n; i++)
        if (q->nodes[i] == n)
            return;
    if (n && q->n < MOST_NODES)
        q->nodes[q->n++] = n;
}

/* Two different tensors, neither of them weights. */
static bool is_meeting(const ir_node *n, arena *scratch, bool *product)
{
    contraction c;
    *product = contraction_read(n, scratch, &c);
    return *product && c.in[0].value != c.in[1].value && !pass_constant(c.in[0].value) &&
           !pass_constant(c.in[1].value);
}

static void push_producers(queue *q, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value)
            push(q, n->in[i].value->producer);
}

static void push_readers(queue *q, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        for (const ir_use *u = n->out[i] ? n->out[i]->uses : NULL; u; u = u->next)
            push(q, u->node);
}

/* A meeting of tensors can be reached from the softmax, this way or that. */
static bool reaches_meeting(const ir_node *softmax, arena *scratch,
                            void (*spread)(queue *q, const ir_node *n))
{
    queue q = {.n = 0};
    spread(&q, softmax);
    for (uint32_t i = 0; i < q.n; i++) {
        bool product;
        if (is_meeting(q.nodes[i], scratch, &product))
            return true;
        if (!product && stands_between(q.nodes[i]))
            spread(&q, q.nodes[i]);
    }
    return false;
}

bool verdict_is_attention(const ir_node *softmax, arena *scratch)
{
    return reaches_meeting(softmax, scratch, push_producers) &&
           reaches_meeting(softmax, scratch, push_readers);
}
