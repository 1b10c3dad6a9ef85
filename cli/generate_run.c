/* generate_run.c - from requests to sequences, and one step after the other until all have ended.
 *
 * Steps are made here, not by waiting for one sequence, so that Ctrl-C is seen after each. All
 * sequences run as one batch; what is shown comes in their order, the first one as it grows. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "interrupt.h"
#include "model_files.h"
#include "print.h"
#include "session.h"

/* ---- Opening ---- */

static heed_status open_or_fall_back(generate_job *job)
{
    heed_status status = heed_generator_open(job->path, &job->options, &job->generator);
    if (status != HEED_DEVICE || !job->session.backends || !args_is_on(job->args, "allow-fallback"))
        return status;
    note("%s; falling back to the default backends", heed_error_get()->message);
    job->session.backends = NULL;
    return heed_generator_open(job->path, &job->options, &job->generator);
}

/* Where no table ends, the graph computes places that the model was not made for. */
static void check_positions(const generate_job *job)
{
    heed_tokenizer_info info = {.size = sizeof info, .positions = -1};
    heed_sequence_stats stats = {.size = sizeof stats};
    if (job->tokenizer)
        heed_tokenizer_get_info(job->tokenizer, &info);
    for (size_t i = 0; i < job->n && info.positions > 0; i += job->samples) {
        heed_sequence_get_stats(job->sequences[i].sequence, &stats);
        if (stats.prompt_tokens > (uint64_t)info.positions)
            note("prompt %zu has %llu tokens, and the model's configuration %lld positions: it was "
                 "not made for more",
                 i / job->samples + 1, (unsigned long long)stats.prompt_tokens,
                 (long long)info.positions);
    }
}

/* Fewer are usual (tables are rounded up); more are another model's. */
static void check_tokenizer(const generate_job *job)
{
    heed_tokenizer_info info = {.size = sizeof info};
    heed_generator_stats stats = {.size = sizeof stats};
    if (!job->tokenizer)
        return;
    heed_tokenizer_get_info(job->tokenizer, &info);
    heed_generator_get_stats(job->generator, &stats);
    if (info.n_tokens > 0 && (uint64_t)info.n_tokens > stats.vocabulary)
        note("the tokenizer has %d tokens, and the model %llu: is it this model's?", info.n_tokens,
             (unsigned long long)stats.vocabulary);
}

int generate_open(generate_job *job)
{
    const char *wanted = args_get(job->args, "tokenizer");
    int code = session_check_file(job->path);
    if (!code && !model_files_any(job->path))
        code = model_files_refuse(job->path);
    if (!code && job->options.encoder)
        code = session_check_file(job->options.encoder);
    if (!code && wanted)
        code = session_check_file(wanted);
    if (!code && open_or_fall_back(job)) {
        /* The files that were named are there: what is missing now is a part of one. */
        code = exit_error(job->path);
        if (heed_error_get()->status == HEED_NOTFOUND)
            code = EXIT_MODEL;
    }
    if (!code)
        job->tokenizer = heed_generator_get_tokenizer(job->generator);
    check_tokenizer(job);
    return code;
}

/* ---- Requests ---- */

/* A request that cannot be served is the user's, not the model's. */
static int request_error(const generate_job *job, const prompt *p)
{
    char excerpt[48], *subject;
    bool invalid = heed_error_get()->status == HEED_INVALID;
    if (job->prompts.n == 1)
        subject = cli_copy(job->path);
    else
        subject = cli_format("prompt %zu, '%s'", (size_t)(p - job->prompts.items) + 1,
                             prompts_excerpt(p, excerpt, sizeof excerpt));
    int code = exit_error(subject);
    free(subject);
    return invalid ? EXIT_USAGE : code;
}

/* Samples of a prompt differ in their seeds; they find each other's pages. */
static heed_status add_sample(generate_job *job, const prompt *p, size_t sample,
                              heed_sequence **out)
{
    heed_sampling sampling = job->sampling;
    heed_request request = job->request;
    sampling.seed += sample;
    request.sampling = &sampling;
    request.text = p->text;
    request.text_bytes = p->bytes;
    request.tokens = p->tokens;
    request.n_tokens = p->n_tokens;
    return heed_generator_add(job->generator, &request, out);
}

/* One that is there, but cannot be used, is told of by the library. */
static bool has_tokenizer_file(const generate_job *job)
{
    char *path = prompts_find_tokenizer(job->args, job->path);
    bool found = path != NULL;
    free(path);
    return found;
}

/* One sample of every prompt. */
static int add_round(generate_job *job, size_t sample)
{
    for (size_t i = 0; i < job->prompts.n; i++) {
        const prompt *p = &job->prompts.items[i];
        generate_sequence *s = &job->sequences[i * job->samples + sample];
        if (p->text && !job->tokenizer && !has_tokenizer_file(job))
            return prompts_no_tokenizer(job->path, ", or give the prompt as --tokens 1,2,3");
        s->prompt = p;
        if (add_sample(job, p, sample, &s->sequence))
            return request_error(job, p);
    }
    return EXIT_OK;
}

