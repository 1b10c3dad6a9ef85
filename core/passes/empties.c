/* empties.c - pass: what has no elements is not joined to anything.
 *
 * before: y = Concat(past [1, 4, 0, 8], x [1, 4, S, 8]) axis=2      after: y = x */
#include "passes/pass.h"

static bool is_empty(const ir_node *n, uint32_t i, int64_t axis)
{
    const ir_type *type = &n->in[i].value->type;
    axis += axis < 0 ? type->rank : 0;
    return axis >= 0 && axis < type->rank && type->dims[axis] == 0;
}

/* All inputs but one are empty along the axis. */
static heed_status visit(pass_run *p, ir_node *n)
{
    ir_value *rest = NULL;
    if (!pass_is(n, "Concat") || n->n_in < 2)
        return HEED_OK;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (is_empty(n, i, ir_attr_int(n, "axis", 0)))
            continue;
        if (rest)
            return HEED_OK;
        rest = ir_input(n, i);
    }
    return rest && pass_same_type(rest, n->out[0]) ? pass_bypass(p, n, rest) : HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_empties = {
    .name = "empties",
    .purpose = "join nothing that is empty",
    .order = 24,
    .repeat = true,
    .run = run,
};
