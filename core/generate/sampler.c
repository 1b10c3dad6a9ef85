/* sampler.c - the chain of pieces, what it was asked for, and what a sequence told it. */
#include <stdio.h>
#include <string.h>

#include "generate/sampler_parts.h"

/* ---- What may be asked for ------------------------------------------------------------------- */

static const struct limit {
    const char *name;
    size_t offset;
    float least, most;
} limits[] = {
    {"temperature", offsetof(heed_sampling, temperature), 0, HUGE_VALF},
    {"top_p", offsetof(heed_sampling, top_p), 0, 1},
    {"min_p", offsetof(heed_sampling, min_p), 0, 1},
    {"repetition_penalty", offsetof(heed_sampling, repetition_penalty), 0, HUGE_VALF},
    {"presence_penalty", offsetof(heed_sampling, presence_penalty), -HUGE_VALF, HUGE_VALF},
    {"frequency_penalty", offsetof(heed_sampling, frequency_penalty), -HUGE_VALF, HUGE_VALF},
};

static heed_status check_limit(const heed_sampling *o, const struct limit *l)
{
    float value;
    char found[32];
    memcpy(&value, (const char *)o + l->offset, sizeof(value));
    if (isfinite(value) && value >= l->least && value <= l->most)
        return HEED_OK;
    snprintf(found, sizeof(found), "%g", (double)value);
    const char *expected = l->most <= 1    ? "a number from 0 to 1"
                           : l->least >= 0 ? "a finite number, 0 or larger"
                                           : "a finite number";
    err_expected(HEED_INVALID, expected, found, NULL);
    return err_at(ERR_NO_OFFSET, "sampling: %s", l->name);
}

/* Fields that an older caller does not have are 0. */
static heed_status read_options(const heed_sampling *options, heed_sampling *out)
{
    *out = (heed_sampling){.size = sizeof(*out)};
    if (!options)
        return HEED_OK;
    if (options->size < sizeof(uint32_t) * 2)
        return err_fail(HEED_USAGE, "heed_sampling.size is not set");
    memcpy(out, options, options->size < sizeof(*out) ? options->size : sizeof(*out));
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
        TRY(check_limit(out, &limits[i]));
    return HEED_OK;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static heed_status make(const heed_sampling *options, size_t vocabulary, sampler **out)
{
    size_t k = options->top_k < vocabulary ? options->top_k : 0;
    sampler *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->options = *options;
    s->vocabulary = vocabulary;
    s->kept = k > 0 ? mem_array(k, sizeof(*s->kept)) : NULL;
    s->weights = k > 0 ? mem_array(k, sizeof(*s->weights)) : NULL;
    if (k > 0 && (!s->kept || !s->weights)) {
        sampler_free(s);
        return HEED_NOMEM;
    }
    *out = s;
    return HEED_OK;
}

heed_status sampler_new(const heed_sampling *options, int64_t vocabulary, sampler **out)
{
    heed_sampling asked;
    *out = NULL;
    if (vocabulary < 1 || vocabulary > INT32_MAX)
        return err_fail(HEED_INVALID, "a vocabulary of %lld tokens", (long long)vocabulary);
    TRY(read_options(options, &asked));
    return make(&asked, (size_t)vocabulary, out);
}

heed_status sampler_fork(const sampler *s, const heed_sampling *options, sampler **out)
{
    heed_sampling asked = s->options;
    sampler *fork;
    *out = NULL;
    if (options)
        TRY(read_options(options, &asked));
    TRY(make(&asked, s->vocabulary, &fork));
    heed_status status = token_counts_copy(&s->counts, &fork->counts);
    if (status) {
        sampler_free(fork);
        return status;
    }
    fork->drawn = s->drawn;
    *out = fork;
    return HEED_OK;
}

void sampler_free(sampler *s)
{
    if (!s)
        return;
    token_counts_free(&s->counts);
    mem_free(s->kept);
    mem_free(s->weights);
    mem_free(s);
}

/* A token without a logit, such as one that stands for an image in a prompt, is never chosen, so
 * nothing is to be remembered of it. */
heed_status sampler_tell(sampler *s, const int32_t *tokens, size_t n, bool generated)
{
    TRY(token_counts_reserve(&s->counts, n < s->vocabulary ? n : s->vocabulary));
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= 0 && (size_t)tokens[i] < s->vocabulary)
            token_counts_add(&s->counts, tokens[i], generated);
    return HEED_OK;
}

