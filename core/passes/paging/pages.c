/* pages.c - pass: attention over earlier tokens reads them from pages.
 *
 * before: y = heed.Attention(q, k, v) causal=1, in a decoder that computes a sequence at once
 * after:  y, key_pages, value_pages = heed.PagedAttention(q, k, v, key_pages, value_pages, starts,
 *         past, table), in one that computes any tokens of any sequences
 *
 * Only for paging, and only where every row of the result was followed back to its own token, to
 * its position, and to causal attention (flow.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/heads.h"
#include "passes/paging/flow.h"
#include "passes/paging/ports.h"

extern const pass_def pass_infer, pass_dead;

enum { Q, K, V, BIAS, SINKS = 6 };

typedef struct writer {
    pass_run *run;
    pass_paging *paging;
    ir_graph *g;
    flow_map *flows;
    ir_value *starts, *past, *table, *reach;
} writer;

/* ---- One attention ----------------------------------------------------------------------------
 */

/* Pages have as many heads of keys as of values: pairs of one and the other. */
static int64_t pairs(int64_t keys, int64_t values)
{
    int64_t a = keys, b = values;
    for (int64_t rest; b > 0; a = b, b = rest)
        rest = a % b;
    return keys < 0 || values < 0 ? -1 : a ? keys / a * values : 0;
}

/* Keys or values with so many heads. */
static ir_value *with_heads(op_body *b, const ir_node *n, uint32_t input, int64_t heads)
{
    static const char *const layouts[] = {"q_layout", "k_layout", "v_layout"};
    heads_layout layout;
    heads_layout_read(n, layouts[input], &layout);
    ir_value *x = ir_input(n, input);
    int64_t own = x->type.dims[layout.place[1]];
    return heads_repeat(b, x, &layout, own ? heads / own : 1);
}

static heed_status read_layer(writer *w, const ir_node *n, paging_layer *out)
{
    heads_layout k, v;
    const ir_type *keys = &n->in[K].value->type, *values = &n->in[V].value->type;
    heads_layout_read(n, "k_layout", &k);
    heads_layout_read(n, "v_layout", &v);
    bool content = keys->dims[k.place[3]] > 1; /* of one channel: only places decide */
    *out =
        (paging_layer){.node = n->name,
                       .dtype = w->paging->kv_dtype && content ? w->paging->kv_dtype : keys->dtype,
                       .heads = keys->dims[k.place[1]],
                       .key_dim = keys->dims[k.place[3]],
                       .value_dim = values->dims[v.place[3]],
                       .window = ir_attr_int(n, "left_window", -1)};
    if (out->heads < 0 || out->key_dim < 0 || out->value_dim < 0)
        return paging_stop(w->run, "heads whose number or size only a run tells", n);
    out->heads = pairs(keys->dims[k.place[1]], values->dims[v.place[1]]);
    double least = ir_attr_float(n, "scores_min", -(double)INFINITY);
    double most = ir_attr_float(n, "scores_max", (double)INFINITY);
    if (!isinf(least) || !isinf(most))
        return paging_stop(w->run, "scores with bounds", n);
    return HEED_OK;
}

static ir_value *add_pages(writer *w, const paging_layer *layer, const char *what, int64_t dim)
{
    char name[64];
    ir_dims *dims = w->run->model->dims;
    snprintf(name, sizeof(name), "heed.%s_pages.%u", what, w->paging->n_layers);
    ir_dim shape[] = {dims_parse(dims, "pages"), layer->heads, dims_parse(dims, "page_tokens"),
                      dim};
    return ports_add_input(w->g, name, layer->dtype, 4, shape);
}

/* Of pages of int8: one a token and head. */
static ir_value *add_scales(writer *w, const paging_layer *layer, const char *what)
{
    char name[64];
    ir_dims *dims = w->run->model->dims;
    snprintf(name, sizeof(name), "heed.%s_scales.%u", what, w->paging->n_layers);
    ir_dim shape[] = {dims_parse(dims, "pages"), layer->heads, dims_parse(dims, "page_tokens")};
    return ports_add_input(w->g, name, HEED_FLOAT32, 3, shape);
}

/* [heads or 1, reach]: of a bias by distance the entries for keys that are not ahead. */
static heed_status write_bias(writer *w, const ir_node *n, op_body *b, ir_value **out)
{
    ir_value *bias = ir_input(n, BIAS);
    ir_dim one = 1;
    *out = NULL;
    if (!flow_bias_by(w->flows, n))
        return HEED_OK;
    if (!w->reach && !(w->reach = ports_add_input(w->g, "heed.reach", HEED_INT64, 1, &one)))
        return HEED_NOMEM;
    bias = flow_replay(w->flows, b, bias, w->reach);
    if (!bias && b->status != HEED_NOMEM)
        return paging_stop(w->run, "a bias that cannot be computed for other numbers of tokens", n);
    if (ir_attr_int(n, "relative", 0))
        bias = body_slice(b, bias, -1, NULL, w->reach);
    ir_value *heads =
        bias && bias->type.rank > 2 ? body_dim(b, bias, -3) : body_ints(b, 1, (int64_t[]){1});
    ir_value *dims[] = {heads, body_ints(b, 1, (int64_t[]){-1})};
    *out = body_reshape_to(b, bias, 2, dims);
    return b->status;
}

