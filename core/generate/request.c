/* request.c - a request, checked and copied, becomes a sequence. */
#include <limits.h>
#include <string.h>

#include "generate/generator.h"

/* The caller's structure may be shorter, of an older version. */
static heed_status read_request(const heed_request *given, heed_request *out)
{
    *out = (heed_request){0};
    if (!HEED_HAS_FIELD(given, flags))
        return err_fail(HEED_USAGE, "heed_request.size is not set");
    memcpy(out, given, given->size < sizeof(*out) ? given->size : sizeof(*out));
    if (out->n_logprobs > MOST_LOGPROBS)
        return err_fail(HEED_INVALID, "n_logprobs is %u; at most %d are given", out->n_logprobs,
                        MOST_LOGPROBS);
    if (out->n_logprobs > 0)
        out->flags |= HEED_REQUEST_LOGPROBS;
    return HEED_OK;
}

static heed_status copy_tokens(heed_sequence *s, const int32_t *from, size_t n, int32_t **out)
{
    *out = arena_array(&s->memory, n, sizeof(**out));
    if (!*out)
        return HEED_NOMEM;
    if (n)
        memcpy(*out, from, n * sizeof(**out));
    return HEED_OK;
}

/* Before min_tokens nothing may be chosen that would end the sequence. */
static heed_status copy_ends(heed_sequence *s, const heed_request *r)
{
    const heed_generator *g = s->generator;
    size_t ends = r->flags & HEED_REQUEST_NO_END ? 0 : g->n_ends;
    TRY(copy_tokens(s, r->stop_tokens, r->n_stop_tokens, &s->stop_tokens));
    s->n_stop_tokens = r->n_stop_tokens;
    s->n_forbidden = ends + r->n_stop_tokens;
    s->forbidden = arena_array(&s->memory, s->n_forbidden, sizeof(*s->forbidden));
    if (!s->forbidden)
        return HEED_NOMEM;
    if (ends)
        memcpy(s->forbidden, g->ends, ends * sizeof(*s->forbidden));
    if (r->n_stop_tokens)
        memcpy(s->forbidden + ends, r->stop_tokens, r->n_stop_tokens * sizeof(*s->forbidden));
    return HEED_OK;
}

/* Could it ever be served? */
static heed_status check_prompt(const heed_generator *g, const int32_t *tokens, size_t n)
{
    const decoder_about *about = decoder_get_about(g->decoder);
    uint64_t room = (uint64_t)about->page_limit * about->page_tokens;
    if (n == 0)
        return err_fail(HEED_INVALID, "the prompt is empty");
    if (about->positions >= 0 && n > (uint64_t)about->positions)
        return err_fail(HEED_INVALID, "the prompt has %zu tokens, and the model %lld positions", n,
                        (long long)about->positions);
    if (about->paged && n > room)
        return err_fail(HEED_INVALID,
                        "the prompt has %zu tokens, and all pages together room for %llu", n,
                        (unsigned long long)room);
    int64_t ids = about->ids >= 0 ? about->ids : about->vocabulary;
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= ids)
            return err_fail(HEED_INVALID, "token %zu of the prompt is %d; ids are 0 to %lld", i,
                            tokens[i], (long long)ids - 1);
    return HEED_OK;
}

static heed_status fill(heed_sequence *s, const heed_request *r)
{
    heed_generator *g = s->generator;
    int64_t vocabulary = decoder_get_about(g->decoder)->vocabulary;
    s->flags = r->flags;
    s->min_tokens = r->min_tokens;
    s->max_tokens = r->max_tokens ? r->max_tokens : SIZE_MAX;
    s->n_logprobs = r->n_logprobs;
    s->deadline_ns = r->deadline_ns;
    TRY(copy_ends(s, r));
    if (!r->tokens)
        return err_fail(HEED_INVALID, "the request has no tokens");
    TRY(check_prompt(g, r->tokens, r->n_tokens));
    s->n_prompt = r->n_tokens;
    s->n_echoed = r->flags & HEED_REQUEST_ECHO ? 0 : s->n_prompt;
    s->job.rows_from = r->flags & HEED_REQUEST_ECHO ? 0 : SCHED_NO_ROWS;
    s->stats.prompt_tokens = s->n_prompt;
    TRY(sched_job_add_lane(&s->job, r->tokens, r->n_tokens));
    TRY(sampler_new(r->sampling, vocabulary, &s->chooser));
    return sampler_tell(s->chooser, r->tokens, r->n_tokens, false);
}

heed_status sequence_new(heed_generator *g, const heed_request *request, heed_sequence **out)
{
    heed_request r;
    *out = NULL;
    TRY(read_request(request, &r));
    heed_sequence *s = mem_zero(sizeof(*s));
    if (!s)
        return HEED_NOMEM;
    s->generator = g;
    s->added_ns = generate_now();
    pthread_cond_init(&s->changed, NULL);
    heed_status status = fill(s, &r);
    if (status)
        sequence_delete(s);
    else
        *out = s;
    return status;
}

void sequence_delete(heed_sequence *s)
{
    pthread_cond_destroy(&s->changed);
    sched_job_free_lanes(&s->job);
    decoder_side_drop(s->job.side);
    sampler_free(s->chooser);
    piece_buffer_free(&s->fresh);
    piece_buffer_free(&s->ready);
    piece_buffer_free(&s->given);
    mem_free(s->generated);
    mem_free(s->shown);
    arena_free(&s->memory);
    mem_free(s);
}
