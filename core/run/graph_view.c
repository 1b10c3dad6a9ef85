/* graph_view.c - see graph_view.h. */
#include "run/graph_view.h"

#include <stdarg.h>
#include <stdio.h>

#include "run/model.h"

enum { LIST_SHOWN = 8, TEXT_SIZE = 512 };

struct heed_graph {
    arena memory;
    heed_graph_node *nodes;
    heed_graph_value *values;
    size_t n_nodes, n_values, capacity_nodes, capacity_values;
};

/* What the functions below share. */
typedef struct view {
    heed_graph *out;
    const ir_model *ir;
    const place_table *places;
    const site_list *sites;
    int64_t *numbers;  /* by id of a value; 0: none yet, else its number + 1 */
    uint32_t n_graphs; /* seen so far */
    bool failed;
} view;

/* ---- Text ----------------------------------------------------------------------------------- */

typedef struct line {
    char text[TEXT_SIZE];
    size_t n;
} line;

static void add(line *l, const char *format, ...) HEED_PRINTF(2, 3);

static void add(line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->text + l->n, sizeof(l->text) - l->n, format, args);
    va_end(args);
    if (n > 0)
        l->n += (size_t)n < sizeof(l->text) - l->n ? (size_t)n : sizeof(l->text) - l->n - 1;
}

static void add_list(line *l, const heed_attribute *a)
{
    for (uint64_t i = 0; i < a->n && i < LIST_SHOWN; i++) {
        add(l, "%s", i ? "," : "");
        if (a->type == HEED_ATTR_INTS)
            add(l, "%lld", (long long)a->ints[i]);
        else if (a->type == HEED_ATTR_FLOATS)
            add(l, "%g", (double)a->floats[i]);
        else
            add(l, "%.*s", (int)a->strings[i].size, a->strings[i].data);
    }
    add(l, "%s", a->n > LIST_SHOWN ? ",..." : "");
}

static void add_attribute(line *l, const heed_attribute *a)
{
    add(l, "%s%s=", l->n ? " " : "", a->name);
    switch (a->type) {
    case HEED_ATTR_INT:
        add(l, "%lld", (long long)a->i);
        break;
    case HEED_ATTR_FLOAT:
        add(l, "%g", a->f);
        break;
    case HEED_ATTR_STRING:
        add(l, "%.*s", (int)a->s.size, a->s.data);
        break;
    case HEED_ATTR_INTS:
    case HEED_ATTR_FLOATS:
    case HEED_ATTR_STRINGS:
        add_list(l, a);
        break;
    default:
        add(l, "%s", a->type == HEED_ATTR_GRAPH ? "{graph}" : "{tensor}");
    }
}

static void add_type(line *l, const ir_dims *dims, const ir_type *type)
{
    char dim[128];
    if (type->kind != HEED_KIND_TENSOR || type->dtype == HEED_UNDEFINED)
        return;
    add(l, "%s", dtype_name(type->dtype));
    for (int32_t i = 0; i < type->rank; i++)
        add(l, "%s%s", i ? ", " : " [", dims_text(dims, type->dims[i], dim, sizeof(dim)));
    add(l, "%s", type->rank > 0 ? "]" : type->rank == 0 ? " []" : "");
}

static const char *keep(view *v, const char *text)
{
    const char *kept = arena_string(&v->out->memory, text ? text : "");
    v->failed |= !kept;
    return kept ? kept : "";
}

/* ---- Values and nodes ----------------------------------------------------------------------- */

static uint32_t value_flags(const ir_value *value)
{
    return (value->is_input ? HEED_GRAPH_INPUT : 0u) | (value->n_outputs ? HEED_GRAPH_OUTPUT : 0u) |
           (value->constant && !value->is_input ? HEED_GRAPH_CONSTANT : 0u);
}

