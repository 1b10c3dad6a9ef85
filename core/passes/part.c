/* part.c - pass: a split of which one part is read is a slice.
 *
 * before: y, unread = Split(x, sizes 7, 1)        after: y = Slice(x, 0, 7)
 *
 * Passes then know one form of taking a part of a tensor. */
#include "ops/body.h"
#include "passes/pass.h"

/* The one output that is read, or n_out. */
static uint32_t only_read(const ir_node *n)
{
    uint32_t found = n->n_out, count = 0;
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o] && ir_value_used(n->out[o])) {
            found = o;
            count++;
        }
    return count == 1 ? found : n->n_out;
}

/* Where the part begins; -1: not known. */
static int64_t start_of(const ir_node *n, int64_t axis, uint32_t part)
{
    int64_t start = 0;
    for (uint32_t o = 0; o <= part; o++) {
        const ir_value *v = n->out[o];
        if (!v || v->type.rank <= axis || !dim_known(v->type.dims[axis]))
            return -1;
        start += o < part ? v->type.dims[axis] : 0;
    }
    return start;
}

static heed_status visit(pass_run *p, ir_node *n)
{
    uint32_t part = pass_is(n, "Split") ? only_read(n) : n->n_out;
    const ir_value *x = ir_input(n, 0);
    if (part == n->n_out || n->n_out < 2 || x->type.rank < 0)
        return HEED_OK;
    int64_t axis = ir_attr_int(n, "axis", 0);
    axis += axis < 0 ? x->type.rank : 0;
    int64_t start = start_of(n, axis, part);
    if (start < 0)
        return HEED_OK;
    op_body b = pass_body(p, n);
    ir_value *y =
        body_part(&b, ir_input(n, 0), (int32_t)axis, start, start + n->out[part]->type.dims[axis]);
    if (b.status)
        return b.status;
    ir_value_replace(n->out[part], y);
    ir_node_remove(n);
    p->rewrites++;
    return HEED_OK;
}

static heed_status run(pass_run *p) { return pass_each_node(p, visit); }

const pass_def pass_part = {
    .name = "part",
    .purpose = "a split of which one part is read is a slice",
    .order = 35,
    .repeat = true,
    .run = run,
};
