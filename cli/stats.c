/* stats.c - see stats.h. */
#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "random.h"

enum { RESAMPLES = 1000, MOST = 2000 /* values that are resampled; more say nothing new */ };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double *sorted_copy(const double *values, size_t n)
{
    double *copy = cli_alloc(n, sizeof *copy);
    memcpy(copy, values, n * sizeof *copy);
    qsort(copy, n, sizeof *copy, by_value);
    return copy;
}

double stats_quantile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1);
    size_t below = (size_t)at;
    double part = at - (double)below;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

double stats_median(const double *values, size_t n)
{
    double *sorted = sorted_copy(values, n);
    double median = stats_quantile(sorted, n, 0.5);
    free(sorted);
    return median;
}

/* ---- Bootstrap ---- */

/* Draws n of the sorted values' places, counted; the median is then found without sorting. */
static double resampled_median(const double *sorted, size_t n, uint32_t *counts, uint64_t *state)
{
    memset(counts, 0, n * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[random_next(state) % n]++;
    size_t lower = (n - 1) / 2, upper = n / 2, seen = 0, i = 0;
    while (seen + counts[i] <= lower)
        seen += counts[i++];
    double first = sorted[i];
    while (seen + counts[i] <= upper)
        seen += counts[i++];
    return (first + sorted[i]) / 2;
}

/* Every (n / MOST)-th of the sorted values keeps their distribution. */
static size_t thin_out(double *sorted, size_t n)
{
    size_t kept = n < MOST ? n : MOST;
    for (size_t i = 0; i < kept; i++)
        sorted[i] = sorted[i * n / kept];
    return kept;
}

stats_interval stats_bootstrap(const double *values, size_t n, uint64_t seed)
{
    double *sorted = sorted_copy(values, n);
    stats_interval out = {.median = stats_quantile(sorted, n, 0.5)};
    double *medians = cli_alloc(RESAMPLES, sizeof *medians);
    uint32_t *counts = cli_alloc(n, sizeof *counts);
    size_t kept = thin_out(sorted, n);
    double wider = sqrt((double)kept / (double)n); /* fewer values vary more: undone here */
    for (size_t i = 0; i < RESAMPLES; i++)
        medians[i] = resampled_median(sorted, kept, counts, &seed);
    qsort(medians, RESAMPLES, sizeof *medians, by_value);
    out.low = out.median + wider * (stats_quantile(medians, RESAMPLES, 0.025) - out.median);
    out.high = out.median + wider * (stats_quantile(medians, RESAMPLES, 0.975) - out.median);
    free(counts);
    free(medians);
    free(sorted);
    return out;
}

stats_interval stats_ratio(const double *before, const double *after, size_t n, uint64_t seed)
{
    double *ratios = cli_alloc(n, sizeof *ratios);
    for (size_t i = 0; i < n; i++)
        ratios[i] = after[i] / before[i];
    stats_interval out = stats_bootstrap(ratios, n, seed);
    free(ratios);
    return out;
}

/* ---- All of it ---- */

stats_summary stats_of(const double *values, size_t n, uint64_t seed)
{
    stats_summary s = {.n = n};
    double squares = 0;
    if (!n)
        return s;
    double *sorted = sorted_copy(values, n);
    for (size_t i = 0; i < n; i++)
        s.mean += sorted[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (sorted[i] - s.mean) * (sorted[i] - s.mean);
    s.deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    s.variation = s.mean > 0 ? s.deviation / s.mean : 0;
    s.min = sorted[0];
    s.p90 = stats_quantile(sorted, n, 0.90);
    s.p95 = stats_quantile(sorted, n, 0.95);
    s.p99 = stats_quantile(sorted, n, 0.99);
    s.max = sorted[n - 1];
    s.interval = stats_bootstrap(sorted, n, seed);
    free(sorted);
    return s;
}