void sampler_forbid(sampler *s, const int32_t *tokens, size_t n)
{
    s->forbidden = tokens;
    s->n_forbidden = n;
}

/* ---- The chain ------------------------------------------------------------------------------- */

typedef void sampler_piece(const sampler *s, sampler_row *row);

/* A piece that was not asked for returns at once. Grammars belong to the first ones. */
static sampler_piece *const of_logits[] = {sampler_penalise, sampler_leave_out};
static sampler_piece *const of_weights[] = {sampler_keep_p, sampler_keep_min_p};

static void change_logits(sampler *s, sampler_row *row)
{
    for (size_t i = 0; i < sizeof(of_logits) / sizeof(*of_logits); i++)
        of_logits[i](s, row);
    sampler_forbid(s, NULL, 0);
}

static heed_status choose_place(sampler *s, sampler_row *row, size_t *place)
{
    change_logits(s, row);
    if (s->options.temperature == 0)
        return sampler_take_first(row, place);
    sampler_keep_k(s, row);
    TRY(sampler_soften(s, row));
    for (size_t i = 0; i < sizeof(of_weights) / sizeof(*of_weights); i++)
        of_weights[i](s, row);
    *place = sampler_draw(row, sampler_uniform(s->options.seed, s->drawn));
    return HEED_OK;
}

static heed_status choose(sampler *s, sampler_row *row, int32_t *token)
{
    size_t place;
    TRY(token_counts_reserve(&s->counts, 1));
    TRY(choose_place(s, row, &place));
    *token = row->ids ? row->ids[place] : (int32_t)place;
    return HEED_OK;
}

static void note(sampler *s, int32_t token)
{
    token_counts_add(&s->counts, token, true);
    s->drawn++;
}

heed_status sampler_choose(sampler *s, float *logits, int32_t *token)
{
    sampler_row row = {.x = logits, .n = s->vocabulary};
    TRY(choose(s, &row, token));
    note(s, *token);
    return HEED_OK;
}

/* Weights that would take the place of all logits come elsewhere, once for the sampler's life. */
static heed_status spare_logits(sampler *s)
{
    if (s->weights || s->options.temperature == 0)
        return HEED_OK;
    s->weights = mem_alloc(s->vocabulary * sizeof(*s->weights));
    return s->weights ? HEED_OK : HEED_NOMEM;
}

heed_status sampler_choose_told(sampler *s, float *logits, sampler_told *told, int32_t *token)
{
    TRY(spare_logits(s));
    sampler_row row = {.x = logits, .n = s->vocabulary, .weights = s->weights};
    sampler_softmax softmax = sampler_measure(logits, s->vocabulary);
    sampler_likeliest(&softmax, logits, s->vocabulary, told);
    TRY(choose(s, &row, token));
    const token_count *penalised =
        sampler_penalises(s) ? token_counts_get(&s->counts, *token) : NULL;
    float logit = penalised ? penalised->logit : logits[*token];
    told->own = (heed_logprob){.token = *token, .logprob = sampler_logprob(&softmax, logit)};
    note(s, *token);
    return HEED_OK;
}

void sampler_propose(sampler *s, float *logits, size_t n, heed_logprob *out)
{
    sampler_row row = {.x = logits, .n = s->vocabulary};
    sampler_to_logprobs(logits, s->vocabulary);
    change_logits(s, &row);
    sampler_first(logits, s->vocabulary, n, out);
}
