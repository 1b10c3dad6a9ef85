/* How fast decoders generate, beside the limit that memory sets: each token reads all weights, and
 * the keys and values of all tokens before it.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_generate MODEL[@WHAT] [MODEL...]
 * [context=128,512,1024] [batch=1] [tokens=64] [each=8] [rounds=3] [threads=2] [kv=float32]
 * [page=16] [step=512] [pages=no]
 *
 * The rate at which a shared machine reads memory moves while one looks. So a run alternates: a
 * probe (both threads read 256 MiB of huge pages from end to end, once), then `each` steps of
 * every model, each followed by a probe. What is compared is a pair: the mean time of those steps,
 * and the time that their bytes would have taken at the mean rate of the probes before and after.
 * `share` is the median over all pairs of (ideal time / step's time), with its quartiles;
 * `stream_gb_s` the median of the probes' rates; `step_ms` the median of the groups, and
 * `decode_tokens_s` what follows from it. Of several models the first is what others are compared
 * with, group by group: `pace` is (the first's time / this one's), with its quartiles. `cpus` is
 * how many processors were busy meanwhile. `prefill_tokens_s` is the best of the rounds, until
 * each sequence has its first token.
 *
 * MODEL@8192 has that context whatever `context` says: so contexts, too, take turns.
 *
 * One JSON object a line for each model, context and batch. pages=no is the model's own cache,
 * without pages; MODEL@/path/of/cpu.so takes another build's backend, so that two builds are
 * compared within one process. Nothing is shared between rounds or sequences. A sequence that fails
 * ends it with its error. This is no test. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "heed/heed.h"
#include "machine_limits.h"

enum { MOST = 16, MOST_BATCH = 1024, MOST_WAYS = 8, MOST_PAIRS = 4096 };

typedef struct way {
    const char *model, *backends; /* NULL: the default ones */
    size_t context;               /* 0: that of the cell */
    heed_generator *generator;
    double weight_bytes; /* that a step reads */
} way;

typedef struct bench {
    way ways[MOST_WAYS];
    size_t contexts[MOST], batches[MOST];
    size_t n_ways, n_contexts, n_batches, tokens, each, rounds, threads, page, step;
    heed_dtype kv;
    bool paged;
} bench;

/* What is measured of one model. */
typedef struct figures {
    heed_sequence *all[MOST_BATCH];
    size_t active, done; /* tokens of each sequence since the first */
    double prefill;      /* tokens a second, the best */
    double cache_bytes;  /* read in a step, the last */
    double step[MOST_PAIRS], share[MOST_PAIRS], pace[MOST_PAIRS];
    double wall, cpu;
} figures;

typedef struct cell {
    size_t context, batch;
    figures of[MOST_WAYS];
    double rates[MOST_PAIRS * MOST_WAYS];
    size_t n_pairs, n_rates;
} cell;

static double now(void) { return limits_now(0); }

static double busy(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, heed_error_get()->message);
    return 1;
}

/* ---- Sequences ------------------------------------------------------------------------------- */

static size_t context_of(const way *w, const cell *c)
{
    return w->context ? w->context : c->context;
}

static heed_status add(const bench *b, const way *w, const cell *c, size_t i, heed_sequence **out)
{
    size_t n = context_of(w, c);
    int32_t *tokens = malloc(n * sizeof(*tokens));
    for (size_t k = 0; k < n; k++)
        tokens[k] = (int32_t)((k * 7919 + i * 104729 + 11) % 1000);
    heed_request ask = {.size = sizeof(ask),
                        .flags = HEED_REQUEST_NO_END,
                        .tokens = tokens,
                        .n_tokens = n,
                        .max_tokens = (uint32_t)b->tokens + 1};
    heed_status status = heed_generator_add(w->generator, &ask, out);
    free(tokens);
    return status;
}

/* The error of one that ended before it had as many tokens as all. */
static heed_status check(const cell *c, figures *f)
{
    heed_status status = HEED_OK;
    for (size_t i = 0; !status && i < c->batch; i++) {
        size_t have = 0;
        heed_sequence_get_tokens(f->all[i], &have);
        if (have < f->done + 1)
            status = heed_sequence_next(f->all[i], &(heed_piece){.size = sizeof(heed_piece)});
    }
    return status;
}

