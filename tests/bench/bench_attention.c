/* Speed of heed.FlashAttention of the CPU backend, beside the unfused chain of the same backend
 * (MatMul, Add of a mask, Softmax, MatMul) and the rate of multiply-adds that the machine reaches.
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_attention [all] [threads=2]
 *       [isa=avx2]
 *
 * GFLOP/s count 4 B H S S D, halved where causality leaves half. `all` runs every batch, number of
 * heads and size of the list; without it, one of each. Times are the best of several; the peak is
 * measured before each shape, since it wanders on shared machines. This is no test. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mini_host.h"

enum { MOST_THREADS = 64 };

enum { PLAIN, CAUSAL, PADDED };
static const char *const kinds[] = {"full", "causal", "padded"};

typedef struct shape {
    int64_t batch, heads, kv_heads, queries, keys, d;
    int kind;
} shape;

static unsigned threads = 1;

static double now(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- The machine's rate of multiply-adds ------------------------------------------------------
 */

#if defined(__x86_64__)
static volatile float sink;

/* The sums start apart, or the compiler would keep one of them. */
#define PEAK_LOOP(name, isa, lanes)                                                                \
    typedef float vector_##name __attribute__((vector_size(lanes * 4)));                           \
    __attribute__((target(isa))) static double name(long n)                                        \
    {                                                                                              \
        vector_##name x = {1e-9f}, y = {0.5f}, a = x, b = x + 1, c = x + 2, d = x + 3, e = x + 4,  \
                      f = x + 5, g = x + 6, h = x + 7, i = x + 8, j = x + 9;                       \
        for (long k = 0; k < n; k++) {                                                             \
            a = a * y + x, b = b * y + x, c = c * y + x, d = d * y + x, e = e * y + x;             \
            f = f * y + x, g = g * y + x, h = h * y + x, i = i * y + x, j = j * y + x;             \
            __asm__ volatile("" : "+x"(y), "+x"(x));                                               \
        }                                                                                          \
        vector_##name all = a + b + c + d + e + f + g + h + i + j;                                 \
        sink = all[0];                                                                             \
        return 20.0 * lanes * (double)n;                                                           \
    }
PEAK_LOOP(peak_512, "avx512f", 16)
PEAK_LOOP(peak_256, "avx2,fma", 8)

static double peak_flops(long n)
{
    return __builtin_cpu_supports("avx512f") ? peak_512(n) : peak_256(n);
}
#else
static double peak_flops(long n) { return 0 * (double)n; }
#endif

static void *peak_thread(void *rate)
{
    struct timespec a, b;
    double best = 0;
    for (int i = 0; i < 5; i++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        double done = peak_flops(1000000);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        double took = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
        best = done / took * 1e-9 > best ? done / took * 1e-9 : best;
    }
    *(double *)rate = best;
    return NULL;
}

static double peak_rate(void)
{
    pthread_t helpers[MOST_THREADS];
    double rates[MOST_THREADS], sum = 0;
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&helpers[i], NULL, peak_thread, &rates[i]);
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(helpers[i], NULL);
        sum += rates[i];
    }
    return sum;
}

/* ---- Operands ------------------------------------------------------------------------------- */

static DLTensor *make(int64_t a, int64_t b, int64_t c, int64_t d)
{
    DLTensor *t = mini_tensor(HEED_FLOAT32, 4, (int64_t[]){a, b, c, d});
    float *x = mini_data(t);
    for (size_t i = 0; i < mini_count(t); i++)
        x[i] = (float)(i * 7919 % 1009) / 500.0f - 1.0f;
    return t;
}

static double measure(const mini_node *node, double least)
{
    mini_ready *ready = mini_prepare(node);
    double best = 1e9, start = now();
    for (int round = 0; round < 3 || (now() - start < least && round < 1000); round++) {
        double begin = now();
        if (mini_again(ready)) {
            printf("%s: %s\n", node->op, mini_message());
            break;
        }
        double took = now() - begin;
        best = took < best ? took : best;
    }
    mini_release(ready);
    return best;
}

static double run_flash(const shape *s, DLTensor *q, DLTensor *k, DLTensor *v, DLTensor *y)
{
    mini_node node = {.op = "FlashAttention", .n_in = 6, .n_out = 1};
    node.in[0] = q, node.in[1] = k, node.in[2] = v, node.out[0] = y;
    mini_int(&node, "causal", s->kind == CAUSAL);
    node.in[5] = mini_tensor(HEED_INT64, 1, (int64_t[]){1});
    *(int64_t *)mini_data(node.in[5]) = s->keys - s->queries; /* the last queries */
    if (s->kind == PADDED) {
        node.in[4] = mini_tensor(HEED_INT64, 1, &s->batch);
        for (int64_t b = 0; b < s->batch; b++)
            ((int64_t *)mini_data(node.in[4]))[b] = s->keys - (b + 1) * s->keys / 8 % s->keys;
    }
    double took = measure(&node, 0.3);
    mini_free(node.in[4]), mini_free(node.in[5]);
    return took;
}

