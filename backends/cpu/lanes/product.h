/* The matrix product of one thread, for AVX2 and AVX-512.
 *
 * A register block holds ROWS x 2 vectors of C; each step of k loads two vectors of B and
 * multiplies them with one element of each row of A. B is read where it lies, so weights need no
 * packing and no second copy: a panel of two vectors comes from the L2 cache in fewer cycles
 * than its products take. A is read in place too; only a transposed or scaled A, or one whose
 * rows all fall on the same lines of the L1 cache, is copied, a strip at a time. One or two rows
 * get wider panels, which read longer runs of B: they are bound by memory.
 *
 * An element of C is summed over k in the same order wherever it lies in a block, so results do
 * not depend on how the product was cut into tiles. */
#ifndef CPU_LANES_PRODUCT_H
#define CPU_LANES_PRODUCT_H

#include <string.h>

#include "lanes.h"

#if defined(__AVX512F__)
enum { VECTOR = 16, ROWS = 12 };
#else
enum { VECTOR = 8, ROWS = 6 };
#endif

enum {
    PANEL = 2 * VECTOR, /* columns of the usual register block */
    WIDEST = 8,         /* vectors of the widest register block */
    STRIP = 48,         /* rows that go through all panels together */
    DEPTH = 256,        /* steps of k between two visits to C */
    A_STRIDE = DEPTH + 16
};

/* A and B may be weights, at any byte of their file. */
typedef float vector __attribute__((vector_size(VECTOR * 4), aligned(1), may_alias));
typedef float loose __attribute__((aligned(1), may_alias));

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define ALWAYS __attribute__((always_inline))

// clang-format off
/* C[rows, vectors] (+)= A[rows, k] B[k, vectors]. The counts are constants where it is called,
 * so that the loops unroll and the sums live in registers. */
static inline ALWAYS void block(size_t rows, size_t vectors, const float *a, size_t a_row,
                                const float *b, size_t b_row, size_t k, float *c, size_t c_row,
                                int add)
{
    vector sum[ROWS][WIDEST];
    UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[r][v] = (vector){0};
    for (size_t i = 0; i < k; i++) {
        vector row[WIDEST];
        UNROLL
        for (size_t v = 0; v < vectors; v++)
            row[v] = *(const vector *)(b + i * b_row + v * VECTOR);
        UNROLL
        for (size_t r = 0; r < rows; r++)
            UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[r][v] += ((const loose *)a)[r * a_row + i] * row[v];
    }
    UNROLL
    for (size_t r = 0; r < rows; r++)
        UNROLL
        for (size_t v = 0; v < vectors; v++) {
            vector *to = (vector *)(c + r * c_row + v * VECTOR);
            vector total = sum[r][v];
            if (add)
                total += *to;
            *to = total;
        }
}
// clang-format on

typedef void block_function(const float *a, size_t a_row, const float *b, size_t b_row, size_t k,
                            float *c, size_t c_row, int add);

#define BLOCK(rows, vectors)                                                                       \
    static void block_##rows##_##vectors(const float *a, size_t a_row, const float *b,             \
                                         size_t b_row, size_t k, float *c, size_t c_row, int add)  \
    {                                                                                              \
        block(rows, vectors, a, a_row, b, b_row, k, c, c_row, add);                                \
    }

BLOCK(1, 8)
BLOCK(2, 4)
BLOCK(1, 2)
BLOCK(2, 2)
BLOCK(3, 2)
BLOCK(4, 2)
BLOCK(5, 2)
BLOCK(6, 2)
#if defined(__AVX512F__)
BLOCK(7, 2)
BLOCK(8, 2)
BLOCK(9, 2)
BLOCK(10, 2)
BLOCK(11, 2)
BLOCK(12, 2)
#endif

static block_function *const blocks[ROWS + 1] = {
    NULL,      block_1_2, block_2_2, block_3_2,  block_4_2,  block_5_2,  block_6_2,
#if defined(__AVX512F__)
    block_7_2, block_8_2, block_9_2, block_10_2, block_11_2, block_12_2,
#endif
};

/* A strip: some rows of A over one stretch of k, as it lies or as a copy. */
typedef struct strip {
    const float *a;
    size_t a_row, rows, depth;
} strip;

