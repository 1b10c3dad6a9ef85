/* How many requests a fixed memory for keys and values serves, in pages and in reservations: the
 * claims of the PagedAttention paper (Kwon 2023, arXiv 2309.06180, parts 3.1 and 6) on this
 * runtime.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_paging MODEL [pages=16,2048]
 *       [memory=BYTES] [requests=64] [prompt=161] [output=338] [most=2048] [prefix=0]
 *       [sharing=yes] [seed=1] [threads=2]
 *
 * Requests have prompts and outputs of random lengths, exponentially distributed around the two
 * means (ShareGPT's, as the paper gives them), together at most `most`; all are there at the start.
 * A page of `most` tokens is what a runtime does that reserves the longest sequence for each (the
 * paper's "Orca (Max)"): the same engine, and the same kernels, so that only memory differs. With
 * prefix=N all prompts begin with the same N tokens.
 *
 * One JSON object a line for each page size: requests and tokens a second, the mean number of
 * sequences at once, `filled`: which part of the memory in pages holds tokens, the mean over steps,
 * and how often a sequence gave up its pages. This is no test. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heed/heed.h"

enum { MOST_SIZES = 8 };

typedef struct bench {
    const char *model;
    size_t pages[MOST_SIZES], n_pages;
    size_t memory, requests, prompt, output, most, prefix, seed, threads, sharing;
    heed_sequence **all;
    uint64_t state; /* of the random numbers */
} bench;

typedef struct result {
    double seconds, batch, filled;
    heed_generator_stats stats;
} result;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double draw(bench *b)
{
    b->state = b->state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(b->state >> 33) + 0.5) / 2147483648.0;
}

/* Exponentially distributed, from 1 to most. */
static size_t length(bench *b, size_t mean, size_t most)
{
    double n = 1 - log(draw(b)) * (double)mean;
    return n < (double)most ? (size_t)n : most;
}

static heed_status add(bench *b, heed_generator *g, heed_sequence **out)
{
    size_t prompt = b->prefix + length(b, b->prompt, b->most / 2 - b->prefix);
    size_t output = length(b, b->output, b->most - prompt);
    int32_t *tokens = malloc(prompt * sizeof(*tokens));
    for (size_t i = 0; i < prompt; i++)
        tokens[i] = i < b->prefix ? (int32_t)(i * 31 % 997) : (int32_t)(draw(b) * 997);
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END,
                        .tokens = tokens,
                        .n_tokens = prompt,
                        .max_tokens = (uint32_t)output};
    heed_status status = heed_generator_add(g, &ask, out);
    free(tokens);
    return status;
}

static heed_status serve(bench *b, heed_generator *g, result *r)
{
    heed_status status = HEED_OK;
    size_t active = 1, steps = 0;
    b->state = b->seed;
    for (size_t i = 0; !status && i < b->requests; i++)
        status = add(b, g, &b->all[i]);
    double start = now();
    for (; !status && active; steps++) {
        status = heed_generator_step(g, &active);
        r->stats.size = sizeof(r->stats);
        heed_generator_get_stats(g, &r->stats);
        double places = (double)r->stats.pages_held * r->stats.page_tokens;
        r->filled += places > 0 ? (double)r->stats.tokens_held / places : 1;
        r->batch += (double)r->stats.running;
    }
    r->seconds = now() - start;
    r->filled /= (double)steps;
    r->batch /= (double)steps;
    for (size_t i = 0; i < b->requests; i++)
        heed_sequence_free(b->all[i]);
    memset(b->all, 0, b->requests * sizeof(*b->all));
    return status;
}

static int run(bench *b, size_t page_tokens)
{
    heed_generator *g = NULL;
    result r = {0};
    heed_generator_options options = {.size = sizeof(options),
                                      .flags = b->sharing ? 0 : HEED_GENERATOR_NO_SHARING,
                                      .kv_memory = b->memory,
                                      .page_tokens = (uint32_t)page_tokens};
    heed_status status = heed_generator_open(b->model, &options, &g);
    if (!status)
        status = serve(b, g, &r);
    heed_generator_free(g);
    if (status)
        return fprintf(stderr, "%s: %s\n", b->model, heed_error_get()->message), 1;
    const heed_generator_stats *s = &r.stats;
    printf("{\"page_tokens\": %zu, \"pages\": %llu, \"requests\": %zu, \"seconds\": %.2f, "
           "\"requests_s\": %.3f, \"tokens_s\": %.1f, \"batch\": %.2f, \"filled\": %.4f, "
           "\"steps\": %llu, \"shared_tokens\": %llu, \"preemptions\": %llu, \"copies\": %llu}\n",
           page_tokens, (unsigned long long)s->pages_limit, b->requests, r.seconds,
           (double)b->requests / r.seconds, (double)s->generated_tokens / r.seconds, r.batch,
           r.filled, (unsigned long long)s->steps, (unsigned long long)s->shared_tokens,
           (unsigned long long)s->preemptions, (unsigned long long)s->copies);
    fflush(stdout);
    return 0;
}

static size_t read_list(const char *text, size_t *out)
{
    size_t n = 0;
    for (char *end; n < MOST_SIZES && *text; text = *end ? end + 1 : end) {
        out[n++] = strtoul(text, &end, 10);
        if (end == text)
            return 0;
    }
    return n;
}

static void read_options(bench *b, int argc, char **argv)
{
    const struct {
        const char *name;
        size_t *value;
    } numbers[] = {{"memory=", &b->memory}, {"requests=", &b->requests}, {"prompt=", &b->prompt},
                   {"output=", &b->output}, {"most=", &b->most},         {"prefix=", &b->prefix},
                   {"seed=", &b->seed},     {"threads=", &b->threads}};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
            if (!strncmp(argv[i], numbers[k].name, strlen(numbers[k].name)))
                *numbers[k].value = strtoul(strchr(argv[i], '=') + 1, NULL, 10);
        if (!strncmp(argv[i], "pages=", 6))
            b->n_pages = read_list(argv[i] + 6, b->pages);
        else if (!strncmp(argv[i], "sharing=", 8))
            b->sharing = !strcmp(argv[i] + 8, "yes");
        else if (!strchr(argv[i], '='))
            b->model = argv[i];
    }
}

int main(int argc, char **argv)
{
    bench b = {.pages = {16, 2048},
               .n_pages = 2,
               .memory = (size_t)384 << 20,
               .requests = 64,
               .prompt = 161,
               .output = 338,
               .most = 2048,
               .seed = 1,
               .threads = 2,
               .sharing = 1};
    read_options(&b, argc, argv);
    if (!b.model || !b.n_pages || b.most < 4 || b.prefix + 2 > b.most / 2)
        return fprintf(stderr, "usage: bench_paging MODEL [pages=16,2048] [memory=BYTES] ...\n"), 2;
    heed_set_threads((uint32_t)b.threads);
    b.all = calloc(b.requests, sizeof(*b.all));
    int failed = !b.all;
    for (size_t i = 0; !failed && i < b.n_pages; i++)
        failed = run(&b, b.pages[i]);
    free(b.all);
    return failed;
}
