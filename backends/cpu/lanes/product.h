/* The matrix product of one thread.
 *
 * k is cut into stretches of equal length, which follow from k alone. Within a stretch an element
 * of C is a chain of multiply-adds from zero in the order of k; then it is added to what C holds.
 * So its bits depend on its row of A and its column of B, and on nothing else: not on how many rows
 * there are, nor on where it lies in a block, nor on how the product was cut into tiles. All ways
 * through this file keep to that, and tests hold them to it.
 *
 * A panel of B (a stretch of k, two vectors of columns) is brought to dense memory and used by all
 * rows while it is in the first cache; a register block holds ROWS x 2 vectors of C. Few rows read
 * B as it lies. Meanwhile the memory is asked for the panel that comes next, in the order of use,
 * so that reading and multiplying overlap. A is read in place; only a transposed or scaled A, or
 * one whose rows all fall on the same lines of the first cache, is copied, a strip at a time, and
 * then several panels share the copy.
 */
#ifndef CPU_LANES_PRODUCT_H
#define CPU_LANES_PRODUCT_H

#include "lanes/product_load.h"
#include "lanes/product_row.h"

enum {
    MOST_SHIFT = 3,
    FEW = 47,         /* rows that read B as it lies: a copy costs more than they do */
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
    b_panel first;
    size_t step;  /* from one panel to the next */
    size_t ahead; /* columns from a panel to the one that is asked for meanwhile */
} b_block;

/* Is B read where it lies? It is when rows are too few to pay for a copy. */
static int in_place(const cpu_product *p, size_t cols)
{
    return !p->turned && p->m <= FEW && cols % PANEL == 0;
}

static b_block take_block(const cpu_product *p, size_t col, size_t cols, size_t from, size_t depth,
                          float *copy)
{
    b_block b = {.col = col, .cols = cols, .from = from, .depth = depth, .step = PANEL};
    const float *at = p->b + (p->turned ? col * p->b_row + from : from * p->b_row + col);
    if (in_place(p, cols)) {
        b.first = (b_panel){.b = at, .b_row = p->b_row};
        b.ahead = PANEL;
        return b;
    }
    (p->turned ? turn_block : load_block)(copy, at, p->b_row, depth, cols);
    b.first = (b_panel){.b = copy, .b_row = PANEL};
    b.step = PANEL * depth;
    b.ahead = cols;
    return b;
}

/* What memory is asked for while panel j is used: the columns beside it, the next stretch of k, or
 * columns that this thread takes next, or another. */
static const float *comes_next(const cpu_product *p, const b_block *b, size_t j)
{
    size_t col = b->col + j + b->ahead, from = b->from;
    if (col >= p->n && from + b->depth < p->k) {
        from += b->depth;
        col -= p->n;
    } else if (col >= p->n) {
        from = 0;
    }
    return p->b + from * p->b_row + col;
}

/* Panel j of a block, for the register blocks of rows that come `call`-th: each of the first
 * (1 << shift) asks for its share of the panel that comes next. */
static b_panel take_panel(const cpu_product *p, const b_block *b, size_t j, size_t call,
                          unsigned shift)
{
    b_panel panel = b->first;
    panel.b += j / PANEL * b->step;
    panel.next_shift = shift;
    panel.next = panel.b;
    if (p->turned || p->k * p->b_row < SMALL_B || call >> shift)
        return panel;
    panel.next_row = p->b_row;
    panel.next = comes_next(p, b, j) + (call * b->depth >> shift) * p->b_row;
    return panel;
}

/* Asks for the rows of A behind a register block, at the first panel that meets them. */
static void ask_rows(const cpu_product *p, size_t row, size_t rows, const b_block *b)
{
    for (size_t r = row; r < row + rows && r < p->m && p->a_col == 1; r++)
        for (size_t i = 0; i < b->depth; i += AT_ONCE)
            __builtin_prefetch(p->a + r * p->a_row + b->from + i, 0, 2);
}

/* A strip times a block of B. Register blocks are of equal height: a low one waits for its sums. */
static void multiply_strip(const cpu_product *p, const strip *s, const b_block *b, size_t row,
                           float *c, unsigned shift)
{
    size_t groups = (s->rows + ROWS - 1) / ROWS, height = (s->rows + groups - 1) / groups;
    for (size_t j = 0; j < b->cols; j += PANEL) {
        size_t cols = b->cols - j < PANEL ? b->cols - j : PANEL, call = row / ROWS;
        for (size_t r = 0; r < s->rows; r += height) {
            size_t rows = s->rows - r < height ? s->rows - r : height;
            b_panel panel = take_panel(p, b, j, call++, shift);
            if (b->col + j == 0)
                ask_rows(p, row + r + rows, height, b);
            multiply_panel(s, r, rows, &panel, cols, c + j, p->c_row, p->add || b->from > 0);
        }
    }
}

/* All rows times columns [col, col + cols) of B over one stretch of k. */
static void multiply_block(const cpu_product *p, size_t col, size_t cols, size_t from, size_t depth,
                           float *copy)
{
    float b_copy[DEPTH * BLOCK_COLS];
    b_block b = take_block(p, col, cols, from, depth, b_copy);
    size_t rows = copies_rows(p) ? STRIP : p->m;
    unsigned shift = 0;
    while (shift < MOST_SHIFT && p->m > (size_t)ROWS << shift)
        shift++;
    for (size_t row = 0; row < p->m; row += rows) {
        strip s = take_strip(p, row, p->m - row < rows ? p->m - row : rows, from, depth, copy);
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

/* A panel is used by all rows while it is in the first cache. Where rows have to be copied, several
 * panels share the copy. */
static size_t block_cols(const cpu_product *p) { return copies_rows(p) ? BLOCK_COLS : PANEL; }

static void product(const cpu_product *p)
{
    float copy[STRIP * A_STRIDE];
    size_t stretch = cpu_stretch(p->k), width = block_cols(p);
    for (size_t from = 0; from < p->k; from += stretch) {
        size_t depth = p->k - from < stretch ? p->k - from : stretch, col = 0;
        if (p->m == 1)
            col = multiply_row(p, from, depth, copy);
        for (; col < p->n; col += width)
            multiply_block(p, col, p->n - col < width ? p->n - col : width, from, depth, copy);
    }
}

#undef ALWAYS
#undef UNROLL
#endif
