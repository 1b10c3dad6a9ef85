/* generate.h - the parts of `heed generate`: what was asked for, what came, and how it is shown. */
#ifndef HEED_CLI_GENERATE_H
#define HEED_CLI_GENERATE_H

#include "cli.h"
#include "files.h"
#include "prompts.h"

/* One sequence, and all that it gave so far. */
typedef struct generate_sequence {
    heed_sequence *sequence;
    const prompt *prompt;
    file_bytes text;
    size_t n_tokens, tokens_room;
    int32_t *tokens;
    heed_logprob *logprobs;     /* [n_tokens], with --logprobs */
    heed_logprob *alternatives; /* [n_tokens, n_logprobs] */
    size_t shown;               /* bytes of text, or tokens, that are on stdout */
    uint32_t finish;            /* HEED_FINISH_* */
    int code;                   /* of an error that ended it */
    char *why;
    heed_sequence_stats stats;
} generate_sequence;

typedef struct generate_job {
    const cli_args *args;
    const char *path;
    bool json, logprobs;
    prompt_list prompts;
    size_t samples; /* of each prompt */
    heed_session_options session;
    heed_generator_options options;
    heed_sampling sampling;
    heed_request request; /* of every prompt; its prompt is left open */
    const char **stops;
    int32_t *stop_tokens, *decoder_tokens;
    size_t n_inputs; /* besides the prompt */
    char **input_names;
    heed_tensor **inputs;
    heed_generator *generator;
    const heed_tokenizer *tokenizer; /* NULL: tokens are shown as numbers */
    generate_sequence *sequences;    /* samples of a prompt stand together */
    size_t n;
    uint64_t start_ns, end_ns; /* from the first request to the last piece */
} generate_job;

/* generate_options.c: flags. Each gives EXIT_OK, or an exit code after a message. */
extern const cli_flag generate_flags[], generate_sampling_flags[];
int generate_read_options(generate_job *job);

/* generate_inputs.c: words NAME=VALUE, into the request. */
int generate_read_inputs(generate_job *job);
void generate_free_inputs(generate_job *job);

/* generate_run.c: makes the sequences and runs them to their ends, or to Ctrl-C. */
int generate_open(generate_job *job);
int generate_run(generate_job *job);

/* generate_show.c: stdout as the text comes. */
void generate_show(generate_job *job, generate_sequence *s);
void generate_show_head(const generate_job *job, const generate_sequence *s);
void generate_show_end(const generate_job *job, const generate_sequence *s);

/* generate_report.c: speed on stderr, or all of it as JSON. */
void generate_report(const generate_job *job);
const char *generate_finish_word(const generate_sequence *s);

#endif
