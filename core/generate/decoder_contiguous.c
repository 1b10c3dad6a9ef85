/* decoder_contiguous.c - the kind of decoder that keeps the model's own past tensors, or nothing:
 * for models that cannot have pages, and for comparison. A sequence remembers its tokens, so that
 * what cannot be shortened is computed again. */
#include <string.h>

#include "generate/decoder.h"
#include "generate/past_model.h"

typedef struct contiguous {
    decoder base;
    past_model *model;
} contiguous;

typedef struct contiguous_seq {
    decoder_seq base;
    int32_t *tokens; /* those that were computed */
    size_t n_tokens, capacity;
    past_state *state; /* of the first of them */
} contiguous_seq;

static past_model *model_of(const decoder *d) { return ((const contiguous *)d)->model; }

/* ---- Sequences ------------------------------------------------------------------------------- */

static void end(decoder *d, decoder_seq *seq)
{
    contiguous_seq *s = (contiguous_seq *)seq;
    (void)d;
    past_state_drop(s->state);
    mem_free(s->tokens);
    decoder_side_drop(s->base.side);
    mem_free(s);
}

static heed_status begin(decoder *d, decoder_side *side, const int32_t *tokens, size_t n,
                         decoder_seq **out)
{
    contiguous_seq *s = mem_zero(sizeof(*s));
    (void)d;
    (void)tokens;
    (void)n;
    *out = NULL;
    if (!s)
        return HEED_NOMEM;
    s->base.side = decoder_side_hold(side);
    *out = &s->base;
    return HEED_OK;
}

static heed_status append(contiguous_seq *s, const int32_t *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        TRY(mem_grow(&s->tokens, &s->capacity, s->n_tokens, sizeof(*s->tokens)));
        s->tokens[s->n_tokens++] = tokens[i];
    }
    return HEED_OK;
}

static heed_status fork_seq(decoder *d, const decoder_seq *seq, decoder_seq **out)
{
    const contiguous_seq *from = (const contiguous_seq *)seq;
    TRY(begin(d, from->base.side, NULL, 0, out));
    contiguous_seq *s = (contiguous_seq *)*out;
    heed_status status = append(s, from->tokens, from->n_tokens);
    s->base.length = from->base.length;
    s->state = past_state_hold(from->state);
    if (status) {
        end(d, *out);
        *out = NULL;
    }
    return status;
}

static heed_status extend(decoder *d, decoder_seq *seq, size_t n)
{
    (void)d;
    seq->length += n;
    return HEED_OK;
}

static void cut(decoder *d, decoder_seq *seq, size_t n)
{
    contiguous_seq *s = (contiguous_seq *)seq;
    past_state *shorter;
    if (n < s->base.length)
        s->base.length = n;
    if (n >= s->n_tokens)
        return;
    s->n_tokens = n;
    if (past_model_cut(model_of(d), s->state, n, &shorter))
        err_clear(); /* it is computed again */
    s->state = shorter;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* What an encoder gave of the model's inputs. */
static heed_status find_sides(const past_model *p, const decoder_side *side, arena *memory,
                              past_step *step)
{
    const char **names = arena_array(memory, p->roles.n, sizeof(*names));
    const heed_tensor **inputs = arena_array(memory, p->roles.n, sizeof(*inputs));
    if (!names || !inputs)
        return HEED_NOMEM;
    for (uint32_t i = 0; i < p->roles.n; i++)
        if ((inputs[step->n_inputs] = decoder_side_get(side, p->names[i])))
            names[step->n_inputs++] = p->names[i];
    step->names = names;
    step->inputs = inputs;
    return HEED_OK;
}

static heed_status run_seq(decoder *d, const decoder_step *step, uint32_t i, float *rows)
{
    contiguous_seq *s = (contiguous_seq *)step->seqs[i];
    size_t before = s->n_tokens;
    past_state *next;
    arena memory = {0};
    if (before + step->counts[i] != s->base.length)
        return err_fail(HEED_INTERNAL, "a sequence of %zu tokens has %zu places", before,
                        s->base.length);
    TRY(append(s, step->tokens[i], step->counts[i]));
    past_step own = {.state = s->state,
                     .tokens = s->tokens,
                     .n_tokens = (uint32_t)s->n_tokens,
                     .n_rows = step->wanted[i],
                     .deadline_ns = step->deadline_ns,
                     .cancel = (heed_cancel *)(uintptr_t)step->cancel};
    heed_status status = find_sides(model_of(d), s->base.side, &memory, &own);
    if (!status)
        status = past_model_run(model_of(d), &own, rows, &next);
    arena_free(&memory);
    if (status) {
        s->n_tokens = before;
        return status;
    }
    past_state_drop(s->state);
    s->state = next;
    return HEED_OK;
}

static heed_status run(decoder *d, const decoder_step *step, float *logits)
{
    for (uint32_t i = 0; i < step->n; i++) {
        TRY(run_seq(d, step, i, logits));
        logits += step->wanted[i] * d->about.vocabulary;
    }
    return HEED_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void free_decoder(decoder *d)
{
    past_model_free(model_of(d));
    mem_free(d);
}

static const decoder_kind kind = {
    .begin = begin,
    .fork = fork_seq,
    .end = end,
    .extend = extend,
    .cut = cut,
    .run = run,
    .free = free_decoder,
};

/* Of a cross cache: without one that comes out again, nothing makes it but another model. */
static bool is_side(const past_model *p, uint32_t i)
{
    const ir_value *v = p->roles.g->inputs[i];
    if (!roles_is_given(v) || !v->uses)
        return false;
    for (uint32_t k = 0; k < p->caches.n; k++)
        if (p->caches.pairs[k].input == i)
            return p->caches.pairs[k].form == CACHE_CROSS &&
                   p->caches.pairs[k].output == CACHE_NONE && !p->caches.pairs[k].branch;
    return p->roles.role[i] == PAGING_SIDE;
}

static heed_status name_sides(past_model *p, decoder_about *about)
{
    const char **names = arena_array(&p->memory, p->roles.n, sizeof(*names));
    about->side = names;
    for (uint32_t i = 0; names && i < p->roles.n; i++)
        if (is_side(p, i))
            names[about->n_side++] = p->names[i];
    return names ? HEED_OK : HEED_NOMEM;
}

heed_status decoder_contiguous_new(heed_model *m, const decoder_options *options, decoder **out)
{
    contiguous *c = mem_zero(sizeof(*c));
    *out = NULL;
    if (!c)
        return HEED_NOMEM;
    heed_status status = past_model_new(m, &options->compile, &c->model);
    if (!status && c->model->roles.role[c->model->roles.main] != PAGING_TOKENS)
        status = err_fail(HEED_UNSUPPORTED, "the model takes embeddings, not tokens");
    decoder_about about = {.reason = ""};
    if (!status)
        status = name_sides(c->model, &about);
    if (status) {
        past_model_free(c->model);
        mem_free(c);
        return status;
    }
    about.form = c->model->caches.form;
    about.vocabulary = c->model->vocabulary;
    about.ids = c->model->roles.rows[c->model->roles.main];
    about.positions = c->model->positions;
    c->base.kind = &kind;
    c->base.about = about;
    *out = &c->base;
    return HEED_OK;
}
