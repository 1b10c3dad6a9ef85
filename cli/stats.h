/* stats.h - statistics of measured times: percentiles, and bootstrap confidence intervals. */
#ifndef HEED_CLI_STATS_H
#define HEED_CLI_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Times are skewed and have outliers: the median is the figure, with the interval in which 95 % of
 * the medians of resampled measurements lie (Efron's percentile bootstrap). */
typedef struct stats_interval {
    double median, low, high;
} stats_interval;

typedef struct stats_summary {
    size_t n;
    double min, mean, p90, p95, p99, max;
    double deviation;        /* of the sample */
    double variation;        /* deviation / mean: the coefficient of variation */
    stats_interval interval; /* of the median */
} stats_summary;

/* The value at `share` (0..1) of sorted values, linear between neighbours. n > 0. */
double stats_quantile(const double *sorted, size_t n, double share);
double stats_median(const double *values, size_t n); /* of values in any order */
/* The same seed gives the same interval. n > 0. */
stats_interval stats_bootstrap(const double *values, size_t n, uint64_t seed);
stats_summary stats_of(const double *values, size_t n, uint64_t seed); /* n 0: all zero */
/* The median of after[i] / before[i], measured in pairs: what slows both down cancels out. */
stats_interval stats_ratio(const double *before, const double *after, size_t n, uint64_t seed);

#endif
