/* The products of paged_many.h for panels of one vector of rows: the query heads of a token that
 * share one key head. There keys and values are read once for few products, so that memory is as
 * slow as they are, and blocks are as large as the registers hold: a run of keys for scores; and
 * for values some rows and four vectors of channels, which are turned when the tile is joined.
 *
 * What is read next is asked for evenly: scores ask for the values of their own keys, values for
 * the keys of the next tile, both for L2; and scores for keys a little ahead, for L1. */
#ifndef CPU_LANES_PAGED_HEADS_H
#define CPU_LANES_PAGED_HEADS_H

#include "lanes/paged_page.h"

#if defined(__AVX512F__)
enum { HEADS_KEYS = 16, HEADS_ROWS = 6, HEADS_WIDE = 4, HEADS_AHEAD = 2 };

FLASH_INLINE const float *page_floats(const char *at) { return (const float *)(const void *)at; }

/* ---- Scores --------------------------------------------------------------------------------- */

/* s[key][row] = k[key][d] q[d][row] of HEADS_KEYS keys. */
static void heads_scores(float *s, const float *k, const float *near, const float *next,
                         size_t k_row, const float *q, size_t d)
{
    lane_f sum[HEADS_KEYS];
    const float *at[HEADS_KEYS / 4]; /* so many that registers hold them */
    FLASH_UNROLL
    for (size_t g = 0; g < HEADS_KEYS / 4; g++)
        at[g] = k + 4 * g * k_row;
    FLASH_UNROLL
    for (size_t j = 0; j < HEADS_KEYS; j++)
        sum[j] = (lane_f){0};
    for (size_t i = 0; i < d; i++) {
        lane_f row = lane_load(q + i * LANES);
        __builtin_prefetch(near + i * HEADS_KEYS);
        __builtin_prefetch(next + i * HEADS_KEYS, 0, 2);
        FLASH_UNROLL
        for (size_t g = 0; g < HEADS_KEYS / 4; g++, at[g - 1]++)
            FLASH_UNROLL
        for (size_t j = 0; j < 4; j++)
            sum[4 * g + j] += at[g][j * k_row] * row;
    }
    FLASH_UNROLL
    for (size_t j = 0; j < HEADS_KEYS; j++)
        lane_store(s + j * LANES, sum[j]);
}

/* ---- Values --------------------------------------------------------------------------------- */

/* The lines of the next runs that one pass over all runs asks for: `each` a key, from a share of
 * them on, in fourths of four vectors of channels. */
typedef struct heads_ask {
    size_t each, from, of;
} heads_ask;

/* What is asked for while a pass is at a run: pages in a row, as memory likes it. */
FLASH_INLINE const char *heads_next(const cpu_page_run *run, size_t runs, size_t at, heads_ask ask,
                                    size_t row)
{
    uint32_t lines = (uint32_t)(HEADS_KEYS * row / LINE);
    uint32_t line = (uint32_t)(runs * lines * ask.from / ask.of + at * ask.each * HEADS_KEYS);
    return run[line / lines < runs ? line / lines : runs - 1].next + line % lines * PAGED_LINE;
}

// clang-format off
/* to[row][col] = p[key][row] v[key][col] of some rows and vectors, from channel `first` on. */
FLASH_INLINE void heads_block(size_t rows, size_t vectors, float *to, const cpu_page_run *run,
                              size_t runs, size_t first, size_t v_row, const float *p,
                              heads_ask ask)
{
    lane_f sum[HEADS_ROWS][HEADS_WIDE];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r][c] = (lane_f){0};
    for (size_t i = 0; i < runs; i++) {
        const float *value = page_floats(run[i].at) + first;
        const char *next = heads_next(run, runs, i, ask, v_row);
        for (size_t j = 0; j < run[i].keys; j++, p += LANES, value += v_row) {
            lane_f x[HEADS_WIDE];
            FLASH_UNROLL
            for (size_t l = 0; l < ask.each; l++, next += PAGED_LINE)
                __builtin_prefetch(next, 0, 2);
            FLASH_UNROLL
            for (size_t c = 0; c < vectors; c++)
                x[c] = lane_load(value + c * LANES);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                FLASH_UNROLL
                for (size_t c = 0; c < vectors; c++)
                    sum[r][c] += p[r] * x[c];
        }
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            lane_store(to + (r * HEADS_WIDE + c) * LANES, sum[r][c]);
}
// clang-format on

/* o[col][row] = alpha o + beta to[row][col]. */
static void heads_turn(float *o, const float *to, size_t vectors, lane_f alpha, lane_f beta)
{
    for (size_t c = 0; c < vectors; c++) {
        lane_f x[LANES];
        FLASH_UNROLL
        for (size_t r = 0; r < LANES; r++)
            x[r] = lane_load(to + (r * HEADS_WIDE + c) * LANES);
        lane_turn(x);
        FLASH_UNROLL
        for (size_t r = 0; r < LANES; r++) {
            float *at = o + (c * LANES + r) * LANES;
            lane_store(at, lane_fma(lane_load(at), alpha, x[r] * beta));
        }
    }
}

/* All rows, in three passes; half of what is asked for is in the first. */
#define HEADS_BLOCKS(vectors)                                                                      \
    static void heads_values_##vectors(float *o, const cpu_page_run *v, size_t runs, size_t first, \
                                       size_t v_row, const float *p, lane_f alpha, lane_f beta)    \
    {                                                                                              \
        float to[LANES * HEADS_WIDE * LANES];                                                      \
        size_t row = HEADS_WIDE * LANES, from = first / LINE, of = v_row / LINE;                   \
        heads_block(6, vectors, to, v, runs, first, v_row, p, (heads_ask){2, from, of});           \
        heads_block(5, vectors, to + 6 * row, v, runs, first, v_row, p + 6,                        \
                    (heads_ask){1, from + 2, of});                                                 \
        heads_block(5, vectors, to + 11 * row, v, runs, first, v_row, p + 11,                      \
                    (heads_ask){1, from + 3, of});                                                 \
        heads_turn(o + first * LANES, to, vectors, alpha, beta);                                   \
    }

HEADS_BLOCKS(4)
HEADS_BLOCKS(1)

#undef HEADS_BLOCKS

/* Whole vectors of columns. */
static void heads_values(float *o, const cpu_page_run *v, size_t runs, size_t v_row, size_t cols,
                         const float *p, const float *alpha, const float *beta)
{
    lane_f left = lane_load(alpha), right = lane_load(beta);
    size_t c = 0;
    for (; c + HEADS_WIDE * LANES <= cols; c += HEADS_WIDE * LANES)
        heads_values_4(o, v, runs, c, v_row, p, left, right);
    for (; c < cols; c += LANES)
        heads_values_1(o, v, runs, c, v_row, p, left, right);
}
#endif

#endif
