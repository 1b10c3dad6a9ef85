/* past_model.c - see past_model.h. */
#include "generate/past_model.h"

#include <string.h>

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

static heed_status find_many(past_model *p)
{
    const ir_model *m = session_form(p->session)->ir;
    uint8_t *seen = arena_alloc(&p->memory, m->n_values);
    if (!seen)
        return HEED_NOMEM;
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

/* ---- One run --------------------------------------------------------------------------------- */

/* The result, and what comes out of each past. */
typedef struct outcome {
    heed_tensor *result;
    past_state *next;
} outcome;

static heed_status run_graph(past_run *r, arena *memory, outcome *out)
{
    const past_model *p = r->p;
    const ir_graph *g = p->roles.g;
    uint32_t n_in = 0, n_out = 1;
    heed_run_options options = {
        .size = sizeof(options), .deadline_ns = r->step->deadline_ns, .cancel = r->step->cancel};
    const char **in_names = arena_array(memory, p->roles.n, sizeof(*in_names));
    heed_tensor **in = arena_array(memory, p->roles.n, sizeof(*in));
    const char **out_names = arena_array(memory, p->caches.n + 1u, sizeof(*out_names));
    heed_tensor **results = arena_array(memory, p->caches.n + 1u, sizeof(*results));
    out->next = past_state_new(p->caches.n, r->last);
    if (!in_names || !in || !out_names || !results || !out->next)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < p->roles.n; i++)
        if (r->given[i]) {
            in_names[n_in] = p->names[i];
            in[n_in++] = (heed_tensor *)(uintptr_t)r->given[i]; /* a run does not write it */
        }
    out_names[0] = g->output_names[p->caches.result];
    for (uint32_t k = 0; k < p->caches.n; k++)
        out_names[n_out++] = g->output_names[p->caches.pairs[k].output];
    TRY(heed_session_run(p->session, &options, n_in, in_names, in, n_out, out_names, results));
    out->result = results[0];
    for (uint32_t k = 0; k < p->caches.n; k++)
        out->next->tensors[k] = results[k + 1];
    return HEED_OK;
}

/* What an encoder gave comes out of the first run, and stays; later ones may give anything. */
static heed_status keep_cross(const past_run *r, past_state *next)
{
    for (uint32_t k = 0; r->state && k < next->n; k++) {
        if (r->p->caches.pairs[k].form != CACHE_CROSS || !r->state->tensors[k])
            continue;
        tensor_clear(next->tensors[k]);
        TRY(tensor_assign(next->tensors[k], r->state->tensors[k]));
    }
    return HEED_OK;
}