static int add_all(generate_job *job)
{
    int code = EXIT_OK;
    job->n = job->prompts.n * job->samples;
    job->sequences = cli_alloc(job->n, sizeof *job->sequences);
    for (size_t sample = 0; sample < job->samples && !code; sample++)
        code = add_round(job, sample);
    return code;
}

/* ---- Pieces ---- */

static void keep_tokens(const generate_job *job, generate_sequence *s, const heed_piece *piece)
{
    size_t n = s->n_tokens + piece->n_tokens, k = job->request.n_logprobs;
    if (n > s->tokens_room) {
        s->tokens_room = n * 2;
        s->tokens = cli_grow(s->tokens, s->tokens_room, sizeof *s->tokens);
        s->logprobs = cli_grow(s->logprobs, s->tokens_room, sizeof *s->logprobs);
        s->alternatives =
            cli_grow(s->alternatives, s->tokens_room * (k + 1), sizeof *s->alternatives);
    }
    for (size_t i = 0; i < piece->n_tokens; i++) {
        s->tokens[s->n_tokens + i] = piece->tokens[i];
        s->logprobs[s->n_tokens + i] =
            piece->logprobs ? piece->logprobs[i] : (heed_logprob){piece->tokens[i], 0};
    }
    if (piece->alternatives && k && piece->n_tokens)
        memcpy(s->alternatives + s->n_tokens * k, piece->alternatives,
               piece->n_tokens * k * sizeof *s->alternatives);
    s->n_tokens = n;
}

static void take_piece(generate_job *job, generate_sequence *s)
{
    heed_piece piece = {.size = sizeof piece};
    if (heed_sequence_next(s->sequence, &piece)) {
        s->code = exit_code_of(heed_error_get()->status);
        s->why = cli_copy(heed_error_get()->message);
        return;
    }
    files_append(&s->text, piece.text, piece.text_bytes);
    keep_tokens(job, s, &piece);
    s->finish = piece.finish;
}

static bool has_ended(const generate_sequence *s) { return s->finish || s->code; }

/* Is a piece there? Beams give theirs at the end. */
static bool has_more(const generate_job *job, generate_sequence *s)
{
    s->stats.size = sizeof s->stats;
    heed_sequence_get_stats(s->sequence, &s->stats);
    bool grown = job->request.beams < 2 && s->stats.generated_tokens > s->n_tokens;
    return !has_ended(s) && (s->stats.finish || grown);
}

static void cancel_all(const generate_job *job)
{
    for (size_t i = 0; i < job->n; i++)
        if (!has_ended(&job->sequences[i]))
            heed_sequence_cancel(job->sequences[i].sequence);
}

/* Shows what is new of the first sequence that has not ended, and all of those before it. */
static size_t show_from(generate_job *job, size_t first)
{
    for (; first < job->n; first++) {
        generate_sequence *s = &job->sequences[first];
        generate_show(job, s);
        if (!has_ended(s))
            break;
        generate_show_end(job, s);
        if (first + 1 < job->n)
            generate_show_head(job, s + 1);
    }
    return first;
}

static void run_steps(generate_job *job)
{
    size_t first = 0, active = job->n;
    bool cancelled = false;
    generate_show_head(job, job->sequences);
    while (first < job->n) {
        if (interrupt_happened() && !cancelled) {
            cancel_all(job);
            cancelled = true;
        }
        heed_status status = active ? heed_generator_step(job->generator, &active) : HEED_OK;
        for (size_t i = first; i < job->n; i++)
            if (status || !active || has_more(job, &job->sequences[i]))
                if (!has_ended(&job->sequences[i]))
                    take_piece(job, &job->sequences[i]);
        first = show_from(job, first);
    }
    for (size_t i = 0; i < job->n; i++)
        has_more(job, &job->sequences[i]); /* the last statistics */
}

/* ---- All of it ---- */

static int end_code(const generate_job *job)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < job->n; i++) {
        const generate_sequence *s = &job->sequences[i];
        if (s->code && !code)
            code = exit_with(s->code, "%s: %s", job->path, s->why);
        bool stopped = s->finish == HEED_FINISH_CANCEL || s->finish == HEED_FINISH_DEADLINE;
        if (stopped && !code)
            code = EXIT_STOPPED;
    }
    return code;
}

int generate_run(generate_job *job)
{
    job->start_ns = print_now();
    interrupt_catch();
    int code = add_all(job);
    if (!code)
        check_positions(job);
    if (!code)
        run_steps(job);
    interrupt_release();
    if (code)
        return code;
    job->end_ns = print_now();
    generate_report(job);
    return end_code(job);
}
