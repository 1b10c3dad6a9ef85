/* generate_show.c - what `heed generate` writes to stdout while it runs: the text as it comes,
 * numbers where there is no tokenizer, or with --logprobs a line a token. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "json.h"

enum { EXCERPT = 64 };

/* Of several sequences each has a line above it. */
void generate_show_head(const generate_job *job, const generate_sequence *s)
{
    char excerpt[EXCERPT];
    if (job->json)
        return;
    if (job->n > 1)
        printf("== %zu of %zu: %s\n", (size_t)(s - job->sequences) + 1, job->n,
               prompts_excerpt(s->prompt, excerpt, sizeof excerpt));
    if (args_is_on(job->args, "echo") && s->prompt->text)
        fwrite(s->prompt->text, 1, s->prompt->bytes, stdout);
    else if (args_is_on(job->args, "echo"))
        for (size_t i = 0; i < s->prompt->n_tokens; i++)
            printf("%d,", (int)s->prompt->tokens[i]);
    fflush(stdout);
}

static void show_text(generate_sequence *s)
{
    fwrite(s->text.data + s->shown, 1, s->text.size - s->shown, stdout);
    s->shown = s->text.size;
}

static void show_numbers(generate_sequence *s)
{
    for (; s->shown < s->n_tokens; s->shown++)
        printf("%s%d", s->shown ? "," : "", (int)s->tokens[s->shown]);
}

/* "  1234 -0.1234 "text"": a token as the tokenizer writes it, special ones too. */
static void show_logprob(const generate_job *job, const heed_logprob *row)
{
    char text[256];
    size_t bytes = 0;
    json_out out = {.file = stdout};
    printf("%7d %9.4f  ", (int)row->token, (double)row->logprob);
    if (job->tokenizer && !heed_tokenizer_decode(job->tokenizer, &row->token, 1,
                                                 HEED_TOKENIZE_SPECIAL, text, sizeof text, &bytes))
        json_text_n(&out, NULL, text, bytes < sizeof text ? bytes : sizeof text);
}

static void show_logprobs(const generate_job *job, generate_sequence *s)
{
    size_t k = job->request.n_logprobs;
    for (; s->shown < s->n_tokens; s->shown++) {
        show_logprob(job, &s->logprobs[s->shown]);
        for (size_t i = 0; i < k; i++) {
            fputs(i ? ";" : "   |", stdout);
            show_logprob(job, &s->alternatives[s->shown * k + i]);
        }
        puts("");
    }
}

void generate_show(generate_job *job, generate_sequence *s)
{
    if (job->json)
        return;
    if (job->logprobs)
        show_logprobs(job, s);
    else if (job->tokenizer)
        show_text(s);
    else
        show_numbers(s);
    fflush(stdout);
}

void generate_show_end(const generate_job *job, const generate_sequence *s)
{
    bool open = !job->logprobs && (s->n_tokens || s->text.size || args_is_on(job->args, "echo"));
    if (!job->json && open)
        puts("");
    fflush(stdout);
}
