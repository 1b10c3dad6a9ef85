/* What a product brings into dense memory before it multiplies: strips of A where they cannot be
 * read in place, and blocks of B in panels. Whatever lies elsewhere or is stored otherwise (turned;
 * types of 16 bits and fewer, one day) is brought to panels of float32 here, and the loops that
 * multiply know of nothing else. */
#ifndef CPU_LANES_PRODUCT_LOAD_H
#define CPU_LANES_PRODUCT_LOAD_H

#include "lanes/product_block.h"

enum {
    AHEAD_ROWS = 8,
    STRIP = 48,           /* rows that go through all panels of a block together */
    A_STRIDE = DEPTH + 16 /* of a copied strip: rows do not share lines of the first cache */
};

/* A strip: some rows of A over one stretch of k, as it lies or as a copy. */
typedef struct strip {
    const float *a;
    size_t a_row, rows, depth;
} strip;

/* Are rows of A copied? Not where they can be read in place, and fall on lines of their own. */
static int copies_rows(const cpu_product *p)
{
    return p->a_col != 1 || p->alpha != 1.0f || (p->a_row % 1024 == 0 && p->m > 1);
}

/* Rows [row, row + rows), columns [from, from + depth) of A; `copy` is used where it must be. */
static strip take_strip(const cpu_product *p, size_t row, size_t rows, size_t from, size_t depth,
                        float *copy)
{
    const float *a = p->a + row * p->a_row + from * p->a_col;
    if (!copies_rows(p))
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

/* Up to PANEL columns of B as a dense panel, padded with zeros. */
static void load_panel(float *panel, const float *b, size_t b_row, size_t depth, size_t cols)
{
    for (size_t i = 0; i < depth; i++, panel += PANEL, b += b_row) {
        if (cols == PANEL) {
            memcpy(panel, b, PANEL * sizeof(*panel));
            continue;
        }
        memset(panel, 0, PANEL * sizeof(*panel));
        memcpy(panel, b, cols * sizeof(*panel));
    }
}

/* The same of a turned B, b[column][k]. */
static void turn_panel(float *panel, const float *b, size_t b_row, size_t depth, size_t cols)
{
    size_t c = 0;
    if (cols < PANEL)
        memset(panel, 0, depth * PANEL * sizeof(*panel));
    for (; c + VECTOR <= cols; c += VECTOR) {
        size_t at = 0;
        for (; at + VECTOR <= depth; at += VECTOR) {
            lane_f square[VECTOR];
            UNROLL
            for (size_t i = 0; i < VECTOR; i++)
                square[i] = *(const vector *)(b + (c + i) * b_row + at);
            lane_turn(square);
            UNROLL
            for (size_t i = 0; i < VECTOR; i++)
                *(vector *)(panel + (at + i) * PANEL + c) = square[i];
        }
        for (; at < depth; at++)
            for (size_t i = c; i < c + VECTOR; i++)
                panel[at * PANEL + i] = ((const loose *)b)[i * b_row + at];
    }
    for (; c < cols; c++)
        for (size_t at = 0; at < depth; at++)
            panel[at * PANEL + c] = ((const loose *)b)[c * b_row + at];
}

/* Columns [0, cols) of B over a stretch of k, in panels one after the other. Rows of B are read to
 * their end before the next, which memory likes, and asked for some rows ahead. */
static void load_block(float *panels, const float *b, size_t b_row, size_t depth, size_t cols)
{
    size_t whole = cols / PANEL;
    for (size_t i = 0; i < depth; i++) {
        const float *row = b + i * b_row;
        const float *ahead = b + (i + AHEAD_ROWS < depth ? i + AHEAD_ROWS : i) * b_row;
        for (size_t j = 0; j < whole; j++) {
            vector *to = (vector *)(panels + (j * depth + i) * PANEL);
            __builtin_prefetch(ahead + j * PANEL);
            if (PANEL > AT_ONCE)
                __builtin_prefetch(ahead + j * PANEL + AT_ONCE);
            to[0] = *(const vector *)(row + j * PANEL);
            to[1] = *(const vector *)(row + j * PANEL + VECTOR);
        }
    }
    if (whole * PANEL < cols)
        load_panel(panels + whole * depth * PANEL, b + whole * PANEL, b_row, depth,
                   cols - whole * PANEL);
}

static void turn_block(float *panels, const float *b, size_t b_row, size_t depth, size_t cols)
{
    for (size_t j = 0; j < cols; j += PANEL)
        turn_panel(panels + j * depth, b + j * b_row, b_row, depth,
                   cols - j < PANEL ? cols - j : PANEL);
}

#endif
