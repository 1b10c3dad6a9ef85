/* One row times a matrix that is read once: bound by memory, so what counts is that B is read in
 * long runs. Several rows of B go by side by side, fewer where they are long, and sums wait in the
 * first cache; where rows are very short, they are summed in registers. Where B is turned, squares
 * of it are turned in registers. */
#ifndef CPU_LANES_PRODUCT_ROW_H
#define CPU_LANES_PRODUCT_ROW_H

#include "lanes/product_block.h"

enum {
    SINGLE_COLS = CPU_ROW_RUN, /* columns that go together */
    SINGLE_WIDE = 8,           /* vectors of sums in registers */
    SINGLE_DEEP = 8,           /* rows of B side by side */
    LONG_DEEP = 4,             /* the same where runs are so long ... */
    LONG_RUN = 2048,           /* ... that the processor fetches ahead far enough in each */
    TINY_ROW = 128             /* elements of a row of B, where many are in a page */
};

/* A stretch of k of the row, and of some columns of B, which are whole vectors. */
typedef struct single {
    const float *a, *b;
    size_t b_row, depth, cols;
} single;

// clang-format off
/* sum[cols] += a[steps] B[steps, cols]. */
ALWAYS void single_steps(size_t steps, const single *s, size_t at, float *sum)
{
    vector x[SINGLE_DEEP];
    const float *b = s->b + at * s->b_row;
    UNROLL
    for (size_t i = 0; i < steps; i++)
        x[i] = (vector){0} + ((const loose *)s->a)[at + i];
    for (size_t c = 0; c < s->cols; c += VECTOR) {
        vector total = *(vector *)(sum + c);
        UNROLL
        for (size_t i = 0; i < steps; i++)
            total += x[i] * *(const vector *)(b + i * s->b_row + c);
        *(vector *)(sum + c) = total;
    }
}

static void single_long(const single *s, float *sum)
{
    size_t i = 0;
    for (; s->cols < LONG_RUN && i + SINGLE_DEEP <= s->depth; i += SINGLE_DEEP)
        single_steps(SINGLE_DEEP, s, i, sum);
    for (; i + LONG_DEEP <= s->depth; i += LONG_DEEP)
        single_steps(LONG_DEEP, s, i, sum);
    for (; i < s->depth; i++)
        single_steps(1, s, i, sum);
}

/* sum[vectors] = a[depth] B[depth, vectors]. */
ALWAYS void single_wide(size_t vectors, const single *s, size_t c, float *sum)
{
    vector total[SINGLE_WIDE];
    UNROLL
    for (size_t v = 0; v < vectors; v++)
        total[v] = (vector){0};
    for (size_t i = 0; i < s->depth; i++) {
        float x = ((const loose *)s->a)[i];
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            total[v] += x * *(const vector *)(s->b + i * s->b_row + c + v * VECTOR);
    }
    UNROLL
    for (size_t v = 0; v < vectors; v++)
        *(vector *)(sum + c + v * VECTOR) = total[v];
}

static void single_short(const single *s, float *sum)
{
    size_t c = 0;
    for (; c + SINGLE_WIDE * VECTOR <= s->cols; c += SINGLE_WIDE * VECTOR)
        single_wide(SINGLE_WIDE, s, c, sum);
    for (; c + 4 * VECTOR <= s->cols; c += 4 * VECTOR)
        single_wide(4, s, c, sum);
    for (; c < s->cols; c += VECTOR)
        single_wide(1, s, c, sum);
}

/* A vector of sums where columns of B are rows in memory. */
ALWAYS vector single_turned_vector(const single *s, const float *b)
{
    vector total = {0};
    size_t at = 0;
    for (; at + VECTOR <= s->depth; at += VECTOR) {
        lane_f square[VECTOR];
        UNROLL
        for (size_t i = 0; i < VECTOR; i++)
            square[i] = *(const vector *)(b + i * s->b_row + at);
        lane_turn(square);
        UNROLL
        for (size_t i = 0; i < VECTOR; i++)
            total += ((const loose *)s->a)[at + i] * square[i];
    }
    for (; at < s->depth; at++) {
        vector y;
        UNROLL
        for (size_t i = 0; i < VECTOR; i++)
            y[i] = ((const loose *)b)[i * s->b_row + at];
        total += ((const loose *)s->a)[at] * y;
    }
    return total;
}
// clang-format on

static void single_turned(const single *s, float *sum)
{
    for (size_t c = 0; c < s->cols; c += VECTOR)
        *(vector *)(sum + c) = single_turned_vector(s, s->b + c * s->b_row);
}

/* c[cols] (+)= a B for whole vectors of columns. */
static void multiply_single(const single *all, int turned, float *c, int add)
{
    float sum[SINGLE_COLS];
    for (size_t at = 0; at < all->cols; at += SINGLE_COLS) {
        single s = *all;
        s.b += at * (turned ? s.b_row : 1);
        s.cols = all->cols - at < SINGLE_COLS ? all->cols - at : SINGLE_COLS;
        if (turned) {
            single_turned(&s, sum);
        } else if (s.b_row < TINY_ROW) {
            single_short(&s, sum);
        } else {
            memset(sum, 0, s.cols * sizeof(*sum));
            single_long(&s, sum);
        }
        for (size_t i = 0; i < s.cols; i += VECTOR) {
            vector *to = (vector *)(c + at + i), total = *(vector *)(sum + i);
            if (add)
                total += *to;
            *to = total;
        }
    }
}

#endif
