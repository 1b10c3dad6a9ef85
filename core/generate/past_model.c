/* past_model.c - steps of a decoder as its file has it. See past_model.h. */
#include "generate/past_model.h"

#include <string.h>

#include "run/session.h"

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
