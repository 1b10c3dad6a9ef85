/* projections.c - pass: products of one value with constant matrices become one node, their biases
 * with them.
 *
 * before: q = Add(MatMul(x, wq), bq); k = MatMul(x, wk); v = MatMul(x, wv)
 * after:  q, k, v = heed.Projections(x, wq, wk, wv, bq, -, -)
 *
 * The weights stay where they lie; those of a Gemm may be transposed. Joined products have their
 * results at the same time, so nothing may stand between them that takes memory or sets any free:
 * only views, sums on shapes, and what writes over its input. A single product is taken when it has
 * a bias. */
#include <string.h>

#include "ops/body.h"
#include "passes/pass.h"

enum { MOST = 8, NEAR = 64 };

/* One product: y = x W + bias, the bias perhaps by a node of its own. */
typedef struct product {
    ir_node *node, *last; /* the product; what its result is taken from */
    ir_value *x, *weight, *bias;
    bool transposed; /* the weight is [N, K] */
} product;

static bool matrix(const ir_value *v) { return v && pass_constant(v) && v->type.rank == 2; }

/* A constant with one number for each column. */
static bool is_bias(const ir_value *v, const ir_value *weight, bool transposed)
{
    return v && pass_constant(v) && v->type.rank == 1 &&
           v->type.dims[0] == weight->type.dims[transposed ? 0 : 1] &&
           v->type.dtype == weight->type.dtype;
}

static bool read_gemm(ir_node *n, product *out)
{
    ir_value *bias = ir_input(n, 2);
    if (!pass_is(n, "Gemm") || ir_attr_int(n, "transA", 0) || ir_attr_float(n, "alpha", 1) != 1 ||
        ir_attr_float(n, "beta", 1) != 1)
        return false;
    bool transposed = ir_attr_int(n, "transB", 0) != 0;
    *out = (product){n, n, ir_input(n, 0), ir_input(n, 1), bias, transposed};
    return matrix(out->weight) && (!bias || is_bias(bias, out->weight, transposed));
}

/* The sum that is the only reader of a product, when it adds a bias. */
static void take_bias(product *p)
{
    const ir_value *y = p->node->out[0];
    ir_node *sum = y->uses && !y->uses->next && y->n_outputs == 0 ? y->uses->node : NULL;
    if (!sum || !pass_is(sum, "Add") || sum->graph != p->node->graph)
        return;
    ir_value *bias = ir_input(sum, 1 - y->uses->slot);
    if (!is_bias(bias, p->weight, false) || !pass_same_type(y, sum->out[0]))
        return;
    p->bias = bias;
    p->last = sum;
}

static bool read_product(ir_node *n, product *out)
{
    if (read_gemm(n, out))
        return true;
    if (!pass_is(n, "MatMul") || !matrix(ir_input(n, 1)) || ir_input(n, 0)->type.rank < 2)
        return false;
    *out = (product){n, n, ir_input(n, 0), ir_input(n, 1), NULL, false};
    take_bias(out);
    return true;
}

static bool is_sum_of(const ir_node *n, const product *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i].last == n)
            return true;
    return false;
}

/* Its result lies where one of its inputs lay, which nobody else reads. */
static bool writes_over(const ir_node *n)
{
    bool can = (n->op->flags & (OP_ELEMENTWISE | OP_INPLACE)) ||
               strcmp(n->op->name, "RotaryEmbedding") == 0;
    for (uint32_t i = 0; can && i < n->n_in; i++) {
        const ir_value *v = ir_input(n, i);
        if (v && v->producer && !v->uses->next && !v->n_outputs && pass_same_type(v, n->out[0]))
            return true;
    }
    return false;
}

/* After the node as much memory is taken as before it; what is computed of shapes is none. Behind a
 * softmax begins what belongs to another layer. */
static bool keeps_memory(const ir_node *n)
{
    if (n->n_out != 1 || pass_is(n, "Softmax"))
        return false;
    heed_dtype dtype = n->out[0]->type.dtype;
    bool shape = n->out[0]->type.rank >= 0 && n->out[0]->type.rank <= 1 &&
                 (dtype == HEED_INT64 || dtype == HEED_INT32 || dtype == HEED_BOOL);
    return shape || (n->op->flags & OP_VIEW) || writes_over(n);
}

static uint32_t collect(ir_node *n, product *list)
{
    uint32_t count = 1;
    ir_node *next = n->next;
    for (int i = 0; next && i < NEAR && count < MOST; i++) {
        if (ir_input(next, 0) == list[0].x && read_product(next, &list[count]) &&
            list[count].transposed == list[0].transposed)
            count++;
        else if (!is_sum_of(next, list, count) && !keeps_memory(next))
            break;
        next = next->next;
    }
    return count;
}

static void replace(pass_run *p, const product *list, uint32_t count, ir_value *const *made)
{
    for (uint32_t i = 0; i < count; i++) {
        ir_value_replace(list[i].last->out[0], made[i]);
        if (list[i].last != list[i].node)
            ir_node_remove(list[i].last);
        ir_node_remove(list[i].node);
    }
    p->rewrites++;
}

static heed_status join(pass_run *p, const product *list, uint32_t count)
{
    ir_value *in[1 + 2 * MOST] = {list[0].x}, *made[MOST];
    op_body b = pass_body(p, list[0].node);
    bool taken = false;
    for (uint32_t i = 0; i < count; i++) {
        in[1 + i] = list[i].weight;
        in[1 + count + i] = list[i].bias;
    }
    body_nodes(&b, 1 + 2 * count, in, count, made, "heed.Projections transposed=%d",
               (int)list[0].transposed);
    if (b.status)
        return b.status;
    TRY(pass_taken(p, b.last, &taken));
    for (uint32_t i = 0; taken && i < count; i++)
        taken = pass_same_type(made[i], list[i].last->out[0]);
    if (taken)
        replace(p, list, count, made);
    else
        pass_undo(&b);
    return HEED_OK;
}

/* pass_each_node goes on with the node after the one that it gave, so only nodes before that may
 * go: groups are joined from their first product on, in a walk of our own. */
static heed_status sweep(pass_run *p, ir_graph *g)
{
    product list[MOST];
    for (ir_node *n = g->first, *before; n; n = n->next) {
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(sweep(p, n->attrs[a].graph));
        if (!read_product(n, &list[0]))
            continue;
        uint32_t count = collect(n, list);
        if (count == 1 && list[0].last == n)
            continue;
        before = n->previous;
        TRY(join(p, list, count));
        n = before ? before->next : g->first;
        if (!n)
            break;
    }
    return HEED_OK;
}

static heed_status run(pass_run *p) { return sweep(p, p->model->main); }

const pass_def pass_projections = {
    .name = "projections",
    .purpose = "products of one value with constant matrices become one node",
    .fuses = "Projections",
    .order = 86,
    .run = run,
};
