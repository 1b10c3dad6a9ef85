/* pointwise.c - pass: a chain of elementwise operators becomes one node.
 *
 * before: y = Mul(Sigmoid(Add(x, b)), z)     after: y = heed.Pointwise(x, b, z,
 *                                                       program = "Add 0 1; Sigmoid 3; Mul 4 2")
 *
 * From the last node up: what is read by members alone, and has the shape of the result, joins. A
 * smaller tensor does not, since it would be computed over and over, and neither does what follows
 * from shapes alone: that is done once, while planning. It runs after the fusions that have names
 * of their own and takes what they leave. */
#include <stdio.h>
#include <string.h>

#include "ops/pointwise.h"
#include "passes/pass.h"

// clang-format off
static const struct {
    const char *op;
    uint32_t n_in;
} elementwise[] = {
    {"Abs", 1}, {"Ceil", 1}, {"Celu", 1}, {"Cos", 1}, {"Elu", 1}, {"Erf", 1}, {"Exp", 1},
    {"Floor", 1}, {"Gelu", 1}, {"HardSigmoid", 1}, {"HardSwish", 1}, {"IsNaN", 1},
    {"LeakyRelu", 1}, {"Log", 1}, {"Mish", 1}, {"Neg", 1}, {"Not", 1}, {"Reciprocal", 1},
    {"Relu", 1}, {"Round", 1}, {"Selu", 1}, {"Sigmoid", 1}, {"Sign", 1}, {"Sin", 1},
    {"Softplus", 1}, {"Softsign", 1}, {"Sqrt", 1}, {"Swish", 1}, {"Tanh", 1},
    {"ThresholdedRelu", 1}, {"Add", 2}, {"And", 2}, {"Div", 2}, {"Equal", 2}, {"Greater", 2},
    {"GreaterOrEqual", 2}, {"Less", 2}, {"LessOrEqual", 2}, {"Max", 2}, {"Min", 2}, {"Mul", 2},
    {"Or", 2}, {"PRelu", 2}, {"Pow", 2}, {"Sub", 2}, {"Xor", 2}, {"Where", 3},
};
// clang-format on

/* ---- Who may join --------------------------------------------------------------------------- */

typedef struct group {
    ir_node *members[POINTWISE_STEPS]; /* the result first */
    uint32_t n;
    ir_value *inputs[POINTWISE_INPUTS];
    uint32_t n_inputs;
    heed_dtype number; /* the one floating-point type; 0: not met yet */
} group;

static bool is_elementwise(const ir_node *n)
{
    for (size_t i = 0; i < sizeof(elementwise) / sizeof(*elementwise); i++)
        if (pass_is(n, elementwise[i].op))
            return n->n_in == elementwise[i].n_in;
    return false;
}

static bool is_tensor_of(const ir_value *v, heed_dtype *number)
{
    if (!v || v->type.kind != HEED_KIND_TENSOR || v->type.rank < 0)
        return false;
    if (v->type.dtype == HEED_BOOL)
        return true;
    if (!dtype_is_float(v->type.dtype))
        return false;
    if (!*number)
        *number = v->type.dtype;
    return v->type.dtype == *number;
}

/* All operands are truth values or of the group's floating-point type. */
static bool has_types(const ir_node *n, heed_dtype *number)
{
    bool good = is_tensor_of(n->out[0], number);
    for (uint32_t i = 0; i < n->n_in && good; i++)
        good = is_tensor_of(ir_input(n, i), number);
    return good;
}

static bool same_dims(const ir_value *a, const ir_value *b)
{
    bool same = a->type.rank == b->type.rank;
    for (int32_t i = 0; same && i < a->type.rank; i++)
        same = a->type.dims[i] == b->type.dims[i];
    return same;
}

static bool is_member(const group *g, const ir_node *n)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->members[i] == n)
            return true;
    return false;
}

static bool is_read_inside(const group *g, const ir_value *v)
{
    if (v->n_outputs)
        return false;
    for (const ir_use *u = v->uses; u; u = u->next)
        if (!is_member(g, u->node))
            return false;
    return true;
}

/* ---- What is known when shapes are ---------------------------------------------------------- */

typedef struct facts {
    bool *planned; /* by id of the value: computed while planning */
    bool *gone;    /* by id of the node */
    uint32_t n_values, n_nodes;
} facts;

