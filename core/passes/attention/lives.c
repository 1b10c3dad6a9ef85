/* lives.c - see lives.h. */
#include "passes/attention/lives.h"

static void number(uint32_t *places, const ir_graph *g)
{
    uint32_t place = 0;
    for (const ir_node *n = g->first; n; n = n->next) {
        places[n->id] = ++place;
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                number(places, n->attrs[a].graph);
    }
}

uint32_t *lives_places(pass_run *p)
{
    uint32_t *places = arena_array(p->scratch, p->model->n_nodes, sizeof(*places));
    if (places)
        number(places, p->model->main);
    return places;
}

ir_value *lives_root(ir_value *v)
{
    while (v->producer && (v->producer->op->flags & OP_VIEW) && ir_input(v->producer, 0))
        v = ir_input(v->producer, 0);
    return v;
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

uint32_t lives_last(const uint32_t *places, const ir_value *v,
                    bool (*leave_out)(const void *self, const ir_node *reader), const void *self)
{
    uint32_t last = v->n_outputs ? LIVES_FOREVER : 0;
    for (const ir_use *u = v->uses; u && last < LIVES_FOREVER; u = u->next) {
        const ir_node *n = u->node;
        if (pass_is(n, "Shape") || (leave_out && leave_out(self, n)))
            continue;
        if (n->graph != v->graph)
            last = LIVES_FOREVER;
        else if ((n->op->flags & OP_VIEW) && u->slot == 0)
            last = larger(last, lives_last(places, n->out[0], leave_out, self));
        else
            last = larger(last, places[n->id]);
    }
    return last;
}
