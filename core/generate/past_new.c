/* past_new.c - a decoder as its file has it: what is known of it before it runs. See past_model.h.
 */
#include <string.h>

#include "generate/past_model.h"
#include "run/session.h"

/* ---- May several tokens come at once? -------------------------------------------------------- */

enum { K = 1, V = 2 };

/* Nodes that only move what was kept, or write beside it. */
static bool carries(const ir_node *n)
{
    return (n->op->flags & OP_VIEW) || paging_moves(n, MOVE_KEEPS | MOVE_CUTS | MOVE_PICKS |
                                                           MOVE_JOINS | MOVE_REPEATS | MOVE_WRITES);
}

/* No query of it sees a key behind its own place. */
static bool is_causal(const ir_node *n)
{
    uint32_t offsets = growth_slot_find(n->op, "offsets");
    return n->op->causal && ir_attr_int(n, n->op->causal, 0) &&
           (offsets == UINT32_MAX || ir_input(n, offsets));
}

/* Do all that read the value hide later tokens? */
static bool hides_later(uint8_t *seen, const ir_value *v)
{
    if (seen[v->id])
        return true;
    seen[v->id] = 1;
    for (const ir_use *use = v->uses; use; use = use->next) {
        const ir_node *n = use->node;
        if (pass_is(n, "Shape"))
            continue;
        if (is_causal(n))
            continue;
        if (!carries(n))
            return false;
        for (uint32_t o = 0; o < n->n_out; o++)
            if (n->out[o] && !hides_later(seen, n->out[o]))
                return false;
    }
    return true;
}

static const ir_value *find_input(const ir_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_inputs; i++)
        if (strcmp(g->inputs[i]->name, name) == 0)
            return g->inputs[i];
    return NULL;
}

static bool is_kept(const past_model *p, uint32_t input)
{
    for (uint32_t k = 0; k < p->caches.n; k++)
        if (p->caches.pairs[k].input == input)
            return true;
    return false;
}

/* A past of which nothing comes out that grew: where the file gives the newest keys and values
 * alone. Then it is empty, and all tokens come at once, if none of them sees later ones. */
static heed_status check_pasts(const past_model *p, const ir_graph *g, uint8_t *seen)
{
    for (uint32_t i = 0; i < p->roles.n; i++) {
        if (p->roles.role[i] != PAGING_PAST || is_kept(p, i) ||
            !roles_is_given(p->roles.g->inputs[i]))
            continue;
        const ir_value *v = find_input(g, p->names[i]);
        if (p->keeps || p->roles.axis[i] < 0 || (v && !hides_later(seen, v)))
            return err_fail(HEED_UNSUPPORTED,
                            "the model reads \"%s\", a past, and gives nothing to keep for it",
                            p->names[i]);
    }
    return HEED_OK;
}

static heed_status find_many(past_model *p)
{
    const ir_model *m = session_form(p->session)->ir;
    uint8_t *seen = arena_alloc(&p->memory, m->n_values);
    if (!seen)
        return HEED_NOMEM;
    TRY(check_pasts(p, m->main, seen));
    p->many = p->keeps;
    for (uint32_t k = 0; k < p->caches.n && p->many; k++) {
        const cache_pair *pair = &p->caches.pairs[k];
        const ir_value *v = find_input(m->main, p->names[pair->input]);
        p->many =
            pair->form == CACHE_CROSS || (pair->form < CACHE_STATE && v && hides_later(seen, v));
    }
    return HEED_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Operators with a past that may be left out give its extents when it is: an empty one must have
 * them. */
static heed_status infer_without(past_model *p)
{
    const pass_options options = {0};
    const char *const *report;
    size_t n;
    TRY(ir_model_copy(p->model->ir, &p->bare));
    for (uint32_t i = 0; i < p->bare->main->n_inputs; i++)
        for (ir_use *use = p->bare->main->inputs[i]->uses, *next; use; use = next) {
            next = use->next;
            if (p->roles.role[i] == PAGING_PAST && growth_is_past_slot(use))
                ir_node_set_input(use->node, use->slot, NULL);
        }
    return pass_pipeline(p->bare, &options, &report, &n);
}

static bool has_open_heads(const past_model *p)
{
    for (uint32_t k = 0; k < p->caches.n; k++) {
        const cache_pair *pair = &p->caches.pairs[k];
        const ir_type *type = &p->roles.g->inputs[pair->input]->type;
        for (int32_t a = 1; pair->form == CACHE_BUFFER && a < type->rank; a++)
            if (a != pair->axis && !dim_known(type->dims[a]))
                return true;
    }
    return false;
}

static heed_status read_types(past_model *p)
{
    const ir_graph *g = p->roles.g, *known = session_form(p->session)->ir->main;
    p->names = arena_array(&p->memory, g->n_inputs, sizeof(*p->names));
    p->known = arena_array(&p->memory, g->n_outputs, sizeof(*p->known));
    if (!p->names || !p->known)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < g->n_inputs; i++)
        p->names[i] = g->inputs[i]->name;
    for (uint32_t o = 0; o < g->n_outputs && o < known->n_outputs; o++)
        p->known[o] = &known->outputs[o]->type;
    if (has_open_heads(p)) {
        TRY(infer_without(p));
        for (uint32_t o = 0; o < g->n_outputs; o++)
            if (o != p->caches.result)
                p->known[o] = &p->bare->main->outputs[o]->type;
    }
    const ir_type *result = p->known[p->caches.result];
    p->vocabulary = result && result->rank > 0 ? result->dims[result->rank - 1] : -1;
    if (p->vocabulary < 0 && g->output_types[p->caches.result].rank > 0) {
        result = &g->output_types[p->caches.result];
        p->vocabulary = result->dims[result->rank - 1];
    }
    return p->vocabulary < 0
               ? err_fail(HEED_UNSUPPORTED, "only a run tells how many classes the result has")
               : HEED_OK;
}

