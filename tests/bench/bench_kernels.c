/* Speed of single kernels of the CPU backend on one thread, beside two limits that are measured
 * in the same run: the rate of multiply-adds of a large product that stays in cache, and the
 * rate at which memory is copied. Products print GFLOP/s, the rest GB/s (bytes read and written).
 *
 *   HEED_PLUGIN_PATH=build/lib/heed/plugins-1 build/tests/bench_kernels [options]
 *
 * options go to the backend: "isa=avx2". The shapes are those of MiniLM-L6 on a batch of 8 x 128
 * tokens. This is no test: nothing here can fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mini_host.h"

typedef struct bench {
    const char *op;
    int n_in;
    int64_t in[3][4]; /* extents, ended by 0 */
    int64_t out[4];
    const char *attr;
    int64_t value;
    const char *note;
    int64_t perm[4];
} bench;

// clang-format off
static const bench benches[] = {
    {"MatMul", 2, {{8, 128, 384}, {384, 384}}, {8, 128, 384}, NULL, 0, "projection", {0}},
    {"MatMul", 2, {{8, 128, 384}, {384, 1536}}, {8, 128, 1536}, NULL, 0, "up", {0}},
    {"MatMul", 2, {{8, 128, 1536}, {1536, 384}}, {8, 128, 384}, NULL, 0, "down", {0}},
    {"MatMul", 2, {{8, 12, 128, 32}, {8, 12, 32, 128}}, {8, 12, 128, 128}, NULL, 0, "scores", {0}},
    {"MatMul", 2, {{8, 12, 128, 128}, {8, 12, 128, 32}}, {8, 12, 128, 32}, NULL, 0, "values", {0}},
    {"MatMul", 2, {{128, 384}, {384, 384}}, {128, 384}, NULL, 0, "batch 1", {0}},
    {"MatMul", 2, {{8, 384}, {384, 1536}}, {8, 1536}, NULL, 0, "8 rows", {0}},
    {"MatMul", 2, {{1, 384}, {384, 1536}}, {1, 1536}, NULL, 0, "1 row", {0}},
    {"MatMul", 2, {{1, 4096}, {4096, 4096}}, {1, 4096}, NULL, 0, "1 row, large", {0}},
    {"MatMul", 2, {{512, 2048}, {2048, 2048}}, {512, 2048}, NULL, 0, "large", {0}},
    {"Gemm", 2, {{1024, 384}, {1536, 384}}, {1024, 1536}, "transB", 1, "B turned", {0}},
    {"Add", 2, {{8, 128, 1536}, {1536}}, {8, 128, 1536}, NULL, 0, "bias", {0}},
    {"Add", 2, {{8, 128, 384}, {8, 128, 384}}, {8, 128, 384}, NULL, 0, "residual", {0}},
    {"Mul", 2, {{8, 128, 1536}, {8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Add", 2, {{8, 12, 128, 128}, {8, 1, 1, 128}}, {8, 12, 128, 128}, NULL, 0, "mask", {0}},
    {"Sub", 2, {{8, 128, 384}, {8, 128, 1}}, {8, 128, 384}, NULL, 0, "mean", {0}},
    {"Pow", 2, {{8, 128, 384}, {1}}, {8, 128, 384}, NULL, 0, "", {0}},
    {"Erf", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Gelu", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Tanh", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Exp", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Sigmoid", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Cos", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Sqrt", 1, {{8, 128, 384}}, {8, 128, 384}, NULL, 0, "", {0}},
    {"Relu", 1, {{8, 128, 1536}}, {8, 128, 1536}, NULL, 0, "", {0}},
    {"Softmax", 1, {{8, 12, 128, 128}}, {8, 12, 128, 128}, "axis", -1, "", {0}},
    {"LayerNormalization", 3, {{8, 128, 384}, {384}, {384}}, {8, 128, 384}, "axis", -1, "", {0}},
    {"ReduceMean", 1, {{8, 128, 384}}, {1}, "keepdims", 1, "all axes", {0}},
    {"Transpose", 1, {{8, 128, 12, 32}}, {8, 12, 128, 32}, NULL, 0, "0213", {0, 2, 1, 3}},
    {"Transpose", 1, {{8, 128, 12, 32}}, {8, 12, 32, 128}, NULL, 0, "0231", {0, 2, 3, 1}},
};
// clang-format on

/* The thread's own time: what other programs take of the core is left out. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static DLTensor *make(const int64_t *dims)
{
    int rank = 0;
    while (rank < 4 && dims[rank])
        rank++;
    DLTensor *t = mini_tensor(HEED_FLOAT32, rank, dims);
    float *x = mini_data(t);
    for (size_t i = 0; i < mini_count(t); i++)
        x[i] = (float)(i * 7919 % 1009) / 500.0f - 1.0f;
    return t;
}

/* The best time of one call, over at least a fifth of a second. */
static double measure(const mini_node *node)
{
    mini_ready *ready = mini_prepare(node);
    double best = 1e9, start = now();
    for (int round = 0; round < 5 || now() - start < 0.2; round++) {
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

static double work_of(const bench *b, const mini_node *node)
{
    if (strcmp(b->op, "MatMul") && strcmp(b->op, "Gemm")) {
        double bytes = (double)mini_bytes(node->out[0]);
        for (uint32_t i = 0; i < node->n_in; i++)
            bytes += (double)mini_bytes(node->in[i]);
        return bytes;
    }
    const DLTensor *a = node->in[0];
    return 2.0 * (double)mini_count(node->out[0]) * (double)a->shape[a->ndim - 1];
}

static double rate_of(const bench *b, double *seconds)
{
    mini_node node = {.op = b->op, .n_in = (uint32_t)b->n_in, .n_out = 1, .constants = 2};
    for (int i = 0; i < b->n_in; i++)
        node.in[i] = make(b->in[i]);
    node.out[0] = make(b->out);
    if (b->attr)
        mini_int(&node, b->attr, b->value);
    if (!strcmp(b->op, "Transpose"))
        mini_ints(&node, "perm", b->perm, 4);
    if (!strcmp(b->op, "Pow"))
        *(float *)mini_data(node.in[1]) = 2.0f;
    *seconds = measure(&node);
    double rate = work_of(b, &node) / *seconds * 1e-9;
    for (uint32_t i = 0; i < node.n_in; i++)
        mini_free(node.in[i]);
    mini_free(node.out[0]);
    return rate;
}

static double copy_rate(void)
{
    size_t bytes = (size_t)6 << 20;
    char *from = malloc(bytes), *to = malloc(bytes);
    memset(from, 1, bytes);
    double best = 1e9;
    for (int round = 0; round < 40; round++) {
        double begin = now();
        memcpy(to, from, bytes);
        double took = now() - begin + (double)to[round] * 0;
        best = took < best ? took : best;
    }
    free(from), free(to);
    return 2e-9 * (double)bytes / best;
}

int main(int argc, char **argv)
{
    const char *error = mini_open("cpu", argc > 1 ? argv[1] : NULL);
    if (error) {
        printf("cannot open the backend: %s\n", error);
        return 1;
    }
    const bench limit = {"MatMul", 2, {{256, 256}, {256, 512}}, {256, 512}, NULL, 0, "", {0}};
    double seconds, flops = rate_of(&limit, &seconds), bytes = copy_rate();
    printf("limits on one thread: %.0f GFLOP/s (product in cache), %.0f GB/s (copy of 6 MiB)\n\n",
           flops, bytes);
    for (size_t i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
        const bench *b = &benches[i];
        int product = !strcmp(b->op, "MatMul") || !strcmp(b->op, "Gemm");
        double rate = rate_of(b, &seconds);
        printf("%-20s %-14s %9.1f us %8.1f %s %5.0f %%\n", b->op, b->note, seconds * 1e6, rate,
               product ? "GFLOP/s" : "GB/s   ", 100 * rate / (product ? flops : bytes));
    }
    return 0;
}
