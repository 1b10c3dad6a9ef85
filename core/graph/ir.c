/* ir.c - making and editing graphs. The one file that links and unlinks uses, so that the list of
 * a value's readings is right at every moment (invariants 2 and 3). */
#include "graph/ir.h"

#include <string.h>

struct ir_tensor_list {
    heed_tensor *tensor;
    struct ir_tensor_list *next;
};

ir_model *ir_model_new(void)
{
    ir_model *m = mem_zero(sizeof(*m));
    if (!m)
        return NULL;
    m->dims = dims_new();
    m->main = m->dims ? ir_graph_new(m, NULL, "graph") : NULL;
    if (!m->main) {
        ir_model_free(m);
        return NULL;
    }
    return m;
}

void ir_model_free(ir_model *m)
{
    if (!m)
        return;
    for (struct ir_tensor_list *i = m->owned; i; i = i->next)
        tensor_free(i->tensor);
    dims_free(m->dims);
    arena_free(&m->memory);
    mem_free(m);
}

ir_graph *ir_graph_new(ir_model *m, ir_graph *parent, const char *name)
{
    ir_graph *g = arena_alloc(&m->memory, sizeof(*g));
    if (!g)
        return NULL;
    g->model = m;
    g->parent = parent;
    g->name = arena_string(&m->memory, name ? name : "");
    return g->name ? g : NULL;
}

ir_value *ir_value_new(ir_graph *g, const char *name)
{
    arena *memory = &g->model->memory;
    ir_value *v = arena_alloc(memory, sizeof(*v));
    if (!v)
        return NULL;
    v->id = g->model->n_values++;
    v->name = name ? arena_string(memory, name) : arena_printf(memory, "#%u", v->id);
    v->graph = g;
    v->type.rank = -1;
    v->offset = ERR_NO_OFFSET;
    return v->name ? v : NULL;
}

ir_value *ir_constant_new(ir_graph *g, const char *name, heed_tensor *tensor)
{
    struct ir_tensor_list *entry = arena_alloc(&g->model->memory, sizeof(*entry));
    ir_value *v = entry ? ir_value_new(g, name) : NULL;
    if (!v) {
        tensor_free(tensor);
        return NULL;
    }
    *entry = (struct ir_tensor_list){tensor, g->model->owned};
    g->model->owned = entry;
    v->constant = tensor;
    v->type = (ir_type){.dtype = tensor->dtype, .rank = tensor_rank(tensor), .dims = tensor->dims};
    return v;
}

/* ---- Uses ---------------------------------------------------------------------------------- */

static void use_link(ir_use *use, ir_value *value)
{
    use->value = value;
    use->previous = NULL;
    use->next = value ? value->uses : NULL;
    if (use->next)
        use->next->previous = use;
    if (value)
        value->uses = use;
}

static void use_unlink(ir_use *use)
{
    if (!use->value)
        return;
    if (use->previous)
        use->previous->next = use->next;
    else
        use->value->uses = use->next;
    if (use->next)
        use->next->previous = use->previous;
    *use = (ir_use){.node = use->node, .slot = use->slot};
}

void ir_node_set_input(ir_node *n, uint32_t slot, ir_value *value)
{
    use_unlink(&n->in[slot]);
    use_link(&n->in[slot], value);
}

bool ir_value_used(const ir_value *v) { return v && (v->uses || v->n_outputs); }

bool ir_shapes_may_agree(const ir_type *a, const ir_type *b)
{
    if (a->rank < 0 || b->rank < 0)
        return true;
    for (int32_t i = 0; a->rank == b->rank && i < a->rank; i++)
        if (dim_known(a->dims[i]) && dim_known(b->dims[i]) && a->dims[i] != b->dims[i])
            return false;
    return a->rank == b->rank;
}

/* Graph outputs are few: every graph from the value's own inwards is searched. */
static void replace_outputs(ir_graph *g, ir_value *from, ir_value *to)
{
    for (uint32_t i = 0; i < g->n_outputs; i++) {
        if (g->outputs[i] != from)
            continue;
        g->outputs[i] = to;
        from->n_outputs--;
        to->n_outputs++;
    }
    for (ir_node *n = g->first; n && from->n_outputs; n = n->next)
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                replace_outputs(n->attrs[a].graph, from, to);
}

