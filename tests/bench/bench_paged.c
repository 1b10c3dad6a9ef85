/* Times heed.PagedAttention of the CPU backend: decoding against the rate at which the machine
 * reads memory, prompts against its rate of multiply-adds; and both against heed.FlashAttention
 * over contiguous keys and values, [batch, heads, keys, D], which is what pages may cost. A paged
 * call also writes the new keys and values into pages. So the contiguous kernel is timed twice: by
 * itself, over keys that somebody else has put where they belong, and behind plain copies that
 * append them (`appended`), as every contiguous cache has to.
 *
 * Whatever is cached lies in a ring of copies that no cache of the processor holds, in huge pages,
 * as the runtime has both; pages of a sequence lie apart. `warm` leaves it in the caches. What a
 * model would just have computed, queries and the new tokens' keys and values, is in the caches.
 * `threads=N`, `isa=NAME`, `page=N`; `decode`, `prompt` or
 * `only=batch,heads,kv_heads,d,past,fresh`. This is no test. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/pool.h"
#include "machine_limits.h"
#include "mini_host.h"
#include "rates.h"

enum { RING_BYTES = 96 << 20, MOST_COPIES = 512 };

static bool warm; /* one copy: what the caches give */

typedef struct shape {
    int64_t batch, heads, kv_heads, d, past, fresh;
} shape;

static unsigned threads = 1;
static int64_t page = 16;

