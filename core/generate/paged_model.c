/* paged_model.c - see paged_model.h. */
#include "generate/paged_model.h"

#include <stdio.h>
#include <string.h>

struct paged_model {
    pass_paging about; /* in memory of the compiled graph */
    compiled *form;
    side_model *side;
    uint32_t page_tokens, n_pages;
    heed_tensor **pages; /* keys and values of each layer, in the order of the graph's inputs */
    size_t n_tensors;
};

/* ---- Memory of pages ------------------------------------------------------------------------- */

static bool is_pages(const ir_value *v)
{
    return strncmp(v->name, "heed.key_pages.", 15) == 0 ||
           strncmp(v->name, "heed.value_pages.", 17) == 0;
}

static heed_status new_pages(const paged_model *p, const ir_value *v, uint32_t n, heed_tensor **out)
{
    int64_t dims[] = {n, p->page_tokens, v->type.dims[2], v->type.dims[3]};
    return tensor_new(v->type.dtype, 4, dims, out);
}

static heed_status grow(paged_model *p, size_t i, const ir_value *v, uint32_t n)
{
    heed_tensor *bigger;
    TRY(new_pages(p, v, n, &bigger));
    if (p->pages[i])
        memcpy(tensor_data(bigger), tensor_data(p->pages[i]), tensor_bytes(p->pages[i]));
    tensor_free(p->pages[i]);
    p->pages[i] = bigger;
    return HEED_OK;
}

heed_status paged_model_reserve(paged_model *p, uint32_t n)
{
    const ir_graph *g = p->form->ir->main;
    size_t k = 0;
    if (n <= p->n_pages)
        return HEED_OK;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (is_pages(g->inputs[i]))
            TRY(grow(p, k++, g->inputs[i], n));
    p->n_pages = n;
    return HEED_OK;
}

void paged_model_copy(paged_model *p, const page_copy *copy)
{
    for (size_t i = 0; copy->to != PAGE_NONE && i < p->n_tensors; i++) {
        size_t page = tensor_bytes(p->pages[i]) / p->n_pages;
        char *data = tensor_data(p->pages[i]);
        memcpy(data + (size_t)copy->to * page, data + (size_t)copy->from * page,
               page / p->page_tokens * copy->tokens);
    }
}

uint64_t paged_model_page_bytes(const paged_model *p)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p->about.n_layers; i++) {
        const paging_layer *l = &p->about.layers[i];
        bytes += (uint64_t)(l->heads * (l->key_dim + l->value_dim)) * heed_dtype_bits(l->dtype) / 8;
    }
    return bytes * p->page_tokens;
}

/* ---- Life ------------------------------------------------------------------------------------ */

heed_status paged_model_new(const heed_model *m, const compile_options *options,
                            uint32_t page_tokens, paged_model **out)
{
    paged_model *p = mem_zero(sizeof(*p));
    *out = NULL;
    if (!p)
        return HEED_NOMEM;
    compile_options o = *options;
    o.paging = &p->about;
    p->page_tokens = page_tokens;
    heed_status status = compiled_new(m, &o, &p->form);
    if (!status)
        status = side_model_new(m, options, &p->about, &p->side);
    p->n_tensors = 2u * p->about.n_layers;
    p->pages = status ? NULL : mem_array(p->n_tensors, sizeof(*p->pages));
    if (!status && !p->pages)
        status = HEED_NOMEM;
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
    for (size_t i = 0; p->pages && i < p->n_tensors; i++)
        tensor_free(p->pages[i]);
    mem_free(p->pages);
    side_model_free(p->side);
    compiled_free(p->form);
    mem_free(p);
}

const pass_paging *paged_model_about(const paged_model *p) { return &p->about; }
const side_model *paged_model_side(const paged_model *p) { return p->side; }

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

/* What a step makes for itself, and the graph's inputs and outputs in their order. */
typedef struct step_run {
    const paged_model *p;
    const paged_step *step;
    int64_t n_tokens;
    arena memory;
    heed_tensor *own[64];
    size_t n_own;
    const heed_tensor **in;
    heed_tensor **out;
} step_run;

