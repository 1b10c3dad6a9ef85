/* choose.c - from a sequence's logits to its next token, and to its end. */
#include <stdio.h>
#include <string.h>

#include "generate/generator.h"

static bool is_among(const int32_t *list, size_t n, int32_t token)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == token)
            return true;
    return false;
}

/* Does the sequence end behind this token? */
static uint32_t find_end(const heed_sequence *s, int32_t token)
{
    const heed_generator *g = s->generator;
    int64_t positions = decoder_get_about(g->decoder)->positions;
    if (!(s->flags & HEED_REQUEST_NO_END) && is_among(g->words.ends, g->words.n_ends, token))
        return HEED_FINISH_END;
    if (is_among(s->stop_tokens, s->n_stop_tokens, token))
        return HEED_FINISH_STOP;
    if (s->n_generated >= s->max_tokens)
        return HEED_FINISH_LENGTH;
    if (positions >= 0 && s->job.lanes[0].n_tokens >= (size_t)positions)
        return HEED_FINISH_LENGTH;
    return HEED_FINISH_NONE;
}

static heed_status tell_logprobs(heed_sequence *s, const sampler_told *told)
{
    return piece_buffer_add_logprobs(&s->fresh, told->own, told->likeliest, told->n);
}

/* Tokens of the prompt, as far as they are known to come next: the first has no logits. */
static heed_status echo(heed_sequence *s, const float *rows, size_t n_rows, int64_t vocabulary)
{
    const sched_lane *lane = &s->job.lanes[0];
    size_t next = decoder_length(lane->held) - n_rows + 1; /* what the first row is about */
    heed_logprob others[MOST_LOGPROBS] = {{0}};
    sampler_told told = {.own.token = lane->tokens[0], .likeliest = others, .n = s->n_logprobs};
    bool asked = s->flags & HEED_REQUEST_LOGPROBS;
    if (s->n_echoed == 0) {
        TRY(piece_buffer_add_token(&s->fresh, lane->tokens[0]));
        if (asked)
            TRY(tell_logprobs(s, &told));
        s->n_echoed = 1;
    }
    for (size_t i = 0; i < n_rows; i++) {
        size_t at = next + i;
        if (at >= s->n_prompt || at != s->n_echoed)
            continue;
        TRY(piece_buffer_add_token(&s->fresh, lane->tokens[at]));
        if (asked) {
            sampler_look_up(rows + i * (size_t)vocabulary, vocabulary, lane->tokens[at], &told);
            TRY(tell_logprobs(s, &told));
        }
        s->n_echoed++;
    }
    s->job.rows_from = s->n_echoed < s->n_prompt ? s->n_echoed - 1 : SCHED_NO_ROWS;
    return HEED_OK;
}

static heed_status add_text(heed_sequence *s, const stream_text *t)
{
    if (t->stopped)
        s->ended = HEED_FINISH_STOP;
    return piece_buffer_add_text(&s->fresh, t->text, t->bytes);
}

/* A stop token is no part of the text. What a stop found in the text cuts off is not given. */
static heed_status tell_text(heed_sequence *s, int32_t token)
{
    stream_text t;
    if (!s->text)
        return HEED_OK;
    if (!is_among(s->stop_tokens, s->n_stop_tokens, token)) {
        TRY(stream_push(s->text, &token, 1, &t));
        TRY(add_text(s, &t));
        if (t.stopped)
            return HEED_OK;
    }
    if (!s->ended)
        return HEED_OK;
    TRY(stream_end(s->text, &t));
    return add_text(s, &t);
}

void sequence_end_text(heed_sequence *s)
{
    stream_text t;
    if (s->text && !stream_end(s->text, &t))
        (void)piece_buffer_add_text(&s->fresh, t.text, t.bytes);
}

static heed_status take_token(heed_sequence *s, int32_t token)
{
    TRY(piece_buffer_add_token(&s->fresh, token));
    s->n_generated++;
    s->n_chosen++;
    s->ended = find_end(s, token);
    return tell_text(s, token);
}

heed_status sequence_give(heed_sequence *s, heed_logprob token, const heed_logprob *others)
{
    if (s->flags & HEED_REQUEST_LOGPROBS)
        TRY(piece_buffer_add_logprobs(&s->fresh, token, others, s->n_logprobs));
    return take_token(s, token.token);
}

static heed_status choose(heed_sequence *s, float *logits)
{
    int32_t token;
    heed_logprob others[MOST_LOGPROBS];
    sampler_told told = {.likeliest = others, .n = s->n_logprobs};
    if (s->n_generated < s->min_tokens)
        sampler_forbid(s->chooser, s->forbidden, s->n_forbidden);
    if (s->flags & HEED_REQUEST_LOGPROBS) {
        TRY(sampler_choose_told(s->chooser, logits, &told, &token));
        TRY(tell_logprobs(s, &told));
    } else {
        TRY(sampler_choose(s->chooser, logits, &token));
    }
    TRY(sched_lane_append(&s->job.lanes[0], token));
    return take_token(s, token);
}

static heed_status go_on(heed_sequence *s, float *logits)
{
    sched_lane *lane = &s->job.lanes[0];
    int64_t vocabulary = decoder_get_about(s->generator->decoder)->vocabulary;
    float *rows = logits + lane->row * (size_t)vocabulary;
    if (s->n_echoed < s->n_prompt)
        TRY(echo(s, rows, lane->wanted, vocabulary));
    if (decoder_length(lane->held) < lane->n_tokens)
        return HEED_OK;
    if (s->search) {
        search_propose(s, logits);
        return HEED_OK;
    }
    return choose(s, rows + (lane->wanted - 1) * (size_t)vocabulary);
}

static void note_failure(heed_sequence *s, heed_status status)
{
    if (!status)
        return;
    s->job.failed = status;
    snprintf(s->job.error_text, sizeof(s->job.error_text), "%s", err_get()->message);
}

void sequence_choose(heed_sequence *s, float *logits) { note_failure(s, go_on(s, logits)); }

void sequence_branch(heed_sequence *s)
{
    if (s->search)
        note_failure(s, search_step(s));
}
