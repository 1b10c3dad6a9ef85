/* verb_generate.c - heed generate: goes on with texts or tokens, with any exported decoder. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "session.h"

static void job_free(generate_job *job)
{
    for (size_t i = 0; i < job->n; i++) {
        generate_sequence *s = &job->sequences[i];
        heed_sequence_free(s->sequence);
        files_free(&s->text);
        free(s->tokens);
        free(s->logprobs);
        free(s->alternatives);
        free(s->why);
    }
    free(job->sequences);
    heed_generator_free(job->generator);
    prompts_free(&job->prompts);
    generate_free_inputs(job);
    free(job->stops);
    free(job->stop_tokens);
    free(job->decoder_tokens);
}

static int check_words(const cli_args *args)
{
    if (!args->n_words)
        return exit_with(EXIT_USAGE, "heed generate needs a model");
    for (size_t i = 1; i < args->n_words; i++)
        if (!strchr(args->words[i], '='))
            return exit_with(EXIT_USAGE, "'%s' is one word too many; a prompt is --prompt 'TEXT'",
                             args->words[i]);
    return EXIT_OK;
}

static int run(const cli_args *args)
{
    generate_job job = {.args = args};
    bool ok;
    job.json = args_want_json(args, &ok);
    int code = ok ? check_words(args) : EXIT_USAGE;
    if (!code) {
        job.path = args->words[0];
        code = session_prepare(args);
    }
    if (!code)
        code = session_check_file(job.path);
    if (!code)
        code = prompts_read(args, "prompt", "prompt-file", args_is_on(args, "each-line"),
                            args->n_words > 1, &job.prompts);
    if (!code)
        code = generate_read_options(&job);
    if (!code)
        code = generate_read_inputs(&job);
    if (!code)
        code = generate_open(&job);
    if (!code)
        code = generate_run(&job);
    job_free(&job);
    return code;
}

const cli_verb verb_generate = {
    .name = "generate",
    .usage = "MODEL --prompt TEXT... | --prompt-file FILE | --tokens 1,2,3 [INPUT=VALUE...]",
    .summary =
        "goes on with a text, with any exported decoder; greedy unless a flag asks for draws",
    .flags = {generate_flags, generate_sampling_flags, session_flags, format_flags},
    .run = run,
};
