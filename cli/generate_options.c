/* generate_options.c - from the flags of `heed generate` to a request, its sampling, and the
 * options of the generator. */
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "print.h"
#include "session.h"

// clang-format off
const cli_flag generate_flags[] = {
    {"prompt",        "TEXT",  "the text to go on from; several prompts run as one batch"},
    {"prompt-file",   "FILE",  "the same from a file, - for stdin; --each-line: a prompt a line"},
    {"tokens",        "LIST",  "a prompt as tokens: 1,2,3; needs no tokenizer"},
    {"each-line",     NULL,    NULL},
    {"max-tokens",    "N",     "tokens to generate (256); 0: to the end or the last position"},
    {"stop",          "TEXT",  "ends the text before it; repeatable; --stop-tokens LIST: tokens that do"},
    {"stop-tokens",   "LIST",  NULL},
    {"ignore-end",    NULL,    "go on after the model's end tokens"},
    {"n",             "N",     "samples of each prompt (1), which share its pages"},
    {"echo",          NULL,    "show the prompt, too"},
    {"logprobs",      "K",     "log-probabilities, with the K likeliest of each place"},
    {"tokenizer",     "FILE",  "tokenizer.json (default: beside the model)"},
    {"encoder",       "FILE",  "of an encoder-decoder (default: beside the model)"},
    {"decoder-tokens", "LIST", "what an encoder-decoder's decoder begins with (default: as configured)"},
    {"kv",            "TYPE",  "keys and values as fp32, bf16, fp16 or int8 (default: as computed)"},
    {"kv-memory",     "SIZE",  "most memory for them, such as 4G (a quarter of what there is)"},
    {"page-tokens",   "N",     "tokens of a page (16); --no-pages, --no-sharing: do without"},
    {"no-pages",      NULL,    NULL},
    {"no-sharing",    NULL,    NULL},
    {"step-tokens",   "N",     "most tokens of a step (512)"},
    {"stats",         NULL,   "say more on stderr: loading, pages, what was shared"},
    {"deadline-ms",   "N",     "stop after N milliseconds, with exit code 6"},
    {NULL, NULL, NULL},
};
const cli_flag generate_sampling_flags[] = {
    {"greedy",             NULL, "always the likeliest token; the default without the flags below"},
    {"temperature",        "T",  "draw: logits divided by T (1, when another flag asks for draws)"},
    {"top-k",              "K",  "draw among the K likeliest"},
    {"top-p",              "P",  "among the likeliest of this sum; --min-p P: of this share of the likeliest"},
    {"min-p",              "P",  NULL},
    {"seed",               "S",  "of the draws (0): the same seed gives the same text"},
    {"repetition-penalty", "R",  "divides logits of tokens that were there (1: none)"},
    {"presence-penalty",   "A",  "subtracted once a token was generated; --frequency-penalty: each time"},
    {"frequency-penalty",  "A",  NULL},
    {"beams",              "K",  "beam search; --length-penalty P (1): scores divided by length^P"},
    {"length-penalty",     "P",  NULL},
    {NULL, NULL, NULL},
};
// clang-format on

/* ---- Sampling ---- */

typedef struct real_flag {
    const char *name;
    double min, max;
    size_t offset; /* of a float in heed_sampling */
} real_flag;

static const real_flag reals[] = {
    {"temperature", 0, 1e6, offsetof(heed_sampling, temperature)},
    {"top-p", 0, 1, offsetof(heed_sampling, top_p)},
    {"min-p", 0, 1, offsetof(heed_sampling, min_p)},
    {"repetition-penalty", 0, 1e6, offsetof(heed_sampling, repetition_penalty)},
    {"presence-penalty", -1e6, 1e6, offsetof(heed_sampling, presence_penalty)},
    {"frequency-penalty", -1e6, 1e6, offsetof(heed_sampling, frequency_penalty)},
};

/* Does a flag ask for draws? Their temperature is 1 unless it is said. */
static bool wants_draws(const generate_job *job)
{
    static const char *const flags[] = {"top-k", "top-p", "min-p", "seed"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (args_get(job->args, flags[i]))
            return true;
    return job->samples > 1;
}

static int read_sampling(generate_job *job)
{
    const cli_args *args = job->args;
    int64_t top_k = 0, seed = 0;
    job->sampling = (heed_sampling){.size = sizeof job->sampling};
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        double value = 0;
        if (!args_read_between(args, reals[i].name, reals[i].min, reals[i].max, &value))
            return EXIT_USAGE;
        float narrow = (float)value;
        memcpy((char *)&job->sampling + reals[i].offset, &narrow, sizeof narrow);
    }
    if (!args_read_int(args, "top-k", 0, INT32_MAX, &top_k) ||
        !args_read_int(args, "seed", INT64_MIN, INT64_MAX, &seed))
        return EXIT_USAGE;
    job->sampling.top_k = (uint32_t)top_k;
    job->sampling.seed = (uint64_t)seed;
    if (!args_get(args, "temperature") && wants_draws(job))
        job->sampling.temperature = 1;
    if (args_is_on(args, "greedy"))
        job->sampling.temperature = 0;
    return EXIT_OK;
}

/* ---- The request ---- */

static int read_list(const cli_args *args, const char *name, int32_t **out, size_t *n)
{
    const char *text = args_get(args, name);
    return text ? prompts_parse_tokens(name, text, out, n) : EXIT_OK;
}

