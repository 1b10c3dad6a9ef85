/* generate_report.c - what `heed generate` says at the end: speed on stderr, and with --json one
 * object on stdout. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "json.h"
#include "print.h"

static const char *const finish_words[] = {
    [HEED_FINISH_NONE] = "error",       [HEED_FINISH_END] = "end",
    [HEED_FINISH_STOP] = "stop",        [HEED_FINISH_LENGTH] = "length",
    [HEED_FINISH_CANCEL] = "cancelled", [HEED_FINISH_DEADLINE] = "deadline",
};

const char *generate_finish_word(const generate_sequence *s)
{
    size_t n = sizeof finish_words / sizeof finish_words[0];
    return finish_words[s->finish < n ? s->finish : 0];
}

/* ---- Speed ---- */

typedef struct speed {
    uint64_t first_ns;          /* from the first request to the first token of any sequence */
    uint64_t prompt, generated; /* tokens */
    double rate;                /* tokens a second after the first one */
} speed;

/* The first token belongs to the prompt's time, the others to the rate. */
static double rate_of(uint64_t tokens, uint64_t first_ns, uint64_t total_ns)
{
    uint64_t ns = tokens > 1 ? total_ns - first_ns : total_ns;
    double counted = tokens > 1 ? (double)(tokens - 1) : (double)tokens;
    return total_ns > first_ns && ns ? counted * 1e9 / (double)ns : 0;
}

static speed speed_of_one(const generate_sequence *s)
{
    speed v = {s->stats.first_ns, s->stats.prompt_tokens, s->stats.generated_tokens, 0};
    v.rate = rate_of(v.generated, v.first_ns, s->stats.total_ns);
    return v;
}

static speed speed_of_all(const generate_job *job)
{
    speed v = {UINT64_MAX, 0, 0, 0};
    uint64_t total = job->end_ns - job->start_ns;
    for (size_t i = 0; i < job->n; i++) {
        const heed_sequence_stats *stats = &job->sequences[i].stats;
        v.prompt += stats->prompt_tokens;
        v.generated += stats->generated_tokens;
        if (stats->generated_tokens && stats->first_ns < v.first_ns)
            v.first_ns = stats->first_ns;
    }
    if (v.first_ns > total)
        v.first_ns = total;
    v.rate =
        job->n == 1 ? speed_of_one(job->sequences).rate : rate_of(v.generated, v.first_ns, total);
    return v;
}

static heed_generator_stats stats_of(const generate_job *job)
{
    heed_generator_stats stats = {.size = sizeof stats};
    heed_generator_get_stats(job->generator, &stats);
    return stats;
}

/* ---- Text ---- */

static void say_ends(const generate_job *job, char *out, size_t size)
{
    size_t counts[sizeof finish_words / sizeof finish_words[0]] = {0}, at = 0;
    for (size_t i = 0; i < job->n; i++)
        counts[job->sequences[i].finish % (sizeof counts / sizeof counts[0])]++;
    out[0] = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i] && at < size) {
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", finish_words[i]);
            if (job->n > 1 && at < size)
                at += (size_t)snprintf(out + at, size - at, " %zu", counts[i]);
        }
}

static void print_speed(const generate_job *job)
{
    char ends[PRINT_SIZE], time[PRINT_SIZE], tokens[PRINT_SIZE];
    speed v = speed_of_all(job);
    say_ends(job, ends, sizeof ends);
    if (v.generated)
        note("%s at %.1f tokens/s, the first after %s (prompt of %llu); end: %s",
             print_number_of(tokens, v.generated, "token"), v.rate, print_time(time, v.first_ns),
             (unsigned long long)v.prompt, ends);
    else
        note("no token in %s (prompt of %llu); end: %s",
             print_time(time, job->end_ns - job->start_ns), (unsigned long long)v.prompt, ends);
}

static void print_cache(const generate_job *job)
{
    char peak[PRINT_SIZE], load[PRINT_SIZE];
    heed_generator_stats g = stats_of(job);
    print_time(load, g.load_ns);
    if (!g.page_tokens) {
        bool said = !strncmp(g.reason, "no pages", strlen("no pages"));
        note("loaded in %s; cache of form '%s', %s%s", load, g.form,
             said ? "" : "no pages: ", g.reason);
        return;
    }
    print_bytes(peak, g.pages_peak * g.page_bytes);
    note("loaded in %s; cache of form '%s' in pages of %u tokens: at most %llu of %llu (%s), "
         "%llu tokens shared, %llu sequences put off",
         load, g.form, (unsigned)g.page_tokens, (unsigned long long)g.pages_peak,
         (unsigned long long)g.pages_limit, peak, (unsigned long long)g.shared_tokens,
         (unsigned long long)g.preemptions);
}

