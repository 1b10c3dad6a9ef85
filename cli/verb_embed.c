/* verb_embed.c - heed embed: vectors of texts, from any exported encoder. */
#include <stdlib.h>

#include "embed.h"
#include "files.h"
#include "model_files.h"
#include "session.h"

// clang-format off
static const cli_flag flags[] = {
    {"text",         "TEXT", "a text; may be repeated"},
    {"text-file",    "FILE", "a text a line, - for stdin"},
    {"tokens",       "LIST", "a text as tokens: 1,2,3; needs no tokenizer"},
    {"pool",         "HOW",  "mean (default), cls, last, max, weighted, root, or none: all tokens"},
    {"normalize",    NULL,   "to length 1 (default for pooled vectors); --no-normalize: not"},
    {"no-normalize", NULL,   NULL},
    {"similarity",   NULL,   "cosines of each two texts instead of vectors"},
    {"from",         "NAME", "the output to take"},
    {"tokenizer",    "FILE", "tokenizer.json (default: beside the model)"},
    {"batch",        "N",    "most texts of a run (16)"},
    {"output",       "FILE", "write the vectors to a .npz or .npy"},
    {NULL, NULL, NULL},
};
// clang-format on

static void job_free(embed_job *job)
{
    for (size_t i = 0; job->vectors && i < job->texts.n; i++)
        free(job->vectors[i].values);
    free(job->vectors);
    free(job->config.from);
    embed_inputs_free(&job->inputs);
    prompts_free(&job->texts);
    heed_session_free(job->session);
    heed_model_free(job->model);
    heed_tokenizer_free(job->tokenizer);
}

/* Tokens alone need no tokenizer. */
static int open_tokenizer(embed_job *job)
{
    bool needed = false;
    for (size_t i = 0; i < job->texts.n; i++)
        needed |= job->texts.items[i].text != NULL;
    if (!needed)
        return EXIT_OK;
    char *path = prompts_find_tokenizer(job->args, job->path);
    int code = EXIT_OK;
    if (!path)
        code = prompts_no_tokenizer(job->path, ", or give the text as --tokens 1,2,3");
    else if (heed_tokenizer_open(path, &job->tokenizer))
        code = exit_error(path);
    free(path);
    return code;
}

static int read_options(embed_job *job)
{
    int64_t batch = 16;
    const char *pool = args_get(job->args, "pool");
    if (!args_read_int(job->args, "batch", 1, 65536, &batch))
        return EXIT_USAGE;
    job->batch = (size_t)batch;
    job->pooling = pool ? embed_pooling_find(pool) : NULL;
    if (pool && !job->pooling)
        return EXIT_USAGE;
    int code = embed_config_read(job->path, &job->config);
    if (!job->pooling)
        job->pooling = job->config.pooling ? job->config.pooling : embed_poolings;
    return code;
}

static int run_job(embed_job *job)
{
    const cli_args *args = job->args;
    int code = session_prepare(args);
    if (!code)
        code = session_check_file(job->path);
    if (!code && files_is_folder(job->path))
        code = model_files_refuse(job->path);
    if (!code)
        code = files_check_output(args, "output");
    if (!code)
        code = prompts_read(args, "text", "text-file", true, false, &job->texts);
    if (!code)
        code = read_options(job);
    if (!code)
        code = open_tokenizer(job);
    if (!code)
        code = session_load_model(job->path, &job->model);
    if (!code)
        code = session_make(args, job->model, job->path, &job->session);
    if (!code)
        code = embed_run(job);
    if (!code)
        code = embed_report(job);
    return code;
}

static int run(const cli_args *args)
{
    embed_job job = {.args = args};
    bool ok;
    job.json = args_want_json(args, &ok);
    if (!ok)
        return EXIT_USAGE;
    if (!args->n_words)
        return exit_with(EXIT_USAGE, "heed embed needs a model");
    char *path = model_files_choose(args->words[0]);
    job.path = path;
    int code = run_job(&job);
    job_free(&job);
    free(path);
    return code;
}

const cli_verb verb_embed = {
    .name = "embed",
    .usage = "MODEL --text TEXT... | --text-file FILE | --tokens 1,2,3 [INPUT=ROLE...]",
    .summary = "vectors of texts: tokenized, run in batches, pooled, normalized",
    .flags = {flags, session_flags, format_flags},
    .notes = "What the files of an embedding model say (modules.json, 1_Pooling) is the default.\n"
             "ROLE: ids, mask, types, positions, ones, zeros or empty, where names do not tell.\n",
    .run = run,
};