static int64_t number_of(view *v, const ir_value *value)
{
    heed_graph *g = v->out;
    line l = {.n = 0};
    if (!value)
        return -1;
    if (v->numbers[value->id])
        return v->numbers[value->id] - 1;
    if (mem_grow(&g->values, &g->capacity_values, g->n_values, sizeof(*g->values))) {
        v->failed = true;
        return -1;
    }
    add_type(&l, v->ir->dims, &value->type);
    g->values[g->n_values] = (heed_graph_value){.size = sizeof(heed_graph_value),
                                                .flags = value_flags(value),
                                                .name = keep(v, value->name),
                                                .type = keep(v, l.text)};
    v->numbers[value->id] = (int64_t)++g->n_values;
    return v->numbers[value->id] - 1;
}

static int64_t *number_list(view *v, size_t n)
{
    int64_t *list = arena_array(&v->out->memory, n ? n : 1, sizeof(*list));
    v->failed |= !list;
    return list;
}

static int64_t site_of(const view *v, const ir_node *n)
{
    for (size_t i = 0; v->sites && i < v->sites->n; i++)
        if (v->sites->items[i].made == n)
            return (int64_t)i;
    return -1;
}

static void add_node(view *v, const ir_node *n, uint32_t graph)
{
    heed_graph *g = v->out;
    line l = {.n = 0};
    int64_t *in = number_list(v, n->n_in), *out = number_list(v, n->n_out);
    if (v->failed || mem_grow(&g->nodes, &g->capacity_nodes, g->n_nodes, sizeof(*g->nodes))) {
        v->failed = true;
        return;
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        in[i] = number_of(v, ir_input(n, i));
    for (uint32_t i = 0; i < n->n_out; i++)
        out[i] = number_of(v, n->out[i]);
    for (uint32_t i = 0; i < n->n_attrs; i++)
        add_attribute(&l, &n->attrs[i].view);
    g->nodes[g->n_nodes++] = (heed_graph_node){
        .size = sizeof(heed_graph_node),
        .graph = graph,
        .name = keep(v, n->name && *n->name ? n->name : n->path),
        .domain = keep(v, n->op->domain),
        .op = keep(v, n->op->name),
        .attributes = keep(v, l.text),
        .backend = keep(v, v->places ? place_name(v->places, n) : ""),
        .inputs = in,
        .outputs = out,
        .n_inputs = n->n_in,
        .n_outputs = n->n_out,
        .site = site_of(v, n),
    };
}

static void add_graph(view *v, const ir_graph *g)
{
    uint32_t number = v->n_graphs++;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        number_of(v, g->inputs[i]);
    for (const ir_node *n = g->first; n && !v->failed; n = n->next) {
        add_node(v, n, number);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                add_graph(v, n->attrs[a].graph);
    }
}

/* ---- Public --------------------------------------------------------------------------------- */

heed_status graph_view_new(const ir_model *m, const place_table *places, const site_list *sites,
                           heed_graph **out)
{
    view v = {.ir = m, .places = places, .sites = sites};
    size_t n = m->n_values ? m->n_values : 1;
    *out = NULL;
    v.out = mem_zero(sizeof(*v.out));
    v.numbers = mem_array(n, sizeof(*v.numbers));
    v.failed = !v.out || !v.numbers;
    if (!v.failed)
        add_graph(&v, m->main);
    mem_free(v.numbers);
    if (!v.failed)
        *out = v.out;
    else
        heed_graph_free(v.out);
    return v.failed ? HEED_NOMEM : HEED_OK;
}

heed_status heed_model_get_graph(const heed_model *model, heed_graph **out)
{
    return graph_view_new(model->ir, NULL, NULL, out);
}

void heed_graph_free(heed_graph *g)
{
    if (!g)
        return;
    mem_free(g->nodes);
    mem_free(g->values);
    arena_free(&g->memory);
    mem_free(g);
}

const heed_graph_node *heed_graph_get_node(const heed_graph *g, size_t i)
{
    return i < g->n_nodes ? &g->nodes[i] : NULL;
}

const heed_graph_value *heed_graph_get_value(const heed_graph *g, size_t i)
{
    return i < g->n_values ? &g->values[i] : NULL;
}
