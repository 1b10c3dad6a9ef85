/* moments.c - mean and variance block by block: each block has its own, in two passes over values
 * that are in cache, and blocks are merged by Chan, Golub and LeVeque's formula (1983). */
#include "ops/moments.h"

static void add_block(moments *m, const double *x, int64_t n)
{
    double sum = 0, squares = 0, count = (double)n;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    double mean = sum / count;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    double apart = mean - m->mean, total = m->count + count;
    m->mean += apart * (count / total);
    m->squares += squares + apart * apart * (m->count / total) * count;
    m->count = total;
}

void moments_add(moments *m, const heed_tensor *t, int64_t first, int64_t n)
{
    double x[LOOP_BLOCK];
    for (int64_t done = 0; done < n; done += LOOP_BLOCK) {
        int64_t part = n - done < LOOP_BLOCK ? n - done : LOOP_BLOCK;
        loop_load(t, CLASS_F64, first + done, part, x);
        add_block(m, x, part);
    }
}

double moments_variance(const moments *m) { return m->count > 0 ? m->squares / m->count : 0; }

void moments_apply(const heed_tensor *t, heed_tensor *out, int64_t first, int64_t n, double mean,
                   double factor, double shift)
{
    double x[LOOP_BLOCK];
    for (int64_t done = 0; done < n; done += LOOP_BLOCK) {
        int64_t part = n - done < LOOP_BLOCK ? n - done : LOOP_BLOCK;
        loop_load(t, CLASS_F64, first + done, part, x);
        for (int64_t i = 0; i < part; i++)
            x[i] = (x[i] - mean) * factor + shift;
        loop_store(out, CLASS_F64, first + done, part, x);
    }
}