static heed_status run_once(past_model *p, const past_step *step, const past_state *state,
                            uint32_t first, uint32_t last, outcome *out)
{
    arena memory = {0};
    past_run r = {.p = p, .step = step, .state = state, .first = first, .last = last};
    *out = (outcome){NULL, NULL};
    r.in = arena_array(&memory, p->roles.n, sizeof(*r.in));
    r.given = arena_array(&memory, p->roles.n, sizeof(*r.given));
    heed_status status = r.in && r.given ? past_make_inputs(&r) : HEED_NOMEM;
    if (!status)
        status = run_graph(&r, &memory, out);
    if (!status)
        status = keep_cross(&r, out->next);
    for (uint32_t i = 0; r.in && i < p->roles.n; i++)
        tensor_free(r.in[i]);
    arena_free(&memory);
    if (!status)
        return HEED_OK;
    tensor_free(out->result);
    past_state_drop(out->next);
    *out = (outcome){NULL, NULL};
    return status;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* How many rows a run gave for its tokens: one each, or the last alone. */
static heed_status read_rows(const past_model *p, const heed_tensor *result, int64_t tokens,
                             int64_t wanted, float *rows)
{
    int64_t n = tensor_count(result) / (p->vocabulary ? p->vocabulary : 1) / p->copies;
    int64_t end = n == 1 ? 1 : tokens; /* behind it is what fills up a fixed number */
    if (n < end || n * p->vocabulary * p->copies != tensor_count(result))
        return err_fail(HEED_INVALID, "%lld results for %lld tokens",
                        (long long)tensor_count(result), (long long)tokens);
    for (int64_t i = 0; i < wanted * p->vocabulary; i++) {
        double x;
        TRY(heed_tensor_read_f64(result, (end - wanted) * p->vocabulary + i, 1, &x));
        rows[i] = (float)x;
    }
    return HEED_OK;
}

static bool gives_last_only(past_model *p, const heed_tensor *result, uint32_t tokens)
{
    if (tensor_count(result) == p->vocabulary && tokens > 1)
        p->last_only = true;
    return p->last_only;
}

/* How far the next run goes: to the end, or one token on. */
static uint32_t next_end(const past_model *p, const past_step *step, const past_state *state,
                         uint32_t first)
{
    bool whole = p->many || (state == NULL && strcmp(p->caches.form, "merged") == 0);
    uint32_t n = step->n_tokens, alone = n - step->n_rows;
    if (!p->keeps)
        return p->last_only && first < n ? first + 1 : n;
    if (!whole || p->fixed == 1)
        return first + 1;
    if (p->last_only && step->n_rows > 1)
        return first < alone + 1 ? alone + 1 : first + 1;
    return n;
}

/* Tokens from `first` on, of which rows are wanted from n - n_rows on. */
static heed_status run_part(past_model *p, const past_step *step, past_state **state,
                            uint32_t *first, float *rows)
{
    uint32_t last = next_end(p, step, *state, *first), from = step->n_tokens - step->n_rows;
    uint32_t begin = p->keeps ? *first : 0;
    outcome out;
    heed_status ran = run_once(p, step, *state, begin, last, &out);
    if (ran == HEED_INVALID && p->many && *state && last > *first + 1) {
        p->many = false; /* exported with one token at a time: shapes fit no others */
        err_clear();
        return HEED_OK;
    }
    TRY(ran);
    uint32_t wanted = last > from ? last - (from > *first ? from : *first) : 0;
    if (wanted > 1 && gives_last_only(p, out.result, last - begin)) {
        tensor_free(out.result);
        past_state_drop(out.next);
        if (!p->keeps)
            *first = from;
        return HEED_OK; /* once more, in smaller parts */
    }
    heed_status status = read_rows(p, out.result, last - begin, wanted,
                                   rows + (last - wanted - from) * p->vocabulary);
    tensor_free(out.result);
    past_state_drop(*state);
    *state = NULL;
    if (p->keeps && !status)
        *state = out.next;
    else
        past_state_drop(out.next);
    *first = last;
    return status;
}

heed_status past_model_run(past_model *p, const past_step *step, float *rows, past_state **next)
{
    past_state *state = p->keeps ? past_state_hold(step->state) : NULL;
    uint32_t first = state ? (uint32_t)state->length : 0;
    heed_status status = HEED_OK;
    *next = NULL;
    if (first >= step->n_tokens || step->n_rows > step->n_tokens - first)
        status = err_fail(HEED_INTERNAL, "rows of tokens that went before");
    if (p->positions >= 0 && step->n_tokens > (uint64_t)p->positions)
        status = err_fail(HEED_INVALID, "%u tokens, and the model has %lld positions",
                          step->n_tokens, (long long)p->positions);
    if (!p->keeps && p->last_only && step->n_rows > 1)
        first = step->n_tokens - step->n_rows;
    while (!status && first < step->n_tokens)
        status = run_part(p, step, &state, &first, rows);
    if (status)
        past_state_drop(state);
    else
        *next = state;
    return status;
}

/* ---- Shorter --------------------------------------------------------------------------------- */

static heed_status cut_all(const past_model *p, const past_state *from, past_state *to)
{
    for (uint32_t k = 0; k < from->n; k++) {
        const cache_pair *pair = &p->caches.pairs[k];
        if (pair->form <= CACHE_BUFFER) {
            TRY(past_resize(from->tensors[k], pair->axis, (int64_t)to->length, &to->tensors[k]));
        } else {
            TRY(tensor_new_empty(&to->tensors[k]));
            TRY(tensor_assign(to->tensors[k], from->tensors[k]));
        }
    }
    return HEED_OK;
}

heed_status past_model_cut(const past_model *p, past_state *state, size_t n, past_state **out)
{
    heed_status status = HEED_OK;
    *out = NULL;
    if (!state || state->length <= n) {
        *out = state;
        return HEED_OK;
    }
    if (p->cuts && n > 0) {
        *out = past_state_new(state->n, n);
        status = *out ? cut_all(p, state, *out) : HEED_NOMEM;
    }
    past_state_drop(state);
    if (status) {
        past_state_drop(*out);
        *out = NULL;
    }
    return status;
}
