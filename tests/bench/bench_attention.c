/* Speed of heed.FlashAttention of the CPU backend, beside the unfused chain of the same backend
 * (MatMul, Add of a mask, Softmax, MatMul) and the rate of multiply-adds that the machine reaches.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_attention [all|small|decode|peak]
 *       [bf16|f16] [threads=2] [isa=avx2] [only=B,H,KVH,S,KEYS,D,KIND]
 *
 * GFLOP/s count 4 B H S S D, halved where causality leaves half. `all` runs every batch, number of
 * heads and size of the list; without it, one of each. Both ways run in turn, and times are the
 * best of several; the peak is measured before each shape, since it wanders on shared machines.
 * With `bf16` or `f16` tensors have that type, float32 is beside it, and the peak for bfloat16 is
 * that of the instruction for its products where the machine has it. This is no test. Peers are in
 * tests/bench/attention, for which `peak` prints that rate alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mini_host.h"
#include "rates.h"

enum { MOST_THREADS = 64 };

enum { PLAIN, CAUSAL, PADDED, BIASED };
static const char *const kinds[] = {"full", "causal", "padded", "biased"};

typedef struct shape {
    int64_t batch, heads, kv_heads, queries, keys, d;
    int kind;
} shape;

static unsigned threads = 1;
static heed_dtype type = HEED_FLOAT32;

static double now(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Operands ------------------------------------------------------------------------------- */

/* Multiples of 1/64 below 2, which every type holds. */
static uint16_t half_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (type == HEED_BFLOAT16)
        return (uint16_t)(bits >> 16);
    uint32_t size = (bits & 0x7fffffff) - 0x38000000;
    return (uint16_t)((bits >> 16 & 0x8000) | (x != 0.0f ? size >> 13 : 0));
}

static DLTensor *make(heed_dtype dtype, int64_t a, int64_t b, int64_t c, int64_t d)
{
    DLTensor *t = mini_tensor(dtype, 4, (int64_t[]){a, b, c, d});
    for (size_t i = 0, n = mini_count(t); i < n; i++) {
        float x = (float)(i * 7919 % 255) / 64.0f - 2.0f;
        if (dtype == HEED_FLOAT32)
            ((float *)mini_data(t))[i] = x;
        else
            ((uint16_t *)mini_data(t))[i] = half_of(x);
    }
    return t;
}

/* Nodes that are run one after the other: one way of computing attention. */
typedef struct way {
    mini_ready *nodes[4];
    size_t n;
    double best;
} way;

static void add_node(way *w, const mini_node *node) { w->nodes[w->n++] = mini_prepare(node); }

static void run_once(way *w)
{
    double begin = now();
    for (size_t i = 0; i < w->n; i++)
        if (mini_again(w->nodes[i])) {
            printf("%s\n", mini_message());
            w->n = 0;
            w->best = (double)NAN;
            return;
        }
    double took = now() - begin;
    w->best = took < w->best || w->best == 0 ? took : w->best;
}

