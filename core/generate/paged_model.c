/* paged_model.c - see paged_model.h. */
#include "generate/paged_model.h"

#include <stdio.h>
#include <string.h>

#include "generate/place_limit.h"
#include "generate/step_inputs.h"

/* Plans of so many sizes of steps are kept. */
enum { PLANS = 64 };

struct paged_model {
    pass_paging about; /* in memory of the compiled graph */
    compiled *form;
    side_model *side;
    page_store *store;
    step_inputs *told;
    uint32_t page_tokens;
    const heed_tensor **in; /* of a step, in the order of the graph */
    heed_tensor **out;
    heed_tensor *logits; /* a tensor without memory of its own */
};

/* ---- Life ------------------------------------------------------------------------------------ */

/* Nobody but the kernels of paged attention reads pages, and they find each by itself. */
static bool is_read_by_page(const step_inputs *told)
{
    const ir_value *const *values;
    size_t n = step_inputs_pages(told, &values);
    for (size_t i = 0; i < n; i++)
        for (const ir_use *use = values[i]->uses; use; use = use->next)
            if (strcmp(use->node->op->name, "PagedAttention") != 0)
                return false;
    return true;
}

static heed_status make_store(paged_model *p, uint32_t limit)
{
    const ir_value *const *values;
    size_t n = step_inputs_pages(p->told, &values);
    page_store *store;
    limit = is_read_by_page(p->told) ? limit : 0;
    TRY(page_store_new(n, values, p->page_tokens, limit, &store));
    page_store_free(p->store);
    p->store = store;
    return HEED_OK;
}

/* What only this form has wrong is no fault of the file, which runs without pages. */
static heed_status compile(paged_model *p, const heed_model *m, const compile_options *options)
{
    char why[256];
    heed_status status = compiled_new(m, options, &p->form);
    if (status != HEED_INVALID)
        return status;
    snprintf(why, sizeof(why), "%s", err_get()->message);
    return err_fail(HEED_UNSUPPORTED, "no pages: %s", why);
}

static heed_status open(paged_model *p, const heed_model *m, const compile_options *options)
{
    compile_options o = *options;
    o.paging = &p->about;
    o.plan_limit = o.plan_limit ? o.plan_limit : PLANS;
    TRY(compile(p, m, &o));
    TRY(side_model_new(m, options, &p->about, &p->side));
    const ir_graph *g = p->form->ir->main;
    TRY(step_inputs_new(g, &p->about, &p->told));
    p->in = mem_array(g->n_inputs, sizeof(*p->in));
    p->out = mem_array(g->n_outputs, sizeof(*p->out));
    if (!p->in || !p->out)
        return HEED_NOMEM;
    TRY(tensor_new_empty(&p->logits));
    return make_store(p, 0);
}

heed_status paged_model_new(const heed_model *m, const compile_options *options,
                            uint32_t page_tokens, heed_dtype kv_dtype, paged_model **out)
{
    paged_model *p = mem_zero(sizeof(*p));
    *out = NULL;
    if (!p)
        return HEED_NOMEM;
    p->page_tokens = page_tokens;
    p->about.kv_dtype = kv_dtype;
    heed_status status = open(p, m, options);
    if (status)
        paged_model_free(p);
    else
        *out = p;
    return status;
}

void paged_model_free(paged_model *p)
{
    if (!p)
        return;
    tensor_free(p->logits);
    mem_free(p->in);
    mem_free(p->out);
    page_store_free(p->store);
    step_inputs_free(p->told);
    side_model_free(p->side);
    compiled_free(p->form);
    mem_free(p);
}

const pass_paging *paged_model_about(const paged_model *p) { return &p->about; }

int64_t paged_model_positions(const paged_model *p)
{
    return place_limit(p->form->ir->main, &p->about);
}

const side_model *paged_model_side(const paged_model *p) { return p->side; }
page_store *paged_model_pages(const paged_model *p) { return p->store; }
heed_status paged_model_limit(paged_model *p, uint32_t n) { return make_store(p, n); }

bool paged_model_reads(const paged_model *p, const char *name)
{
    const ir_graph *g = p->form->ir->main;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!g->inputs[i]->constant && strcmp(g->inputs[i]->name, name) == 0)
            return true;
    return false;
}

