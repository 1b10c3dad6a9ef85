/* The register blocks of tiled attention over a panel: one or two vectors of query rows, one row a
 * lane. What they have in common that read keys and values side by side (flash_tile.h) and in pages
 * (paged_many.h).
 *
 * Scores and weights of a tile are held transposed, s[key][row], and so are queries, q[d][row], and
 * sums of values, o[column][row]. Then keys and values are read where they lie, one element for
 * all rows; the largest score and the sum of weights of a row need no work across lanes; and a mask
 * that differs from row to row is a comparison of vectors.
 *
 * The multipliers are what runs out, so everything else is done beside products: largest scores are
 * taken while scores are in registers, and the first block of values makes weights of the scores
 * that it reads. With causality the first of two vectors of rows sees fewer keys: the last keys of
 * a tile are computed for the other alone. */
#ifndef CPU_LANES_FLASH_BLOCK_H
#define CPU_LANES_FLASH_BLOCK_H

#include <stdbool.h>

#include "lanes/flash_vector.h"

/* AT_ONCE: channels of a turn of the loop. FRONT: columns of the block that also makes weights,
 * which needs registers for them; EARLY: so many keys ahead. GROUP: keys that have one pointer, so
 * that registers hold those of a block. */
#if defined(__AVX512F__)
enum { AT_ONCE = 4, EARLY = 4, FRONT = 8, GROUP = 4 };
#else
enum { AT_ONCE = 4, EARLY = 4, FRONT = 4, GROUP = 2 };
#endif
enum { GROUPS = DEEP / GROUP };

// clang-format off

/* ---- Scores --------------------------------------------------------------------------------- */

/* sum += k[keys][i] q[i][rows] for the vectors of rows from `low` on. */
FLASH_INLINE void score_step(size_t keys, size_t low, size_t vectors, lane_f sum[DEEP][2],
                             const float *const k[GROUPS], size_t k_row, size_t i, const float *q)
{
    lane_f row[2];
    FLASH_UNROLL
    for (size_t v = low; v < vectors; v++)
        row[v] = lane_load(q + v * LANES);
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = low; v < vectors; v++)
            sum[j][v] += k[j / GROUP][j % GROUP * k_row + i] * row[v];
}

/* s[keys][rows] = k[keys][d] q[d][rows], a register block of it; `most` becomes the largest. Rows
 * before `low` get 0. Keys j to j + GROUP are k_row floats apart from k[j] on; those of the next
 * block are asked for. Without scales of the keys these are NULL. */
FLASH_INLINE void score_block(size_t keys, size_t low, size_t vectors, float *s,
                              const float *const *k, size_t k_row, const float *q, size_t d,
                              const float *scales, float *most)
{
    lane_f sum[DEEP][2], top[2];
    const float *at[GROUPS];
    size_t i = 0;
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j += GROUP)
        at[j / GROUP] = k[j];
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = low; v < vectors; v++)
            sum[j][v] = (lane_f){0};
    for (; i + AT_ONCE <= d; i += AT_ONCE) {
        for (size_t j = 0; j < keys && i % LINE == 0; j++)
            __builtin_prefetch(k[DEEP + j / GROUP * GROUP] + j % GROUP * k_row + i);
        FLASH_UNROLL
        for (size_t u = 0; u < AT_ONCE; u++)
            score_step(keys, low, vectors, sum, at, k_row, i + u, q + (i + u) * vectors * LANES);
    }
    for (; i < d; i++)
        score_step(keys, low, vectors, sum, at, k_row, i, q + i * vectors * LANES);
    if (scales)
        FLASH_UNROLL
        for (size_t j = 0; j < keys; j++)
            FLASH_UNROLL
            for (size_t v = low; v < vectors; v++)
                sum[j][v] *= scales[j];
    FLASH_UNROLL
    for (size_t v = low; v < vectors; v++)
        top[v] = lane_load(most + v * LANES);
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++) {
        FLASH_UNROLL
        for (size_t v = 0; v < low; v++)
            lane_store(s + (j * vectors + v) * LANES, (lane_f){0});
        FLASH_UNROLL
        for (size_t v = low; v < vectors; v++) {
            lane_store(s + (j * vectors + v) * LANES, sum[j][v]);
            top[v] = lane_larger(sum[j][v], top[v]);
        }
    }
    FLASH_UNROLL
    for (size_t v = low; v < vectors; v++)
        lane_store(most + v * LANES, top[v]);
}