/* Rounds in turn, so that a slow moment of the machine falls on both. */
static void run_in_turn(way *ways, size_t n, double least)
{
    double start = now();
    for (int round = 0; round < 3 || (now() - start < least && round < 20000); round++)
        for (size_t i = 0; i < n && ways[i].n; i++)
            run_once(&ways[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ways[i].n; k++)
            mini_release(ways[i].nodes[k]);
}

/* What both ways read and write. */
typedef struct operands {
    DLTensor *q, *k, *v, *y, *scores, *mask, *lengths, *offset;
} operands;

static void make_operands(const shape *s, operands *o, heed_dtype t, int chain)
{
    int64_t per_row = s->kind == BIASED, rows = per_row || s->kind == CAUSAL ? s->queries : 1;
    *o = (operands){.q = make(t, s->batch, s->heads, s->queries, s->d),
                    .y = make(t, s->batch, s->heads, s->queries, s->d),
                    .k = make(t, s->batch, s->kv_heads, s->keys, s->d),
                    .v = make(t, s->batch, s->kv_heads, s->keys, s->d)};
    o->offset = mini_tensor(HEED_INT64, 1, (int64_t[]){1});
    *(int64_t *)mini_data(o->offset) = s->keys - s->queries; /* the last queries */
    o->lengths = mini_tensor(HEED_INT64, 1, &s->batch);
    for (int64_t b = 0; b < s->batch; b++)
        ((int64_t *)mini_data(o->lengths))[b] = s->keys - (b + 1) * s->keys / 8 % s->keys;
    if (s->kind != PLAIN)
        o->mask = make(t, s->kind == PADDED ? s->batch : 1, per_row ? s->heads : 1, rows, s->keys);
    if (chain)
        o->scores = make(t, s->batch, s->heads, s->queries, s->keys);
}

static void free_operands(operands *o)
{
    mini_free(o->q), mini_free(o->k), mini_free(o->v), mini_free(o->y);
    mini_free(o->scores), mini_free(o->mask), mini_free(o->lengths), mini_free(o->offset);
}

static void add_flash(way *w, const shape *s, const operands *o)
{
    mini_node node = {.op = "FlashAttention", .n_in = 6, .n_out = 1};
    node.in[0] = o->q, node.in[1] = o->k, node.in[2] = o->v, node.out[0] = o->y;
    node.in[3] = s->kind == BIASED ? o->mask : NULL;
    node.in[4] = s->kind == PADDED ? o->lengths : NULL;
    node.in[5] = s->kind == CAUSAL ? o->offset : NULL;
    mini_int(&node, "causal", s->kind == CAUSAL);
    add_node(w, &node);
}

/* ---- The unfused chain ---------------------------------------------------------------------- */

static void add_op(way *w, const char *op, DLTensor *a, DLTensor *b, DLTensor *y)
{
    mini_node node = {.op = op, .n_in = b ? 2 : 1, .n_out = 1};
    node.in[0] = a, node.in[1] = b, node.out[0] = y;
    mini_int(&node, "axis", -1);
    add_node(w, &node);
}

/* The same elements with their heads in groups, or apart. */
static DLTensor view(const DLTensor *t, int64_t dims[4])
{
    DLTensor same = *t;
    same.shape = dims;
    return same;
}

/* What the views of a chain lie in. */
typedef struct chain_views {
    int64_t grouped[4], apart[4], q[4], k[4];
    DLTensor qs, turned, ys, in_groups, heads;
} chain_views;

static void add_chain(way *w, const shape *s, const operands *o, chain_views *c)
{
    int64_t rows = s->heads / s->kv_heads * s->queries, b = s->batch, g = s->kv_heads;
    *c = (chain_views){{b, g, rows, s->keys},
                       {b, s->heads, s->queries, s->keys},
                       {b, g, rows, s->d},
                       {b, g, s->d, s->keys}};
    c->qs = view(o->q, c->q), c->turned = view(o->k, c->k), c->ys = view(o->y, c->q);
    c->in_groups = view(o->scores, c->grouped), c->heads = view(o->scores, c->apart);
    add_op(w, "MatMul", &c->qs, &c->turned, &c->in_groups);
    if (s->kind != PLAIN)
        add_op(w, "Add", &c->heads, o->mask, &c->heads);
    add_op(w, "Softmax", &c->in_groups, NULL, &c->in_groups);
    add_op(w, "MatMul", &c->in_groups, o->v, &c->ys);
}

/* ---- The list ------------------------------------------------------------------------------- */

static void bench(shape s)
{
    double bytes = 4.0 * (double)(s.batch * s.heads) * (double)(s.queries * s.keys);
    double flops = bytes * (double)s.d, peak = rates_peak(threads, type == HEED_BFLOAT16);
    int two = type != HEED_FLOAT32, chain = bytes < 3e9 && !two;
    if (s.kind == CAUSAL && s.queries == s.keys)
        flops /= 2;
    operands o, wide;
    chain_views views;
    way ways[2] = {{.n = 0}, {.n = 0}};
    make_operands(&s, &o, type, chain);
    add_flash(&ways[0], &s, &o);
    if (two) {
        make_operands(&s, &wide, HEED_FLOAT32, 0);
        add_flash(&ways[1], &s, &wide);
    }
    if (chain)
        add_chain(&ways[1], &s, &o, &views);
    run_in_turn(ways, 2, 0.2);
    double took = ways[0].best, rate = flops / took * 1e-9;
    printf("B %2d  H %2d/%-2d  S %4d x %4d  D %3d  %-6s %10.1f us %6.0f GF/s  %3.0f %% of %4.0f",
           (int)s.batch, (int)s.heads, (int)s.kv_heads, (int)s.queries, (int)s.keys, (int)s.d,
           kinds[s.kind], took * 1e6, rate, 100 * rate / peak, peak);
    printf("  %s %10.1f us, %5.2f x\n", two ? "float32" : "chain", ways[1].best * 1e6,
           ways[1].best / took);
    free_operands(&o);
    if (two)
        free_operands(&wide);
}

static void bench_lengths(int64_t batch, int64_t heads, int64_t kv_heads, int64_t d, int kind)
{
    const int64_t lengths[5] = {1, 128, 512, 2048, 4096};
    for (int i = 0; i < 5; i++)
        bench((shape){batch, heads, kv_heads, lengths[i], i ? lengths[i] : 2048, d, kind});
}

static void bench_all(void)
{
    const int64_t batches[3] = {1, 4, 16}, heads[3] = {8, 12, 32}, sizes[2] = {64, 128};
    for (int b = 0; b < 3; b++)
        for (int h = 0; h < 3; h++)
            for (int d = 0; d < 2; d++)
                for (int kind = PLAIN; kind <= PADDED; kind++)
                    for (int64_t group = 1; group <= heads[h]; group *= group == 1 ? 4 : heads[h])
                        bench_lengths(batches[b], heads[h], heads[h] / group, sizes[d], kind);
}

/* Where a fused operator has most to lose: little work, one query, few keys. */
static void bench_small(void)
{
    for (int64_t n = 1; n <= 64; n *= 2)
        for (int kind = PLAIN; kind <= BIASED; kind++)
            bench((shape){2, 4, n % 3 == 1 ? 2 : 4, n, n, 16, kind});
    for (int64_t n = 1; n <= 64; n *= 4)
        bench((shape){1, 12, 12, n, n, 64, PLAIN});
    for (int64_t queries = 16; queries <= 512; queries *= 32)
        bench((shape){1, 8, 8, queries, 12, 64, PLAIN});
}

static void bench_decode(void)
{
    for (int64_t keys = 128; keys <= 8192; keys *= 4)
        for (int64_t group = 1; group <= 32; group *= group < 4 ? 4 : 8)
            for (int64_t d = 64; d <= 128; d *= 2)
                bench((shape){1, 32, 32 / group, 1, keys, d, PLAIN});
    bench((shape){1, 12, 12, 4, 1024, 64, PLAIN});
    bench((shape){4, 12, 12, 1, 1024, 64, PADDED});
    bench((shape){1, 32, 8, 1, 4096, 128, BIASED});
}

static const char *only;

/* One shape; its kind is a number, in the order of `kinds`. */
static void bench_only(void)
{
    int64_t n[7] = {1, 12, 12, 128, 128, 64, PLAIN};
    const char *at = only;
    for (int i = 0; i < 7 && at; i++) {
        n[i] = atoll(at);
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    bench((shape){n[0], n[1], n[2], n[3], n[4], n[5], (int)n[6] & 3});
}

static void print_peak(void) { printf("%.1f\n", rates_peak(threads, type == HEED_BFLOAT16)); }

static void bench_some(void)
{
    bench_lengths(1, 12, 12, 64, PLAIN);
    bench_lengths(1, 12, 12, 64, CAUSAL);
    bench_lengths(1, 12, 12, 64, BIASED);
    bench_lengths(4, 8, 8, 64, PADDED);
    bench_lengths(1, 8, 2, 128, CAUSAL);
    bench_lengths(1, 8, 1, 64, CAUSAL);
}

int main(int argc, char **argv)
{
    const char *options = NULL;
    void (*list)(void) = bench_some;
    for (int i = 1; i < argc; i++) {
        list = !strcmp(argv[i], "all")      ? bench_all
               : !strcmp(argv[i], "small")  ? bench_small
               : !strcmp(argv[i], "decode") ? bench_decode
               : !strcmp(argv[i], "peak")   ? print_peak
                                            : list;
        only = strncmp(argv[i], "only=", 5) ? only : argv[i] + 5;
        list = only ? bench_only : list;
        options = strncmp(argv[i], "isa=", 4) ? options : argv[i];
        type = !strcmp(argv[i], "bf16")  ? HEED_BFLOAT16
               : !strcmp(argv[i], "f16") ? HEED_FLOAT16
                                         : type;
        threads = strncmp(argv[i], "threads=", 8) ? threads : (unsigned)atoi(argv[i] + 8);
    }
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    const char *error = mini_open("cpu", options);
    if (error) {
        printf("cannot open the backend: %s\n", error);
        return 1;
    }
    mini_threads(threads);
    list();
    return 0;
}