/* ---- The unfused chain ---------------------------------------------------------------------- */

static double one_node(const char *op, DLTensor *a, DLTensor *b, DLTensor *y)
{
    mini_node node = {.op = op, .n_in = b ? 2 : 1, .n_out = 1};
    node.in[0] = a, node.in[1] = b, node.out[0] = y;
    mini_int(&node, "axis", -1);
    return measure(&node, 0.05);
}

/* The same elements with their heads in groups, or apart. */
static DLTensor view(const DLTensor *t, int64_t dims[4])
{
    DLTensor same = *t;
    same.shape = dims;
    return same;
}

static double run_chain(const shape *s, DLTensor *q, DLTensor *k, DLTensor *v, DLTensor *y)
{
    int64_t rows = s->heads / s->kv_heads * s->queries, b = s->batch, g = s->kv_heads;
    int64_t grouped[4] = {b, g, rows, s->keys}, apart[4] = {b, s->heads, s->queries, s->keys};
    int64_t q_dims[4] = {b, g, rows, s->d}, k_dims[4] = {b, g, s->d, s->keys};
    DLTensor *scores = make(b, g, rows, s->keys);
    DLTensor *mask = s->kind == CAUSAL ? make(1, 1, s->queries, s->keys) : make(b, 1, 1, s->keys);
    DLTensor qs = view(q, q_dims), turned = view(k, k_dims), ys = view(y, q_dims);
    DLTensor in_groups = view(scores, grouped), heads = view(scores, apart);
    double took = one_node("MatMul", &qs, &turned, &in_groups);
    if (s->kind != PLAIN)
        took += one_node("Add", &heads, mask, &heads);
    took += one_node("Softmax", &in_groups, NULL, &in_groups);
    took += one_node("MatMul", &in_groups, v, &ys);
    mini_free(scores), mini_free(mask);
    return took;
}

/* ---- The list ------------------------------------------------------------------------------- */

static void bench(shape s)
{
    double bytes = 4.0 * (double)(s.batch * s.heads) * (double)(s.queries * s.keys);
    double flops = bytes * (double)s.d;
    DLTensor *q = make(s.batch, s.heads, s.queries, s.d),
             *y = make(s.batch, s.heads, s.queries, s.d);
    DLTensor *k = make(s.batch, s.kv_heads, s.keys, s.d),
             *v = make(s.batch, s.kv_heads, s.keys, s.d);
    if (s.kind == CAUSAL && s.queries == s.keys)
        flops /= 2;
    double peak = peak_rate(), flash = run_flash(&s, q, k, v, y);
    double chain = bytes < 3e9 ? run_chain(&s, q, k, v, y) : NAN;
    printf("B %2d  H %2d/%-2d  S %4d x %4d  D %3d  %-6s %10.1f us %6.0f GF/s  %3.0f %% of %4.0f",
           (int)s.batch, (int)s.heads, (int)s.kv_heads, (int)s.queries, (int)s.keys, (int)s.d,
           kinds[s.kind], flash * 1e6, flops / flash * 1e-9, 100 * flops / flash * 1e-9 / peak,
           peak);
    printf("  chain %10.1f us, %5.2f x\n", chain * 1e6, chain / flash);
    mini_free(q), mini_free(k), mini_free(v), mini_free(y);
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

int main(int argc, char **argv)
{
    const char *options = NULL;
    int all = 0;
    for (int i = 1; i < argc; i++) {
        all |= !strcmp(argv[i], "all");
        options = strncmp(argv[i], "isa=", 4) ? options : argv[i];
        threads = strncmp(argv[i], "threads=", 8) ? threads : (unsigned)atoi(argv[i] + 8);
    }
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    const char *error = mini_open("cpu", options);
    if (error) {
        printf("cannot open the backend: %s\n", error);
        return 1;
    }
    mini_threads(threads);
    if (all) {
        bench_all();
        return 0;
    }
    bench_lengths(1, 12, 12, 64, PLAIN);
    bench_lengths(1, 12, 12, 64, CAUSAL);
    bench_lengths(4, 8, 8, 64, PADDED);
    bench_lengths(1, 8, 2, 128, CAUSAL);
    bench_lengths(1, 8, 1, 64, CAUSAL);
    return 0;
}
