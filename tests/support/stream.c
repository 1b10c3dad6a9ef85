/* stream.c - see stream.h. */
#include "stream.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_THREADS = 64, AT_ONCE = 8 };

typedef uint64_t pair __attribute__((vector_size(16)));

typedef struct part {
    const pair *data;
    size_t n;
    uint64_t sum;
} part;

/* Several sums that do not wait for one another, so that only memory makes it wait. */
static void *read_part(void *arg)
{
    part *p = arg;
    pair sums[AT_ONCE] = {{0}};
    for (size_t i = 0; i + AT_ONCE <= p->n; i += AT_ONCE)
        for (size_t k = 0; k < AT_ONCE; k++)
            sums[k] += p->data[i + k];
    for (size_t k = 0; k < AT_ONCE; k++)
        p->sum += sums[k][0] + sums[k][1];
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double read_once(const pair *data, size_t n, unsigned threads)
{
    pthread_t helpers[MOST_THREADS];
    part parts[MOST_THREADS];
    size_t each = n / threads;
    double start = now();
    for (unsigned i = 0; i < threads; i++) {
        parts[i] = (part){.data = data + i * each, .n = each};
        if (i && pthread_create(&helpers[i], NULL, read_part, &parts[i]))
            return 0;
    }
    read_part(&parts[0]);
    uint64_t sum = parts[0].sum;
    for (unsigned i = 1; i < threads; i++) {
        pthread_join(helpers[i], NULL);
        sum += parts[i].sum;
    }
    double took = now() - start;
    return sum == 1 ? 0 : took; /* the sum is needed, so it is computed */
}

double stream_read(size_t bytes, unsigned threads, int rounds)
{
    pair *data = malloc(bytes);
    double best = 0;
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    if (!data)
        return 0;
    memset(data, 7, bytes);
    for (int i = 0; i < rounds; i++) {
        double took = read_once(data, bytes / sizeof(*data), threads);
        if (took > 0 && (double)bytes / took > best)
            best = (double)bytes / took;
    }
    free(data);
    return best;
}