static bool is_planned(const facts *f, const ir_value *v)
{
    return !v || pass_constant(v) || (v->id < f->n_values && f->planned[v->id]);
}

static void mark_planned(const ir_graph *g, facts *f)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        bool all = pass_pure(n);
        for (uint32_t i = 0; i < n->n_in && all; i++)
            all = is_planned(f, ir_input(n, i));
        all = all || pass_is(n, "Shape") || pass_is(n, "Size");
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o])
                f->planned[n->out[o]->id] = all;
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                mark_planned(n->attrs[a].graph, f);
    }
}

/* ---- A group -------------------------------------------------------------------------------- */

static uint32_t count_inputs(group *g)
{
    uint32_t n = 0;
    for (uint32_t m = 0; m < g->n; m++)
        for (uint32_t i = 0; i < g->members[m]->n_in; i++) {
            ir_value *v = ir_input(g->members[m], i);
            bool known = v->producer && is_member(g, v->producer);
            for (uint32_t k = 0; k < n && k < POINTWISE_INPUTS && !known; k++)
                known = g->inputs[k] == v;
            if (known)
                continue;
            if (n < POINTWISE_INPUTS)
                g->inputs[n] = v;
            n++;
        }
    return n;
}

static bool try_member(group *g, const facts *f, ir_node *n)
{
    heed_dtype number = g->number;
    if (!n || g->n == POINTWISE_STEPS || n->graph != g->members[0]->graph || !is_elementwise(n) ||
        !has_types(n, &number) || !same_dims(n->out[0], g->members[0]->out[0]) ||
        is_planned(f, n->out[0]) || is_member(g, n) || !is_read_inside(g, n->out[0]))
        return false;
    g->members[g->n++] = n;
    g->n_inputs = count_inputs(g);
    if (g->n_inputs > POINTWISE_INPUTS) {
        g->n--;
        g->n_inputs = count_inputs(g);
        return false;
    }
    g->number = number;
    return true;
}

static bool start(group *g, const facts *f, ir_node *n)
{
    *g = (group){.n = 0};
    if (!is_elementwise(n) || !has_types(n, &g->number) || is_planned(f, n->out[0]))
        return false;
    g->members[g->n++] = n;
    g->n_inputs = count_inputs(g);
    return true;
}

/* A node joins when all that read it have: a round may open the way for more. */
static void grow(group *g, const facts *f)
{
    for (bool grown = true; grown;) {
        grown = false;
        for (uint32_t m = 0; m < g->n; m++)
            for (uint32_t i = 0; i < g->members[m]->n_in; i++)
                grown |= try_member(g, f, ir_input(g->members[m], i)->producer);
    }
}

/* ---- Its program ---------------------------------------------------------------------------- */

static bool write_attrs(const ir_node *n, pointwise_step *s)
{
    size_t used = 0, size = sizeof(s->attrs);
    for (uint32_t i = 0; i < n->n_attrs && used < size; i++) {
        const heed_attribute *a = &n->attrs[i].view;
        const char *gap = used ? " " : "";
        char *to = s->attrs + used;
        int k = 0;
        if (a->type == HEED_ATTR_FLOAT)
            k = snprintf(to, size - used, "%s%s=%.9g", gap, a->name, a->f);
        else if (a->type == HEED_ATTR_INT)
            k = snprintf(to, size - used, "%s%s=%lld", gap, a->name, (long long)a->i);
        else if (a->type == HEED_ATTR_STRING)
            k = snprintf(to, size - used, "%s%s=%.*s", gap, a->name, (int)a->s.size, a->s.data);
        used += (size_t)k;
    }
    return used < size;
}

/* Members in the order of the graph. */
static void sort_members(group *g)
{
    uint32_t left = g->n;
    ir_node *sorted[POINTWISE_STEPS];
    for (ir_node *n = g->members[0]; n && left; n = n->previous)
        if (is_member(g, n))
            sorted[--left] = n;
    memcpy(g->members, sorted, g->n * sizeof(*sorted));
}

/* The kernel may write its result over the first input: one that has the result's type, if any. */
static void put_first(group *g, const ir_value *y)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (pass_same_type(g->inputs[i], y) && !pass_constant(g->inputs[i])) {
            ir_value *v = g->inputs[i];
            g->inputs[i] = g->inputs[0];
            g->inputs[0] = v;
            return;
        }
}

