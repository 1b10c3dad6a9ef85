/* Paged attention over a panel of rows, one row a lane, of the blocks of flash_block.h: a table
 * says where the row of each key lies. A tile's weights are relative to its own largest score and
 * summed by the key's place; its values are summed from 0 and joined to what was there at the end
 * of a register block. */
#ifndef CPU_LANES_PAGED_MANY_H
#define CPU_LANES_PAGED_MANY_H

#include "lanes/flash_block.h"
#include "lanes/flash_softmax.h"
#include "lanes/paged_few.h"
#include "lanes/paged_heads.h"

/* What blocks ask for behind the end of a tile is in its table. */
_Static_assert((int)AHEAD <= (int)PAGED_MORE && 2 * (int)DEEP <= (int)PAGED_MORE, "a longer table");
_Static_assert(PAGED_GROUP % GROUP == 0, "keys of a pointer lie side by side");

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o[cols][rows] = alpha o + beta v[keys][cols]^T p[keys][rows], a register block of it from column
 * `first` on; with w, p are scores before. */
FLASH_INLINE void paged_block(size_t cols, size_t vectors, float *o, const cpu_paged_tile *t,
                              size_t first, float *p, const cpu_paged_rise *r, weigher *w)
{
    lane_f sum[DEEP][2], alpha[2], beta[2];
    lane_i there = (lane_i){0} + r->there;
    value_rows x = {.table = t->rows, .first = first};
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++)
            sum[c][v] = (lane_f){0};
    value_sums(cols, vectors, sum, &x, true, p, t->keys, t->more, w);
    FLASH_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        alpha[v] = lane_load(r->alpha + v * LANES);
        beta[v] = lane_load(r->beta + v * LANES);
    }
    FLASH_UNROLL
    for (size_t c = 0; c < cols; c++)
        FLASH_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            float *at = o + ((first + c) * vectors + v) * LANES;
            lane_store(at, lane_fma(paged_was(there, at), alpha[v], sum[c][v] * beta[v]));
        }
}
// clang-format on

/* Weights are summed by the key's place among LANES, and these parts from the first to the last.
 * With scales they are taken in memory, before weights are multiplied; or else behind all weights,
 * in registers, which is faster. */
FLASH_INLINE weigher paged_weigher(size_t vectors, const cpu_paged_tile *t, float *parts,
                                   const cpu_paged_rise *r)
{
    weigher w = {.parts = parts, .place = t->place, .scales = t->scales};
    FLASH_UNROLL
    for (size_t v = 0; v < vectors; v++)
        w.base[v] = lane_load(r->base + v * LANES);
    for (size_t i = 0; t->scales && i < LANES * vectors; i++)
        lane_store(parts + i * LANES, (lane_f){0});
    return w;
}

/* Of parts that are `step` apart. */
FLASH_INLINE lane_f parts_total(const float *parts, size_t step)
{
    lane_f total = {0};
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        total += lane_load(parts + i * step);
    return total;
}

/* Of n weights that are `step` apart, the first one at `place`. */
FLASH_INLINE lane_f weights_total(const float *p, size_t step, size_t n, size_t place)
{
    lane_f part[LANES], total = {0};
    size_t j = 0;
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        part[i] = (lane_f){0};
    for (; j + LANES <= n; j += LANES)
        FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        part[i] += lane_load(p + (j + i) * step);
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        if (j + i < n)
            part[i] += lane_load(p + (j + i) * step);
    if (place) {
        _Alignas(64) float parts[LANES * LANES];
        FLASH_UNROLL
        for (size_t i = 0; i < LANES; i++)
            lane_store(parts + (place + i) % LANES * LANES, part[i]);
        return parts_total(parts, LANES);
    }
    FLASH_UNROLL
    for (size_t i = 0; i < LANES; i++)
        total += part[i];
    return total;
}

FLASH_INLINE void paged_total(size_t vectors, const cpu_paged_tile *t, const float *p,
                              const float *parts, const cpu_paged_rise *r, float *sum)
{
    lane_i there = (lane_i){0} + r->there;
    FLASH_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        size_t at = v * LANES, step = vectors * LANES,
               n = t->keys + (v + 1 < vectors ? 0 : t->more);
        lane_f left = lane_load(r->alpha + at), right = lane_load(r->beta + at);
        lane_f total =
            t->scales ? parts_total(parts + at, step) : weights_total(p + at, step, n, t->place);
        lane_store(sum + at, lane_fma(paged_was(there, sum + at), left, total * right));
    }
}

FLASH_INLINE void paged_front(size_t cols, size_t vectors, float *o, const cpu_paged_tile *t,
                              float *p, const cpu_paged_rise *r, float *sum)
{
    _Alignas(64) float parts[LANES * 2 * LANES];
    weigher w = paged_weigher(vectors, t, parts, r);
    paged_block(cols, vectors, o, t, 0, p, r, &w);
    paged_total(vectors, t, p, parts, r, sum);
}

