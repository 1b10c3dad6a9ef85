/* request.c - a request, checked and copied, becomes a sequence. */
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
    const heed_tokenizer_info *words = &s->generator->words;
    size_t ends = r->flags & HEED_REQUEST_NO_END ? 0 : words->n_ends;
    TRY(copy_tokens(s, r->stop_tokens, r->n_stop_tokens, &s->stop_tokens));
    s->n_stop_tokens = r->n_stop_tokens;
    s->n_forbidden = ends + r->n_stop_tokens;
    s->forbidden = arena_array(&s->memory, s->n_forbidden, sizeof(*s->forbidden));
    if (!s->forbidden)
        return HEED_NOMEM;
    if (ends)
        memcpy(s->forbidden, words->ends, ends * sizeof(*s->forbidden));
    if (r->n_stop_tokens)
        memcpy(s->forbidden + ends, r->stop_tokens, r->n_stop_tokens * sizeof(*s->forbidden));
    return HEED_OK;
}

/* ---- The prompt -------------------------------------------------------------------------------
 */

/* Could it ever be served? */
static heed_status check_prompt(const heed_generator *g, const int32_t *tokens, size_t n)
{
    const decoder_about *about = decoder_get_about(g->decoder);
    uint64_t room = (uint64_t)about->page_limit * about->page_tokens;
    int64_t ids = about->ids > 0 ? about->ids : about->vocabulary;
    if (n == 0)
        return err_fail(HEED_INVALID, "the prompt is empty");
    if (about->positions >= 0 && n > (uint64_t)about->positions)
        return err_fail(HEED_INVALID, "the prompt has %zu tokens, and the model %lld positions", n,
                        (long long)about->positions);
    if (about->paged && n > room)
        return err_fail(HEED_INVALID,
                        "the prompt has %zu tokens, and all pages together room for %llu", n,
                        (unsigned long long)room);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || tokens[i] >= ids) {
            err_fail(HEED_INVALID, "token %zu of the prompt is %d; the model has 0 to %lld", i,
                     tokens[i], (long long)ids - 1);
            return g->words.n_tokens > ids ? err_hint("the tokenizer has %d tokens: is it this "
                                                      "model's?",
                                                      g->words.n_tokens)
                                           : HEED_INVALID;
        }
    return HEED_OK;
}

static heed_status no_tokenizer(const heed_generator *g, const char *what)
{
    err_fail(HEED_INVALID, "%s, and there is no tokenizer: %s", what, g->no_tokenizer);
    return err_hint("give tokens, or a tokenizer in heed_generator_options");
}

/* Tokens of the text, in the sequence's memory. */
static heed_status encode(heed_sequence *s, const heed_request *r, const int32_t **tokens,
                          size_t *n)
{
    const heed_generator *g = s->generator;
    size_t bytes = r->text_bytes ? r->text_bytes : strlen(r->text);
    uint32_t flags = r->flags & HEED_REQUEST_PLAIN ? HEED_TOKENIZE_PLAIN : 0;
    if (!g->tokenizer)
        return no_tokenizer(g, "the prompt is text");
    size_t room = bytes / 2 + 16;
    int32_t *out = arena_array(&s->memory, room, sizeof(*out));
    if (!out)
        return HEED_NOMEM;
    TRY(heed_tokenizer_encode(g->tokenizer, r->text, bytes, flags, out, room, n));
    if (*n > room) {
        room = *n;
        out = arena_array(&s->memory, room, sizeof(*out));
        if (!out)
            return HEED_NOMEM;
        TRY(heed_tokenizer_encode(g->tokenizer, r->text, bytes, flags, out, room, n));
    }
    *tokens = out;
    return HEED_OK;
}

/* ---- An encoder -------------------------------------------------------------------------------
 */

/* The prompt may be the encoder's; then the decoder begins with what its configuration says. */
static heed_status begin_decoder(const heed_generator *g, const heed_request *r,
                                 const int32_t **tokens, size_t *n)
{
    if (r->decoder_tokens) {
        *tokens = r->decoder_tokens;
        *n = r->n_decoder_tokens;
    } else if (!*tokens || encoder_takes_tokens(g->encoder)) {
        *tokens = &g->words.decoder_start;
        *n = 1;
    }
    return **tokens >= 0 || r->decoder_tokens
               ? HEED_OK
               : err_fail(HEED_INVALID,
                          "no configuration beside the model says which token its decoder begins "
                          "with (decoder_start_token_id): give it as decoder_tokens");
}

static heed_status run_encoder(heed_sequence *s, const heed_request *r, const int32_t **tokens,
                               size_t *n)
{
    const heed_generator *g = s->generator;
    feed_request given = {.tokens = *tokens,
                          .n_tokens = *n,
                          .n_inputs = r->n_inputs,
                          .names = r->input_names,
                          .inputs = (const heed_tensor *const *)r->inputs};
    if (!g->encoder && r->n_inputs > 0)
        return err_fail(HEED_INVALID, "the model has no input \"%s\" beside its tokens",
                        r->input_names[0]);
    if (!g->encoder && r->decoder_tokens)
        return err_fail(HEED_INVALID, "decoder_tokens are for a model with an encoder; what this "
                                      "one begins with is the prompt");
    if (!g->encoder)
        return HEED_OK;
    TRY(begin_decoder(g, r, tokens, n));
    return encoder_run(g->encoder, &given, &s->job.side);
}

/* ---- Text -------------------------------------------------------------------------------------
 */

