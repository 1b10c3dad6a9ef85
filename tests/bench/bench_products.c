/* Products of a decoder: few rows times weights that no cache holds, and many rows for a prompt,
 * beside the rates at which the machine reads and multiplies, and beside OpenBLAS on as many
 * threads.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_products [threads=2] [isa=avx2]
 *       [rows=1,16,128] [only=K,N] [blas]
 *
 * Each shape has so many matrices of weights, used in turn, that none is left in a cache from one
 * use to the next. The shapes are those of SmolLM2-135M. This
 * is no test: no figure can fail. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "machine_limits.h"
#include "mini_host.h"
#include "rates.h"

enum { MOST_COPIES = 256, MOST_TIMES = 20000 };
static const double cold_bytes = 160e6;

typedef struct shape {
    const char *name;
    int turned, outputs; /* outputs above 1: heed.Projections */
    int64_t k, n[3];
} shape;

// clang-format off
static const shape shapes[] = {
    {"q, k, v", 0, 3, 576, {576, 192, 192}},
    {"output", 0, 1, 576, {576}},
    {"gate, up", 0, 2, 576, {1536, 1536}},
    {"down", 0, 1, 1536, {576}},
    {"logits", 0, 1, 576, {49152}},
    {"logits, turned", 1, 1, 576, {49152}},
    {"wide", 0, 1, 2048, {2048}},
    {"wide, turned", 1, 1, 2048, {2048}},
};
// clang-format on

typedef void sgemm_function(int order, int ta, int tb, int m, int n, int k, float alpha,
                            const float *a, int lda, const float *b, int ldb, float beta, float *c,
                            int ldc);
static sgemm_function *sgemm;
static unsigned threads = 2;

/* ---- One shape ------------------------------------------------------------------------------ */

typedef struct work {
    mini_node node[MOST_COPIES];
    mini_ready *ready[MOST_COPIES];
    int copies;
    DLTensor *x;
} work;

static DLTensor *make(int rank, const int64_t *dims)
{
    DLTensor *t = mini_tensor(HEED_FLOAT32, rank, dims);
    float *x = mini_data(t);
    for (size_t i = 0; i < mini_count(t); i++)
        x[i] = (float)(i * 7919 % 1009) / 500.0f - 1.0f;
    return t;
}

static double weights(const shape *s)
{
    int64_t n = 0;
    for (int o = 0; o < s->outputs; o++)
        n += s->n[o];
    return (double)(n * s->k);
}

static void make_node(mini_node *node, const shape *s, DLTensor *x, int64_t m)
{
    *node = (mini_node){.op = s->outputs > 1 ? "Projections" : s->turned ? "Gemm" : "MatMul"};
    node->in[node->n_in++] = x;
    for (int o = 0; o < s->outputs; o++) {
        int64_t w[2] = {s->turned ? s->n[o] : s->k, s->turned ? s->k : s->n[o]},
                y[2] = {m, s->n[o]};
        node->constants |= 1u << node->n_in;
        node->in[node->n_in++] = make(2, w);
        node->out[node->n_out++] = make(2, y);
    }
    if (s->outputs > 1)
        node->n_in += (uint32_t)s->outputs; /* no biases */
    else if (s->turned)
        mini_int(node, "transB", 1);
}

static void make_work(work *w, const shape *s, int64_t m)
{
    int64_t x[2] = {m, s->k};
    w->x = make(2, x);
    w->copies = (int)(cold_bytes / (4 * weights(s))) + 1;
    w->copies = w->copies > MOST_COPIES ? MOST_COPIES : w->copies;
    for (int i = 0; i < w->copies; i++) {
        make_node(&w->node[i], s, w->x, m);
        w->ready[i] = mini_prepare(&w->node[i]);
    }
}

static void free_work(work *w)
{
    for (int i = 0; i < w->copies; i++) {
        mini_release(w->ready[i]);
        for (uint32_t k = 1; k < w->node[i].n_in; k++)
            if (w->node[i].in[k])
                mini_free(w->node[i].in[k]);
        for (uint32_t k = 0; k < w->node[i].n_out; k++)
            mini_free(w->node[i].out[k]);
    }
    mini_free(w->x);
}

