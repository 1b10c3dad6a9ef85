/* fixed_batch.c - in a file of several sequences, does each ask for itself alone?
 *
 * Pages compute one sequence, which says something of the file only if its rows do not depend on
 * the others, nor on which of them it is. That is what flow.h proves of tokens; here sequences take
 * their place, and tokens have the file's number again. */
#include "passes/paging/flow.h"
#include "passes/paging/freeing.h"

extern const pass_def pass_infer, pass_decompose;

static heed_status fix_tokens(const freeing *f, ir_model *m)
{
    for (uint32_t i = 0; i < m->main->n_inputs; i++) {
        ir_type *type = &m->main->inputs[i]->type;
        ir_dim *dims =
            arena_array(&m->memory, type->rank > 0 ? (size_t)type->rank : 1, sizeof(*dims));
        if (!dims)
            return HEED_NOMEM;
        for (int32_t k = 0; k < type->rank; k++)
            dims[k] = type->dims[k] == f->any_number ? f->tokens : type->dims[k];
        if (type->rank > 0)
            type->dims = dims;
    }
    return HEED_OK;
}

static heed_status follow(const freeing *f, ir_model *m, uint32_t result, bool *alone)
{
    const pass_options primitives = {.paging = f->run->options->paging};
    pass_run p = {.model = m, .options = &primitives, .scratch = f->run->scratch};
    flow_map flows = {.run = &p, .tokens = f->any_batch};
    TRY(fix_tokens(f, m));
    TRY(ir_sort(m->main));
    TRY(pass_infer.run(&p));
    TRY(pass_decompose.run(&p));
    heed_status status = flow_map_all(&flows);
    flow rows = flow_of(&flows, m->main->outputs[result]);
    *alone = !status && rows.kind == FLOW_ROWS && !rows.list && flows.n_positions == 0;
    flow_map_free(&flows);
    return status;
}

heed_status freeing_check_batch(const freeing *f, uint32_t result, bool *alone)
{
    ir_model *copy = NULL;
    *alone = false;
    TRY(ir_model_copy(f->run->model, &copy));
    heed_status status = follow(f, copy, result, alone);
    ir_model_free(copy);
    if (status == HEED_NOMEM)
        return status;
    err_clear(); /* what cannot be followed is not proved */
    return HEED_OK;
}