static heed_status decode(const void *tokenizer, const int32_t *tokens, size_t n, uint32_t flags,
                          char *text, size_t capacity, size_t *bytes)
{
    heed_status status = heed_tokenizer_decode(tokenizer, tokens, n, flags, text, capacity, bytes);
    if (status == HEED_INVALID)
        (void)err_hint("the model chose a token that its tokenizer does not have: is it this "
                       "model's?");
    return status;
}

static stream_options stream_of(const heed_sequence *s, const heed_request *r)
{
    return (stream_options){.decode = decode,
                            .tokenizer = s->generator->tokenizer,
                            .flags = r->flags & HEED_REQUEST_SPECIAL ? HEED_TOKENIZE_SPECIAL : 0,
                            .stops = r->stops,
                            .n_stops = r->n_stops};
}

static heed_status open_stream(heed_sequence *s, const heed_request *r)
{
    stream_options options = stream_of(s, r);
    if (!s->generator->tokenizer)
        return r->n_stops ? no_tokenizer(s->generator, "stops are texts") : HEED_OK;
    TRY(stream_new(&options, &s->text));
    return stream_begin(s->text, s->job.lanes[0].tokens, s->n_prompt,
                        (r->flags & HEED_REQUEST_ECHO) != 0);
}

/* ---- All of it --------------------------------------------------------------------------------
 */

static heed_status open_search(heed_sequence *s, const heed_request *r)
{
    return r->beams > 1 ? search_new(s, r, &s->search) : HEED_OK;
}

static heed_status set_limits(heed_sequence *s, const heed_request *r)
{
    s->flags = r->flags;
    s->min_tokens = r->min_tokens;
    s->max_tokens = r->max_tokens ? r->max_tokens : SIZE_MAX;
    s->n_logprobs = r->n_logprobs;
    s->deadline_ns = r->deadline_ns;
    return copy_ends(s, r);
}

static heed_status fill(heed_sequence *s, const heed_request *r)
{
    heed_generator *g = s->generator;
    int64_t vocabulary = decoder_get_about(g->decoder)->vocabulary;
    const int32_t *tokens = r->tokens;
    size_t n = r->n_tokens;
    bool echo = (r->flags & HEED_REQUEST_ECHO) != 0;
    TRY(set_limits(s, r));
    if (!tokens && r->text)
        TRY(encode(s, r, &tokens, &n));
    TRY(run_encoder(s, r, &tokens, &n));
    TRY(check_prompt(g, tokens, n));
    s->n_prompt = n;
    s->n_echoed = echo ? 0 : n;
    s->job.rows_from = echo ? 0 : SCHED_NO_ROWS;
    TRY(sched_job_add_lane(&s->job, tokens, n));
    TRY(sampler_new(r->sampling, vocabulary, &s->chooser));
    TRY(sampler_tell(s->chooser, tokens, n, false));
    TRY(open_stream(s, r));
    return open_search(s, r);
}

/* What came before is known, so that there is nothing to echo. */
static heed_status fill_fork(heed_sequence *s, const heed_sequence *from, const heed_request *r)
{
    const sched_lane *lane = &from->job.lanes[0];
    stream_options options = stream_of(s, r);
    TRY(set_limits(s, r));
    s->n_prompt = s->n_echoed = lane->n_tokens;
    s->job.rows_from = SCHED_NO_ROWS;
    s->job.side = decoder_side_hold(from->job.side);
    TRY(sched_job_add_lane(&s->job, lane->tokens, lane->n_tokens));
    TRY(sampler_fork(from->chooser, r->sampling, &s->chooser));
    if (!from->text && r->n_stops)
        return no_tokenizer(s->generator, "stops are texts");
    if (from->text)
        TRY(stream_fork(from->text, &options, &s->text));
    return open_search(s, r);
}

static heed_status sequence_alloc(heed_generator *g, heed_sequence **out)
{
    heed_sequence *s = mem_zero(sizeof(*s));
    *out = s;
    if (!s)
        return HEED_NOMEM;
    s->generator = g;
    s->added_ns = generate_now();
    pthread_cond_init(&s->changed, NULL);
    return HEED_OK;
}

static heed_status give(heed_status status, heed_sequence *s, heed_sequence **out)
{
    if (status)
        sequence_delete(s);
    else
        s->stats.prompt_tokens = s->n_prompt;
    *out = status ? NULL : s;
    return status;
}

heed_status sequence_new(heed_generator *g, const heed_request *request, heed_sequence **out)
{
    heed_request r;
    heed_sequence *s;
    *out = NULL;
    TRY(read_request(request, &r));
    TRY(sequence_alloc(g, &s));
    return give(fill(s, &r), s, out);
}

heed_status sequence_fork(const heed_sequence *from, const heed_request *request,
                          heed_sequence **out)
{
    heed_request r;
    heed_sequence *s;
    *out = NULL;
    TRY(read_request(request, &r));
    TRY(sequence_alloc(from->generator, &s));
    return give(fill_fork(s, from, &r), s, out);
}

void sequence_delete(heed_sequence *s)
{
    pthread_cond_destroy(&s->changed);
    sched_job_free_lanes(&s->job);
    decoder_side_drop(s->job.side);
    sampler_free(s->chooser);
    search_free(s->search);
    stream_free(s->text);
    piece_buffer_free(&s->fresh);
    piece_buffer_free(&s->ready);
    piece_buffer_free(&s->given);
    mem_free(s->generated);
    mem_free(s->shown);
    arena_free(&s->memory);
    mem_free(s);
}
