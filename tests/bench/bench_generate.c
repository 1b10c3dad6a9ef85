/* How fast a decoder generates, beside the limit that memory sets: each token reads all weights,
 * and the keys and values of all tokens before it.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_generate MODEL
 * [context=128,512,1024] [batch=1] [tokens=32] [rounds=3] [threads=2] [kv=float32] [page=16]
 * [step=512] [pages=no]
 *
 * One JSON object a line for each context and batch: the limit (GB/s that this machine reads, bytes
 * a step, steps a second), the prompt's tokens a second until the first token, and tokens a second
 * afterwards, the best of the rounds. `share` is steps a second over the limit. pages=no is the
 * model's own cache, without pages. Nothing is shared between rounds or sequences. This is no test.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "heed/heed.h"
#include "machine_limits.h"

enum { MOST = 16, MOST_BATCH = 1024 };

typedef struct bench {
    const char *model;
    size_t contexts[MOST], batches[MOST];
    size_t n_contexts, n_batches, tokens, rounds, threads, page, step;
    heed_dtype kv;
    bool paged;
    heed_generator *generator;
    double weight_bytes; /* that a step reads */
    int32_t vocabulary;
} bench;

typedef struct cell {
    size_t context, batch;
    double prefill, decode; /* tokens a second, the best */
    double step;            /* seconds, the best mean of a round */
    double cache_bytes;     /* read in a step */
} cell;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, heed_error_get()->message);
    return 1;
}

/* ---- One round ------------------------------------------------------------------------------- */

static heed_status add(bench *b, const cell *c, size_t i, heed_sequence **out)
{
    int32_t *tokens = malloc(c->context * sizeof(*tokens));
    for (size_t k = 0; k < c->context; k++)
        tokens[k] = (int32_t)((k * 7919 + i * 104729 + 11) % 1000);
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END,
                        .tokens = tokens,
                        .n_tokens = c->context,
                        .max_tokens = (uint32_t)b->tokens + 1};
    heed_status status = heed_generator_add(b->generator, &ask, out);
    free(tokens);
    return status;
}

/* Until every sequence has a token; then the steps that give one to each. */
static heed_status run_round(bench *b, heed_sequence **all, cell *c)
{
    size_t active = 1, n = 0;
    double start = now(), took;
    heed_status status = HEED_OK;
    while (!status && active && n < c->batch) {
        status = heed_generator_step(b->generator, &active);
        for (n = 0; n < c->batch; n++) {
            size_t have = 0;
            heed_sequence_get_tokens(all[n], &have);
            if (!have)
                break;
        }
    }
    took = now() - start;
    if (!status && n < c->batch) /* one ended before its first token: its error says why */
        return heed_sequence_next(all[n], &(heed_piece){.size = sizeof(heed_piece)});
    if (!status && (double)(c->batch * c->context) / took > c->prefill)
        c->prefill = (double)(c->batch * c->context) / took;
    size_t steps = 0;
    for (start = now(); !status && active; steps++)
        status = heed_generator_step(b->generator, &active);
    took = (now() - start) / (double)(steps ? steps : 1);
    if (!status && (!c->step || took < c->step)) {
        c->step = took;
        c->decode = (double)c->batch / took;
    }
    return status;
}

static heed_status measure(bench *b, cell *c)
{
    heed_sequence *all[MOST_BATCH] = {NULL};
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_status status = HEED_OK;
    for (size_t i = 0; !status && i < c->batch; i++)
        status = add(b, c, i, &all[i]);
    if (!status)
        status = run_round(b, all, c);
    for (size_t i = 0; i < c->batch; i++)
        heed_sequence_free(all[i]);
    heed_generator_get_stats(b->generator, &stats);
    double a_token = stats.page_tokens ? (double)stats.page_bytes / stats.page_tokens : 0;
    c->cache_bytes = a_token * (double)(c->batch * (c->context + b->tokens / 2));
    return status;
}

static void print(const bench *b, const cell *c, double stream)
{
    double bytes = b->weight_bytes + c->cache_bytes, limit = stream / bytes;
    printf("{\"context\": %zu, \"batch\": %zu, \"stream_gb_s\": %.1f, \"weights_mb\": %.1f, "
           "\"cache_mb\": %.1f, \"limit_steps_s\": %.1f, \"prefill_tokens_s\": %.1f, "
           "\"decode_tokens_s\": %.2f, \"step_ms\": %.3f, \"share\": %.3f}\n",
           c->context, c->batch, stream * 1e-9, b->weight_bytes * 1e-6, c->cache_bytes * 1e-6,
           limit, c->prefill, c->decode, c->step * 1e3, 1 / (c->step * limit));
    fflush(stdout);
}

