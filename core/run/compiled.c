/* compiled.c - see compiled.h. */
#include "run/compiled.h"

#include <string.h>
#include <time.h>

#include "base/file.h"
#include "passes/pass.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- Programs: one for each graph ----------------------------------------------------------- */

static uint32_t count_graphs(const ir_graph *g)
{
    uint32_t n = 1;
    for (const ir_node *node = g->first; node; node = node->next)
        for (uint32_t a = 0; a < node->n_attrs; a++)
            if (node->attrs[a].graph)
                n += count_graphs(node->attrs[a].graph);
    return n;
}

static heed_status add_programs(compiled *c, const ir_graph *g)
{
    TRY(program_new(g, c->places, c->n_programs, &c->programs[c->n_programs]));
    c->n_programs++;
    for (const ir_node *n = g->first; n; n = n->next)
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                TRY(add_programs(c, n->attrs[a].graph));
    return HEED_OK;
}

/* ---- Dims ----------------------------------------------------------------------------------- */

static heed_status forget_names(ir_model *m)
{
    for (uint32_t i = 0; i < m->main->n_inputs; i++) {
        ir_type *type = &m->main->inputs[i]->type;
        for (int32_t d = 0; d < type->rank; d++) {
            if (!dim_known(type->dims[d]))
                type->dims[d] = dims_fresh(m->dims);
            if (type->dims[d] == DIM_UNKNOWN)
                return HEED_NOMEM;
        }
    }
    return HEED_OK;
}

/* Values of plain symbols and of expressions, as the inputs give them. An expression is compared
 * with others that are the same expression: symbols are not solved for. */
bool compiled_agrees(const compiled *c, const heed_tensor *const *in)
{
    const ir_graph *g = c->ir->main;
    ir_dim seen[256];
    int64_t value[256];
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const ir_type *type = &g->inputs[i]->type;
        if (in[i]->kind != HEED_TENSOR || type->rank != tensor_rank(in[i]))
            continue;
        for (int32_t d = 0; d < type->rank; d++) {
            if (dim_known(type->dims[d])) { /* a number that a name was taken for */
                if (type->dims[d] != in[i]->dims[d])
                    return false;
                continue;
            }
            size_t k = 0;
            while (k < n && seen[k] != type->dims[d])
                k++;
            if (k == n && n < 256) {
                seen[n] = type->dims[d];
                value[n++] = in[i]->dims[d];
            } else if (k < n && value[k] != in[i]->dims[d]) {
                return false;
            }
        }
    }
    return dims_agree(c->ir->dims, seen, value, n);
}

/* ---- Weights ----------------------------------------------------------------------------------
 *
 * A mapped file's weights get into the address space with a fault for every 16 pages, in whatever
 * order kernels read them: a third of a first prefill. Here they come in order, all at once. Tables
 * of which some rows are picked wait for that. */

enum { TOUCHED = 1 << 16 }; /* bytes; smaller ones are a fault or two */

static bool is_read_whole(const ir_use *use)
{
    return use->slot > 0 || strcmp(use->node->op->name, "Gather") != 0;
}

static void touch_weight(const ir_use *first)
{
    const heed_tensor *t = first->value->constant;
    bool whole = false;
    for (const ir_use *use = first; use && !whole; use = use->next)
        whole = is_read_whole(use);
    if (whole && t->kind == HEED_TENSOR && tensor_bytes(t) >= TOUCHED)
        file_touch(heed_tensor_get_data(t), tensor_bytes(t));
}

static void touch_weights(const ir_graph *g)
{
    for (const ir_node *n = g->first; n; n = n->next) {
        for (uint32_t i = 0; i < n->n_in; i++)
            if (n->in[i].value && n->in[i].value->constant && n->in[i].value->uses == &n->in[i])
                touch_weight(&n->in[i]);
        for (uint32_t a = 0; a < n->n_attrs; a++)
            if (n->attrs[a].graph)
                touch_weights(n->attrs[a].graph);
    }
}

/* ---- Life ----------------------------------------------------------------------------------- */

static heed_status takes(void *self, ir_node *n, bool *taken)
{
    return place_takes(((compiled *)self)->places, n, taken);
}

static heed_status verdict(void *self, const pass_verdict *v)
{
    return sites_add(&((compiled *)self)->sites, v);
}

/* The list grows by one a pass that fuses: its number is known only at the end. */
static heed_status fused(void *self, const pass_def *pass, uint64_t count)
{
    compiled *c = self;
    arena *memory = &c->ir->memory;
    heed_fusion *list = arena_array(memory, c->n_fusions + 1, sizeof(*list));
    if (!list)
        return HEED_NOMEM;
    if (c->n_fusions)
        memcpy(list, c->fusions, c->n_fusions * sizeof(*list));
    list[c->n_fusions++] = (heed_fusion){.size = sizeof(*list),
                                         .pass = pass->name,
                                         .name = pass->fuses,
                                         .purpose = pass->purpose,
                                         .count = count};
    c->fusions = list;
    return HEED_OK;
}

static heed_status compile(compiled *c, const heed_model *m, const compile_options *o)
{
    uint64_t begin = now_ns();
    TRY(ir_model_copy(m->ir, &c->ir));
    if (!o->named_dims)
        TRY(forget_names(c->ir));
    TRY(place_new(o->backends, &c->places));
    pass_options passes = {.optimize = o->optimize,
                           .check = o->check,
                           .no_dropout = o->no_dropout,
                           .attention = o->attention,
                           .without = o->without,
                           .paging = o->paging,
                           .takes = takes,
                           .verdict = verdict,
                           .fused = fused,
                           .self = c};
    TRY(pass_pipeline(c->ir, &passes, &c->report, &c->n_report));
    uint64_t middle = now_ns();
    c->passes_ns = middle - begin;
    touch_weights(c->ir->main);
    TRY(place_nodes(c->places, c->ir));
    sites_place(&c->sites, c->places);
    c->prepare_ns = now_ns() - middle;
    uint32_t n = count_graphs(c->ir->main);
    c->programs = mem_array(n, sizeof(*c->programs));
    if (!c->programs)
        return HEED_NOMEM;
    TRY(add_programs(c, c->ir->main));
    c->store = plans_new(n, o->plan_limit ? o->plan_limit : 16);
    return c->store ? HEED_OK : HEED_NOMEM;
}

heed_status compiled_new(const heed_model *m, const compile_options *options, compiled **out)
{
    compiled *c = mem_zero(sizeof(*c));
    *out = NULL;
    if (!c)
        return HEED_NOMEM;
    heed_status status = compile(c, m, options);
    if (status)
        compiled_free(c);
    else
        *out = c;
    return status;
}

void compiled_free(compiled *c)
{
    if (!c)
        return;
    plans_free(c->store);
    for (uint32_t i = 0; i < c->n_programs; i++)
        program_free(c->programs[i]);
    mem_free(c->programs);
    sites_free(&c->sites);
    place_free(c->places);
    ir_model_free(c->ir);
    mem_free(c);
}
