/* A loop that reads, on threads that start together. */
#include "machine_limits.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { MOST_THREADS = 64, ROUNDS = 64, PART = 64 << 10 };
static const size_t memory_bytes = (size_t)256 << 20;

static volatile float sink;
static char *memory;

double limits_now(int alone)
{
    struct timespec t;
    clock_gettime(alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Reading ------------------------------------------------------------------------------- */

typedef float line __attribute__((vector_size(64), aligned(4), may_alias));

/* Eight sums, so that no addition waits for another. */
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static void
read_part(const char *from)
{
    line sum[8] = {{0}};
    for (size_t i = 0; i < PART; i += sizeof(sum))
        for (size_t k = 0; k < 8; k++)
            sum[k] += *(const line *)(from + i + k * sizeof(line));
    for (size_t k = 1; k < 8; k++)
        sum[0] += sum[k];
    sink = sum[0][0];
}

/* ---- Threads ------------------------------------------------------------------------------- */

typedef struct crew {
    pthread_barrier_t start, stop;
    unsigned threads;
    double took[ROUNDS]; /* by the first thread's clock */
} crew;

typedef struct member {
    crew *all;
    unsigned index;
} member;

/* Threads take turns part by part, as those of one product do. */
static void read_share(const crew *c, unsigned index, unsigned round)
{
    size_t each = memory_bytes / ROUNDS, base = round * each;
    for (size_t at = (size_t)index * PART; at + PART <= each; at += (size_t)c->threads * PART)
        read_part(memory + base + at);
}

static void *serve(void *arg)
{
    const member *m = arg;
    crew *c = m->all;
    int alone = c->threads == 1; /* what others do then takes nothing from it */
    for (unsigned r = 0; r < ROUNDS; r++) {
        pthread_barrier_wait(&c->start);
        double begin = limits_now(alone);
        read_share(c, m->index, r);
        if (!alone)
            pthread_barrier_wait(&c->stop);
        if (m->index == 0)
            c->took[r] = limits_now(alone) - begin;
    }
    return NULL;
}

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

double limits_quick(double *seconds, size_t n)
{
    qsort(seconds, n, sizeof(*seconds), compare);
    return n ? seconds[n / 10] : 0;
}

/* The time of a round, in seconds. */
static double one_round(unsigned threads)
{
    crew c = {.threads = threads};
    member members[MOST_THREADS];
    pthread_t started[MOST_THREADS];
    pthread_barrier_init(&c.start, NULL, threads);
    pthread_barrier_init(&c.stop, NULL, threads);
    for (unsigned i = 0; i < threads; i++) {
        members[i] = (member){&c, i};
        pthread_create(&started[i], NULL, serve, &members[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    pthread_barrier_destroy(&c.start);
    pthread_barrier_destroy(&c.stop);
    return limits_quick(c.took, ROUNDS);
}

/* In huge pages where there are any: those read fastest. */
static int take_memory(unsigned *threads)
{
    *threads = *threads < 1 ? 1 : *threads > MOST_THREADS ? MOST_THREADS : *threads;
    if (!memory && (memory = aligned_alloc((size_t)2 << 20, memory_bytes))) {
        madvise(memory, memory_bytes, MADV_HUGEPAGE);
        memset(memory, 1, memory_bytes);
    }
    return memory != NULL;
}

double limits_read(unsigned threads)
{
    return take_memory(&threads) ? (double)(memory_bytes / ROUNDS) / one_round(threads) * 1e-9 : 0;
}

/* ---- Once through all of it ---------------------------------------------------------------- */

typedef struct pass {
    unsigned threads;
    atomic_uint there;
    double begin, end[MOST_THREADS];
} pass;

typedef struct runner {
    pass *all;
    unsigned index;
} runner;

/* Each thread has a processor to itself, as far as there are enough. */
static void sit_down(unsigned index)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof(allowed), &allowed))
        return;
    unsigned place = index % (unsigned)CPU_COUNT(&allowed);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || place-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof(one), &one);
        return;
    }
}

static void *run_once(void *arg)
{
    const runner *r = arg;
    pass *p = r->all;
    size_t each = memory_bytes / p->threads / PART * PART;
    sit_down(r->index);
    if (atomic_fetch_add(&p->there, 1) + 1 == p->threads) {
        p->begin = limits_now(0);
        atomic_fetch_add(&p->there, 1);
    }
    while (atomic_load(&p->there) <= p->threads)
        continue;
    for (size_t at = 0; at < each; at += PART)
        read_part(memory + r->index * each + at);
    p->end[r->index] = limits_now(0);
    return NULL;
}

double limits_probe(unsigned threads)
{
    pass p = {0};
    runner runners[MOST_THREADS];
    pthread_t started[MOST_THREADS];
    if (!take_memory(&threads))
        return 0;
    p.threads = threads;
    for (unsigned i = 0; i < threads; i++) {
        runners[i] = (runner){&p, i};
        pthread_create(&started[i], NULL, run_once, &runners[i]);
    }
    double last = 0;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(started[i], NULL);
        last = p.end[i] > last ? p.end[i] : last;
    }
    return (double)(memory_bytes / threads / PART * PART * threads) / (last - p.begin) * 1e-9;
}
