/* model_warn.c - what a file says but its maker hardly meant: told once, when the first session of
 * a model is made.
 *
 * Separate from model_facts.c, which answers questions; nobody asks for these. */
#include <string.h>

#include "base/log.h"
#include "ops/op.h"
#include "run/model.h"

typedef struct drawing {
    const ir_node *first;
    size_t n;
} drawing;

static bool is_true(const ir_value *v)
{
    return v && v->constant && !v->is_input && tensor_count(v->constant) > 0 &&
           tensor_get_int(v->constant, 0) != 0;
}

static bool is_zero(const ir_value *v)
{
    return v && v->constant && !v->is_input && tensor_count(v->constant) > 0 &&
           tensor_get_float(v->constant, 0) == 0;
}

static void look(const ir_graph *g, drawing *d)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        if (strcmp(n->op->name, "Dropout") == 0 && n->op->domain[0] == 0 && n->n_in > 2 &&
            is_true(ir_input(n, 2)) && !is_zero(ir_input(n, 1))) {
            d->first = d->first ? d->first : n;
            d->n++;
        }
        for (uint32_t i = 0; i < n->n_attrs; i++)
            if (n->attrs[i].graph)
                look(n->attrs[i].graph, d);
    }
}

void model_warn(heed_model *m, bool no_dropout)
{
    drawing d = {0};
    if (no_dropout || atomic_exchange(&m->warned, true))
        return;
    look(m->ir->main, &d);
    if (d.n)
        log_write(LOG_WARN,
                  "%zu Dropout node%s in training mode, \"%s\" first: they drop values at "
                  "random. Export after model.eval(), or run with --no-dropout "
                  "(HEED_SESSION_NO_DROPOUT)",
                  d.n, d.n == 1 ? " is" : "s are", d.first->name);
}
