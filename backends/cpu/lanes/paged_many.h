/* Paged attention over a panel of rows, one row a lane, as in flash_tile.h, over runs of keys.
 * A tile's weights are relative to its own largest score, and its values are summed from 0 and
 * joined to what was there at the end of a register block. */
#ifndef CPU_LANES_PAGED_MANY_H
#define CPU_LANES_PAGED_MANY_H

#include "lanes/flash_softmax.h"
#include "lanes/paged_few.h"
#include "lanes/paged_heads.h"

/* ---- Scores --------------------------------------------------------------------------------- */

// clang-format off
/* s[keys][rows] = k[keys][d] q[d][rows], a register block of it. */
FLASH_INLINE void paged_score_block(size_t keys, size_t vectors, float *s, const float *k,
                                    const float *next, size_t k_row, const float *q, size_t d)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[j][v] = (lane_f){0};
    for (size_t i = 0; i < d; i++) {
        lane_f row[2];
        for (size_t j = 0; j < keys && i % LINE == 0; j++)
            __builtin_prefetch(next + i * keys + j * LINE); /* rows lie side by side */
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            row[v] = lane_load(q + (i * vectors + v) * LANES);
        FLASH_UNROLL
        for (size_t j = 0; j < keys; j++)
            FLASH_UNROLL
            for (size_t v = 0; v < vectors; v++)
                sum[j][v] += k[j * k_row + i] * row[v];
    }
    FLASH_UNROLL
    for (size_t j = 0; j < keys; j++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            lane_store(s + (j * vectors + v) * LANES, sum[j][v]);
}
// clang-format on

typedef void paged_score_function(float *s, const float *k, const float *next, size_t k_row,
                                  const float *q, size_t d);

#define PAGED_BLOCK_OF(depth, vectors)                                                             \
    static void paged_score_##depth##_##vectors(float *s, const float *k, const float *next,       \
                                                size_t k_row, const float *q, size_t d)            \
    {                                                                                              \
        paged_score_block(depth, vectors, s, k, next, k_row, q, d);                                \
    }
#define PAGED_BLOCKS(depth) PAGED_BLOCK_OF(depth, 1) PAGED_BLOCK_OF(depth, 2)
#define PAGED_NAME_1(depth) paged_score_##depth##_1,
#define PAGED_NAME_2(depth) paged_score_##depth##_2,

FLASH_DEPTHS(PAGED_BLOCKS)

// clang-format off
static paged_score_function *const paged_score_blocks[2][DEEP + 1] = {
    {NULL, FLASH_DEPTHS(PAGED_NAME_1)}, {NULL, FLASH_DEPTHS(PAGED_NAME_2)}};
// clang-format on

#undef PAGED_BLOCK_OF
#undef PAGED_BLOCKS
#undef PAGED_NAME_1
#undef PAGED_NAME_2

static void paged_scores(float *s, const cpu_page_run *k, size_t runs, size_t k_row, const float *q,
                         size_t d, size_t vectors)
{
    for (const cpu_page_run *end = k + runs; k < end; k++) {
        const float *at = (const float *)(const void *)k->at;
        const float *next = (const float *)(const void *)k->next;
        size_t keys = k->keys;
#if defined(__AVX512F__)
        const char *near = k[end - k > HEADS_AHEAD ? HEADS_AHEAD : 0].at;
        for (; vectors == 1 && keys >= HEADS_KEYS; keys -= HEADS_KEYS) {
            heads_scores(s, at, page_floats(near), next, k_row, q, d);
            s += HEADS_KEYS * LANES;
            at += HEADS_KEYS * k_row;
            next += HEADS_KEYS * k_row;
        }
#endif
        for (size_t depth; keys; keys -= depth) {
            depth = next_part(keys);
            paged_score_blocks[vectors - 1][depth](s, at, next, k_row, q, d);
            s += depth * vectors * LANES;
            at += depth * k_row;
            next += depth * k_row;
        }
    }
}