static void read_limits(past_model *p)
{
    /* names of extents may have turned out to be numbers */
    const ir_value *main = find_input(session_form(p->session)->ir->main, p->names[p->roles.main]);
    const ir_type *given = main ? &main->type : &p->roles.g->inputs[p->roles.main]->type;
    int32_t batch = roles_batch_axis(&p->roles);
    ir_dim tokens = given->dims[p->roles.tokens_axis];
    p->copies = batch >= 0 && dim_known(given->dims[batch]) ? given->dims[batch] : 1;
    p->fixed = dim_known(tokens) ? tokens : -1;
    p->positions = p->keeps ? -1 : p->fixed;
    for (uint32_t i = 0; i < p->roles.n; i++) {
        int64_t rows = p->roles.rows[i];
        if (p->roles.role[i] == PAGING_POSITIONS && rows > 0 &&
            (p->positions < 0 || rows < p->positions))
            p->positions = rows;
    }
    p->cuts = p->keeps;
    for (uint32_t k = 0; k < p->caches.n; k++) {
        const cache_pair *pair = &p->caches.pairs[k];
        const ir_type *type = &p->roles.g->inputs[pair->input]->type;
        bool writes = pair->form == CACHE_STATIC || pair->form == CACHE_TENSOR_SCATTER;
        if (pair->form == CACHE_STATE || pair->form == CACHE_ROLLING ||
            (!writes && pair->form != CACHE_CROSS && pair->axis < 0))
            p->cuts = false;
        if (writes && pair->axis >= 0 && dim_known(type->dims[pair->axis]) &&
            (p->positions < 0 || type->dims[pair->axis] < p->positions))
            p->positions = type->dims[pair->axis];
    }
}

static heed_status check(const past_model *p)
{
    if (p->keeps && p->fixed > 1)
        return err_fail(HEED_UNSUPPORTED, "the model takes %lld tokens at a time, no more or fewer",
                        (long long)p->fixed);
    if (p->copies > 1 && p->roles.tokens_axis == 0)
        return err_fail(HEED_UNSUPPORTED,
                        "\"%s\" takes %lld sequences, no more or fewer, with tokens first",
                        p->names[p->roles.main], (long long)p->copies);
    return HEED_OK;
}

static heed_session_options to_session(const compile_options *o)
{
    return (heed_session_options){.size = sizeof(heed_session_options),
                                  .flags = (o->optimize ? 0 : HEED_SESSION_NO_OPTIMIZE) |
                                           (o->check ? HEED_SESSION_CHECK : 0) |
                                           (o->no_dropout ? HEED_SESSION_NO_DROPOUT : 0),
                                  .backends = o->backends,
                                  .plan_limit = o->plan_limit,
                                  .attention = o->attention,
                                  .without = o->without};
}

static heed_status start(past_model *p, heed_model *m, const compile_options *options)
{
    heed_session_options o = to_session(options);
    if (m->ir->main->n_outputs == 0)
        return err_fail(HEED_UNSUPPORTED, "the model has no output");
    TRY(roles_find(m->ir, &p->memory, &p->roles));
    if (p->roles.main == UINT32_MAX || p->roles.g->inputs[p->roles.main]->type.rank < 1)
        return roles_fail(&p->roles);
    TRY(caches_find(&p->roles, &p->caches));
    for (uint32_t k = 0; k < p->caches.n; k++)
        p->keeps = p->keeps || p->caches.pairs[k].form != CACHE_CROSS;
    TRY(heed_session_new(m, &o, &p->session));
    TRY(read_types(p));
    read_limits(p);
    TRY(check(p));
    return find_many(p);
}

heed_status past_model_new(heed_model *m, const compile_options *options, past_model **out)
{
    past_model *p = mem_zero(sizeof(*p));
    *out = NULL;
    if (!p)
        return HEED_NOMEM;
    p->model = m;
    heed_status status = start(p, m, options);
    if (status)
        past_model_free(p);
    else
        *out = p;
    return status;
}

void past_model_free(past_model *p)
{
    if (!p)
        return;
    heed_session_free(p->session);
    ir_model_free(p->bare);
    arena_free(&p->memory);
    mem_free(p);
}
