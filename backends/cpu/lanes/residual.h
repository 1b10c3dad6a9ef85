/* A sum and its norm. Separate from rows.h, whose norms find their row in memory: here what a norm
 * needs of it is gathered while the sum is made, which saves a sweep. Sums are built from the same
 * blocks and quarters, so that the bits are those of an Add and a norm. */
#ifndef CPU_LANES_RESIDUAL_H
#define CPU_LANES_RESIDUAL_H

#include "lanes.h"
#include "lanes/rows.h"

/* to = x + r, or (x + row) + r; what F makes of it is summed up. `to` may be x or r. */
#define RESIDUAL_BLOCK(name, SUM, F)                                                               \
    static inline float name(float *to, const float *x, const float *r, const float *row,          \
                             size_t n)                                                             \
    {                                                                                              \
        size_t q = n / 4;                                                                          \
        float a = 0.0f, b = 0.0f, c = 0.0f, d = 0.0f;                                              \
        (void)row;                                                                                 \
        _Pragma("omp simd reduction(+ : a, b, c, d)") for (size_t i = 0; i < q; i++)               \
        {                                                                                          \
            size_t j = q + i, k = 2 * q + i, l = 3 * q + i;                                        \
            float s = SUM(i), t = SUM(j), u = SUM(k), v = SUM(l);                                  \
            to[i] = s;                                                                             \
            to[j] = t;                                                                             \
            to[k] = u;                                                                             \
            to[l] = v;                                                                             \
            a += F(s);                                                                             \
            b += F(t);                                                                             \
            c += F(u);                                                                             \
            d += F(v);                                                                             \
        }                                                                                          \
        float sum = (a + b) + (c + d);                                                             \
        for (size_t i = 4 * q; i < n; i++) {                                                       \
            float s = SUM(i);                                                                      \
            to[i] = s;                                                                             \
            sum += F(s);                                                                           \
        }                                                                                          \
        return sum;                                                                                \
    }

#define SUM_OF_TWO(i)   (x[i] + r[i])
#define SUM_OF_THREE(i) ((x[i] + row[i]) + r[i])
#define ITSELF(s)       (s)
#define ITS_SQUARE(s)   ((s) * (s))

RESIDUAL_BLOCK(residual_sum, SUM_OF_TWO, ITSELF)
RESIDUAL_BLOCK(residual_row_sum, SUM_OF_THREE, ITSELF)
RESIDUAL_BLOCK(residual_squares, SUM_OF_TWO, ITS_SQUARE)
RESIDUAL_BLOCK(residual_row_squares, SUM_OF_THREE, ITS_SQUARE)

static void residual_layer_norm(float *y, float *sum, const float *x, const float *r,
                                const float *row, size_t n, const float *scale, const float *bias,
                                float epsilon)
{
    float total = 0.0f;
    for (size_t i = 0; i < n; i += SUM_BLOCK)
        total += row ? residual_row_sum(sum + i, x + i, r + i, row + i, block_at(i, n))
                     : residual_sum(sum + i, x + i, r + i, NULL, block_at(i, n));
    float mean = total / (float)n;
    float factor = 1.0f / sqrtf(row_squares(sum, n, mean) / (float)n + epsilon);
    row_scale(y, sum, n, mean, factor, scale, bias);
}

static void residual_rms_norm(float *y, float *sum, const float *x, const float *r,
                              const float *row, size_t n, const float *scale, const float *bias,
                              float epsilon)
{
    float total = 0.0f;
    for (size_t i = 0; i < n; i += SUM_BLOCK)
        total += row ? residual_row_squares(sum + i, x + i, r + i, row + i, block_at(i, n))
                     : residual_squares(sum + i, x + i, r + i, NULL, block_at(i, n));
    float factor = 1.0f / sqrtf(total / (float)n + epsilon);
    row_scale(y, sum, n, 0.0f, factor, scale, bias);
}

#undef RESIDUAL_BLOCK
#undef SUM_OF_TWO
#undef SUM_OF_THREE
#undef ITSELF
#undef ITS_SQUARE
#endif