/* ---- Measuring ------------------------------------------------------------------------------ */

static void call_ours(const work *w, int i, const shape *s, int64_t m)
{
    (void)s, (void)m;
    if (mini_again(w->ready[i])) {
        printf("%s: %s\n", w->node[i].op, mini_message());
        exit(1);
    }
}

static void call_blas(const work *w, int i, const shape *s, int64_t m)
{
    for (int o = 0; o < s->outputs; o++)
        sgemm(101, 111, s->turned ? 112 : 111, (int)m, (int)s->n[o], (int)s->k, 1.0f,
              mini_data(w->x), (int)s->k, mini_data(w->node[i].in[1 + o]),
              (int)(s->turned ? s->k : s->n[o]), 0.0f, mini_data(w->node[i].out[o]), (int)s->n[o]);
}

typedef void call(const work *w, int i, const shape *s, int64_t m);

/* Seconds of one product. */
static double measure(call *run, const work *w, const shape *s, int64_t m)
{
    static double took[MOST_TIMES];
    double start = limits_now(threads == 1);
    size_t n = 0;
    while (n < MOST_TIMES && (n < 10 || limits_now(threads == 1) - start < 0.5)) {
        double begin = limits_now(threads == 1);
        run(w, (int)n % w->copies, s, m);
        took[n++] = limits_now(threads == 1) - begin;
    }
    return limits_quick(took, n);
}

static void bench(const shape *s, int64_t m)
{
    static work w;
    double read = limits_read(threads), peak = rates_peak(threads, false), one = weights(s);
    make_work(&w, s, m);
    double took = measure(call_ours, &w, s, m);
    double bytes = 4e-9 * one / took, flops = 2e-9 * one * (double)m / took;
    printf("%-14s M %4d  %9.1f us  %6.1f GB/s %3.0f %% of %2.0f  %6.0f GF/s %3.0f %% of %3.0f",
           s->name, (int)m, took * 1e6, bytes, 100 * bytes / read, read, flops, 100 * flops / peak,
           peak);
    if (sgemm) {
        double theirs = measure(call_blas, &w, s, m);
        printf("  OpenBLAS %9.1f us, %5.2f x", theirs * 1e6, theirs / took);
    }
    printf("\n");
    fflush(stdout);
    free_work(&w);
}

static void load_blas(void)
{
    void *library = dlopen("libopenblas.so.0", RTLD_NOW);
    void *set = library ? dlsym(library, "openblas_set_num_threads") : NULL;
    void *call = library ? dlsym(library, "cblas_sgemm") : NULL;
    void (*set_threads)(int);
    if (!set || !call) {
        printf("no libopenblas.so.0\n");
        return;
    }
    memcpy(&set_threads, &set, sizeof(set));
    memcpy(&sgemm, &call, sizeof(call));
    set_threads((int)threads);
}

int main(int argc, char **argv)
{
    const char *options = NULL, *rows = "1,2,4,8,16,32,128,512", *only = NULL;
    int blas = 0;
    for (int i = 1; i < argc; i++) {
        options = strncmp(argv[i], "isa=", 4) ? options : argv[i];
        rows = strncmp(argv[i], "rows=", 5) ? rows : argv[i] + 5;
        only = strncmp(argv[i], "only=", 5) ? only : argv[i] + 5;
        threads = strncmp(argv[i], "threads=", 8) ? threads : (unsigned)atoi(argv[i] + 8);
        blas = blas || !strcmp(argv[i], "blas");
    }
    const char *error = mini_open("cpu", options);
    if (error) {
        printf("cannot open the backend: %s\n", error);
        return 1;
    }
    pool_set_threads(threads);
    mini_use_pool(pool_run);
    if (blas)
        load_blas();
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        for (const char *at = rows; at; at = strchr(at, ','), at += at != NULL) {
            char name[64];
            snprintf(name, sizeof(name), "%d,%d", (int)shapes[i].k, (int)shapes[i].n[0]);
            if (!only || !strcmp(name, only))
                bench(&shapes[i], atoll(at));
        }
    return 0;
}
