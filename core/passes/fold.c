/* fold.c - pass: what depends on constants alone is computed now, by the reference kernels.
 *
 * before: y = Mul(Cast(w8 -> float32), scale)      after: y = constant
 *
 * A budget keeps hostile graphs from blowing up: a result may have as many bytes as the constants
 * that it is made from, times 8 (int4 to float32), or 1 MiB. */
#include <string.h>

#include "ops/evaluate.h"
#include "passes/pass.h"

#define FREE_BYTES ((size_t)1 << 20)
#define GROWTH     8

static bool foldable(const ir_node *n)
{
    if (!pass_pure(n) || (n->op->flags & OP_NO_FOLD) || !op_computes(n->op))
        return false;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value && !pass_constant(n->in[i].value))
            return false;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && n->out[i]->type.kind != HEED_KIND_TENSOR)
            return false;
    return true;
}

static bool within_budget(const ir_node *n)
{
    size_t read = 0, written = 0, bytes;
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i].value)
            read += tensor_bytes(n->in[i].value->constant);
    if (n->op->flags & OP_DATA_SHAPE) /* not known before it ran, but bounded by what it reads */
        return read <= FREE_BYTES / TENSOR_MAX_RANK;
    if (!n->op->run) /* a view; of a result whose shape depends on data, it is inferred later */
        return op_known_bytes(&n->out[0]->type, &bytes);
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i])
            continue;
        if (!op_known_bytes(&n->out[i]->type, &bytes) || !size_add(written, bytes, &written))
            return false;
    }
    return written <= FREE_BYTES || written / GROWTH <= read;
}

/* Weights in another order or type: who only looks at a graph learns nothing from them, and
 * computing them takes longer than all other passes. Whole numbers and truths tell positions and
 * masks, so they count as ever. */
static bool is_large_weight(const ir_node *n)
{
    size_t bytes;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i] && dtype_is_float(n->out[i]->type.dtype) &&
            op_known_bytes(&n->out[i]->type, &bytes) && bytes > FREE_BYTES)
            return true;
    return false;
}

static heed_status replace_outputs(pass_run *p, ir_node *n, heed_tensor **results)
{
    heed_status status = HEED_OK;
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (!n->out[i] || status) {
            tensor_free(results[i]);
            continue;
        }
        ir_value *constant = ir_constant_new(n->graph, NULL, results[i]);
        if (constant)
            ir_value_replace(n->out[i], constant);
        else
            status = HEED_NOMEM;
    }
    if (!status) {
        ir_node_remove(n);
        p->rewrites++;
    }
    return status;
}

static heed_status evaluate(pass_run *p, ir_node *n)
{
    const heed_tensor **in = arena_array(p->scratch, n->n_in, sizeof(*in));
    heed_tensor **out = arena_array(p->scratch, n->n_out, sizeof(*out));
    ir_type *types = arena_array(p->scratch, n->n_out, sizeof(*types));
    if (!in || !out || !types)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < n->n_in; i++)
        in[i] = n->in[i].value ? n->in[i].value->constant : NULL;
    for (uint32_t i = 0; i < n->n_out; i++)
        if (n->out[i])
            types[i] = n->out[i]->type;
    arena scratch = {0};
    heed_status status = op_evaluate(n, in, types, &scratch, out);
    arena_free(&scratch);
    if (status == HEED_INVALID) { /* an index out of range, say: an error only if it ever runs */
        err_clear();
        return HEED_OK;
    }
    return status ? status : replace_outputs(p, n, out);
}

/* Shape(x)[1] of a fixed extent: the content is known although x is not. */
static heed_status fold_content(pass_run *p, ir_node *n)
{
    heed_tensor *t;
    ir_value *v = n->n_out == 1 ? n->out[0] : NULL;
    if (!v || !ir_value_used(v) || !pass_pure(n))
        return HEED_OK;
    TRY(op_content_tensor(p->model->dims, &v->type, v->content, v->n_content, &t));
    if (!t)
        return HEED_OK;
    ir_value *constant = ir_constant_new(n->graph, NULL, t);
    if (!constant)
        return HEED_NOMEM;
    ir_value_replace(v, constant);
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    bool skipped = p->options->look_only && is_large_weight(n);
    if (!skipped && foldable(n) && within_budget(n))
        return evaluate(p, n);
    return fold_content(p, n);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_fold = {
    .name = "fold",
    .purpose = "compute what depends on constants alone",
    .order = 10,
    .again = 75,
    .repeat = true,
    .run = run,
};