static int read_stops(generate_job *job)
{
    const char *text;
    size_t n = 0;
    while ((text = args_get_nth(job->args, "stop", n))) {
        if (!*text)
            return exit_with(EXIT_USAGE, "--stop: the text is empty");
        job->stops = cli_grow(job->stops, n + 1, sizeof *job->stops);
        job->stops[n++] = text;
    }
    job->request.stops = job->stops;
    job->request.n_stops = n;
    return EXIT_OK;
}

static uint32_t request_flags(const generate_job *job)
{
    uint32_t flags = job->logprobs ? HEED_REQUEST_LOGPROBS : 0u;
    if (args_is_on(job->args, "ignore-end"))
        flags |= HEED_REQUEST_NO_END;
    return flags;
}

static int read_beams(generate_job *job)
{
    int64_t beams = 0;
    double penalty = 1;
    if (!args_read_int(job->args, "beams", 1, 256, &beams) ||
        !args_read_between(job->args, "length-penalty", -100, 100, &penalty))
        return EXIT_USAGE;
    if (beams > 1 && job->sampling.temperature > 0)
        return exit_with(EXIT_USAGE,
                         "--beams %lld draws nothing: leave out --temperature, "
                         "--top-k, --top-p, --min-p, --seed and --n",
                         (long long)beams);
    job->request.beams = (uint32_t)beams;
    job->request.length_penalty = (float)penalty;
    return EXIT_OK;
}

static int read_request(generate_job *job)
{
    const cli_args *args = job->args;
    int64_t most = 256, logprobs = 0, deadline_ms = 0;
    if (!args_read_int(args, "max-tokens", 0, INT32_MAX, &most) ||
        !args_read_int(args, "logprobs", 0, 20, &logprobs) ||
        !args_read_int(args, "deadline-ms", 1, INT64_C(1) << 40, &deadline_ms))
        return EXIT_USAGE;
    job->logprobs = args_get(args, "logprobs") != NULL;
    job->request = (heed_request){.size = sizeof job->request,
                                  .flags = request_flags(job),
                                  .sampling = &job->sampling,
                                  .max_tokens = (uint32_t)most,
                                  .n_logprobs = (uint32_t)logprobs};
    if (deadline_ms)
        job->request.deadline_ns = print_now() + (uint64_t)deadline_ms * 1000000u;
    int code = read_stops(job);
    if (!code)
        code = read_beams(job);
    if (!code)
        code =
            read_list(args, "decoder-tokens", &job->decoder_tokens, &job->request.n_decoder_tokens);
    if (!code)
        code = read_list(args, "stop-tokens", &job->stop_tokens, &job->request.n_stop_tokens);
    job->request.decoder_tokens = job->decoder_tokens;
    job->request.stop_tokens = job->stop_tokens;
    return code;
}

/* ---- The generator ---- */

static const struct {
    const char *name;
    heed_dtype dtype;
} kv_types[] = {
    {"fp32", HEED_FLOAT32}, {"bf16", HEED_BFLOAT16}, {"fp16", HEED_FLOAT16}, {"int8", HEED_INT8}};

static int read_kv(const cli_args *args, heed_dtype *out)
{
    const char *text = args_get(args, "kv");
    for (size_t i = 0; text && i < sizeof kv_types / sizeof kv_types[0]; i++)
        if (!strcmp(kv_types[i].name, text))
            *out = kv_types[i].dtype;
    if (text && !*out)
        return exit_with(EXIT_USAGE, "--kv is fp32, bf16, fp16 or int8, not '%s'", text);
    return EXIT_OK;
}

/* Flags of pages mean nothing without them. */
static int check_pages(const cli_args *args)
{
    static const char *const flags[] = {"kv", "kv-memory", "page-tokens"};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (args_is_on(args, "no-pages") && args_get(args, flags[i]))
            return exit_with(EXIT_USAGE, "--no-pages leaves nothing for --%s: leave one out",
                             flags[i]);
    return EXIT_OK;
}

static int read_generator(generate_job *job)
{
    const cli_args *args = job->args;
    heed_generator_options *o = &job->options;
    int64_t page = 0, step = 0;
    *o = (heed_generator_options){.size = sizeof *o, .session = &job->session};
    if (!args_read_int(args, "page-tokens", 1, 4096, &page) ||
        !args_read_int(args, "step-tokens", 1, 1 << 20, &step) ||
        !args_read_bytes(args, "kv-memory", &o->kv_memory))
        return EXIT_USAGE;
    o->page_tokens = (uint32_t)page;
    o->step_tokens = (uint32_t)step;
    o->encoder = args_get(args, "encoder");
    o->tokenizer = args_get(args, "tokenizer");
    if (args_is_on(args, "no-sharing"))
        o->flags |= HEED_GENERATOR_NO_SHARING;
    if (args_is_on(args, "no-pages"))
        o->flags |= HEED_GENERATOR_CONTIGUOUS;
    int code = check_pages(args);
    return code ? code : read_kv(args, &o->kv_dtype);
}

int generate_read_options(generate_job *job)
{
    int64_t samples = 1;
    if (!args_read_int(job->args, "n", 1, 100000, &samples))
        return EXIT_USAGE;
    job->samples = (size_t)samples;
    int code = session_read_options(job->args, &job->session);
    if (!code)
        code = read_sampling(job);
    if (!code)
        code = read_request(job);
    if (!code)
        code = read_generator(job);
    return code;
}
