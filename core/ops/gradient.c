/* gradient.c - Gradient of ai.onnx.preview.training: derivatives of a value of the graph by others,
 * in reverse mode (Linnainmaa 1970).
 *
 * The nodes between xs and y are emitted anew, because the operator's inputs say where to
 * differentiate, and that need not be where the graph is computed; where it is, the copies are
 * merged with the originals later. Then each node, last first, hands on the derivative. */
#include "ops/gradient.h"

#include <string.h>

enum { MAX_NODES = 1 << 16 };

static const heed_string *names_of(const ir_node *n, const char *attr, uint64_t *count)
{
    const ir_attr *a = ir_node_attr(n, attr);
    *count = a ? a->view.n : 0;
    return a ? a->view.strings : NULL;
}

static heed_status infer_gradient(op_infer *c)
{
    uint64_t xs, zs;
    names_of(c->node, "xs", &xs);
    names_of(c->node, "zs", &zs);
    if (c->n_in != xs + zs || c->n_out > xs)
        return infer_error(c, "an input for each of xs and zs, an output for each of xs",
                           "%u inputs and %u outputs for %llu and %llu", c->n_in, c->n_out,
                           (unsigned long long)xs, (unsigned long long)zs);
    for (uint32_t o = 0; o < c->n_out; o++)
        TRY(infer_set_like(c, o, o));
    return HEED_OK;
}

/* ---- The tape -------------------------------------------------------------------------------- */

ir_value *gradient_in(const gradient_tape *t, const ir_node *n, uint32_t slot)
{
    ir_value *v = ir_input(n, slot);
    return v && v->id < t->n_ids && t->value[v->id] ? t->value[v->id] : v;
}

ir_value *gradient_out(const gradient_tape *t, const ir_node *n) { return t->value[n->out[0]->id]; }

bool gradient_wants(const gradient_tape *t, const ir_node *n, uint32_t slot)
{
    const ir_value *v = ir_input(n, slot);
    return v && v->id < t->n_ids && t->active[v->id];
}

/* The axes of v along which `like` was repeated are summed up. */
static ir_value *sum_to(op_body *b, ir_value *v, const ir_value *like)
{
    int64_t axes[TENSOR_MAX_RANK], n = 0;
    int32_t rank = body_rank(b, v), lead = rank - body_rank(b, like);
    if (b->status)
        return NULL;
    for (int32_t i = 0; i < lead; i++)
        axes[n++] = i;
    if (n)
        v = body_2(b, v, body_ints(b, n, axes), "ReduceSum keepdims=0");
    n = 0;
    for (int32_t i = lead < 0 ? -lead : 0; v && i < like->type.rank; i++) {
        ir_dim have = v->type.dims[lead < 0 ? i + lead : i], want = like->type.dims[i];
        if (have != want && want != 1)
            body_fail(b, HEED_UNSUPPORTED, "whether axis %d was repeated is not known", i);
        if (have != want)
            axes[n++] = i;
    }
    return n ? body_2(b, v, body_ints(b, n, axes), "ReduceSum") : v;
}

void gradient_give(gradient_tape *t, const ir_node *n, uint32_t slot, ir_value *value)
{
    if (!gradient_wants(t, n, slot) || t->body->status)
        return;
    ir_value **sum = &t->adjoint[n->in[slot].value->id];
    value = sum_to(t->body, value, gradient_in(t, n, slot));
    *sum = *sum ? body_2(t->body, *sum, value, "Add") : value;
}

/* ---- Forward --------------------------------------------------------------------------------- */

static bool is_named(const ir_value *v, heed_string name)
{
    return v && strlen(v->name) == name.size && memcmp(v->name, name.data, name.size) == 0;
}

