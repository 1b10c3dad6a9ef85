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

/* What was there before a tile; `there` is -1 or 0 in each lane. */
FLASH_INLINE lane_f paged_was(lane_i there, const float *at)
{
    return (lane_f)((lane_i)lane_load(at) & there);
}

#if defined(__AVX512F__)
enum { HEADS_KEYS = 16, HEADS_ROWS = 6, HEADS_WIDE = 4, HEADS_AHEAD = 32 };

/* ---- Scores --------------------------------------------------------------------------------- */

/* s[key][row] = k[key][d] q[d][row] of HEADS_KEYS keys; rows of so many lie side by side, or what
 * is asked for is of no use. */
static void heads_scores(float *s, const cpu_paged_tile *t, size_t from, const float *q, size_t d,
                         float *most)
{
    lane_f sum[HEADS_KEYS], top = lane_load(most);
    const float *at[HEADS_KEYS / 4]; /* so many that registers hold them */
    const float *near = t->rows[from + HEADS_AHEAD], *next = t->next[from];
    size_t step = t->step;
    FLASH_UNROLL
    for (size_t g = 0; g < HEADS_KEYS / 4; g++)
        at[g] = t->rows[from + 4 * g];
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
            sum[4 * g + j] += at[g][j * step] * row;
    }
    FLASH_UNROLL
    for (size_t j = 0; j < HEADS_KEYS; j++) {
        if (t->scales)
            sum[j] *= t->scales[from + j];
        top = lane_larger(sum[j], top);
        lane_store(s + j * LANES, sum[j]);
    }
    lane_store(most, top);
}

/* ---- Values --------------------------------------------------------------------------------- */

/* The lines of the next rows that one pass over all keys asks for: `each` a key, from line
 * from * keys on of all, in the order in which they lie. */
typedef struct heads_ask {
    size_t each, from;
} heads_ask;

FLASH_INLINE const float *heads_next(const cpu_paged_tile *t, size_t at, heads_ask ask)
{
    uint32_t line = (uint32_t)(t->keys * ask.from + at * ask.each), keys = (uint32_t)t->keys;
    uint32_t row = (uint32_t)(t->step / LINE), key = line / row;
    return t->next[key < keys ? key : keys - 1] + line % row * LINE;
}

// clang-format off
/* to[row][col] = p[key][row] v[key][col] of some rows and vectors, from channel `first` on. */
FLASH_INLINE void heads_block(size_t rows, size_t vectors, float *to, const cpu_paged_tile *t,
                              size_t first, const float *p, heads_ask ask)
{
    lane_f sum[HEADS_ROWS][HEADS_WIDE];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r][c] = (lane_f){0};
    for (size_t from = 0; from < t->keys; from += HEADS_KEYS) {
        const float *next = heads_next(t, from, ask);
        size_t to_key = t->keys - from < HEADS_KEYS ? t->keys : from + HEADS_KEYS;
        for (size_t j = from; j < to_key; j++, p += LANES) {
            const float *value = t->rows[j] + first;
            lane_f x[HEADS_WIDE];
            FLASH_UNROLL
            for (size_t l = 0; l < ask.each; l++, next += LINE)
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
static void heads_turn(float *o, const float *to, size_t vectors, const cpu_paged_rise *r)
{
    lane_f alpha = lane_load(r->alpha), beta = lane_load(r->beta);
    lane_i there = (lane_i){0} + r->there;
    for (size_t c = 0; c < vectors; c++) {
        lane_f x[LANES];
        FLASH_UNROLL
        for (size_t i = 0; i < LANES; i++)
            x[i] = lane_load(to + (i * HEADS_WIDE + c) * LANES);
        lane_turn(x);
        FLASH_UNROLL
        for (size_t i = 0; i < LANES; i++) {
            float *at = o + (c * LANES + i) * LANES;
            lane_store(at, lane_fma(paged_was(there, at), alpha, x[i] * beta));
        }
    }
}

/* All rows, in three passes; half of what is asked for is in the first. */
#define HEADS_BLOCKS(vectors)                                                                      \
    static void heads_values_##vectors(float *o, const cpu_paged_tile *t, size_t first,            \
                                       const float *p, const cpu_paged_rise *r)                    \
    {                                                                                              \
        float to[LANES * HEADS_WIDE * LANES];                                                      \
        size_t row = HEADS_WIDE * LANES, from = first / LINE;                                      \
        heads_block(6, vectors, to, t, first, p, (heads_ask){2, from});                            \
        heads_block(5, vectors, to + 6 * row, t, first, p + 6, (heads_ask){1, from + 2});          \
        heads_block(5, vectors, to + 11 * row, t, first, p + 11, (heads_ask){1, from + 3});        \
        heads_turn(o + first * LANES, to, vectors, r);                                             \
    }

HEADS_BLOCKS(4)
HEADS_BLOCKS(1)

#undef HEADS_BLOCKS

/* Whole vectors of columns. */
static void heads_values(float *o, const cpu_paged_tile *t, size_t cols, const float *p,
                         const cpu_paged_rise *r)
{
    size_t c = 0;
    for (; c + HEADS_WIDE * LANES <= cols; c += HEADS_WIDE * LANES)
        heads_values_4(o, t, c, p, r);
    for (; c < cols; c += LANES)
        heads_values_1(o, t, c, p, r);
}
#endif

#endif