/* Weights by themselves. */
FLASH_INLINE void paged_weigh(size_t vectors, float *p, const cpu_paged_tile *t,
                              const cpu_paged_rise *r, float *sum)
{
    _Alignas(64) float parts[LANES * 2 * LANES];
    weigher w = paged_weigher(vectors, t, parts, r);
    for (size_t j = 0; j < t->keys + t->more; j++)
        weigh_key(0, vectors, p, j, &w);
    paged_total(vectors, t, p, parts, r, sum);
}

/* ---- Blocks of all depths ------------------------------------------------------------------- */

typedef void score_function(float *s, const float *const *k, size_t k_row, const float *q, size_t d,
                            const float *scales, float *most);
typedef void value_function(float *o, const cpu_paged_tile *t, size_t first, float *p,
                            const cpu_paged_rise *r);
typedef void front_function(float *o, const cpu_paged_tile *t, float *p, const cpu_paged_rise *r,
                            float *sum);

#define PAGED_SCORE(depth, low, vectors)                                                           \
    static void score_##depth##_##low##_##vectors(float *s, const float *const *k, size_t k_row,   \
                                                  const float *q, size_t d, const float *scales,   \
                                                  float *most)                                     \
    {                                                                                              \
        score_block(depth, low, vectors, s, k, k_row, q, d, scales, most);                         \
    }
#define PAGED_VALUE(depth, vectors)                                                                \
    static void value_##depth##_##vectors(float *o, const cpu_paged_tile *t, size_t first,         \
                                          float *p, const cpu_paged_rise *r)                       \
    {                                                                                              \
        paged_block(depth, vectors, o, t, first, p, r, NULL);                                      \
    }
#define PAGED_FRONT(depth, vectors)                                                                \
    static void front_##depth##_##vectors(float *o, const cpu_paged_tile *t, float *p,             \
                                          const cpu_paged_rise *r, float *sum)                     \
    {                                                                                              \
        paged_front(depth, vectors, o, t, p, r, sum);                                              \
    }

#define PAGED_BLOCKS(depth)                                                                        \
    PAGED_SCORE(depth, 0, 1)                                                                       \
    PAGED_SCORE(depth, 0, 2)                                                                       \
    PAGED_SCORE(depth, 1, 2) PAGED_VALUE(depth, 1) PAGED_VALUE(depth, 2)
#define PAGED_FRONTS(depth) PAGED_FRONT(depth, 1) PAGED_FRONT(depth, 2)

FLASH_DEPTHS(PAGED_BLOCKS)
FLASH_FRONT_DEPTHS(PAGED_FRONTS)

#define PAGED_SCORE_01(depth) score_##depth##_0_1,
#define PAGED_SCORE_02(depth) score_##depth##_0_2,
#define PAGED_SCORE_12(depth) score_##depth##_1_2,
#define PAGED_VALUE_1(depth)  value_##depth##_1,
#define PAGED_VALUE_2(depth)  value_##depth##_2,
#define PAGED_FRONT_1(depth)  front_##depth##_1,
#define PAGED_FRONT_2(depth)  front_##depth##_2,

// clang-format off
static score_function *const score_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(PAGED_SCORE_01)},
                                                          {NULL, FLASH_DEPTHS(PAGED_SCORE_02)}};
static score_function *const score_lasts[DEEP + 1] = {NULL, FLASH_DEPTHS(PAGED_SCORE_12)};
static value_function *const value_blocks[2][DEEP + 1] = {{NULL, FLASH_DEPTHS(PAGED_VALUE_1)},
                                                          {NULL, FLASH_DEPTHS(PAGED_VALUE_2)}};
static front_function *const front_blocks[2][FRONT + 1] = {
    {NULL, FLASH_FRONT_DEPTHS(PAGED_FRONT_1)}, {NULL, FLASH_FRONT_DEPTHS(PAGED_FRONT_2)}};
// clang-format on

#undef PAGED_SCORE
#undef PAGED_VALUE
#undef PAGED_FRONT
#undef PAGED_BLOCKS
#undef PAGED_FRONTS
#undef PAGED_SCORE_01
#undef PAGED_SCORE_02
#undef PAGED_SCORE_12
#undef PAGED_VALUE_1
#undef PAGED_VALUE_2
#undef PAGED_FRONT_1
#undef PAGED_FRONT_2

/* Keys of the next block: all but the last have whole groups. */
static size_t group_part(size_t left)
{
    return left >= DEEP + 2 * GROUP ? DEEP : left > DEEP ? 2 * GROUP : left;
}

