/* gated.c - see gated.h. The activation must be read by the product alone. Where both sides are the
 * halves of one Split along the last axis, and nobody else reads those, the split goes too. */
#include "passes/fuse/gated.h"

#include <string.h>

static const ir_node *gate_of(const ir_node *product, uint32_t side, const char *activation)
{
    const ir_value *v = ir_input(product, side);
    const ir_node *n = v->producer;
    bool alone = v->uses && !v->uses->next && !v->n_outputs;
    return n && alone && pass_is(n, activation) && n->graph == product->graph ? n : NULL;
}

static bool read_once(const ir_value *v) { return v->uses && !v->uses->next && !v->n_outputs; }

/* What the gate and the other value are the two halves of, or NULL. */
static ir_value *halves_of(const ir_value *gate, const ir_value *up, bool *gate_first)
{
    const ir_node *split = gate->producer;
    int32_t rank = gate->type.rank;
    if (!split || split != up->producer || gate == up || !pass_is(split, "Split") ||
        split->n_out != 2 || rank < 1 || !read_once(gate) || !read_once(up))
        return NULL;
    int64_t axis = ir_attr_int(split, "axis", 0);
    ir_value *whole = ir_input(split, 0);
    if ((axis != -1 && axis != rank - 1) || whole->type.rank != rank ||
        !dim_known(whole->type.dims[rank - 1]) || whole->type.dims[rank - 1] % 2)
        return NULL;
    *gate_first = gate->slot == 0;
    return whole;
}

static const char *name_of(const ir_node *gate)
{
    bool tanh = ir_attr_string(gate, "approximate", "none")[0] == 't';
    return pass_is(gate, "Swish") ? "swish" : tanh ? "gelu_tanh" : "gelu";
}

static heed_status replace(pass_run *p, ir_node *n, const ir_node *gate, ir_value *up)
{
    bool taken = false, first = true;
    ir_value *in[] = {ir_input(gate, 0), up};
    ir_value *whole = halves_of(in[0], up, &first);
    op_body b = pass_body(p, n);
    ir_value *y = body_n(&b, whole ? 1 : 2, whole ? &whole : in,
                         "heed.GatedActivation activation=%s alpha=%.9g gate_first=%d",
                         name_of(gate), ir_attr_float(gate, "alpha", 1), first);
    TRY(b.status);
    TRY(pass_taken(p, b.last, &taken));
    if (taken)
        return pass_bypass(p, n, y);
    pass_undo(&b);
    return HEED_OK;
}

static heed_status visit(pass_run *p, ir_node *n, const char *activation)
{
    for (uint32_t side = 0; side < 2 && pass_is(n, "Mul"); side++) {
        const ir_node *gate = gate_of(n, side, activation);
        ir_value *up = ir_input(n, 1 - side);
        if (gate && pass_same_type(up, n->out[0]) && pass_same_type(gate->out[0], up) &&
            up != gate->out[0])
            return replace(p, n, gate, up);
    }
    return HEED_OK;
}

static heed_status fuse_graph(pass_run *p, ir_graph *g, const char *activation)
{
    for (ir_node *n = g->first, *next; n; n = next) {
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(fuse_graph(p, n->attrs[a].graph, activation));
        TRY(visit(p, n, activation));
        next = n->next;
    }
    return HEED_OK;
}

heed_status gated_fuse(pass_run *p, const char *activation)
{
    return fuse_graph(p, p->model->main, activation);
}
