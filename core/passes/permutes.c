/* permutes.c - pass: an Einsum that only moves the axes of one operand becomes a Transpose.
 *
 * before: Einsum(x, "bshd->bhsd")      after: Transpose(x, perm = [0, 2, 1, 3]) */
#include "ops/equation.h"
#include "passes/pass.h"

/* Axis i of the result is axis perm[i] of the operand. */
static bool read_permutation(const equation *e, int64_t *perm)
{
    const equation_term *in = &e->terms[0], *out = &e->out;
    uint32_t taken = 0;
    for (int32_t i = 0; in->rank == out->rank && i < out->rank; i++) {
        int32_t k = 0;
        while (k < in->rank && (in->labels[k] != out->labels[i] || (taken & 1u << k)))
            k++;
        if (k == in->rank)
            return false;
        taken |= 1u << k;
        perm[i] = k;
    }
    /* A label twice in the operand is a diagonal; the result would lack an axis. */
    return in->rank == out->rank;
}

static heed_status replace(pass_run *p, ir_node *n, const int64_t *perm, int32_t rank)
{
    ir_value *x = ir_input(n, 0);
    heed_attribute attr = {.size = sizeof(attr),
                           .type = HEED_ATTR_INTS,
                           .name = "perm",
                           .n = (uint64_t)rank,
                           .ints = perm};
    ir_node *made = ir_node_new(n->graph, n, op_find("", "Transpose"), n->name, 1, &x, 1, NULL);
    if (!made)
        return HEED_NOMEM;
    TRY(ir_node_set_attr(made, &attr, NULL));
    TRY(pass_infer_node(p, made));
    return pass_bypass(p, n, made->out[0]);
}

static heed_status visit(pass_run *p, ir_node *n)
{
    equation e;
    int64_t perm[TENSOR_MAX_RANK];
    if (!pass_is(n, "Einsum") || n->n_in != 1 || !ir_input(n, 0))
        return HEED_OK;
    int32_t rank = ir_input(n, 0)->type.rank;
    if (rank < 1 || equation_read(ir_attr_string(n, "equation", ""), 1, &rank, p->scratch, &e) ||
        !read_permutation(&e, perm))
        return HEED_OK;
    return replace(p, n, perm, rank);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_permutes = {
    .name = "permutes",
    .purpose = "an Einsum that only moves axes becomes a Transpose",
    .order = 25,
    .repeat = true,
    .run = run,
};
