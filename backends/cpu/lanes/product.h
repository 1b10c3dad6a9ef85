/* The matrix product of one thread.
 *
 * k is cut into stretches of equal length, which follow from k alone. Within a stretch an element
 * of C is a chain of multiply-adds from zero in the order of k; then it is added to what C holds.
 * So its bits depend on its row of A and its column of B, and on nothing else: not on how many rows
 * there are, nor on where it lies in a block, nor on how the product was cut into tiles. All ways
 * through this file keep to that, and tests hold them to it.
 *
 * A block of B (a stretch of k, some columns) is brought into panels once and then used by all
 * rows; a register block holds ROWS x 2 vectors of C. Few rows read B as it lies. Meanwhile the
 * memory is asked for the next block, so that reading and multiplying overlap. A is read in
 * place; only a transposed or scaled A, or one whose rows all fall on the same lines of the first
 * cache, is copied, a strip at a time. */
#ifndef CPU_LANES_PRODUCT_H
#define CPU_LANES_PRODUCT_H

#include "lanes/product_load.h"
#include "lanes/product_row.h"

enum {
    MOST_SHIFT = 3,
    BLOCK_COLS = 128, /* columns of a block of B: it stays in the second cache */
    SMALL_B = 1 << 16 /* elements of B that are likely to be in a cache */
};

/* One panel of B times some rows: `cols` of its columns are wanted. */
static void multiply_panel(const strip *s, size_t row, size_t rows, const b_panel *b, size_t cols,
                           float *c, size_t c_row, int add)
{
    const float *a = s->a + row * s->a_row;
    float *to = c + row * c_row, square[ROWS * PANEL];
    if (cols == PANEL) {
        blocks[rows](a, s->a_row, b, s->depth, to, c_row, add);
        return;
    }
    blocks[rows](a, s->a_row, b, s->depth, square, PANEL, 0);
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < cols; x++)
            to[y * c_row + x] =
                add ? to[y * c_row + x] + square[y * PANEL + x] : square[y * PANEL + x];
}

/* A block of B: some columns over a stretch of k, as it lies or in panels. */
typedef struct b_block {
    size_t col, cols, from, depth;
    const float *at; /* where it lies */
    b_panel first;
    size_t step; /* from one panel to the next */
} b_block;

/* Do rows that lie so far apart fall on the same few lines of the second cache? */
static int collides(const cpu_product *p) { return p->b_row % 2048 == 0; }

/* Is B read where it lies? It is when rows are too few to pay for a copy. */
static int in_place(const cpu_product *p, size_t cols)
{
    if (p->turned || p->m >= STRIP || cols % PANEL)
        return 0;
    return !collides(p) || p->k * p->b_row < SMALL_B;
}

/* What comes after it: the next stretch of k, or columns that this thread or another takes next. */
static void look_ahead(const cpu_product *p, b_block *b)
{
    b->first.next = b->first.b;
    b->first.next_row = 0;
    if (p->turned || collides(p) || p->k * p->b_row < SMALL_B)
        return;
    b->first.next =
        b->from + b->depth < p->k ? b->at + b->depth * p->b_row : p->b + b->col + b->cols;
    b->first.next_row = p->b_row;
}

static b_block take_block(const cpu_product *p, size_t col, size_t cols, size_t from, size_t depth,
                          float *copy)
{
    b_block b = {.col = col, .cols = cols, .from = from, .depth = depth};
    b.at = p->b + (p->turned ? col * p->b_row + from : from * p->b_row + col);
    if (in_place(p, cols)) {
        b.first = (b_panel){.b = b.at, .b_row = p->b_row};
        b.step = PANEL;
    } else {
        (p->turned ? turn_block : load_block)(copy, b.at, p->b_row, depth, cols);
        b.first = (b_panel){.b = copy, .b_row = PANEL};
        b.step = PANEL * depth;
    }
    look_ahead(p, &b);
    return b;
}

/* Panel j of a block, for the register blocks of rows that come `call`-th: each of the first
 * (1 << shift) asks for its share of the panel of the next block. */