static uint32_t number_of(const group *g, const ir_value *v)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (v->producer == g->members[i])
            return g->n_inputs + i;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (g->inputs[i] == v)
            return i;
    return 0;
}

static bool write_program(const group *g, char *text, size_t size)
{
    pointwise_program p = {.n = g->n};
    for (uint32_t i = 0; i < g->n; i++) {
        const ir_node *n = g->members[i];
        pointwise_step *s = &p.steps[i];
        snprintf(s->op, sizeof(s->op), "%s", n->op->name);
        if (!write_attrs(n, s))
            return false;
        s->n_in = n->n_in;
        for (uint32_t k = 0; k < n->n_in; k++)
            s->in[k] = number_of(g, ir_input(n, k));
    }
    return pointwise_write(&p, text, size);
}

/* ---- The rewrite ---------------------------------------------------------------------------- */

static heed_status make(pass_run *p, const group *g, const char *text, ir_node **made)
{
    const ir_node *last = g->members[g->n - 1];
    ir_node *n = ir_node_new(last->graph, (ir_node *)(uintptr_t)last, op_find("heed", "Pointwise"),
                             last->name, g->n_inputs, g->inputs, 1, NULL);
    heed_attribute program = {.size = sizeof(program),
                              .type = HEED_ATTR_STRING,
                              .name = "program",
                              .s = {text, strlen(text)}};
    heed_attribute to = {
        .size = sizeof(to), .type = HEED_ATTR_INT, .name = "to", .i = last->out[0]->type.dtype};
    if (!n)
        return HEED_NOMEM;
    n->path = last->path;
    n->offset = last->offset;
    TRY(ir_node_set_attr(n, &program, NULL));
    TRY(ir_node_set_attr(n, &to, NULL));
    TRY(op_check_node(n));
    TRY(pass_infer_node(p, n));
    *made = n;
    return HEED_OK;
}

static heed_status replace(pass_run *p, group *g, const facts *f)
{
    char text[POINTWISE_TEXT];
    bool taken = false;
    ir_node *made;
    ir_value *y = g->members[0]->out[0];
    sort_members(g);
    put_first(g, y);
    if (!write_program(g, text, sizeof(text)))
        return HEED_OK;
    TRY(make(p, g, text, &made));
    TRY(pass_taken(p, made, &taken));
    if (!taken || !same_dims(made->out[0], y)) {
        ir_node_remove(made);
        return HEED_OK;
    }
    ir_value_replace(y, made->out[0]);
    for (uint32_t i = g->n; i-- > 0;) {
        f->gone[g->members[i]->id] = true;
        ir_node_remove(g->members[i]);
    }
    p->rewrites++;
    return HEED_OK;
}

static heed_status visit_graph(pass_run *p, ir_graph *graph, facts *f);

static heed_status visit(pass_run *p, ir_node *n, facts *f)
{
    group g;
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            TRY(visit_graph(p, n->attrs[a].graph, f));
    if (!start(&g, f, n))
        return HEED_OK;
    grow(&g, f);
    return g.n > 1 ? replace(p, &g, f) : HEED_OK;
}

/* The last one first. */
static heed_status visit_graph(pass_run *p, ir_graph *graph, facts *f)
{
    uint32_t n = 0;
    ir_node **nodes = arena_array(p->scratch, graph->n_nodes, sizeof(ir_node *));
    if (!nodes)
        return HEED_NOMEM;
    for (ir_node *at = graph->first; at; at = at->next)
        nodes[n++] = at;
    while (n-- > 0)
        if (!f->gone[nodes[n]->id])
            TRY(visit(p, nodes[n], f));
    return HEED_OK;
}

static heed_status run(pass_run *p)
{
    facts f = {.n_values = p->model->n_values, .n_nodes = p->model->n_nodes};
    f.planned = arena_array(p->scratch, f.n_values, sizeof(*f.planned));
    f.gone = arena_array(p->scratch, f.n_nodes, sizeof(*f.gone));
    if (!f.planned || !f.gone)
        return HEED_NOMEM;
    mark_planned(p->model->main, &f);
    return visit_graph(p, p->model->main, &f);
}

const pass_def pass_pointwise = {
    .name = "pointwise",
    .purpose = "a chain of elementwise operators becomes one node",
    .fuses = "Pointwise",
    .order = 88,
    .run = run,
};
