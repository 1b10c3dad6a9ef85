/* embed_pool.c - how the vectors of a text's tokens become one, and vectors of length 1. */
#include <math.h>
#include <string.h>

#include "embed.h"

static double mean(size_t s, size_t n) { return (void)s, 1 / (double)n; }
static double first(size_t s, size_t n) { return (void)n, s == 0; }
static double last(size_t s, size_t n) { return s + 1 == n; }
static double over_root(size_t s, size_t n) { return (void)s, 1 / sqrt((double)n); }
/* Later tokens count for more (Muennighoff 2022, SGPT, arXiv 2202.08904). */
static double weighted(size_t s, size_t n)
{
    return 2 * (double)(s + 1) / ((double)n * (double)(n + 1));
}

// clang-format off
const embed_pooling embed_poolings[] = {
    {"mean",     "pooling_mode_mean_tokens",          mean},
    {"cls",      "pooling_mode_cls_token",            first},
    {"last",     "pooling_mode_lasttoken",            last},
    {"max",      "pooling_mode_max_tokens",           NULL},
    {"weighted", "pooling_mode_weightedmean_tokens",  weighted},
    {"root",     "pooling_mode_mean_sqrt_len_tokens", over_root},
    {"none",     NULL,                                NULL},
    {NULL, NULL, NULL},
};
// clang-format on

const embed_pooling *embed_pooling_find(const char *name)
{
    for (const embed_pooling *p = embed_poolings; p->name; p++)
        if (!strcmp(p->name, name))
            return p;
    exit_with(EXIT_USAGE, "--pool is mean, cls, last, max, weighted, root or none, not '%s'", name);
    return NULL;
}

bool embed_keeps_tokens(const embed_pooling *pooling)
{
    return pooling && !pooling->weight && !pooling->key;
}

static void pool_largest(const double *rows, size_t n, size_t channels, double *out)
{
    memcpy(out, rows, channels * sizeof *out);
    for (size_t s = 1; s < n; s++)
        for (size_t c = 0; c < channels; c++)
            out[c] = fmax(out[c], rows[s * channels + c]);
}

void embed_pool(const embed_pooling *pooling, const double *rows, size_t n, size_t channels,
                double *out)
{
    if (!pooling->weight) {
        pool_largest(rows, n, channels, out);
        return;
    }
    memset(out, 0, channels * sizeof *out);
    for (size_t s = 0; s < n; s++) {
        double weight = pooling->weight(s, n);
        for (size_t c = 0; c < channels && weight != 0; c++)
            out[c] += weight * rows[s * channels + c];
    }
}

void embed_normalize(double *vector, size_t channels)
{
    double sum = 0;
    for (size_t c = 0; c < channels; c++)
        sum += vector[c] * vector[c];
    for (size_t c = 0; c < channels && sum > 0; c++)
        vector[c] /= sqrt(sum);
}
