/* residual_norm.c - pass: a sum and its norm become one node.
 *
 * before: s = Add(Add(x, row), r); y = LayerNormalization(s, w, b); z = f(s)
 * after:  y, s = heed.ResidualNormalization(x, r, w, b, row); z = f(s)
 *
 * Only over the last axis, with a weight of exactly that axis, and where a backend computes it. The
 * node stands where the sum stood, since others may read the sum before the norm does; so the
 * weights must be there already. */
#include <string.h>

#include "passes/pass.h"

typedef struct found {
    ir_node *norm, *sum;
    ir_value *x, *residual, *row;
    bool rms;
} found;

/* A row of the last axis of x. */
static bool is_row(const ir_value *v, const ir_value *x)
{
    return v->type.kind == HEED_KIND_TENSOR && v->type.rank == 1 &&
           v->type.dtype == x->type.dtype && v->type.dims[0] == x->type.dims[x->type.rank - 1];
}

/* Nothing computes it: it is there before any node of the graph. */
static bool is_given(const ir_value *v, const ir_value *x)
{
    return !v || (!v->producer && is_row(v, x));
}

static bool is_norm(found *f, ir_node *n)
{
    f->norm = n;
    f->rms = pass_is(n, "RMSNormalization");
    ir_value *s = ir_input(n, 0);
    if ((!f->rms && !pass_is(n, "LayerNormalization")) || !s || s->type.rank < 2)
        return false;
    int64_t axis = ir_attr_int(n, "axis", -1);
    for (uint32_t o = 1; o < n->n_out; o++)
        if (ir_value_used(n->out[o]))
            return false;
    return (axis == -1 || axis == s->type.rank - 1) && is_given(ir_input(n, 1), s) &&
           is_given(ir_input(n, 2), s) && pass_same_type(n->out[0], s);
}

static bool is_sum(found *f)
{
    ir_value *s = ir_input(f->norm, 0);
    f->sum = s->producer;
    if (!f->sum || !pass_is(f->sum, "Add") || f->sum->graph != f->norm->graph)
        return false;
    f->x = ir_input(f->sum, 0);
    f->residual = ir_input(f->sum, 1);
    return pass_same_type(f->x, s) && pass_same_type(f->residual, s);
}

/* One side may be a sum with a row, which nobody else reads: the bias of a product. */
static void find_row(found *f)
{
    for (int side = 0; side < 2; side++) {
        ir_value *v = side ? f->residual : f->x;
        const ir_node *add = v->producer;
        if (!add || !pass_is(add, "Add") || v->n_outputs || !v->uses || v->uses->next)
            continue;
        for (uint32_t i = 0; i < 2; i++) {
            ir_value *row = ir_input(add, i), *x = ir_input(add, 1 - i);
            if (row->producer || !is_row(row, x) || !pass_same_type(x, v))
                continue;
            f->residual = side ? f->x : f->residual;
            f->x = x;
            f->row = row;
            return;
        }
    }
}

static heed_status replace(pass_run *p, const found *f)
{
    ir_value *in[] = {f->x, f->residual, ir_input(f->norm, 1), ir_input(f->norm, 2), f->row};
    ir_value *out[2];
    bool taken = false;
    op_body b = pass_body(p, f->sum);
    body_nodes(&b,
               f->row  ? 5
               : in[3] ? 4
                       : 3,
               in, 2, out, "heed.ResidualNormalization epsilon=%.9g rms=%d",
               ir_attr_float(f->norm, "epsilon", 1e-5), f->rms);
    TRY(b.status);
    TRY(pass_taken(p, b.last, &taken));
    if (!taken) {
        pass_undo(&b);
        return HEED_OK;
    }
    ir_value_replace(f->norm->out[0], out[0]);
    ir_node_remove(f->norm);
    ir_value_replace(f->sum->out[0], out[1]);
    ir_node_remove(f->sum);
    if (!ir_value_used(out[1]))
        out[1]->producer->out[1] = NULL;
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    found f = {0};
    if (!is_norm(&f, n) || !is_sum(&f))
        return HEED_OK;
    find_row(&f);
    return replace(p, &f);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_residual_norm = {
    .name = "residual_norm",
    .purpose = "a sum and its norm become one node",
    .fuses = "SkipLayerNorm",
    .order = 85,
    .run = run,
};
