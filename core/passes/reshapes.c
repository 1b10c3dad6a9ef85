/* reshapes.c - pass: a Reshape whose target is computed gets a constant one, where its result's
 * shape says which. Last of all, so that what fusions left of such computations goes too.
 *
 * before: Reshape(x, Concat(Shape(x)[0:1], Shape(x)[1:2], [8, 64]))   x [batch, seq, 512]
 * after:  Reshape(x, [0, 0, 8, 64])
 *
 * Where axes of 1 come or go and nothing else, it becomes an Unsqueeze or a Squeeze.
 *
 * An extent without a number is either that of the same axis of the input (0), or the only one of
 * its kind (-1). Not both at once: with no elements nothing could be divided by. */
#include "passes/pass.h"

/* The target that gives `to`, when there is one for all extents. */
static bool find_target(const ir_type *from, const ir_type *to, int64_t *target)
{
    int copied = 0, free = 0;
    if (from->rank < 0 || to->rank < 0 || to->rank > TENSOR_MAX_RANK)
        return false;
    for (int32_t i = 0; i < to->rank; i++) {
        ir_dim dim = to->dims[i];
        bool number = dim_known(dim), same = i < from->rank && from->dims[i] == dim;
        if (dim == 0 || dim == DIM_UNKNOWN)
            return false;
        target[i] = number ? dim : same ? 0 : -1;
        copied += !number && same;
        free += !number && !same;
    }
    return free == 0 || (free == 1 && copied == 0);
}

/* The axes of `wide` that `narrow` lacks, all of them 1; 0 when that is not the difference. */
static int64_t find_ones(const ir_type *narrow, const ir_type *wide, int64_t *axes)
{
    int64_t n = 0;
    int32_t at = 0;
    for (int32_t i = 0; i < wide->rank && wide->rank <= TENSOR_MAX_RANK; i++) {
        ir_dim dim = wide->dims[i];
        if (at < narrow->rank && narrow->dims[at] == dim && dim != DIM_UNKNOWN)
            at++;
        else if (dim == 1)
            axes[n++] = i;
        else
            return 0;
    }
    return at == narrow->rank ? n : 0;
}

static ir_value *replace(op_body *b, ir_value *x, const ir_type *to)
{
    int64_t numbers[TENSOR_MAX_RANK], n;
    if (find_target(&x->type, to, numbers))
        return body_2(b, x, body_ints(b, to->rank, numbers), "Reshape");
    if (x->type.rank >= 0 && (n = find_ones(&x->type, to, numbers)))
        return body_2(b, x, body_ints(b, n, numbers), "Unsqueeze");
    if (to->rank >= 0 && (n = find_ones(to, &x->type, numbers)))
        return body_2(b, x, body_ints(b, n, numbers), "Squeeze");
    return NULL;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value *x = ir_input(n, 0), *shape = ir_input(n, 1);
    if (!pass_is(n, "Reshape") || !x || !shape || shape->constant || !n->out[0])
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y = replace(&b, x, &n->out[0]->type);
    if (!y && !b.status)
        return HEED_OK;
    return pass_settle(p, n, &b, y);
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_reshapes = {
    .name = "reshapes",
    .purpose = "a Reshape whose target is computed gets a constant one, or none",
    .order = 89,
    .run = run,
};
