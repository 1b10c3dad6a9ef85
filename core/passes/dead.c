/* dead.c - pass: nodes whose results nobody reads go.
 *
 * before: a = Exp(x); b = Neg(x); output b        after: b = Neg(x); output b */
#include "passes/pass.h"

static bool read_by_anyone(const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_out; i++)
        if (ir_value_used(n->out[i]))
            return true;
    return false;
}

/* Last to first, so that a chain of dead nodes goes in one sweep. */
static void sweep(pass_run *p, ir_graph *g)
{
    for (ir_node *previous, *n = g->last; n; n = previous) {
        previous = n->previous;
        if (!read_by_anyone(n)) {
            ir_node_remove(n);
            p->rewrites++;
            continue;
        }
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                sweep(p, n->attrs[a].graph);
    }
}

static heed_status run(pass_run *p)
{
    sweep(p, p->model->main);
    return HEED_OK;
}

const pass_def pass_dead = {
    .name = "dead",
    .purpose = "remove nodes whose results nobody reads",
    .order = 90,
    .again = 58, /* recognition counts readers */
    .repeat = true,
    .run = run,
};