void ir_value_replace(ir_value *from, ir_value *to)
{
    while (from->uses)
        ir_node_set_input(from->uses->node, from->uses->slot, to);
    if (from->n_outputs)
        replace_outputs(from->graph, from, to);
}

/* ---- Nodes --------------------------------------------------------------------------------- */

static void node_link(ir_graph *g, ir_node *after, ir_node *n)
{
    n->previous = after;
    n->next = after ? after->next : g->first;
    *(n->previous ? &n->previous->next : &g->first) = n;
    *(n->next ? &n->next->previous : &g->last) = n;
    g->n_nodes++;
}

static void node_unlink(ir_node *n)
{
    *(n->previous ? &n->previous->next : &n->graph->first) = n->next;
    *(n->next ? &n->next->previous : &n->graph->last) = n->previous;
    n->graph->n_nodes--;
}

void ir_node_move(ir_node *n, ir_node *after)
{
    if (n == after)
        return;
    node_unlink(n);
    node_link(n->graph, after, n);
}

static heed_status node_outputs(ir_node *n, ir_value *const *out)
{
    for (uint32_t i = 0; i < n->n_out; i++) {
        n->out[i] = out ? out[i] : ir_value_new(n->graph, NULL);
        if (!out && !n->out[i])
            return HEED_NOMEM;
        if (n->out[i]) {
            n->out[i]->producer = n;
            n->out[i]->slot = i;
        }
    }
    return HEED_OK;
}

ir_node *ir_node_new(ir_graph *g, ir_node *after, const struct op_def *op, const char *name,
                     uint32_t n_in, ir_value *const *in, uint32_t n_out, ir_value *const *out)
{
    arena *memory = &g->model->memory;
    ir_node *n = arena_alloc(memory, sizeof(*n));
    if (!n)
        return NULL;
    *n = (ir_node){.op = op, .graph = g, .n_in = n_in, .n_out = n_out, .offset = ERR_NO_OFFSET};
    n->id = g->model->n_nodes++;
    n->name = arena_string(memory, name ? name : "");
    n->in = arena_array(memory, n_in, sizeof(*n->in));
    n->out = arena_array(memory, n_out, sizeof(ir_value *));
    if (!n->name || !n->in || !n->out || node_outputs(n, out))
        return NULL;
    for (uint32_t i = 0; i < n_in; i++) {
        n->in[i] = (ir_use){.node = n, .slot = i};
        use_link(&n->in[i], in[i]);
    }
    node_link(g, after ? after : g->last, n);
    return n;
}

static void remove_graph(ir_graph *g)
{
    while (g->last)
        ir_node_remove(g->last);
    for (uint32_t i = 0; i < g->n_outputs; i++)
        g->outputs[i]->n_outputs--;
    g->n_outputs = 0;
}

void ir_node_remove(ir_node *n)
{
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            remove_graph(n->attrs[a].graph);
    for (uint32_t i = 0; i < n->n_in; i++)
        use_unlink(&n->in[i]);
    node_unlink(n);
}

/* ---- Attributes ------------------------------------------------------------------------------ */

static heed_status copy_strings(arena *memory, heed_attribute *a)
{
    heed_string *strings = arena_array(memory, a->n, sizeof(*strings));
    if (!strings)
        return HEED_NOMEM;
    for (uint64_t i = 0; i < a->n; i++) {
        strings[i].data = arena_copy(memory, a->strings[i].data, a->strings[i].size);
        strings[i].size = a->strings[i].size;
        if (!strings[i].data)
            return HEED_NOMEM;
    }
    a->strings = strings;
    return HEED_OK;
}

static heed_status copy_list(arena *memory, const void *from, uint64_t n, size_t each, void *out)
{
    void *copy = arena_array(memory, n, each);
    if (!copy)
        return HEED_NOMEM;
    if (n)
        memcpy(copy, from, n * each);
    memcpy(out, &copy, sizeof(copy));
    return HEED_OK;
}

