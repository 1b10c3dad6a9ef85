/* Register blocks of the matrix product: a few rows and vectors of C stay in registers while k
 * goes by. Every element is a chain of multiply-adds in the order of k, from zero, whatever block
 * it lies in; lanes/product.h needs no more for results that do not depend on the shape. */
#ifndef CPU_LANES_PRODUCT_BLOCK_H
#define CPU_LANES_PRODUCT_BLOCK_H

#include <string.h>

#include "lanes.h"
#include "lanes/flash_vector.h"

/* ROWS: of a register block of two vectors. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { VECTOR = LANES, ROWS = 12 };
#else
enum { VECTOR = LANES, ROWS = 6 };
#endif

enum {
    PANEL = 2 * VECTOR, /* columns of a register block */
    AT_ONCE = 16,       /* elements of a line of the caches */
    DEPTH = CPU_STRETCH /* steps of k between two visits to C, at most */
};

/* A and B may be weights, at any byte of their file. */
typedef float vector __attribute__((vector_size(VECTOR * 4), aligned(1), may_alias));
typedef float loose __attribute__((aligned(1), may_alias));

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS static inline __attribute__((always_inline))

/* Columns of B, and what is asked for ahead meanwhile: a row of it with each step of k, or with
 * every second, fourth and so on (1 << next_shift). */
typedef struct b_panel {
    const float *b, *next;
    size_t b_row, next_row;
    unsigned next_shift;
} b_panel;

// clang-format off
/* C[rows, PANEL] (+)= A[rows, k] B[k, PANEL]. The number of rows is a constant where it is called,
 * so that the loops unroll and the sums live in registers. */
ALWAYS void block(size_t rows, const float *a, size_t a_row, const b_panel *p, size_t k, float *c,
                  size_t c_row, int add)
{
    const float *b = p->b;
    size_t b_row = p->b_row;
    vector sum[ROWS][2];
    UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[r][0] = sum[r][1] = (vector){0};
    UNROLL
    for (size_t r = 0; r < rows; r++)
        __builtin_prefetch(c + r * c_row, 1, 3);
    const float *third[(ROWS + 2) / 3]; /* of each third row: all together are too many to keep */
    UNROLL
    for (size_t r = 0; r < rows; r += 3)
        third[r / 3] = a + r * a_row;
    for (size_t i = 0; i < k; i++) {
        vector left = *(const vector *)(b + i * b_row);
        vector right = *(const vector *)(b + i * b_row + VECTOR);
        const float *next = p->next + (i >> p->next_shift) * p->next_row;
        __builtin_prefetch(next, 0, 2);
        if (PANEL > AT_ONCE)
            __builtin_prefetch(next + AT_ONCE, 0, 2);
        __builtin_prefetch(next + PANEL - 1, 0, 2); /* of weights that begin within a line */
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            float x = ((const loose *)third[r / 3])[r % 3 * a_row];
            sum[r][0] += x * left;
            sum[r][1] += x * right;
        }
        UNROLL
        for (size_t r = 0; r < rows; r += 3)
            third[r / 3]++;
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
        for (size_t v = 0; v < 2; v++) {
            vector *to = (vector *)(c + r * c_row + v * VECTOR);
            vector total = sum[r][v];
            if (add)
                total += *to;
            *to = total;
        }
}
// clang-format on

typedef void block_function(const float *a, size_t a_row, const b_panel *p, size_t k, float *c,
                            size_t c_row, int add);

#define BLOCK(rows)                                                                                \
    static void block_##rows(const float *a, size_t a_row, const b_panel *p, size_t k, float *c,   \
                             size_t c_row, int add)                                                \
    {                                                                                              \
        block(rows, a, a_row, p, k, c, c_row, add);                                                \
    }

BLOCK(1)
BLOCK(2)
BLOCK(3)
BLOCK(4)
BLOCK(5)
BLOCK(6)
#if defined(__AVX512F__) || defined(__aarch64__)
BLOCK(7)
BLOCK(8)
BLOCK(9)
BLOCK(10)
BLOCK(11)
BLOCK(12)
#endif

static block_function *const blocks[ROWS + 1] = {
    NULL,    block_1, block_2, block_3,  block_4,  block_5,  block_6,
#if defined(__AVX512F__) || defined(__aarch64__)
    block_7, block_8, block_9, block_10, block_11, block_12,
#endif
};

#undef BLOCK
#endif