/* What a node gives or reads (a weight, say), or an input of the graph. */
static ir_value *find(const ir_graph *g, heed_string name)
{
    for (ir_node *n = g->first; n; n = n->next) {
        for (uint32_t o = 0; o < n->n_out; o++)
            if (is_named(n->out[o], name))
                return n->out[o];
        for (uint32_t i = 0; i < n->n_in; i++)
            if (is_named(n->in[i].value, name))
                return n->in[i].value;
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (is_named(g->inputs[i], name))
            return g->inputs[i];
    return NULL;
}

/* The values of an attribute get the inputs from `first` on; xs are what is differentiated by. */
static uint32_t place_inputs(gradient_tape *t, const char *attr, bool active, uint32_t first)
{
    uint64_t n;
    const heed_string *names = names_of(t->body->node, attr, &n);
    for (uint64_t i = 0; i < n; i++) {
        const ir_value *v = find(t->body->node->graph, names[i]);
        if (!v)
            continue; /* nothing depends on it */
        t->value[v->id] = body_in(t->body, first + (uint32_t)i);
        t->active[v->id] = active;
    }
    return first + (uint32_t)n;
}

/* needed[id] of nodes on the way from what is placed to y. */
static void mark(const gradient_tape *t, const ir_value *y, bool *wanted, bool *needed)
{
    const ir_graph *g = t->body->node->graph;
    wanted[y->id] = true;
    for (const ir_node *n = g->last; n; n = n->previous)
        for (uint32_t o = 0; o < n->n_out; o++) {
            const ir_value *v = n->out[o];
            if (!v || v->id >= t->n_ids || !wanted[v->id] || t->value[v->id])
                continue;
            needed[n->id] = true;
            for (uint32_t i = 0; i < n->n_in; i++)
                if (n->in[i].value)
                    wanted[n->in[i].value->id] = true;
        }
}

static void emit(gradient_tape *t, const ir_node *n)
{
    op_body *b = t->body;
    if (b->status)
        return;
    if (n == b->node || n->op->flags & (OP_CONTROL | OP_RANDOM)) {
        body_fail(b, HEED_UNSUPPORTED, "%s cannot be differentiated", n->op->name);
        return;
    }
    ir_value **in = arena_array(b->scratch, n->n_in, sizeof(ir_value *));
    for (uint32_t i = 0; in && i < n->n_in; i++)
        in[i] = gradient_in(t, n, i);
    ir_node *copy =
        in ? ir_node_new(b->node->graph, b->last, n->op, n->name, n->n_in, in, n->n_out, NULL)
           : NULL;
    b->status = copy ? HEED_OK : HEED_NOMEM;
    for (uint32_t i = 0; copy && i < n->n_attrs && !b->status; i++)
        b->status = ir_node_set_attr(copy, &n->attrs[i].view, NULL);
    if (b->status)
        return;
    b->last = copy;
    copy->path = b->node->path;
    copy->offset = b->node->offset;
    b->status = b->infer(b, copy);
    for (uint32_t o = 0; o < n->n_out; o++) {
        if (!n->out[o])
            continue;
        t->value[n->out[o]->id] = copy->out[o];
        for (uint32_t i = 0; i < n->n_in; i++)
            t->active[n->out[o]->id] = t->active[n->out[o]->id] || gradient_wants(t, n, i);
    }
}

/* ---- Backward -------------------------------------------------------------------------------- */

static void back(gradient_tape *t, const ir_node *n)
{
    const ir_value *v = n->out[0];
    if (t->body->status || !v || !t->active[v->id] || !t->adjoint[v->id])
        return;
    if (!gradient_rule(t, n, t->adjoint[v->id]))
        body_fail(t->body, HEED_UNSUPPORTED, "the derivative of %s is not known", n->op->name);
}

static ir_value *filled(op_body *b, double value, ir_value *like)
{
    return body_2(b, body_like(b, value, like), body_1(b, like, "Shape"), "Expand");
}

static void give_outputs(gradient_tape *t)
{
    op_body *b = t->body;
    uint64_t n;
    const heed_string *names = names_of(b->node, "xs", &n);
    for (uint32_t o = 0; o < n && o < b->node->n_out; o++) {
        const ir_value *v = find(b->node->graph, names[o]);
        ir_value *adjoint = v && v->id < t->n_ids ? t->adjoint[v->id] : NULL;
        body_set(b, o, adjoint ? adjoint : filled(b, 0, body_in(b, o)));
    }
}

static void differentiate(gradient_tape *t, ir_value *y, const bool *needed, uint32_t n_nodes)
{
    op_body *b = t->body;
    const ir_node **order = arena_array(b->scratch, n_nodes, sizeof(const ir_node *));
    uint32_t n = 0;
    if (!order) {
        b->status = HEED_NOMEM;
        return;
    }
    for (const ir_node *at = b->node->graph->first; at; at = at->next)
        if (at->id < n_nodes && needed[at->id])
            order[n++] = at;
    if (n > MAX_NODES) /* each derivative of a derivative is several times as long */
        body_fail(b, HEED_UNSUPPORTED, "%u nodes are too many to differentiate", n);
    for (uint32_t i = 0; i < n; i++)
        emit(t, order[i]);
    ir_value *end = t->value[y->id] ? t->value[y->id] : y;
    if (!b->status)
        t->adjoint[y->id] = body_2(b, body_like(b, 1, end), body_1(b, end, "Shape"), "Expand");
    while (n-- > 0)
        back(t, order[n]);
    give_outputs(t);
}

static void decompose_gradient(op_body *b)
{
    const ir_model *m = b->node->graph->model;
    const char *name = ir_attr_string(b->node, "y", "");
    ir_value *y = find(b->node->graph, (heed_string){name, strlen(name)});
    arena *a = b->scratch;
    gradient_tape t = {.body = b,
                       .n_ids = m->n_values,
                       .value = arena_array(a, m->n_values, sizeof(ir_value *)),
                       .adjoint = arena_array(a, m->n_values, sizeof(ir_value *)),
                       .active = arena_array(a, m->n_values, sizeof(bool))};
    bool *wanted = arena_array(a, m->n_values, sizeof(bool));
    bool *needed = arena_array(a, m->n_nodes, sizeof(bool));
    uint32_t n_nodes = m->n_nodes;
    if (!t.value || !t.adjoint || !t.active || !wanted || !needed) {
        b->status = HEED_NOMEM;
        return;
    }
    if (!y) {
        body_fail(b, HEED_INVALID, "the graph has no value \"%.64s\"", name);
        return;
    }
    place_inputs(&t, "zs", false, place_inputs(&t, "xs", true, 0));
    mark(&t, y, wanted, needed);
    differentiate(&t, y, needed, n_nodes);
}

// clang-format off
static const op_def gradient = {
    .domain = "ai.onnx.preview.training", .name = "Gradient", .since = 1,
    .signature = "Inputs:T** -> Outputs:U**", .types = "T=any U=float",
    .attrs = "xs:strings! y:string! zs:strings",
    .infer = infer_gradient, .decompose = decompose_gradient};

const op_def *const ops_gradient[] = {&gradient, NULL};
// clang-format on