/* Scores, or weights, times the scales of the keys. */
static void paged_scale(float *s, const cpu_page_run *k, size_t runs, size_t vectors)
{
    for (const cpu_page_run *end = k + runs; k < end; k++)
        for (size_t j = 0; j < k->keys; j++)
            for (size_t v = 0; v < vectors; v++, s += LANES)
                lane_store(s, lane_load(s) * k->scales[j]);
}

/* ---- Weights -------------------------------------------------------------------------------- */

/* Sums by the key's place among LANES, then over these in order. */
FLASH_INLINE lane_f paged_weights(float *s, size_t keys, size_t step, lane_f base)
{
    lane_f part[LANES], total = {0};
    size_t j = 0;
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        part[i] = (lane_f){0};
    for (; j + LANES <= keys; j += LANES)
        FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++) {
        lane_f weight = lane_exp_minus(lane_load(s + (j + i) * step) - base);
        lane_store(s + (j + i) * step, weight);
        part[i] += weight;
    }
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        if (j + i < keys) {
            lane_f weight = lane_exp_minus(lane_load(s + (j + i) * step) - base);
            lane_store(s + (j + i) * step, weight);
            part[i] += weight;
        }
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        total += part[i];
    return total;
}

FLASH_INLINE lane_f paged_base(lane_f top)
{
    lane_i none = top == -INFINITY;
    return (lane_f)((lane_i)top & ~none);
}

static void paged_weigh(float *s, size_t keys, float *top, float *sum, float *alpha, float *beta,
                        size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f old = lane_load(top + v), own = column_top(s + v, keys, vectors);
        lane_f now = lane_larger(own, old), base = paged_base(now);
        lane_f total = paged_weights(s + v, keys, vectors * LANES, paged_base(own));
        lane_f left = lane_exp_minus(old - base), right = lane_exp_minus(own - base);
        lane_store(top + v, now);
        lane_store(alpha + v, left);
        lane_store(beta + v, right);
        lane_store(sum + v, lane_fma(lane_load(sum + v), left, total * right));
    }
}

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o[cols][rows] = alpha o + beta v[keys][cols]^T p[keys][rows], a register block of it from channel
 * `first` on. So many numbers of each row of the next runs are asked for. */
FLASH_INLINE void paged_block(size_t cols, size_t vectors, float *o, const cpu_page_run *run,
                              size_t runs, size_t first, size_t ask, size_t v_row, const float *p,
                              const float *alpha, const float *beta)
{
    lane_f sum[DEEP][2];
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[c][v] = (lane_f){0};
    for (const cpu_page_run *end = run + runs; run < end; run++) {
        const float *value = (const float *)(const void *)run->at + first;
        const float *next = (const float *)(const void *)run->next;
        for (size_t j = 0; j < run->keys; j++, p += vectors * LANES) {
            lane_f row[2];
            for (size_t i = 0; i < ask; i += LINE)
                __builtin_prefetch(next + j * v_row + i);
            FLASH_UNROLL
            for (size_t v = 0; v < vectors; v++)
                row[v] = lane_load(p + v * LANES);
            FLASH_UNROLL
            for (size_t c = 0; c < cols; c++)
                FLASH_UNROLL
                for (size_t v = 0; v < vectors; v++)
                    sum[c][v] += value[j * v_row + c] * row[v];
        }
    }
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            float *at = o + ((first + c) * vectors + v) * LANES;
            lane_f more = sum[c][v] * lane_load(beta + v * LANES);
            lane_store(at, lane_fma(lane_load(at), lane_load(alpha + v * LANES), more));
        }
}
// clang-format on

typedef void paged_block_function(float *o, const cpu_page_run *v, size_t runs, size_t first,
                                  size_t ask, size_t v_row, const float *p, const float *alpha,
                                  const float *beta);

