/* model_facts.c - what tools show of a model: inputs, outputs, operators, weights. Made once at
 * load, so that the accessors are plain reads. */
#include <string.h>

#include "ops/op.h"
#include "run/model.h"

static heed_status describe_type(heed_model *m, const char *name, const ir_type *type,
                                 heed_value_info *info)
{
    char text[256];
    int32_t rank = type->kind == HEED_KIND_TENSOR ? type->rank : -1;
    int64_t *dims = arena_array(&m->memory, rank > 0 ? (size_t)rank : 0, sizeof(*dims));
    const char **symbols = arena_array(&m->memory, rank > 0 ? (size_t)rank : 0, sizeof(*symbols));
    if (!dims || !symbols)
        return HEED_NOMEM;
    for (int32_t i = 0; i < rank; i++) {
        dims[i] = dim_known(type->dims[i]) ? type->dims[i] : -1;
        if (dims[i] >= 0)
            continue;
        dims_text(m->ir->dims, type->dims[i], text, sizeof(text));
        symbols[i] = arena_string(&m->memory, text);
        if (!symbols[i])
            return HEED_NOMEM;
    }
    *info = (heed_value_info){.size = sizeof(*info),
                              .kind = type->kind,
                              .name = name,
                              .dtype = type->dtype,
                              .ndim = rank,
                              .dims = dims,
                              .symbols = symbols,
                              .keys = type->keys};
    return HEED_OK;
}

static heed_status describe_values(heed_model *m)
{
    const ir_graph *g = m->ir->main;
    m->inputs = arena_array(&m->memory, g->n_inputs, sizeof(*m->inputs));
    m->outputs = arena_array(&m->memory, g->n_outputs, sizeof(*m->outputs));
    if (!m->inputs || !m->outputs)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ir_value *v = g->inputs[i];
        TRY(describe_type(m, v->name, &v->type, &m->inputs[i]));
        m->inputs[i].optional = v->constant != NULL;
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        TRY(describe_type(m, g->output_names[i], &g->output_types[i], &m->outputs[i]));
    return HEED_OK;
}

/* ---- Counts --------------------------------------------------------------------------------- */

typedef struct counter {
    heed_model *m;
    map seen; /* &op -> index + 1 */
    size_t capacity;
    heed_weight_count by_dtype[HEED_DTYPE_COUNT];
    uint8_t *counted; /* by value id */
} counter;

static heed_status count_op(counter *c, const op_def *const *op)
{
    heed_model *m = c->m;
    uintptr_t i = (uintptr_t)map_get(&c->seen, op, sizeof(*op));
    if (!i) {
        TRY(mem_grow(&m->ops, &c->capacity, m->n_ops, sizeof(*m->ops)));
        m->ops[m->n_ops] = (heed_op_count){.domain = (*op)->domain, .op = (*op)->name};
        i = ++m->n_ops;
        TRY(map_put(&c->seen, op, sizeof(*op), (void *)i)); // NOLINT: a number
    }
    m->ops[i - 1].nodes++;
    return HEED_OK;
}

static void count_weight(counter *c, const ir_value *v)
{
    if (!v || !v->constant || c->counted[v->id])
        return;
    heed_weight_count *w = &c->by_dtype[v->constant->dtype];
    c->counted[v->id] = 1;
    w->tensors++;
    w->elements += (uint64_t)tensor_count(v->constant);
    w->bytes += tensor_bytes(v->constant);
}

static heed_status count_graph(counter *c, const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        TRY(count_op(c, &n->op));
        for (uint32_t i = 0; i < n->n_in; i++)
            count_weight(c, n->in[i].value);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(count_graph(c, n->attrs[a].graph));
    }
    for (uint32_t i = 0; i < g->n_outputs; i++)
        count_weight(c, g->outputs[i]);
    return HEED_OK;
}

/* Most frequent first; equal counts by name. */
static void sort_ops(heed_op_count *ops, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        heed_op_count op = ops[i];
        size_t k = i;
        for (; k > 0 && (ops[k - 1].nodes < op.nodes ||
                         (ops[k - 1].nodes == op.nodes && strcmp(ops[k - 1].op, op.op) > 0));
             k--)
            ops[k] = ops[k - 1];
        ops[k] = op;
    }
}

/* The list was grown on the heap; it moves into the model's memory. */
static heed_status keep_counts(counter *c)
{
    heed_model *m = c->m;
    heed_op_count *grown = m->ops;
    m->ops = arena_array(&m->memory, m->n_ops, sizeof(*m->ops));
    m->weights = arena_array(&m->memory, HEED_DTYPE_COUNT, sizeof(*m->weights));
    if (m->ops && m->n_ops)
        memcpy(m->ops, grown, m->n_ops * sizeof(*m->ops));
    mem_free(grown);
    if (!m->ops || !m->weights)
        return HEED_NOMEM;
    sort_ops(m->ops, m->n_ops);
    for (uint32_t d = 0; d < HEED_DTYPE_COUNT; d++) {
        if (!c->by_dtype[d].tensors)
            continue;
        m->weights[m->n_weights] = c->by_dtype[d];
        m->weights[m->n_weights++].dtype = d;
    }
    return HEED_OK;
}

heed_status model_describe(heed_model *m)
{
    TRY(describe_values(m));
    counter c = {.m = m, .counted = mem_zero(m->ir->n_values + 1)};
    heed_status status = c.counted ? count_graph(&c, m->ir->main) : HEED_NOMEM;
    mem_free(c.counted);
    map_free(&c.seen);
    if (!status)
        return keep_counts(&c);
    mem_free(m->ops);
    m->ops = NULL;
    return status;
}

/* ---- Accessors ------------------------------------------------------------------------------ */

size_t heed_model_get_input_count(const heed_model *m) { return m->ir->main->n_inputs; }

size_t heed_model_get_output_count(const heed_model *m) { return m->ir->main->n_outputs; }

const heed_value_info *heed_model_get_input(const heed_model *m, size_t i)
{
    return i < m->ir->main->n_inputs ? &m->inputs[i] : NULL;
}

const heed_value_info *heed_model_get_output(const heed_model *m, size_t i)
{
    return i < m->ir->main->n_outputs ? &m->outputs[i] : NULL;
}

const char *heed_model_get_fact(const heed_model *m, size_t i, const char **value)
{
    if (i >= m->n_facts)
        return NULL;
    if (value)
        *value = m->facts[i].value;
    return m->facts[i].key;
}

size_t heed_model_get_op_counts(const heed_model *m, const heed_op_count **out)
{
    *out = m->ops;
    return m->n_ops;
}

size_t heed_model_get_weight_counts(const heed_model *m, const heed_weight_count **out)
{
    *out = m->weights;
    return m->n_weights;
}