static int run(bench *b)
{
    for (size_t i = 0; i < b->n_contexts; i++)
        for (size_t k = 0; k < b->n_batches; k++) {
            cell c = {.context = b->contexts[i], .batch = b->batches[k]};
            double stream = 0;
            for (size_t r = 0; r < b->rounds; r++) {
                double rate = 1e9 * limits_read((unsigned)b->threads);
                stream = rate > stream ? rate : stream;
                if (measure(b, &c))
                    return fail("step");
            }
            print(b, &c, stream);
        }
    return 0;
}

/* ---- The model ------------------------------------------------------------------------------- */

/* All weights but tables of which only rows are picked. */
static double read_bytes(const heed_model *m, const char *skip)
{
    const heed_weight_count *counts;
    double bytes = -atof(skip);
    size_t n = heed_model_get_weight_counts(m, &counts);
    for (size_t i = 0; i < n; i++)
        bytes += (double)counts[i].bytes;
    return bytes;
}

static int open_model(bench *b, const char *skip)
{
    heed_model *model = NULL;
    heed_generator_options options = {.size = sizeof(options),
                                      .flags = HEED_GENERATOR_NO_SHARING |
                                               (b->paged ? 0u : HEED_GENERATOR_CONTIGUOUS),
                                      .page_tokens = (uint32_t)b->page,
                                      .kv_dtype = b->kv,
                                      .step_tokens = (uint32_t)b->step,
                                      .kv_memory = (uint64_t)8 << 30};
    if (heed_model_load(b->model, NULL, &model))
        return fail(b->model);
    b->weight_bytes = read_bytes(model, skip);
    heed_model_free(model);
    return heed_generator_open(b->model, &options, &b->generator) ? fail(b->model) : 0;
}

static size_t read_list(const char *text, size_t *out)
{
    size_t n = 0;
    for (char *end; n < MOST && *text; text = *end ? end + 1 : end) {
        out[n++] = strtoul(text, &end, 10);
        if (end == text)
            return 0;
    }
    return n;
}

static heed_dtype dtype_of(const char *name)
{
    for (heed_dtype t = 0; t < 64; t++)
        if (!strcmp(heed_dtype_name(t), name))
            return t;
    return 0;
}

int main(int argc, char **argv)
{
    bench b = {.contexts = {128, 512, 1024},
               .n_contexts = 3,
               .batches = {1},
               .n_batches = 1,
               .tokens = 32,
               .rounds = 3,
               .threads = 2,
               .page = 16,
               .step = 512,
               .paged = true};
    const char *skip = "0";
    const struct {
        const char *name;
        size_t *value;
    } numbers[] = {{"tokens=", &b.tokens},
                   {"rounds=", &b.rounds},
                   {"threads=", &b.threads},
                   {"page=", &b.page},
                   {"step=", &b.step}};
    for (int i = 1; i < argc; i++) {
        for (size_t k = 0; k < sizeof(numbers) / sizeof(*numbers); k++)
            if (!strncmp(argv[i], numbers[k].name, strlen(numbers[k].name)))
                *numbers[k].value = strtoul(strchr(argv[i], '=') + 1, NULL, 10);
        if (!strncmp(argv[i], "context=", 8))
            b.n_contexts = read_list(argv[i] + 8, b.contexts);
        else if (!strncmp(argv[i], "batch=", 6))
            b.n_batches = read_list(argv[i] + 6, b.batches);
        else if (!strncmp(argv[i], "kv=", 3))
            b.kv = dtype_of(argv[i] + 3);
        else if (!strncmp(argv[i], "skip=", 5))
            skip = argv[i] + 5; /* bytes of tables that are only picked from */
        else if (!strcmp(argv[i], "pages=no"))
            b.paged = false;
        else if (!strchr(argv[i], '='))
            b.model = argv[i];
    }
    if (!b.model || !b.n_contexts || !b.n_batches || b.batches[0] > MOST_BATCH)
        return fprintf(stderr, "usage: bench_generate MODEL [context=128,512] [batch=1,16] ...\n"),
               2;
    heed_set_threads((uint32_t)b.threads);
    int failed = open_model(&b, skip) || run(&b);
    heed_generator_free(b.generator);
    return failed;
}
