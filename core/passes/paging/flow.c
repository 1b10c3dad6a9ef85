/* flow.c - one sweep over the graph, from inputs to outputs. */
#include <string.h>

#include "passes/paging/flow.h"

static bool is_known_content(const ir_value *v)
{
    for (int64_t i = 0; i < v->n_content; i++)
        if (!dim_known(v->content[i]))
            return false;
    return v->content != NULL;
}

/* Kinds are in the order in which they win. */
static uint8_t worst_input(const flow_map *m, const ir_node *n)
{
    uint8_t worst = FLOW_FREE;
    for (uint32_t i = 0; i < n->n_in; i++) {
        flow f = flow_of(m, ir_input(n, i));
        worst = f.kind > worst ? f.kind : worst;
    }
    return worst;
}

static bool has_graphs(const ir_node *n)
{
    for (uint32_t a = 0; a < n->n_attrs; a++)
        if (n->attrs[a].graph)
            return true;
    return false;
}

static bool asks_for_shapes(const ir_node *n) { return pass_is(n, "Shape") || pass_is(n, "Size"); }

static bool has_data(const flow_map *m, const ir_node *n)
{
    for (uint32_t i = 0; i < n->n_in; i++)
        if (flow_of(m, ir_input(n, i)).data)
            return true;
    return false;
}

static heed_status sweep_output(flow_map *m, const ir_node *n, uint32_t o, uint8_t worst)
{
    ir_value *v = n->out[o];
    flow *f = &m->of[v->id];
    *f = (flow){.kind = worst};
    if (is_known_content(v))
        f->kind = FLOW_FREE;
    else if (asks_for_shapes(n))
        f->kind = worst == FLOW_FREE ? FLOW_FREE : FLOW_SHAPE;
    else if (has_graphs(n))
        f->kind = FLOW_MIXED;
    else if (worst == FLOW_ROWS)
        *f = flow_through(m, n, o);
    f->data = f->kind >= FLOW_ROWS && has_data(m, n);
    bool moves = paging_moves(n, MOVE_KEEPS | MOVE_REPEATS), each = flow_has_row_each(*f);
    f->place = moves ? f->kind == FLOW_ROWS && f->each == 1 && flow_of(m, ir_input(n, 0)).place
                     : each && !f->data && flow_is_place(m, v);
    if (f->kind == FLOW_MIXED && !f->data && worst != FLOW_MIXED)
        f->kind = FLOW_SHAPE;
    return f->kind == FLOW_SHAPE ? flow_find_positions(m, v, f) : HEED_OK;
}

/* Gather(f(all places), indices): where the indices are the tokens' own places, row i of the result
 * is row i; otherwise, if f is the beginning of a table, what is looked up may be anywhere in it.
 */
static heed_status sweep_look_up(flow_map *m, ir_node *n, bool *done)
{
    flow data = flow_of(m, ir_input(n, 0)), at = flow_of(m, ir_input(n, 1));
    int64_t axis = ir_attr_int(n, "axis", 0);
    *done = false;
    if (!pass_is(n, "Gather") || data.kind != FLOW_ROWS || at.kind != FLOW_ROWS || data.data ||
        data.each != 1 || at.each != 1 || data.list || at.list || n->out[0]->type.rank < 0 ||
        (axis < 0 ? axis + n->in[0].value->type.rank : axis) != data.axis)
        return HEED_OK;
    ir_value *table = at.place ? NULL : flow_table_of(m, ir_input(n, 0));
    if (!table && !at.place)
        return HEED_OK;
    *done = true;
    m->of[n->out[0]->id] = flow_rows(data.axis + at.axis);
    m->of[n->out[0]->id].data = at.data && !at.place;
    return flow_look_up(m, n, table);
}

static heed_status sweep_node(flow_map *m, ir_node *n)
{
    uint8_t worst = worst_input(m, n);
    bool done;
    TRY(sweep_look_up(m, n, &done));
    if (done)
        return HEED_OK;
    for (uint32_t o = 0; o < n->n_out; o++)
        if (n->out[o])
            TRY(sweep_output(m, n, o, worst));
    return HEED_OK;
}

static bool is_place(const flow_map *m, const ir_value *input)
{
    const pass_paging *paging = m->run->options->paging;
    for (uint32_t i = 0; i < paging->n_inputs; i++)
        if (strcmp(paging->inputs[i].name, input->name) == 0)
            return paging->inputs[i].role == PAGING_POSITIONS;
    return false;
}

heed_status flow_map_all(flow_map *m)
{
    ir_graph *g = m->run->model->main;
    m->n = m->run->model->n_values;
    m->of = mem_array(m->n, sizeof(*m->of));
    if (!m->of)
        return HEED_NOMEM;
    TRY(flow_lists_new(m));
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ir_value *v = g->inputs[i];
        for (int32_t k = 0; k < v->type.rank; k++)
            if (v->type.dims[k] == m->tokens) {
                m->of[v->id] = flow_rows(k);
                m->of[v->id].place = is_place(m, v);
                m->of[v->id].data = !m->of[v->id].place;
            }
    }
    for (ir_node *n = g->first; n; n = n->next)
        TRY(sweep_node(m, n));
    return HEED_OK;
}

const ir_node *flow_obstacle(const flow_map *m, const ir_value *v)
{
    const ir_node *n = v->producer;
    for (bool deeper = true; n && deeper;) {
        deeper = false;
        for (uint32_t i = 0; i < n->n_in && !deeper; i++) {
            const ir_value *in = ir_input(n, i);
            if (flow_of(m, in).kind == FLOW_MIXED && in->producer) {
                n = in->producer;
                deeper = true;
            }
        }
    }
    return n;
}

void flow_map_free(flow_map *m)
{
    mem_free(m->of);
    mem_free(m->positions);
    mem_free(m->lists);
    mem_free(m->mask);
}