/* Rows [row, row + rows), columns [from, from + depth) of A; `copy` is used where it must be. */
static strip take_strip(const cpu_product *p, size_t row, size_t rows, size_t from, size_t depth,
                        float *copy)
{
    const float *a = p->a + row * p->a_row + from * p->a_col;
    if (p->a_col == 1 && p->alpha == 1.0f && p->a_row % 1024)
        return (strip){a, p->a_row, rows, depth};
    for (size_t r = 0; r < rows; r++) {
        const float *in = a + r * p->a_row;
        float *out = copy + r * A_STRIDE;
        if (p->a_col == 1 && p->alpha == 1.0f)
            memcpy(out, in, depth * sizeof(*out));
        else
            for (size_t i = 0; i < depth; i++)
                out[i] = p->alpha * ((const loose *)in)[i * p->a_col];
    }
    return (strip){copy, A_STRIDE, rows, depth};
}

/* Columns of B as a dense panel, padded with zeros. */
static void copy_panel(float *panel, const float *b, size_t b_row, size_t depth, size_t cols)
{
    for (size_t i = 0; i < depth; i++, panel += PANEL, b += b_row) {
        memset(panel, 0, PANEL * sizeof(*panel));
        memcpy(panel, b, cols * sizeof(*panel));
    }
}

/* One panel of B, where it lies, times a strip. */
static void multiply_panel(const strip *s, const float *b, size_t b_row, float *c, size_t c_row,
                           int add)
{
    for (size_t r = 0; r < s->rows; r += ROWS) {
        size_t height = s->rows - r < ROWS ? s->rows - r : ROWS;
        blocks[height](s->a + r * s->a_row, s->a_row, b, b_row, s->depth, c + r * c_row, c_row,
                       add);
    }
}

/* The last columns, fewer than a panel: B is padded with zeros, C goes through a copy. */
static void ragged_panel(const strip *s, const float *b, size_t b_row, size_t cols, float *c,
                         size_t c_row, int add)
{
    float panel[DEPTH * PANEL], square[ROWS * PANEL];
    copy_panel(panel, b, b_row, s->depth, cols);
    for (size_t r = 0; r < s->rows; r += ROWS) {
        size_t height = s->rows - r < ROWS ? s->rows - r : ROWS;
        blocks[height](s->a + r * s->a_row, s->a_row, panel, PANEL, s->depth, square, PANEL, 0);
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < cols; x++) {
                float *to = c + (r + y) * c_row + x;
                *to = add ? *to + square[y * PANEL + x] : square[y * PANEL + x];
            }
    }
}

/* A strip of rows times all columns. */
static void multiply_strip(const cpu_product *p, const strip *s, const float *b, float *c, int add)
{
    size_t j = 0;
    if (s->rows == 1)
        for (; j + 8 * VECTOR <= p->n; j += 8 * VECTOR)
            block_1_8(s->a, s->a_row, b + j, p->b_row, s->depth, c + j, p->c_row, add);
    if (s->rows == 2)
        for (; j + 4 * VECTOR <= p->n; j += 4 * VECTOR)
            block_2_4(s->a, s->a_row, b + j, p->b_row, s->depth, c + j, p->c_row, add);
    for (; j + PANEL <= p->n; j += PANEL)
        multiply_panel(s, b + j, p->b_row, c + j, p->c_row, add);
    if (j < p->n)
        ragged_panel(s, b + j, p->b_row, p->n - j, c + j, p->c_row, add);
}

static void product(const cpu_product *p)
{
    float copy[STRIP * A_STRIDE];
    for (size_t from = 0; from < p->k; from += DEPTH) {
        size_t depth = p->k - from < DEPTH ? p->k - from : DEPTH;
        for (size_t row = 0; row < p->m; row += STRIP) {
            size_t rows = p->m - row < STRIP ? p->m - row : STRIP;
            strip s = take_strip(p, row, rows, from, depth, copy);
            multiply_strip(p, &s, p->b + from * p->b_row, p->c + row * p->c_row,
                           p->add || from > 0);
        }
    }
}

#undef BLOCK
#undef ALWAYS
#undef UNROLL
#endif
