/* distribute.c - pass: a sum of weights times the values becomes a sum of products (Ye 2024,
 * differential attention).
 *
 * before: y = MatMul(Sub(p, Mul(c, r)), v)      after: y = Sub(MatMul(p, v), Mul(c, MatMul(r, v)))
 *
 * p and r are results of softmaxes, and c is one number for each row. Where p and r are heads of
 * one softmax, picked by Gather, all of its heads are multiplied at once and the results picked.
 * Twice as many products with the values are cheaper than weights that lie in memory. */
#include <stdio.h>

#include "passes/pass.h"

enum { DEEPEST = 6, MOST_PRODUCTS = 4 };

typedef struct sum {
    op_body *b;
    ir_value *v;
    ir_dim keys;
    struct {
        const ir_value *of;
        ir_value *made;
    } products[MOST_PRODUCTS];
    uint32_t n;
} sum;

static bool keeps_last(const ir_node *transpose)
{
    uint64_t n = 0;
    const int64_t *perm = ir_attr_ints(transpose, "perm", &n);
    return perm && n > 0 && perm[n - 1] == (int64_t)n - 1;
}

/* The softmax's result, but for moves that leave its axis alone. */
static bool is_weights(const ir_value *p, ir_dim keys)
{
    static const char *const moves[] = {"Reshape", "Unsqueeze", "Squeeze", "Cast"};
    for (int i = 0; i < DEEPEST && p->type.rank > 1 && p->type.dims[p->type.rank - 1] == keys;
         i++) {
        const ir_node *n = p->producer;
        bool moves_on = pass_is(n, "Transpose") && keeps_last(n);
        if (pass_is(n, "Softmax")) {
            int64_t axis = ir_attr_int(n, "axis", -1);
            return axis == -1 || axis == p->type.rank - 1;
        }
        for (size_t k = 0; k < sizeof(moves) / sizeof(*moves); k++)
            moves_on |= pass_is(n, moves[k]);
        if (!moves_on)
            return false;
        p = ir_input(n, 0);
    }
    return false;
}

/* The weights times the values, which get an axis of 1 at `axis` (-1: none); once for each. */
static ir_value *multiply(sum *s, ir_value *p, int32_t axis)
{
    char text[16] = "";
    for (uint32_t i = 0; i < s->n; i++)
        if (s->products[i].of == p)
            return s->products[i].made;
    ir_value *v = s->v;
    if (axis >= 0) {
        snprintf(text, sizeof(text), "%d", axis);
        v = body_unsqueeze(s->b, v, text);
    }
    if (s->n == MOST_PRODUCTS)
        return NULL;
    s->products[s->n].of = p;
    s->products[s->n].made = body_2(s->b, p, v, "MatMul");
    return s->products[s->n++].made;
}

/* One number for each row. */
static bool lacks_keys(const ir_value *c)
{
    return c->type.rank == 0 || (c->type.rank > 0 && c->type.dims[c->type.rank - 1] == 1);
}

static ir_value *distribute(sum *s, ir_value *x, int depth);

/* One head of several, which lie along an axis of their own. */
static ir_value *pick(sum *s, const ir_node *n)
{
    ir_value *heads = ir_input(n, 0), *index = ir_input(n, 1);
    int64_t axis = ir_attr_int(n, "axis", 0);
    axis += axis < 0 ? heads->type.rank : 0;
    if (index->type.rank != 0 || !pass_constant(index) || axis < 0 || axis > heads->type.rank - 3 ||
        s->v->type.rank != heads->type.rank - 1 || !is_weights(heads, s->keys))
        return NULL;
    ir_value *y = multiply(s, heads, (int32_t)axis);
    return y ? body_2(s->b, y, index, "Gather axis=%d", (int)axis) : NULL;
}

static ir_value *scale(sum *s, const ir_node *n, int depth)
{
    for (uint32_t i = 0; i < 2; i++) {
        ir_value *y = lacks_keys(ir_input(n, 1 - i)) ? distribute(s, ir_input(n, i), depth) : NULL;
        if (y)
            return body_2(s->b, y, ir_input(n, 1 - i), "Mul");
    }
    return NULL;
}

/* x times the values; NULL when x is no sum of weights. */
static ir_value *distribute(sum *s, ir_value *x, int depth)
{
    const ir_node *n = x->producer;
    if (!n || depth == DEEPEST || x->type.rank < 2 || x->type.dims[x->type.rank - 1] != s->keys)
        return NULL;
    if (is_weights(x, s->keys))
        return multiply(s, x, -1);
    if (pass_is(n, "Gather"))
        return pick(s, n);
    if (pass_is(n, "Mul"))
        return scale(s, n, depth + 1);
    if (!pass_is(n, "Add") && !pass_is(n, "Sub"))
        return NULL;
    ir_value *a = distribute(s, ir_input(n, 0), depth + 1);
    ir_value *b = a ? distribute(s, ir_input(n, 1), depth + 1) : NULL;
    return b ? body_2(s->b, a, b, "%s", n->op->name) : NULL;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value *x = pass_is(n, "MatMul") ? ir_input(n, 0) : NULL;
    if (!x || x->type.rank < 2 || !(pass_is(x->producer, "Add") || pass_is(x->producer, "Sub")) ||
        ir_input(n, 1)->type.rank < 2)
        return HEED_OK;
    op_body b = pass_body(p, n);
    sum s = {.b = &b, .v = ir_input(n, 1), .keys = x->type.dims[x->type.rank - 1]};
    return pass_settle(p, n, &b, distribute(&s, x, 0));
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_distribute = {
    .name = "distribute",
    .purpose = "a sum of weights times the values becomes a sum of products",
    .order = 58,
    .run = run,
};