/* A tensor attribute becomes a tensor of the model. */
static heed_status copy_tensor(ir_graph *g, heed_attribute *a)
{
    heed_tensor *t = NULL;
    TRY(heed_tensor_from_dlpack(a->tensor, &t));
    struct ir_tensor_list *entry = arena_alloc(&g->model->memory, sizeof(*entry));
    if (!entry) {
        tensor_free(t);
        return HEED_NOMEM;
    }
    *entry = (struct ir_tensor_list){t, g->model->owned};
    g->model->owned = entry;
    a->tensor = &t->dl;
    return HEED_OK;
}

static heed_status copy_attr(ir_graph *g, const heed_attribute *from, heed_attribute *to)
{
    arena *memory = &g->model->memory;
    *to = *from;
    to->name = arena_string(memory, from->name);
    if (!to->name)
        return HEED_NOMEM;
    switch (from->type) {
    case HEED_ATTR_STRING:
        to->s.data = arena_copy(memory, from->s.data, from->s.size);
        return to->s.data ? HEED_OK : HEED_NOMEM;
    case HEED_ATTR_INTS:
        return copy_list(memory, from->ints, from->n, sizeof(int64_t), &to->ints);
    case HEED_ATTR_FLOATS:
        return copy_list(memory, from->floats, from->n, sizeof(float), &to->floats);
    case HEED_ATTR_STRINGS:
        return copy_strings(memory, to);
    case HEED_ATTR_TENSOR:
        return copy_tensor(g, to);
    default:
        return HEED_OK;
    }
}

heed_status ir_node_set_attr(ir_node *n, const heed_attribute *attr, ir_graph *graph)
{
    ir_attr copy = {.graph = graph};
    TRY(copy_attr(n->graph, attr, &copy.view));
    copy.view.size = sizeof(copy.view);
    if (graph)
        graph->owner = n;
    for (uint32_t i = 0; i < n->n_attrs; i++) {
        if (strcmp(n->attrs[i].view.name, attr->name) == 0) {
            n->attrs[i] = copy;
            return HEED_OK;
        }
    }
    ir_attr *attrs = arena_array(&n->graph->model->memory, n->n_attrs + 1, sizeof(*attrs));
    if (!attrs)
        return HEED_NOMEM;
    if (n->n_attrs)
        memcpy(attrs, n->attrs, n->n_attrs * sizeof(*attrs));
    attrs[n->n_attrs++] = copy;
    n->attrs = attrs;
    return HEED_OK;
}

const ir_attr *ir_node_attr(const ir_node *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (strcmp(n->attrs[i].view.name, name) == 0)
            return &n->attrs[i];
    return NULL;
}

static const heed_attribute *typed(const ir_node *n, const char *name, uint32_t type)
{
    const ir_attr *a = ir_node_attr(n, name);
    return a && a->view.type == type ? &a->view : NULL;
}

int64_t ir_attr_int(const ir_node *n, const char *name, int64_t missing)
{
    const heed_attribute *a = typed(n, name, HEED_ATTR_INT);
    return a ? a->i : missing;
}

double ir_attr_float(const ir_node *n, const char *name, double missing)
{
    const heed_attribute *a = typed(n, name, HEED_ATTR_FLOAT);
    return a ? a->f : missing;
}

const char *ir_attr_string(const ir_node *n, const char *name, const char *missing)
{
    const heed_attribute *a = typed(n, name, HEED_ATTR_STRING);
    return a ? a->s.data : missing;
}

const int64_t *ir_attr_ints(const ir_node *n, const char *name, uint64_t *count)
{
    const heed_attribute *a = typed(n, name, HEED_ATTR_INTS);
    *count = a ? a->n : 0;
    return a ? a->ints : NULL;
}

const float *ir_attr_floats(const ir_node *n, const char *name, uint64_t *count)
{
    const heed_attribute *a = typed(n, name, HEED_ATTR_FLOATS);
    *count = a ? a->n : 0;
    return a ? a->floats : NULL;
}

ir_graph *ir_attr_graph(const ir_node *n, const char *name)
{
    const ir_attr *a = ir_node_attr(n, name);
    return a ? a->graph : NULL;
}

size_t ir_graph_count(const ir_graph *g)
{
    size_t n = g->n_nodes;
    for (const ir_node *node = g->first; node; node = node->next)
        for (uint32_t a = 0; a < node->n_attrs; a++)
            n += node->attrs[a].graph ? ir_graph_count(node->attrs[a].graph) : 0;
    return n;
}