/* ---- Values --------------------------------------------------------------------------------- */

/* The rows of a block's columns: `step` floats apart, or as a table has them, from column `first`
 * on. */
typedef struct value_rows {
    const float *at;
    size_t step;
    const float *const *table;
    size_t first;
} value_rows;

/* That of key j; `tabled` is known when this is compiled. */
FLASH_INLINE const float *value_row(const value_rows *x, bool tabled, size_t j)
{
    if (!tabled)
        return x->at + j * x->step;
    uintptr_t at = (uintptr_t)x->table[j] + x->first * sizeof(float);
    return (const float *)at;
}

/* What makes weights of scores: relative to `base`. Their sum so far is `total`. With scales of the
 * values there is one sum for each place among LANES keys instead, from that of the first key on;
 * and then weights are multiplied with the scales. */
typedef struct weigher {
    lane_f base[2], total[2];
    const float *scales; /* NULL: none */
    float *parts;
    size_t place;
} weigher;

/* The weights of key j. */
FLASH_INLINE void weigh_key(size_t low, size_t vectors, float *p, size_t j, weigher *w)
{
    FLASH_UNROLL
    for (size_t v = low; v < vectors; v++) {
        float *at = p + (j * vectors + v) * LANES;
        lane_f weight = lane_exp_minus(lane_load(at) - w->base[v]);
        if (w->scales) {
            float *part = w->parts + ((w->place + j) % LANES * vectors + v) * LANES;
            lane_store(part, lane_load(part) + weight);
            weight *= w->scales[j];
        } else
            w->total[v] += weight;
        lane_store(at, weight);
    }
}

/* sum += v[keys][cols]^T p[keys][rows] of keys [from, to) for the vectors of rows from `low` on.
 * With w, p are scores before; their weights are made some keys ahead, or all products of a key
 * would wait for them. */
FLASH_INLINE void value_keys(size_t cols, size_t low, size_t vectors, lane_f sum[DEEP][2],
                             const value_rows *x, bool tabled, float *p, size_t from, size_t to,
                             weigher *w)
{
    size_t step = vectors * LANES;
    for (size_t j = from; w && j < to && j < from + EARLY; j++)
        weigh_key(low, vectors, p, j, w);
    for (size_t j = from; j < to; j++) {
        const float *value = value_row(x, tabled, j);
        lane_f row[2];
        if (w && j + EARLY < to)
            weigh_key(low, vectors, p, j + EARLY, w);
        __builtin_prefetch(value_row(x, tabled, j + AHEAD));
        if (tabled && !w)
            __builtin_prefetch(value_row(x, tabled, j + AHEAD) + cols - 1);
        FLASH_UNROLL
        for (size_t v = low; v < vectors; v++)
            row[v] = lane_load(p + j * step + v * LANES);
        FLASH_UNROLL
        for (size_t c = 0; c < cols; c++)
            FLASH_UNROLL
            for (size_t v = low; v < vectors; v++)
                sum[c][v] += value[c] * row[v];
    }
}

/* The same of keys that all rows have, and of `more` behind them for the last vector alone. */
FLASH_INLINE void value_sums(size_t cols, size_t vectors, lane_f sum[DEEP][2], const value_rows *x,
                             bool tabled, float *p, size_t keys, size_t more, weigher *w)
{
    value_keys(cols, 0, vectors, sum, x, tabled, p, 0, keys, w);
    if (more)
        value_keys(cols, vectors - 1, vectors, sum, x, tabled, p, keys, keys + more, w);
}
// clang-format on

#endif