static heed_status write_layer(writer *w, ir_node *n)
{
    paging_layer layer;
    ir_value *out[5];
    TRY(read_layer(w, n, &layer));
    bool scaled = layer.dtype == HEED_INT8;
    ir_value *pages[] = {add_pages(w, &layer, "key", layer.key_dim),
                         add_pages(w, &layer, "value", layer.value_dim),
                         scaled ? add_scales(w, &layer, "key") : NULL,
                         scaled ? add_scales(w, &layer, "value") : NULL};
    uint32_t n_pages = scaled ? 4 : 2;
    for (uint32_t i = 0; i < n_pages; i++)
        if (!pages[i])
            return HEED_NOMEM;
    op_body b = pass_body(w->run, n);
    ir_value *bias;
    TRY(write_bias(w, n, &b, &bias));
    ir_value *k = with_heads(&b, n, K, layer.heads), *v = with_heads(&b, n, V, layer.heads);
    ir_value *in[] = {ir_input(n, Q),     k,         v,        pages[0],
                      pages[1],           w->starts, w->past,  w->table,
                      ir_input(n, SINKS), pages[2],  pages[3], bias};
    body_nodes(&b, 12, in, 1 + n_pages, out,
               "heed.PagedAttention scale=%.9g softcap=%.9g left_window=%lld bias_by=%s "
               "q_layout=%s k_layout=%s v_layout=%s y_layout=%s",
               ir_attr_float(n, "scale", 0), ir_attr_float(n, "softcap", 0),
               (long long)layer.window,
               flow_bias_by(w->flows, n) == FLOW_BY_KEY ? "key" : "distance",
               ir_attr_string(n, "q_layout", "bhsd"), ir_attr_string(n, "k_layout", "bhsd"),
               ir_attr_string(n, "v_layout", "bhsd"), ir_attr_string(n, "y_layout", "bhsd"));
    if (b.status)
        return b.status;
    ir_value_replace(n->out[0], out[0]);
    ir_node_remove(n);
    for (uint32_t i = 0; i < n_pages; i++)
        TRY(ports_add_output(w->g, pages[i]->name, out[1 + i]));
    w->paging->layers[w->paging->n_layers++] = layer;
    return HEED_OK;
}

/* ---- Rows that are wanted ---------------------------------------------------------------------
 */

/* The input of the node whose rows become its own, when it alone has any. */
static ir_value *only_rows(const flow_map *flows, const ir_node *n)
{
    ir_value *found = NULL;
    for (uint32_t i = 0; i < n->n_in; i++) {
        ir_value *v = ir_input(n, i);
        if (flow_of(flows, v).kind != FLOW_ROWS)
            continue;
        if (found)
            return NULL;
        found = v;
    }
    return found && flow_has_row_each(flow_of(flows, found)) ? found : NULL;
}

static bool is_product(const ir_node *n)
{
    return pass_is(n, "MatMul") || pass_is(n, "Gemm") || strcmp(n->op->name, "MatMulNBits") == 0;
}

/* What is computed for the last tokens alone begins as early as the last product. */
static heed_status choose_rows(writer *w)
{
    const flow_map *flows = w->flows;
    ir_value *v = w->g->outputs[0];
    ir_node *reader = NULL;
    for (ir_node *n = v->producer; n; n = v->producer) {
        ir_value *up = only_rows(flows, n);
        bool last = is_product(n);
        if (!up || !up->producer || !(last || (n->op->flags & OP_ELEMENTWISE)) || up->n_outputs)
            break;
        reader = n;
        v = up;
        if (last)
            break;
    }
    if (!v->producer)
        return paging_stop(w->run, "the result is an input", NULL);
    ir_dim count = dims_parse(w->run->model->dims, "rows");
    ir_value *rows = ports_add_input(w->g, "heed.rows", HEED_INT64, 1, &count);
    if (!rows)
        return HEED_NOMEM;
    op_body b = pass_body(w->run, v->producer);
    ir_value *made = body_2(&b, v, rows, "Gather axis=%d", flow_of(flows, v).axis);
    if (b.status)
        return b.status;
    for (uint32_t i = 0; reader && i < reader->n_in; i++)
        if (ir_input(reader, i) == v)
            ir_node_set_input(reader, i, made);
    if (!reader) {
        w->g->outputs[0]->n_outputs--;
        w->g->outputs[0] = made;
        made->n_outputs++;
    }
    return HEED_OK;
}

/* ---- Any number of tokens ---------------------------------------------------------------------
 */

/* A step has tokens of many sequences, so more than a table has places for. What was true for a
 * sequence alone must not be needed any more: rows are still those of the tokens. */