#define PAGED_BLOCK_OF(depth, vectors)                                                             \
    static void paged_##depth##_##vectors(float *o, const cpu_page_run *v, size_t runs,            \
                                          size_t first, size_t ask, size_t v_row, const float *p,  \
                                          const float *alpha, const float *beta)                   \
    {                                                                                              \
        paged_block(depth, vectors, o, v, runs, first, ask, v_row, p, alpha, beta);                \
    }
#define PAGED_BLOCKS(depth) PAGED_BLOCK_OF(depth, 1) PAGED_BLOCK_OF(depth, 2)
#define PAGED_NAME_1(depth) paged_##depth##_1,
#define PAGED_NAME_2(depth) paged_##depth##_2,

FLASH_DEPTHS(PAGED_BLOCKS)

// clang-format off
static paged_block_function *const paged_blocks[2][DEEP + 1] = {
    {NULL, FLASH_DEPTHS(PAGED_NAME_1)}, {NULL, FLASH_DEPTHS(PAGED_NAME_2)}};
// clang-format on

#undef PAGED_BLOCK_OF
#undef PAGED_BLOCKS
#undef PAGED_NAME_1
#undef PAGED_NAME_2

static void paged_values(float *o, const cpu_page_run *v, size_t runs, size_t v_row, size_t cols,
                         const float *p, const float *alpha, const float *beta, size_t vectors)
{
#if defined(__AVX512F__)
    if (vectors == 1 && cols % LANES == 0) {
        heads_values(o, v, runs, v_row, cols, p, alpha, beta);
        return;
    }
#endif
    for (size_t c = 0, depth; c < cols; c += depth) {
        depth = next_part(cols - c);
        paged_blocks[vectors - 1][depth](o, v, runs, c, c ? 0 : cols, v_row, p, alpha, beta);
    }
}

/* One channel, one vector of rows. */
FLASH_INLINE lane_f paged_chain_apart(const cpu_page_run *v, size_t runs, size_t v_row, size_t c,
                                      const float *p, size_t p_row, lane_i from, lane_i to,
                                      int32_t first)
{
    lane_f sum = {0};
    lane_i key = (lane_i){0} + first;
    for (const cpu_page_run *end = v + runs; v < end; v++)
        for (size_t j = 0; j < v->keys; j++, p += p_row, key += 1) {
            lane_f next = sum;
            next += ((const float *)(const void *)v->at)[j * v_row + c] * lane_load(p);
            sum = lane_select((key >= from) & (key < to), next, sum);
        }
    return sum;
}

static void paged_values_apart(float *o, const cpu_page_run *v, size_t runs, size_t v_row,
                               size_t cols, const float *p, const float *alpha, const float *beta,
                               size_t vectors, const int32_t *low, const int32_t *high,
                               int32_t first)
{
    for (size_t c = 0; c < cols; c++)
        for (size_t u = 0; u < vectors * LANES; u += LANES) {
            lane_i from = *(const lane_i *)(low + u), to = *(const lane_i *)(high + u);
            lane_f sum =
                paged_chain_apart(v, runs, v_row, c, p + u, vectors * LANES, from, to, first);
            float *at = o + c * vectors * LANES + u;
            lane_f more = sum * lane_load(beta + u);
            lane_store(at, lane_fma(lane_load(at), lane_load(alpha + u), more));
        }
}

static void paged_join(float *o, float *top, float *sum, const float *o2, const float *top2,
                       const float *sum2, size_t cols, size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f a = lane_load(top + v), b = lane_load(top2 + v), now = lane_larger(b, a);
        lane_f base = paged_base(now);
        lane_f left = lane_exp_minus(a - base), right = lane_exp_minus(b - base);
        lane_store(top + v, now);
        lane_store(sum + v, lane_fma(lane_load(sum + v), left, lane_load(sum2 + v) * right));
        for (size_t c = 0; c < cols; c++) {
            size_t at = c * vectors * LANES + v;
            lane_store(o + at, lane_fma(lane_load(o + at), left, lane_load(o2 + at) * right));
        }
    }
}

#endif