static double now(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Operands ------------------------------------------------------------------------------- */

static DLTensor *make(heed_dtype dtype, int rank, const int64_t *dims)
{
    DLTensor *t = mini_tensor(dtype, rank, dims);
    for (size_t i = 0, n = mini_count(t); i < n; i++) {
        float x = (float)(i * 7919 % 255) / 64.0f - 2.0f;
        uint32_t bits;
        memcpy(&bits, &x, sizeof(bits));
        if (dtype == HEED_FLOAT32)
            ((float *)mini_data(t))[i] = x;
        else if (dtype == HEED_INT8)
            ((int8_t *)mini_data(t))[i] = (int8_t)(i * 7919 % 255);
        else
            ((uint16_t *)mini_data(t))[i] = (uint16_t)(bits >> 16);
    }
    return t;
}

/* One way to compute a shape; each run takes the next copy of what it reads. */
typedef struct way {
    const char *name;
    mini_ready *ready[MOST_COPIES];
    mini_node node[MOST_COPIES];
    size_t copies, next;
    double best, bytes;
    DLTensor *cache[2]; /* all copies of contiguous keys, and of values */
    DLTensor *fresh;    /* what is appended to them, [batch, heads, fresh, D]; NULL: nothing */
    size_t parts, part_bytes;
} way;

/* All copies have one workspace, as the steps of a session do. */
static void prepare(way *w, size_t c)
{
    w->ready[c] = mini_prepare(&w->node[c]);
    if (c)
        mini_borrow(w->ready[c], w->ready[0]);
}

static size_t copies_of(double bytes)
{
    size_t n = (size_t)(RING_BYTES / bytes) + 1;
    return warm ? 1 : n < MOST_COPIES ? n : MOST_COPIES;
}

static double bytes_of(const shape *s, size_t element)
{
    return (double)(s->batch * s->kv_heads * (s->past + s->fresh) * s->d * 2) * (double)element;
}

/* All copies share one pool of pages: copy i has its own places in it. */
static void add_paged(way *w, const shape *s, heed_dtype type, int64_t size, const char *name)
{
    int64_t keys = s->past + s->fresh, most = (keys + size - 1) / size, n = s->batch, more = n + 1;
    size_t element = type == HEED_FLOAT32 ? 4 : type == HEED_INT8 ? 1 : 2;
    *w = (way){.name = name, .bytes = bytes_of(s, element)};
    w->copies = copies_of(w->bytes);
    int64_t pool = (int64_t)w->copies * n * most;
    int64_t tokens = n * s->fresh, dims[] = {pool, s->kv_heads, size, s->d};
    DLTensor *pages[2] = {make(type, 4, dims), make(type, 4, dims)}, *scales[2] = {NULL, NULL};
    for (int i = 0; i < 2 && type == HEED_INT8; i++)
        scales[i] = make(HEED_FLOAT32, 3, dims);
    DLTensor *q = make(HEED_FLOAT32, 4, (int64_t[]){1, s->heads, tokens, s->d});
    DLTensor *y = make(HEED_FLOAT32, 4, (int64_t[]){1, s->heads, tokens, s->d});
    DLTensor *kv = make(HEED_FLOAT32, 4, (int64_t[]){1, s->kv_heads, tokens, s->d});
    DLTensor *starts = mini_tensor(HEED_INT32, 1, &more), *past = mini_tensor(HEED_INT32, 1, &n);
    for (int64_t b = 0; b <= n; b++)
        ((int32_t *)mini_data(starts))[b] = (int32_t)(b * s->fresh);
    for (int64_t b = 0; b < n; b++)
        ((int32_t *)mini_data(past))[b] = (int32_t)s->past;
    for (size_t c = 0; c < w->copies; c++) {
        DLTensor *table = mini_tensor(HEED_INT32, 2, (int64_t[]){n, most});
        for (int64_t i = 0; i < n * most; i++) /* neighbours lie apart */
            ((int32_t *)mini_data(table))[i] =
                (int32_t)((int64_t)c * n * most + (i * 7919) % (n * most));
        if (n * most % 7919 == 0)
            printf("pages coincide\n");
        w->node[c] = (mini_node){.op = "PagedAttention", .n_in = 12, .n_out = 5};
        DLTensor *in[] = {q, kv, kv, pages[0], pages[1], starts, past, table};
        memcpy(w->node[c].in, in, sizeof(in));
        w->node[c].in[9] = w->node[c].out[3] = scales[0];
        w->node[c].in[10] = w->node[c].out[4] = scales[1];
        w->node[c].out[0] = y, w->node[c].out[1] = pages[0], w->node[c].out[2] = pages[1];
        prepare(w, c);
    }
}

/* Part `c` of a tensor whose first axis counts copies. */
static DLTensor *view_of(DLTensor *all, size_t c)
{
    DLTensor *t = malloc(sizeof(*t));
    *t = *all;
    t->ndim--;
    t->shape++;
    t->byte_offset += mini_bytes(t) * c;
    return t;
}

static void add_flash(way *w, const shape *s)
{
    int64_t keys = s->past + s->fresh;
    *w = (way){.name = "contiguous", .bytes = bytes_of(s, 4)};
    w->copies = copies_of(w->bytes);
    DLTensor *q = make(HEED_FLOAT32, 4, (int64_t[]){s->batch, s->heads, s->fresh, s->d});
    DLTensor *y = make(HEED_FLOAT32, 4, (int64_t[]){s->batch, s->heads, s->fresh, s->d});
    DLTensor *offset = mini_tensor(HEED_INT64, 1, (int64_t[]){1});
    int64_t dims[] = {(int64_t)w->copies, s->batch, s->kv_heads, keys, s->d};
    *(int64_t *)mini_data(offset) = s->past;
    w->cache[0] = make(HEED_FLOAT32, 5, dims);
    w->cache[1] = make(HEED_FLOAT32, 5, dims);
    for (size_t c = 0; c < w->copies; c++) {
        w->node[c] = (mini_node){.op = "FlashAttention", .n_in = 6, .n_out = 1};
        w->node[c].in[0] = q, w->node[c].out[0] = y;
        w->node[c].in[1] = view_of(w->cache[0], c);
        w->node[c].in[2] = view_of(w->cache[1], c);
        w->node[c].in[5] = s->fresh > 1 ? offset : NULL;
        mini_int(&w->node[c], "causal", s->fresh > 1);
        prepare(w, c);
    }
}

/* The same copies, from another place of the ring on. */
static void add_appended(way *w, const way *flash, const shape *s)
{
    *w = *flash;
    w->name = "appended";
    w->next = w->copies / 2;
    w->fresh = make(HEED_FLOAT32, 4, (int64_t[]){s->batch, s->kv_heads, s->fresh, s->d});
    w->parts = (size_t)(s->batch * s->kv_heads);
    w->part_bytes = mini_bytes(w->fresh) / w->parts;
}

/* New keys, or values, behind those of each head. */
static void append(const way *w, DLTensor *cache)
{
    size_t each = mini_bytes(cache) / w->parts;
    char *to = (char *)mini_data(cache) + each - w->part_bytes;
    const char *from = mini_data(w->fresh);
    for (size_t i = 0; i < w->parts; i++, to += each, from += w->part_bytes)
        memcpy(to, from, w->part_bytes);
}

/* Copies share tensors, and so do inputs: each is freed once. */
static void free_way(way *w)
{
    mini_free(w->fresh);
    for (size_t c = 0; c < w->copies && !w->fresh; c++) {
        mini_release(w->ready[c]);
        for (int i = 0; i < MINI_ARGS; i++) {
            DLTensor *t = w->node[c].in[i];
            bool later = c + 1 < w->copies && t == w->node[c + 1].in[i];
            if (w->cache[0] && (i == 1 || i == 2))
                free(t);
            else if (!later && (i == 0 || t != w->node[c].in[i - 1]))
                mini_free(t);
        }
    }
    if (!w->fresh) {
        mini_free(w->node[0].out[0]);
        mini_free(w->cache[0]);
        mini_free(w->cache[1]);
    }
}

/* What a model has just computed is in the caches: queries, and keys and values of new tokens. */
static void touch(const DLTensor *t)
{
    static volatile char seen;
    const char *at = mini_data(t);
    for (size_t i = 0; i < mini_bytes(t); i += 64)
        seen = at[i];
    (void)seen;
}

static void touch_new(const way *w)
{
    const mini_node *n = &w->node[w->next];
    touch(n->in[0]);
    for (int i = 1; i <= 2 && !w->cache[0]; i++)
        touch(n->in[i]);
    if (w->fresh)
        touch(w->fresh);
}

static void run_once(way *w)
{
    touch_new(w);
    double begin = now();
    for (uint32_t i = 1; i <= 2 && w->fresh; i++)
        append(w, w->node[w->next].in[i]);
    if (mini_again(w->ready[w->next])) {
        printf("%s: %s\n", w->name, mini_message());
        exit(1);
    }
    double took = now() - begin;
    w->next = (w->next + 1) % w->copies;
    w->best = took < w->best || w->best == 0 ? took : w->best;
}

/* In turns, so that a slow moment of the machine falls on all. */
static void run_in_turn(way *ways, size_t n, double least)
{
    double start = now();
    for (int round = 0; round < 8 || (now() - start < least && round < 20000); round++)
        for (size_t i = 0; i < n; i++)
            run_once(&ways[i]);
}

/* ---- The list ------------------------------------------------------------------------------- */

static double stream;

static void print_shape(const shape *s)
{
    printf("B %2d  H %2d/%-2d  D %3d  past %4d  fresh %4d ", (int)s->batch, (int)s->heads,
           (int)s->kv_heads, (int)s->d, (int)s->past, (int)s->fresh);
}

static way turn[6]; /* of the shape at hand: contiguous, appended, pages and so on */

static void print_ratios(void)
{
    printf(" | pages / contiguous %.2f, / appended %.2f", turn[2].best / turn[0].best,
           turn[2].best / turn[1].best);
}

static void free_ways(size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_way(&turn[i]);
}

static void bench_decode(shape s)
{
    size_t n = 2;
    add_flash(&turn[0], &s);
    add_appended(&turn[1], &turn[0], &s);
    add_paged(&turn[n++], &s, HEED_FLOAT32, page, "pages");
    add_paged(&turn[n++], &s, HEED_FLOAT32, (s.past + s.fresh + 63) / 64 * 64, "one page");
    add_paged(&turn[n++], &s, HEED_BFLOAT16, page, "bf16");
    add_paged(&turn[n++], &s, HEED_INT8, page, "int8");
    run_in_turn(turn, n, 0.3);
    print_shape(&s);
    for (size_t i = 0; i < n; i++) {
        double rate = turn[i].bytes / turn[i].best * 1e-9;
        printf(" | %s %.1f us %.1f GB/s %.0f%%", turn[i].name, turn[i].best * 1e6, rate,
               100 * rate / stream);
    }
    print_ratios();
    printf(", / one page %.2f\n", turn[2].best / turn[3].best);
    free_ways(n);
}

static void bench_prompt(shape s)
{
    double pairs =
        (double)(s.batch * s.heads * s.fresh) * ((double)s.past + ((double)s.fresh + 1) / 2);
    double flops = 4 * pairs * (double)s.d, peak = rates_peak(threads, false);
    add_flash(&turn[0], &s);
    add_appended(&turn[1], &turn[0], &s);
    add_paged(&turn[2], &s, HEED_FLOAT32, page, "pages");
    add_paged(&turn[3], &s, HEED_BFLOAT16, page, "bf16");
    add_paged(&turn[4], &s, HEED_INT8, page, "int8");
    run_in_turn(turn, 5, 0.3);
    print_shape(&s);
    for (size_t i = 0; i < 5; i++)
        printf(" | %s %.0f us %.0f GF/s %.0f%%", turn[i].name, turn[i].best * 1e6,
               flops / turn[i].best * 1e-9, 100 * flops / turn[i].best * 1e-9 / peak);
    print_ratios();
    printf("\n");
    free_ways(5);
}

static const shape models[] = {{.heads = 9, .kv_heads = 3, .d = 64},
                               {.heads = 32, .kv_heads = 8, .d = 128},
                               {.heads = 12, .kv_heads = 12, .d = 64}};

static void all_decode(void)
{
    for (size_t m = 0; m < 3; m++)
        for (int64_t past = 127; past < 8192; past = past * 4 + 3)
            for (int64_t batch = 1; batch <= 16; batch *= 4) {
                shape s = models[m];
                s.batch = batch, s.past = past, s.fresh = 1;
                if (bytes_of(&s, 4) < 1.5 * RING_BYTES)
                    bench_decode(s);
            }
}

static void all_prompts(void)
{
    for (size_t m = 0; m < 3; m++)
        for (int64_t past = 0; past <= 1024; past += 1024)
            for (int64_t fresh = 16; fresh <= 2048; fresh *= fresh == 512 ? 4 : 2) {
                shape s = models[m];
                s.batch = 1, s.past = past, s.fresh = fresh;
                bench_prompt(s);
            }
}

static void bench_only(const char *text)
{
    int64_t n[6] = {1, 9, 3, 64, 1023, 1};
    for (int i = 0; i < 6 && text; i++) {
        n[i] = atoll(text);
        text = strchr(text, ',');
        text = text ? text + 1 : NULL;
    }
    shape s = {n[0], n[1], n[2], n[3], n[4], n[5]};
    if (s.fresh > 1)
        bench_prompt(s);
    else
        bench_decode(s);
}

int main(int argc, char **argv)
{
    const char *options = NULL, *only = NULL;
    bool decode = true, prompt = true;
    for (int i = 1; i < argc; i++) {
        only = strncmp(argv[i], "only=", 5) ? only : argv[i] + 5;
        options = strncmp(argv[i], "isa=", 4) ? options : argv[i];
        threads = strncmp(argv[i], "threads=", 8) ? threads : (unsigned)atoi(argv[i] + 8);
        page = strncmp(argv[i], "page=", 5) ? page : atoll(argv[i] + 5);
        warm |= !strcmp(argv[i], "warm");
        prompt = prompt && strcmp(argv[i], "decode");
        decode = decode && strcmp(argv[i], "prompt");
    }
    const char *error = mini_open("cpu", options);
    if (error) {
        printf("cannot open the backend: %s\n", error);
        return 1;
    }
    threads = threads < 1 ? 1 : threads;
    pool_set_threads(threads);
    mini_threads(threads);
    mini_use_pool(pool_run);
    stream = limits_read(threads);
    printf("memory is read at %.1f GB/s\n", stream);
    if (only) {
        bench_only(only);
        return 0;
    }
    if (decode)
        all_decode();
    if (prompt)
        all_prompts();
    return 0;
}