static b_panel take_panel(const b_block *b, size_t j, size_t call, unsigned shift)
{
    b_panel panel = b->first;
    panel.b += j / PANEL * b->step;
    panel.next_shift = shift;
    if (call >> shift || !panel.next_row) {
        panel.next = panel.b;
        panel.next_row = 0;
    } else {
        panel.next += j + (call * b->depth >> shift) * panel.next_row;
    }
    return panel;
}

/* Asks for rows of A behind this strip: part `call` of `calls` of the next one. */
static void ask_strip(const cpu_product *p, size_t row, const b_block *b, size_t call, size_t calls)
{
    size_t each = (STRIP + calls - 1) / calls, first = row + STRIP + call * each;
    for (size_t r = first; r < first + each && r < p->m && p->a_col == 1; r++)
        for (size_t i = 0; i < b->depth; i += AT_ONCE)
            __builtin_prefetch(p->a + r * p->a_row + b->from + i, 0, 2);
}

/* A strip times a block of B. Register blocks are of equal height: a low one waits for its sums. */
static void multiply_strip(const cpu_product *p, const strip *s, const b_block *b, size_t row,
                           float *c, unsigned shift)
{
    size_t panels = (b->cols + PANEL - 1) / PANEL, asked = 0;
    size_t groups = (s->rows + ROWS - 1) / ROWS, height = (s->rows + groups - 1) / groups;
    for (size_t j = 0; j < b->cols; j += PANEL) {
        size_t cols = b->cols - j < PANEL ? b->cols - j : PANEL, call = row / ROWS;
        for (size_t r = 0; r < s->rows; r += height) {
            b_panel panel = take_panel(b, j, call++, shift);
            ask_strip(p, row, b, asked++, panels * groups);
            multiply_panel(s, r, s->rows - r < height ? s->rows - r : height, &panel, cols, c + j,
                           p->c_row, p->add || b->from > 0);
        }
    }
}

/* All rows times columns [col, col + cols) of B over one stretch of k. */
static void multiply_block(const cpu_product *p, size_t col, size_t cols, size_t from, size_t depth,
                           float *copy)
{
    float b_copy[DEPTH * BLOCK_COLS];
    b_block b = take_block(p, col, cols, from, depth, b_copy);
    unsigned shift = 0;
    while (shift < MOST_SHIFT && p->m >= (size_t)(2 * ROWS) << shift)
        shift++;
    for (size_t row = 0; row < p->m; row += STRIP) {
        strip s = take_strip(p, row, p->m - row < STRIP ? p->m - row : STRIP, from, depth, copy);
        multiply_strip(p, &s, &b, row, p->c + row * p->c_row + col, shift);
    }
}

/* One row times whole vectors of columns; returns how many columns that are. */
static size_t multiply_row(const cpu_product *p, size_t from, size_t depth, float *copy)
{
    single s = {.a = take_strip(p, 0, 1, from, depth, copy).a, .b_row = p->b_row, .depth = depth};
    s.b = p->b + from * (p->turned ? 1 : p->b_row);
    s.cols = p->n / VECTOR * VECTOR;
    multiply_single(&s, p->turned, p->c, p->add || from > 0);
    return s.cols;
}

/* The length of stretches of k: equal parts, in whole vectors of any instruction set. */
static size_t stretch_of(size_t k)
{
    size_t parts = (k + DEPTH - 1) / DEPTH;
    return ((k + parts - 1) / parts + 15) / 16 * 16;
}

static void product(const cpu_product *p)
{
    float copy[STRIP * A_STRIDE];
    size_t stretch = stretch_of(p->k);
    for (size_t from = 0; from < p->k; from += stretch) {
        size_t depth = p->k - from < stretch ? p->k - from : stretch, col = 0;
        if (p->m == 1)
            col = multiply_row(p, from, depth, copy);
        for (; col < p->n; col += BLOCK_COLS)
            multiply_block(p, col, p->n - col < BLOCK_COLS ? p->n - col : BLOCK_COLS, from, depth,
                           copy);
    }
}

#undef ALWAYS
#undef UNROLL
#endif