static heed_status forget_range(pass_run *p, const flow_map *flows)
{
    ir_dims *dims = p->model->dims;
    ir_dim rows = dims_parse(dims, "rows");
    dims_set_range(dims, flows->tokens, 1, INT64_MAX);
    TRY(pass_dead.run(p)); /* what nobody reads any more has no rows of steps */
    TRY(pass_infer.run(p));
    for (const ir_node *n = p->model->main->first; n; n = n->next)
        for (uint32_t i = 0; i < n->n_out; i++) {
            const ir_value *v = n->out[i];
            flow f = flow_of(flows, v);
            if (f.kind != FLOW_ROWS)
                continue;
            ir_dim extent = v->type.rank > f.axis ? v->type.dims[f.axis] : DIM_UNKNOWN;
            if (extent != dims_mul(dims, flow_count(flows, f.list), f.each) &&
                (f.list || extent != dims_mul(dims, rows, f.each)))
                return paging_stop(p, "a number of tokens that only one sequence has", n);
        }
    return HEED_OK;
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static bool reads_earlier(const flow_map *flows, const ir_node *n)
{
    flow keys = flow_of(flows, ir_input(n, K));
    heads_layout layout;
    return strcmp(n->op->name, "Attention") == 0 && strcmp(n->op->domain, "heed") == 0 &&
           ir_value_used(n->out[0]) && keys.kind == FLOW_ROWS &&
           heads_layout_read(n, "k_layout", &layout) && keys.axis == layout.place[2] &&
           flow_of(flows, n->out[0]).kind == FLOW_ROWS;
}

static heed_status add_places(writer *w)
{
    ir_dims *dims = w->run->model->dims;
    ir_dim n = dims_parse(dims, "sequences"), more = dims_add(dims, n, 1);
    w->starts = ports_add_input(w->g, "heed.starts", HEED_INT32, 1, &more);
    w->past = ports_add_input(w->g, "heed.past", HEED_INT32, 1, &n);
    w->table =
        ports_add_input(w->g, "heed.table", HEED_INT32, 2, (ir_dim[]){n, dims_parse(dims, "held")});
    return w->starts && w->past && w->table ? HEED_OK : HEED_NOMEM;
}

static heed_status write_layers(writer *w)
{
    uint32_t n_layers = 0;
    for (ir_node *n = w->g->first; n; n = n->next)
        n_layers += reads_earlier(w->flows, n);
    if (n_layers == 0)
        return paging_stop(w->run, "nothing reads earlier tokens by attention", NULL);
    w->paging->layers = arena_array(&w->run->model->memory, n_layers, sizeof(*w->paging->layers));
    if (!w->paging->layers)
        return HEED_NOMEM;
    TRY(add_places(w));
    for (ir_node *n = w->g->first, *next; n; n = next) {
        next = n->next;
        if (reads_earlier(w->flows, n))
            TRY(write_layer(w, n));
    }
    return HEED_OK;
}

static heed_status write_positions(writer *w)
{
    if (w->flows->n_positions == 0)
        return HEED_OK;
    ir_value *positions = ports_add_input(w->g, "heed.positions", HEED_INT64, 1, &w->flows->tokens);
    w->paging->positions = true;
    return positions ? flow_set_positions(w->flows, positions) : HEED_NOMEM;
}

ir_dim paging_tokens(const pass_run *p)
{
    const pass_paging *paging = p->options->paging;
    const ir_graph *g = p->model->main;
    for (int role = PAGING_TOKENS; role >= PAGING_KEPT; role--)
        for (uint32_t i = 0; i < paging->n_inputs; i++)
            for (uint32_t k = 0; paging->inputs[i].role == role && k < g->n_inputs; k++) {
                const ir_type *type = &g->inputs[k]->type;
                if (strcmp(g->inputs[k]->name, paging->inputs[i].name) == 0 && type->rank > 0)
                    return type->dims[type->rank > 1];
            }
    return DIM_UNKNOWN;
}

static heed_status rewrite(pass_run *p, flow_map *flows)
{
    writer w = {.run = p, .paging = p->options->paging, .g = p->model->main, .flows = flows};
    ir_value *result = w.g->outputs[0];
    flows->tokens = paging_tokens(p);
    if (dim_known(flows->tokens))
        return paging_stop(p, "the number of tokens is fixed in the graph", NULL);
    TRY(flow_map_all(flows));
    if (!flow_has_row_each(flow_of(flows, result)))
        return paging_stop(p,
                           "what is computed for a token depends on others, and not by causal "
                           "attention alone",
                           flow_obstacle(flows, result));
    TRY(choose_rows(&w));
    TRY(write_layers(&w)); /* reads how places were computed */
    TRY(write_positions(&w));
    p->rewrites += w.paging->n_layers;
    w.g->output_types[0] = w.g->outputs[0]->type;
    TRY(ir_sort(w.g));
    return forget_range(p, flows);
}

static heed_status run(pass_run *p)
{
    flow_map flows = {.run = p};
    if (!p->options->paging)
        return HEED_OK;
    TRY(pass_dead.run(p)); /* what recognition replaced would get pages of its own */
    heed_status status = rewrite(p, &flows);
    flow_map_free(&flows);
    return status;
}

const pass_def pass_pages = {
    .name = "pages",
    .purpose = "attention over earlier tokens reads them from pages",
    .order = 63,
    .required = true,
    .run = run,
};