static heed_status make(step_run *r, heed_dtype dtype, int32_t rank, const int64_t *dims,
                        heed_tensor **out)
{
    if (r->n_own == sizeof(r->own) / sizeof(*r->own))
        return err_fail(HEED_UNSUPPORTED, "a decoder with too many inputs of positions");
    TRY(tensor_new(dtype, rank, dims, out));
    r->own[r->n_own++] = *out;
    return HEED_OK;
}

static size_t past_of(const paged_step *s, uint32_t i)
{
    return s->tables[i]->n_tokens - s->counts[i];
}

static heed_status make_starts(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t n = r->step->n_sequences, more = n + 1;
    (void)v;
    TRY(make(r, HEED_INT32, 1, &more, out));
    int32_t *starts = tensor_data(*out);
    for (uint32_t i = 0; i < n; i++)
        starts[i + 1] = starts[i] + (int32_t)r->step->counts[i];
    return HEED_OK;
}

static heed_status make_past(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t n = r->step->n_sequences;
    (void)v;
    TRY(make(r, HEED_INT32, 1, &n, out));
    for (uint32_t i = 0; i < n; i++)
        ((int32_t *)tensor_data(*out))[i] = (int32_t)past_of(r->step, i);
    return HEED_OK;
}

static heed_status make_table(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t dims[] = {r->step->n_sequences, 1};
    (void)v;
    for (uint32_t i = 0; i < r->step->n_sequences; i++)
        if ((int64_t)r->step->tables[i]->n_pages > dims[1])
            dims[1] = (int64_t)r->step->tables[i]->n_pages;
    TRY(make(r, HEED_INT32, 2, dims, out));
    for (uint32_t i = 0; i < r->step->n_sequences; i++) {
        const page_table *t = r->step->tables[i];
        memcpy((int32_t *)tensor_data(*out) + i * dims[1], t->pages,
               t->n_pages * sizeof(*t->pages));
    }
    return HEED_OK;
}

/* The most tokens of a sequence. */
static heed_status make_reach(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t one = 1, most = 1;
    (void)v;
    TRY(make(r, HEED_INT64, 1, &one, out));
    for (uint32_t i = 0; i < r->step->n_sequences; i++)
        if ((int64_t)r->step->tables[i]->n_tokens > most)
            most = (int64_t)r->step->tables[i]->n_tokens;
    *(int64_t *)tensor_data(*out) = most;
    return HEED_OK;
}

static heed_status make_rows(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t n = r->step->n_rows;
    (void)v;
    TRY(make(r, HEED_INT64, 1, &n, out));
    for (uint32_t i = 0; i < n; i++)
        ((int64_t *)tensor_data(*out))[i] = r->step->rows[i];
    return HEED_OK;
}

/* As the graph wants them: [T], [1, T], of any integer type. */
static heed_status make_positions(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t dims[] = {1, 1}, n = 0;
    dims[v->type.rank - 1] = r->n_tokens;
    TRY(make(r, v->type.dtype, v->type.rank, dims, out));
    for (uint32_t i = 0; i < r->step->n_sequences; i++)
        for (uint32_t k = 0; k < r->step->counts[i]; k++, n++) {
            double at = (double)(past_of(r->step, i) + k);
            TRY(heed_tensor_write_f64(*out, n, 1, &at));
        }
    return HEED_OK;
}

static const struct {
    const char *name;
    heed_status (*make)(step_run *r, const ir_value *v, heed_tensor **out);
} made[] = {
    {"heed.starts", make_starts}, {"heed.past", make_past},           {"heed.table", make_table},
    {"heed.rows", make_rows},     {"heed.positions", make_positions}, {"heed.reach", make_reach},
};

/* The role of an input, -1: the file does not have it. */
static int role_of(const pass_paging *about, const char *name)
{
    for (uint32_t i = 0; i < about->n_inputs; i++)
        if (strcmp(about->inputs[i].name, name) == 0)
            return about->inputs[i].role;
    return -1;
}

