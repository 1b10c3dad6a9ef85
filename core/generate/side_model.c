/* side_model.c - see side_model.h. */
#include "generate/side_model.h"

#include <string.h>

#include "run/results.h"

struct side_model {
    pass_paging about; /* in memory of the compiled graph */
    compiled *form;
};

/* ---- Life ------------------------------------------------------------------------------------ */

static heed_status compile(side_model *s, const heed_model *m, const compile_options *options,
                           const pass_paging *steps)
{
    compile_options o = *options;
    s->about.part = PAGING_ONCE;
    o.paging = &s->about;
    TRY(compiled_new(m, &o, &s->form));
    return s->about.n_side == steps->n_side
               ? HEED_OK
               : err_fail(HEED_INTERNAL, "%u values are computed once, and %u are read by steps",
                          s->about.n_side, steps->n_side);
}

heed_status side_model_new(const heed_model *m, const compile_options *options,
                           const pass_paging *steps, side_model **out)
{
    *out = NULL;
    if (steps->n_side == 0)
        return HEED_OK;
    side_model *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    heed_status status = compile(s, m, options, steps);
    if (status)
        side_model_free(s);
    else
        *out = s;
    return status;
}

void side_model_free(side_model *s)
{
    if (!s)
        return;
    compiled_free(s->form);
    mem_free(s);
}

uint32_t side_model_count(const side_model *s) { return s ? s->form->ir->main->n_outputs : 0; }

const char *side_model_name(const side_model *s, uint32_t i)
{
    return s->form->ir->main->output_names[i];
}

bool side_model_reads(const side_model *s, const char *name)
{
    const ir_graph *g = s ? s->form->ir->main : NULL;
    for (uint32_t i = 0; g && i < g->n_inputs; i++)
        if (!g->inputs[i]->constant && strcmp(g->inputs[i]->name, name) == 0)
            return true;
    return false;
}

/* ---- A run ----------------------------------------------------------------------------------- */

static heed_status check_shape(const ir_value *v, const heed_tensor *t)
{
    bool fits = t->dtype == v->type.dtype && tensor_rank(t) == v->type.rank;
    for (int32_t k = 0; fits && k < v->type.rank; k++)
        fits = !dim_known(v->type.dims[k]) || v->type.dims[k] == t->dims[k];
    if (fits || v->type.rank < 0)
        return HEED_OK;
    return err_fail(HEED_USAGE, "the input \"%s\" has another type or shape than one sequence has",
                    v->name);
}

static heed_status find_input(const ir_value *v, size_t n, const char *const *names,
                              const heed_tensor *const *inputs, const heed_tensor **out)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], v->name) == 0) {
            *out = inputs[i];
            return check_shape(v, inputs[i]);
        }
    *out = v->constant;
    return v->constant ? HEED_OK : err_fail(HEED_USAGE, "the input \"%s\" is missing", v->name);
}

static heed_status run(const side_model *s, size_t n, const char *const *names,
                       const heed_tensor *const *inputs, arena *memory, heed_tensor **out)
{
    const ir_graph *g = s->form->ir->main;
    run_call call = {
        .store = s->form->store, .programs = s->form->programs, .n_programs = s->form->n_programs};
    const heed_tensor **in = arena_array(memory, g->n_inputs, sizeof(*in));
    heed_tensor **all = arena_array(memory, g->n_outputs, sizeof(*all));
    uint32_t *asked = arena_array(memory, g->n_outputs, sizeof(*asked));
    if (!in || !all || !asked)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        TRY(find_input(g->inputs[i], n, names, inputs, &in[i]));
    for (uint32_t i = 0; i < g->n_outputs; i++)
        asked[i] = i;
    if (!compiled_agrees(s->form, in))
        return err_fail(HEED_USAGE, "inputs that are the same for all tokens disagree about an "
                                    "extent that they share");
    TRY(execute_program(&call, s->form->programs[0], in, all));
    return results_hand_over(all, g->n_outputs, asked, g->n_outputs, out);
}

heed_status side_model_run(const side_model *s, size_t n, const char *const *names,
                           const heed_tensor *const *inputs, heed_tensor **out)
{
    arena memory = {0};
    for (uint32_t i = 0; i < side_model_count(s); i++)
        out[i] = NULL;
    heed_status status = s ? run(s, n, names, inputs, &memory, out) : HEED_OK;
    arena_free(&memory);
    return status;
}
