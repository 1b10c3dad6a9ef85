/* layers.c - pass: a layer over repeated and other channels side by side becomes a sum of layers.
 *
 * before: y = MatMul(Concat(Expand(q), k, axis = -1), w)
 * after:  y = Add(MatMul(q, w[:n]), MatMul(k, w[n:]))
 *
 * So decoders score their state beside every key (Bahdanau 2015 in one layer): what is repeated is
 * multiplied once, and the sum is what additive attention is recognised by. */
#include "ops/body.h"
#include "passes/pass.h"

enum { MOST_REPEATS = 4 };

/* Every axis has the extent of the other's, or 1. */
static bool repeats_ones(const ir_value *v, const ir_value *whole)
{
    if (v->type.rank != whole->type.rank)
        return false;
    for (int32_t i = 0; i < v->type.rank; i++)
        if (v->type.dims[i] != 1 && v->type.dims[i] != whole->type.dims[i])
            return false;
    return true;
}

/* What the piece repeats; itself when it repeats nothing. */
static ir_value *unrepeated(ir_value *piece)
{
    ir_value *v = piece;
    for (int i = 0; i < MOST_REPEATS; i++) {
        const ir_node *n = v->producer;
        if (!(pass_is(n, "Expand") || pass_is(n, "Tile")) || !repeats_ones(ir_input(n, 0), piece))
            break;
        v = ir_input(n, 0);
    }
    return v;
}

static bool is_along_last(const ir_node *concat)
{
    int64_t axis = ir_attr_int(concat, "axis", 0);
    return axis == -1 || axis == concat->out[0]->type.rank - 1;
}

static ir_value *split(const ir_node *n, op_body *b)
{
    const ir_node *concat = ir_input(n, 0)->producer;
    ir_value *w = ir_input(n, 1), *sum = NULL;
    int64_t from = 0;
    bool less = false;
    for (uint32_t i = 0; i < concat->n_in; i++) {
        ir_value *piece = ir_input(concat, i), *v = unrepeated(piece);
        ir_dim width = piece->type.dims[piece->type.rank - 1];
        if (!dim_known(width) || v->type.dims[v->type.rank - 1] != width)
            return NULL;
        ir_value *y = body_2(b, v, body_part(b, w, 0, from, from + width), "MatMul");
        sum = sum ? body_2(b, sum, y, "Add") : y;
        less |= v != piece;
        from += width;
    }
    return less ? sum : NULL;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    const ir_node *concat = pass_is(n, "MatMul") ? ir_input(n, 0)->producer : NULL;
    if (!pass_is(concat, "Concat") || concat->n_in > 3 || concat->out[0]->type.rank < 2 ||
        !is_along_last(concat) || !pass_constant(ir_input(n, 1)) || ir_input(n, 1)->type.rank != 2)
        return HEED_OK;
    op_body b = pass_body(p, n);
    return pass_settle(p, n, &b, split(n, &b));
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_layers = {
    .name = "layers",
    .purpose = "a layer over repeated channels beside others becomes a sum of layers",
    .order = 56,
    .run = run,
};