/* [T] or [1, T], of any integer type. */
static heed_status make_tokens(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t dims[] = {1, 1}, n = 0;
    dims[v->type.rank - 1] = r->n_tokens;
    TRY(make(r, v->type.dtype, v->type.rank, dims, out));
    for (uint32_t i = 0; i < r->step->n_sequences; i++)
        for (uint32_t k = 0; k < r->step->counts[i]; k++, n++) {
            int64_t token = r->step->tokens[i][k];
            dtype_store_i64(v->type.dtype, tensor_data(*out), n, 1, &token);
        }
    return HEED_OK;
}

/* Another input of the tokens, which nobody gave: kinds of tokens, which are 0. */
static heed_status make_zeros(step_run *r, const ir_value *v, heed_tensor **out)
{
    int64_t dims[] = {1, 1};
    dims[v->type.rank - 1] = r->n_tokens;
    return make(r, v->type.dtype, v->type.rank, dims, out);
}

static heed_status make_known(step_run *r, const ir_value *v, heed_tensor **out)
{
    int role = role_of(&r->p->about, v->name);
    bool whole = v->type.rank == 1 || v->type.rank == 2;
    if (role == PAGING_POSITIONS)
        return make_positions(r, v, out);
    if (role == PAGING_TOKENS && r->step->tokens && whole)
        return make_tokens(r, v, out);
    if (role == PAGING_KEPT && r->step->tokens && whole)
        return make_zeros(r, v, out);
    return HEED_NOTFOUND;
}

static heed_status find_input(step_run *r, const ir_value *v, const heed_tensor **out)
{
    heed_tensor *own = NULL;
    for (size_t i = 0; i < r->step->n_inputs; i++)
        if (strcmp(r->step->names[i], v->name) == 0) {
            *out = r->step->inputs[i];
            return HEED_OK;
        }
    *out = decoder_side_get(r->step->side, v->name);
    if (*out)
        return HEED_OK;
    heed_status status = make_known(r, v, &own);
    for (size_t i = 0; status == HEED_NOTFOUND && i < sizeof(made) / sizeof(*made); i++)
        if (strcmp(made[i].name, v->name) == 0)
            status = made[i].make(r, v, &own);
    *out = own;
    return status == HEED_NOTFOUND ? err_fail(HEED_USAGE, "the input \"%s\" is missing", v->name)
                                   : status;
}

static heed_status gather(step_run *r)
{
    const ir_graph *g = r->p->form->ir->main;
    size_t k = 0;
    r->in = arena_array(&r->memory, g->n_inputs, sizeof(*r->in));
    r->out = arena_array(&r->memory, g->n_outputs, sizeof(*r->out));
    if (!r->in || !r->out)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < r->step->n_sequences; i++)
        r->n_tokens += r->step->counts[i];
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (is_pages(g->inputs[i]))
            r->in[i] = r->p->pages[k++];
        else
            TRY(find_input(r, g->inputs[i], &r->in[i]));
    for (uint32_t i = 1; i < g->n_outputs; i++) /* pages are written where they lie */
        r->out[i] = r->p->pages[i - 1];
    return HEED_OK;
}

static heed_status run_step(step_run *r)
{
    const compiled *c = r->p->form;
    run_call call = {.store = c->store,
                     .programs = c->programs,
                     .n_programs = c->n_programs,
                     .deadline_ns = r->step->deadline_ns,
                     .cancel = r->step->cancel};
    TRY(gather(r));
    return execute_program(&call, c->programs[0], r->in, r->out);
}

heed_status paged_model_run(paged_model *p, const paged_step *step, heed_tensor **out)
{
    step_run r = {.p = p, .step = step};
    heed_status status = run_step(&r);
    *out = status ? NULL : r.out[0];
    for (size_t i = 0; i < r.n_own; i++)
        tensor_free(r.own[i]);
    arena_free(&r.memory);
    return status;
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

heed_status paged_model_logits(paged_model *p, const paged_step *step, float *logits)
{
    heed_tensor *out;
    TRY(paged_model_run(p, step, &out));
    dtype_load_f32(out->dtype, tensor_data(out), 0, tensor_count(out), logits);
    tensor_free(out);
    return HEED_OK;
}