/* ---- JSON ---- */

static void json_logprob(json_out *out, const heed_logprob *row)
{
    json_int(out, "token", row->token);
    json_real(out, "logprob", (double)row->logprob);
}

static void json_logprobs(json_out *out, const generate_job *job, const generate_sequence *s)
{
    size_t k = job->request.n_logprobs;
    json_open(out, "logprobs", '[');
    for (size_t i = 0; i < s->n_tokens; i++) {
        json_open(out, NULL, '{');
        json_logprob(out, &s->logprobs[i]);
        json_open(out, "alternatives", '[');
        for (size_t a = 0; a < k; a++) {
            json_open(out, NULL, '{');
            json_logprob(out, &s->alternatives[i * k + a]);
            json_close(out, '}');
        }
        json_close(out, ']');
        json_close(out, '}');
    }
    json_close(out, ']');
}

static void json_sequence(json_out *out, const generate_job *job, const generate_sequence *s)
{
    speed v = speed_of_one(s);
    json_text_n(out, "text", s->text.data ? (const char *)s->text.data : "", s->text.size);
    json_open(out, "tokens", '[');
    for (size_t i = 0; i < s->n_tokens; i++)
        json_int(out, NULL, s->tokens[i]);
    json_close(out, ']');
    json_int(out, "prompt_tokens", (int64_t)v.prompt);
    json_int(out, "shared_tokens", (int64_t)s->stats.shared_tokens);
    json_real(out, "time_to_first_token_s", (double)v.first_ns / 1e9);
    json_real(out, "tokens_per_s", v.rate);
    json_text(out, "finish", generate_finish_word(s));
    if (s->why)
        json_text(out, "error", s->why);
    if (job->logprobs)
        json_logprobs(out, job, s);
}

static void json_all(json_out *out, const generate_job *job)
{
    speed v = speed_of_all(job);
    json_open(out, "sequences", '[');
    for (size_t i = 0; i < job->n; i++) {
        json_open(out, NULL, '{');
        json_int(out, "prompt", job->sequences[i].prompt - job->prompts.items);
        json_sequence(out, job, &job->sequences[i]);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_int(out, "prompt_tokens", (int64_t)v.prompt);
    json_int(out, "generated_tokens", (int64_t)v.generated);
    json_real(out, "time_to_first_token_s", (double)v.first_ns / 1e9);
    json_real(out, "tokens_per_s", v.rate);
}

static void json_cache(json_out *out, const generate_job *job)
{
    heed_generator_stats g = stats_of(job);
    json_open(out, "cache", '{');
    json_text(out, "form", g.form);
    json_bool(out, "paged", g.page_tokens > 0);
    json_text(out, "reason", g.reason);
    json_int(out, "page_tokens", g.page_tokens);
    json_int(out, "page_bytes", (int64_t)g.page_bytes);
    json_int(out, "pages_limit", (int64_t)g.pages_limit);
    json_int(out, "pages_peak", (int64_t)g.pages_peak);
    json_int(out, "preemptions", (int64_t)g.preemptions);
    json_close(out, '}');
    json_int(out, "steps", (int64_t)g.steps);
    json_real(out, "load_s", (double)g.load_ns / 1e9);
}

static void print_json(const generate_job *job)
{
    json_out out = {.file = stdout};
    json_open(&out, NULL, '{');
    if (job->n == 1)
        json_sequence(&out, job, job->sequences);
    else
        json_all(&out, job);
    json_real(&out, "total_s", (double)(job->end_ns - job->start_ns) / 1e9);
    json_cache(&out, job);
    json_text(&out, "model", job->path);
    json_text(&out, "version", heed_version());
    json_int(&out, "threads", heed_get_threads());
    json_close(&out, '}');
    json_end(&out);
}

void generate_report(const generate_job *job)
{
    if (job->json)
        print_json(job);
    print_speed(job);
    if (args_is_on(job->args, "stats"))
        print_cache(job);
}