heed_status paged_model_side_names(const paged_model *p, arena *memory, const char *const **out,
                                   uint32_t *n)
{
    const char **names = arena_array(memory, p->about.n_inputs, sizeof(*names));
    *n = 0;
    *out = names;
    for (uint32_t i = 0; names && i < p->about.n_inputs; i++) {
        const paging_input *input = &p->about.inputs[i];
        if (input->role == PAGING_SIDE &&
            (paged_model_reads(p, input->name) || side_model_reads(p->side, input->name)))
            names[(*n)++] = input->name;
    }
    return names ? HEED_OK : HEED_NOMEM;
}

/* ---- One step -------------------------------------------------------------------------------- */

/* *result: NULL, or a tensor to write into. */
static heed_status run_step(paged_model *p, const paged_step *step, heed_tensor **result)
{
    const compiled *c = p->form;
    const ir_graph *g = c->ir->main;
    size_t k = 0;
    run_call call = {.store = c->store,
                     .programs = c->programs,
                     .n_programs = c->n_programs,
                     .deadline_ns = step->deadline_ns,
                     .cancel = step->cancel};
    TRY(step_inputs_fill(p->told, step, p->in));
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (!p->in[i])
            p->in[i] = page_store_tensor(p->store, k++);
    p->out[0] = *result;
    for (uint32_t i = 1; i < g->n_outputs; i++) /* pages are written where they lie */
        p->out[i] = page_store_tensor(p->store, i - 1);
    TRY(execute_program(&call, c->programs[0], p->in, p->out));
    *result = p->out[0];
    return HEED_OK;
}

heed_status paged_model_run(paged_model *p, const paged_step *step, heed_tensor **out)
{
    *out = NULL;
    return run_step(p, step, out);
}

/* ---- Logits -----------------------------------------------------------------------------------
 */

heed_status paged_model_vocabulary(const paged_model *p, int64_t *out)
{
    const ir_type *type = &p->form->ir->main->outputs[0]->type;
    bool tokens = false;
    for (uint32_t i = 0; i < p->about.n_inputs; i++)
        tokens = tokens || p->about.inputs[i].role == PAGING_TOKENS;
    *out = type->rank > 0 ? type->dims[type->rank - 1] : -1;
    if (!tokens)
        return err_fail(HEED_UNSUPPORTED, "no decoder of tokens: no input looks up their table");
    if (*out < 1 || (type->rank != 2 && type->rank != 3) || !dtype_is_float(type->dtype))
        return err_fail(HEED_UNSUPPORTED, "no decoder: its first result has no number of logits "
                                          "for each token");
    return HEED_OK;
}

static bool is_tokens(const paged_model *p, const ir_value *v)
{
    for (uint32_t i = 0; i < p->about.n_inputs; i++)
        if (strcmp(p->about.inputs[i].name, v->name) == 0)
            return p->about.inputs[i].role == PAGING_TOKENS;
    return false;
}

int64_t paged_model_ids(const paged_model *p)
{
    const ir_graph *g = p->form->ir->main;
    int64_t rows = 0;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        for (const ir_use *use = is_tokens(p, g->inputs[i]) ? g->inputs[i]->uses : NULL; use;
             use = use->next) {
            const ir_value *table = ir_input(use->node, 0);
            if (strcmp(use->node->op->name, "Gather") == 0 && use->slot == 1 && table->constant &&
                table->type.rank == 2 && (rows == 0 || table->type.dims[0] < rows))
                rows = table->type.dims[0];
        }
    return rows;
}

/* Results in float32 go where the caller wants them. */
heed_status paged_model_logits(paged_model *p, const paged_step *step, float *logits)
{
    const ir_type *type = &p->form->ir->main->outputs[0]->type;
    int64_t dims[] = {1, 1, type->dims[type->rank - 1]};
    heed_tensor *out = NULL;
    dims[1] = step->n_rows;
    if (type->dtype == HEED_FLOAT32) {
        TRY(tensor_shape_set(p->logits, HEED_FLOAT32, type->rank, dims + 3 - type->rank));
        p->logits->dl.data = logits;
        out = p->logits;
    }
    TRY(run_step(p, step, &out));
    if (out == p->logits)
        return HEED_OK;
    dtype_load_f32(out->dtype, tensor_data(out), 0, tensor_count(out), logits);
    tensor_free(out);
    return HEED_OK;
}