/* Keys [from, to) of a tile. */
static void score_all(score_function *const blocks[DEEP + 1], float *s, const cpu_paged_tile *t,
                      size_t from, size_t to, const float *q, size_t d, size_t vectors, float *most)
{
    for (size_t j = from, depth; j < to; j += depth) {
        depth = group_part(to - j);
        blocks[depth](s + j * vectors * LANES, t->rows + j, t->step, q, d,
                      t->scales ? t->scales + j : NULL, most);
    }
}

static void paged_scores(float *s, const cpu_paged_tile *t, const float *q, size_t d,
                         size_t vectors, float *most)
{
    size_t from = 0;
#if defined(__AVX512F__)
    for (; vectors == 1 && t->keys - from >= HEADS_KEYS; from += HEADS_KEYS)
        heads_scores(s + from * LANES, t, from, q, d, most);
#endif
    score_all(score_blocks[vectors - 1], s, t, from, t->keys, q, d, vectors, most);
    score_all(score_lasts, s, t, t->keys, t->keys + t->more, q, d, vectors, most);
}

static void paged_values(float *o, const cpu_paged_tile *t, size_t cols, float *p,
                         const cpu_paged_rise *r, float *sum, size_t vectors)
{
    size_t depth = cols < FRONT ? cols : FRONT;
#if defined(__AVX512F__)
    if (vectors == 1 && cols % LANES == 0) {
        paged_weigh(1, p, t, r, sum);
        heads_values(o, t, cols, p, r);
        return;
    }
#endif
    if (cols)
        front_blocks[vectors - 1][depth](o, t, p, r, sum);
    for (size_t c = depth; c < cols; c += depth) {
        depth = next_part(cols - c);
        value_blocks[vectors - 1][depth](o, t, c, p, r);
    }
}

/* One channel, one vector of rows. */
FLASH_INLINE lane_f paged_chain_apart(const cpu_paged_tile *t, size_t c, const float *p,
                                      size_t p_row, lane_i from, lane_i to, int32_t first)
{
    lane_f sum = {0};
    lane_i key = (lane_i){0} + first;
    for (size_t j = 0; j < t->keys + t->more; j++, p += p_row, key += 1) {
        lane_f next = sum;
        next += t->rows[j][c] * lane_load(p);
        sum = lane_select((key >= from) & (key < to), next, sum);
    }
    return sum;
}

static void paged_values_apart(float *o, const cpu_paged_tile *t, size_t cols, float *p,
                               const cpu_paged_rise *r, float *sum, size_t vectors,
                               const int32_t *low, const int32_t *high, int32_t first)
{
    lane_i there = (lane_i){0} + r->there;
    if (vectors == 1)
        paged_weigh(1, p, t, r, sum);
    else
        paged_weigh(2, p, t, r, sum);
    for (size_t c = 0; c < cols; c++)
        for (size_t u = 0; u < vectors * LANES; u += LANES) {
            lane_i from = *(const lane_i *)(low + u), to = *(const lane_i *)(high + u);
            lane_f x = paged_chain_apart(t, c, p + u, vectors * LANES, from, to, first);
            float *at = o + c * vectors * LANES + u;
            lane_f more = x * lane_load(r->beta + u);
            lane_store(at, lane_fma(paged_was(there, at), lane_load(r->alpha + u), more));
        }
}

/* ---- Late writing --------------------------------------------------------------------------- */

/* Whole lines go past the caches. */
static void paged_stream(float *to, const float *from, size_t n)
{
#if defined(__AVX512F__)
    if ((uintptr_t)to % PAGED_LINE == 0 && n % LINE == 0) {
        for (size_t i = 0; i < n; i += LINE)
            _mm512_stream_ps(to + i, (__m512)lane_load(from + i));
        return;
    }
#elif defined(__AVX2__)
    if ((uintptr_t)to % PAGED_LINE == 0 && n % LINE == 0) {
        for (size_t i = 0; i < n; i += LANES)
            _mm256_stream_ps(to + i, (__m256)lane_load(from + i));
        return;
    }
#endif
    memcpy(to, from, n * sizeof(*to));
}

static void paged_settle(void)
{
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

/* ---- Softmax -------------------------------------------------------------------------------- */

FLASH_INLINE lane_f paged_base(lane_f top)
{
    lane_i none = top == -INFINITY;
    return (lane_f)((lane_i)top & ~none);
}

static void paged_rise(cpu_paged_rise *r, float *top, size_t vectors)
{
    for (size_t v = 0; v < vectors * LANES; v += LANES) {
        lane_f old = lane_load(top + v), own = lane_load(r->base + v);
        lane_f now = lane_larger(own, old), base = paged_base(now);
        lane_store(top + v, now);
        lane_store(r->base + v, paged_base(own));
        lane_store(r->alpha + v, lane_exp_minus(old - base));
        lane_store(r->beta + v, lane_exp_minus(own - base));
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