static size_t with_tokens(const cell *c, const figures *f)
{
    for (size_t n = 0; n < c->batch; n++) {
        size_t have = 0;
        heed_sequence_get_tokens(f->all[n], &have);
        if (!have)
            return n;
    }
    return c->batch;
}

/* Until every sequence has a token. */
static heed_status begin(const bench *b, const way *w, const cell *c, figures *f)
{
    heed_status status = HEED_OK;
    double start = now();
    f->active = 1;
    f->done = 0;
    for (size_t i = 0; !status && i < c->batch; i++)
        status = add(b, w, c, i, &f->all[i]);
    while (!status && f->active && with_tokens(c, f) < c->batch)
        status = heed_generator_step(w->generator, &f->active);
    double rate = (double)(c->batch * context_of(w, c)) / (now() - start);
    f->prefill = rate > f->prefill ? rate : f->prefill;
    return status ? status : check(c, f);
}

static double cache_bytes(const way *w, const cell *c, const figures *f)
{
    heed_generator_stats stats = {.size = sizeof(stats)};
    heed_generator_get_stats(w->generator, &stats);
    double a_token = stats.page_tokens ? (double)stats.page_bytes / stats.page_tokens : 0;
    return a_token * (double)(c->batch * (context_of(w, c) + f->done));
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static double probe(const bench *b, cell *c)
{
    double rate = 1e9 * limits_probe((unsigned)b->threads);
    c->rates[c->n_rates++] = rate;
    return rate;
}

/* Some steps of one model, each of which gives every sequence a token; `rate` is the last probe's,
 * then the next one's. */
static heed_status run_group(const bench *b, cell *c, size_t k, double *rate)
{
    const way *w = &b->ways[k];
    figures *f = &c->of[k];
    size_t n = b->tokens - f->done < b->each ? b->tokens - f->done : b->each;
    double was_busy = busy(), start = now(), before = *rate, took;
    heed_status status = HEED_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = heed_generator_step(w->generator, &f->active);
    took = now() - start;
    f->wall += took;
    f->cpu += busy() - was_busy;
    f->done += n;
    if (status || (status = check(c, f)))
        return status;
    *rate = probe(b, c);
    f->cache_bytes = cache_bytes(w, c, f);
    f->step[c->n_pairs] = took / (double)n;
    f->share[c->n_pairs] =
        (w->weight_bytes + f->cache_bytes) / ((before + *rate) / 2) / f->step[c->n_pairs];
    return HEED_OK;
}

/* Models take turns, and each begins as often. */
static heed_status run_round(const bench *b, cell *c)
{
    heed_status status = HEED_OK;
    for (size_t k = 0; !status && k < b->n_ways; k++)
        status = begin(b, &b->ways[k], c, &c->of[k]);
    double rate = status ? 0 : probe(b, c);
    while (!status && c->of[0].done < b->tokens && c->n_pairs < MOST_PAIRS) {
        for (size_t k = 0; !status && k < b->n_ways; k++)
            status = run_group(b, c, (k + c->n_pairs) % b->n_ways, &rate);
        for (size_t k = 0; k < b->n_ways; k++)
            c->of[k].pace[c->n_pairs] = c->of[0].step[c->n_pairs] / c->of[k].step[c->n_pairs];
        c->n_pairs++;
    }
    for (size_t k = 0; k < b->n_ways; k++)
        for (size_t i = 0; i < c->batch; i++) {
            heed_sequence_free(c->of[k].all[i]);
            c->of[k].all[i] = NULL;
        }
    return status;
}

/* ---- Figures --------------------------------------------------------------------------------- */

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* The value that `part` of the sorted ones stay below. */
static double quantile(const double *sorted, size_t n, double part)
{
    return n ? sorted[(size_t)((double)(n - 1) * part + 0.5)] : 0;
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), compare);
    return quantile(values, n, 0.5);
}

static void print_spread(const char *name, double *values, size_t n)
{
    printf(", \"%s\": %.3f", name, median(values, n));
    printf(", \"%s_low\": %.3f, \"%s_high\": %.3f", name, quantile(values, n, 0.25), name,
           quantile(values, n, 0.75));
}

