/* moments.h - mean and variance, which every normalisation starts with. */
#ifndef HEED_OPS_MOMENTS_H
#define HEED_OPS_MOMENTS_H

#include "ops/loops.h"

typedef struct moments {
    double count, mean;
    double squares; /* sum of squared distances from the mean */
} moments;          /* all zero: of nothing */

/* Takes in n neighbouring elements of t; in several calls it makes the moments of all of them. */
void moments_add(moments *m, const heed_tensor *t, int64_t first, int64_t n);
double moments_variance(const moments *m); /* of the population */

/* out = (x - mean) * factor + shift for n neighbouring elements. */
void moments_apply(const heed_tensor *t, heed_tensor *out, int64_t first, int64_t n, double mean,
                   double factor, double shift);

#endif