static void print(const bench *b, cell *c)
{
    double stream = median(c->rates, c->n_rates);
    for (size_t k = 0; k < b->n_ways; k++) {
        figures *f = &c->of[k];
        double step = median(f->step, c->n_pairs);
        if (b->n_ways > 1)
            printf("{\"model\": \"%s\", \"backends\": \"%s\", ", b->ways[k].model,
                   b->ways[k].backends ? b->ways[k].backends : "");
        printf("%s\"context\": %zu, \"batch\": %zu, \"stream_gb_s\": %.1f, "
               "\"weights_mb\": %.1f, \"cache_mb\": %.1f, \"limit_steps_s\": %.1f, "
               "\"prefill_tokens_s\": %.1f, \"decode_tokens_s\": %.2f, \"step_ms\": %.3f",
               b->n_ways > 1 ? "" : "{", context_of(&b->ways[k], c), c->batch, stream * 1e-9,
               b->ways[k].weight_bytes * 1e-6, f->cache_bytes * 1e-6,
               stream / (b->ways[k].weight_bytes + f->cache_bytes), f->prefill,
               (double)c->batch / step, step * 1e3);
        print_spread("share", f->share, c->n_pairs);
        if (b->n_ways > 1)
            print_spread("pace", f->pace, c->n_pairs);
        printf(", \"pairs\": %zu, \"cpus\": %.2f}\n", c->n_pairs, f->cpu / f->wall);
    }
    fflush(stdout);
}

static int run(const bench *b)
{
    cell *c = malloc(sizeof(*c));
    heed_status status = c ? HEED_OK : HEED_NOMEM;
    for (size_t i = 0; !status && i < b->n_contexts * b->n_batches; i++) {
        memset(c, 0, sizeof(*c));
        c->context = b->contexts[i / b->n_batches];
        c->batch = b->batches[i % b->n_batches];
        for (size_t r = 0; !status && r < b->rounds; r++)
            status = run_round(b, c);
        if (!status)
            print(b, c);
    }
    free(c);
    return status ? fail("step") : 0;
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

static int open_model(const bench *b, way *w, const char *skip)
{
    heed_model *model = NULL;
    heed_session_options session = {.size = sizeof(session), .backends = w->backends};
    heed_generator_options options = {.size = sizeof(options),
                                      .session = &session,
                                      .flags = HEED_GENERATOR_NO_SHARING |
                                               (b->paged ? 0u : HEED_GENERATOR_CONTIGUOUS),
                                      .page_tokens = (uint32_t)b->page,
                                      .kv_dtype = b->kv,
                                      .step_tokens = (uint32_t)b->step,
                                      .kv_memory = (uint64_t)8 << 30};
    if (heed_model_load(w->model, NULL, &model))
        return fail(w->model);
    w->weight_bytes = read_bytes(model, skip);
    heed_model_free(model);
    return heed_generator_open(w->model, &options, &w->generator) ? fail(w->model) : 0;
}

/* MODEL, MODEL@CONTEXT or MODEL@BACKENDS */
static way way_of(char *text)
{
    char *at = strrchr(text, '@'), *end = at;
    if (!at)
        return (way){.model = text};
    size_t context = strtoul(at + 1, &end, 10);
    *at++ = '\0';
    return *end ? (way){.model = text, .backends = at} : (way){.model = text, .context = context};
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
               .tokens = 64,
               .each = 8,
               .rounds = 3,
               .threads = 2,
               .page = 16,
               .step = 512,
               .paged = true};
    const char *skip = "0";
    const struct {
        const char *name;
        size_t *value;
    } numbers[] = {{"tokens=", &b.tokens},   {"each=", &b.each}, {"rounds=", &b.rounds},
                   {"threads=", &b.threads}, {"page=", &b.page}, {"step=", &b.step}};
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
        else if (!strchr(argv[i], '=') && b.n_ways < MOST_WAYS)
            b.ways[b.n_ways++] = way_of(argv[i]);
    }
    for (size_t i = 0; i < b.n_batches; i++)
        b.n_batches = b.batches[i] > MOST_BATCH ? 0 : b.n_batches;
    if (!b.n_ways || !b.n_contexts || !b.n_batches || !b.each || !b.tokens)
        return fprintf(stderr, "usage: bench_generate MODEL [context=128,512] [batch=1,16] ...\n"),
               2;
    heed_set_threads((uint32_t)b.threads);
    int failed = 0;
    for (size_t k = 0; !failed && k < b.n_ways; k++)
        failed = open_model(&b, &b.ways[k], skip);
    failed = failed || run(&b);
    for (size_t k = 0; k < b.n_ways; k++)
        heed_generator_free(b.ways[k].generator);
    return failed;
}
