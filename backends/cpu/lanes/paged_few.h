/* Paged attention for few query rows (a decoder's tokens): vectors run along the keys for scores,
 * which takes squares of keys turned in registers, and along the channels for values. So a score is
 * one chain over the channels, and a sum of values one chain over the keys, as where rows are many;
 * and memory is the slower one all the same. */
#ifndef CPU_LANES_PAGED_FEW_H
#define CPU_LANES_PAGED_FEW_H

#include <string.h>

#include "lanes/paged_page.h"

/* Rows whose sums registers hold beside two squares, and beside a row of values. Each row more is
 * one more copy of all loops. */
enum { PAGED_SCORE_ROWS = 4 };
#if defined(__AVX512F__)
enum { PAGED_VALUE_ROWS = 4 };
#else
enum { PAGED_VALUE_ROWS = 2 };
#endif

/* ---- Scores --------------------------------------------------------------------------------- */

// clang-format off
/* sum[row][key] += q k over one chunk of LANES keys. */
FLASH_INLINE void paged_square(size_t type, size_t rows, lane_f sum[PAGED_SCORE_ROWS],
                               const char *at, size_t step, size_t keys, const float *q, size_t d)
{
    size_t parts = PAGED_UNIT / page_bytes(type);
    lane_f x[4];
    page_chunks(x, at, step, keys);
    page_turn(x);
    FLASH_UNROLL
    for (size_t u = 0; u < 4; u++)
        FLASH_UNROLL
        for (size_t c = 0; c < parts; c++) {
            lane_f channel = page_part(type, x[u], c);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r] += q[r * d + u * parts + c] * channel;
        }
}

#if defined(__AVX512F__)
/* Two chunks of float32, where the loads take longest. */
FLASH_INLINE void paged_wide_square(size_t rows, lane_f sum[PAGED_SCORE_ROWS], const char *at,
                                    size_t step, const float *q, size_t d)
{
    lane_f x[8];
    page_wide_chunks(x, at, step);
    page_wide_turn(x);
    FLASH_UNROLL
    for (size_t u = 0; u < 8; u++)
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[r] += q[r * d + u] * x[u];
}
#endif

/* The lines of LANES rows, which lie side by side, in their order: for each chunk of a row its share
 * of them. */
FLASH_INLINE void page_ask(const char *next, size_t skip)
{
    for (size_t j = 0; j < LANES * PAGED_CHUNK; j += PAGED_LINE)
        __builtin_prefetch(next + skip * LANES + j);
}

/* Where LANES keys are, what is asked for meanwhile, their queries, and where their scores go. */
typedef struct page_square {
    const char *at, *next;
    const float *q;
    float *s;
} page_square;

/* From key `first` of a run on. */
FLASH_INLINE page_square page_square_of(size_t type, const cpu_page_run *k, size_t first, float *s,
                                        size_t s_row, const float *q, size_t d)
{
    size_t skip = first * d * page_bytes(type);
    return (page_square){k->at + skip, k->next + skip, q + k->row * d,
                         s + k->row * s_row + k->key + first};
}

/* One or two squares side by side: sums wait for each other. Behind `keys` the last key is
 * repeated. */
FLASH_INLINE void paged_squares(size_t type, size_t rows, size_t squares, page_square x[2],
                                size_t s_row, size_t keys, size_t d)
{
    size_t chunk = PAGED_CHUNK / page_bytes(type), step = d * page_bytes(type);
    lane_f sum[2][PAGED_SCORE_ROWS];
    FLASH_UNROLL
    for (size_t u = 0; u < squares; u++)
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            sum[u][r] = (lane_f){0};
    size_t i = 0;
#if defined(__AVX512F__)
    for (; type == PAGED_F32 && keys == LANES && i + 2 * chunk <= d; i += 2 * chunk)
        FLASH_UNROLL
        for (size_t u = 0; u < squares; u++) {
            size_t skip = i * page_bytes(type);
            page_ask(x[u].next, skip);
            page_ask(x[u].next, skip + PAGED_CHUNK);
            paged_wide_square(rows, sum[u], x[u].at + skip, step, x[u].q + i, d);
        }
#endif
    for (; i < d; i += chunk)
        FLASH_UNROLL
        for (size_t u = 0; u < squares; u++) {
            size_t skip = i * page_bytes(type);
            page_ask(x[u].next, skip);
            paged_square(type, rows, sum[u], x[u].at + skip, step, keys, x[u].q + i, d);
        }
    FLASH_UNROLL
    for (size_t u = 0; u < squares; u++)
        FLASH_UNROLL
        for (size_t r = 0; r < rows; r++)
            if (keys == LANES)
                lane_store(x[u].s + r * s_row, sum[u][r]);
            else
                memcpy(x[u].s + r * s_row, &sum[u][r], keys * sizeof(float));
}

/* Two runs of LANES keys, of whatever heads. */
FLASH_INLINE void paged_pair(size_t type, size_t rows, float *s, size_t s_row,
                             const cpu_page_run *k, const float *q, size_t d)
{
    page_square x[2] = {page_square_of(type, k, 0, s, s_row, q, d),
                        page_square_of(type, k + 1, 0, s, s_row, q, d)};
    paged_squares(type, rows, 2, x, s_row, LANES, d);
}

FLASH_INLINE void paged_single(size_t type, size_t rows, float *s, size_t s_row,
                               const cpu_page_run *k, const float *q, size_t d)
{
    size_t j = 0, n = k->keys;
    for (; (size_t)LANES < PAGED_KEYS && j + 2 * LANES <= n; j += 2 * LANES) {
        page_square x[2] = {page_square_of(type, k, j, s, s_row, q, d),
                            page_square_of(type, k, j + LANES, s, s_row, q, d)};
        paged_squares(type, rows, 2, x, s_row, LANES, d);
    }
    for (; j < n; j += LANES) {
        page_square x[2] = {page_square_of(type, k, j, s, s_row, q, d)};
        paged_squares(type, rows, 1, x, s_row, n - j < LANES ? n - j : LANES, d);
    }
}

/* Some rows; all runs. Those of float32 wait for memory, which is faster with one run after the
 * other than with two side by side. */
FLASH_INLINE void paged_keys(size_t type, size_t rows, float *s, size_t s_row,
                             const cpu_page_run *k, size_t runs, const float *q, size_t d)
{
    bool pairs = (size_t)LANES == PAGED_KEYS && type != PAGED_F32;
    for (const cpu_page_run *end = k + runs; k < end; k++) {
        if (pairs && k + 1 < end && k->keys == LANES && k[1].keys == LANES)
            paged_pair(type, rows, s, s_row, k++, q, d);
        else
            paged_single(type, rows, s, s_row, k, q, d);
    }
}
// clang-format on

/* ---- Weights -------------------------------------------------------------------------------- */

static float keyed_weigh(float *s, size_t keys, float *top)
{
    lane_f most = lane_all(-INFINITY), total = {0};
    float now = -INFINITY, sum = 0.0f;
    for (size_t j = 0; j < keys; j += LANES)
        most = lane_larger(lane_load(s + j), most);
    for (size_t i = 0; i < LANES; i++)
        now = most[i] > now ? most[i] : now;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    for (size_t j = 0; j < keys; j += LANES) {
        lane_f weight = lane_exp_minus(lane_load(s + j) - base);
        lane_store(s + j, weight);
        total += weight;
    }
    for (size_t i = 0; i < LANES; i++)
        sum += total[i];
    *top = now;
    return sum;
}

/* Scores, or weights, times the scales of the keys. */
static void keyed_scale(float *s, size_t s_row, const cpu_page_run *k, size_t runs, size_t rows)
{
    for (const cpu_page_run *end = k + runs; k < end; k++)
        for (size_t r = 0; r < rows; r++) {
            float *at = s + (k->row + r) * s_row + k->key;
            for (size_t j = 0; j < k->keys; j++)
                at[j] *= k->scales[j];
        }
}

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o = p v for some rows and vectors, from channel `first` on. */
FLASH_INLINE void paged_columns(size_t type, size_t rows, size_t vectors, float *o, size_t cols,
                                const cpu_page_run *v, size_t runs, size_t first, const float *p,
                                size_t p_row)
{
    size_t bytes = page_bytes(type), step = cols * bytes, skip = first * bytes;
    lane_f sum[16];
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r * vectors + c] = lane_load(o + first + r * cols + c * LANES);
    for (const cpu_page_run *end = v + runs; v < end; v++) {
        const char *at = v->at + skip, *next = v->next + skip;
        for (size_t j = 0; j < v->keys; j++, p++, at += step, next += step)
            FLASH_UNROLL
            for (size_t c = 0; c < vectors; c++) {
                if (c * LANES * bytes % PAGED_LINE == 0)
                    __builtin_prefetch(next + c * LANES * bytes);
                lane_f x = page_load(type, at + c * LANES * bytes);
                FLASH_UNROLL
                for (size_t r = 0; r < rows; r++)
                    sum[r * vectors + c] += p[r * p_row] * x;
            }
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            lane_store(o + first + r * cols + c * LANES, sum[r * vectors + c]);
}
// clang-format on

FLASH_INLINE void paged_row_values(size_t type, size_t rows, float *o, const cpu_page_run *v,
                                   size_t runs, size_t cols, const float *p, size_t p_row)
{
    size_t c = 0;
    if (PAGED_VALUE_ROWS >= 4 && rows <= 2)
        for (; c + 8 * LANES <= cols; c += 8 * LANES)
            paged_columns(type, rows, 8, o, cols, v, runs, c, p, p_row);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        paged_columns(type, rows, 4, o, cols, v, runs, c, p, p_row);
    for (; c < cols; c += LANES)
        paged_columns(type, rows, 1, o, cols, v, runs, c, p, p_row);
}

FLASH_INLINE void paged_sums(size_t type, float *o, const cpu_page_run *v, size_t runs, size_t cols,
                             const float *p, size_t p_row, size_t rows)
{
    size_t r = 0;
    for (; PAGED_VALUE_ROWS >= 4 && r + 4 <= rows; r += 4)
        paged_row_values(type, 4, o + r * cols, v, runs, cols, p + r * p_row, p_row);
    for (; PAGED_VALUE_ROWS >= 4 && r + 3 <= rows; r += 3)
        paged_row_values(type, 3, o + r * cols, v, runs, cols, p + r * p_row, p_row);
    for (; r + 2 <= rows; r += 2)
        paged_row_values(type, 2, o + r * cols, v, runs, cols, p + r * p_row, p_row);
    for (; r < rows; r++)
        paged_row_values(type, 1, o + r * cols, v, runs, cols, p + r * p_row, p_row);
}

/* Runs of a head that follow each other, whose sums stay in registers. */
FLASH_INLINE size_t paged_behind(const cpu_page_run *v, size_t runs)
{
    size_t n = 1;
    while (n < runs && v[n].row == v->row && v[n].key == v[n - 1].key + v[n - 1].keys)
        n++;
    return n;
}

/* Functions of their own: compilers take long over one that has all of them. */
typedef void paged_keys_function(float *s, size_t s_row, const cpu_page_run *k, size_t runs,
                                 const float *q, size_t d);

#define PAGED_ROWS(name, type, rows)                                                               \
    static void keys_##name##_##rows(float *s, size_t s_row, const cpu_page_run *k, size_t runs,   \
                                     const float *q, size_t d)                                     \
    {                                                                                              \
        paged_keys(type, rows, s, s_row, k, runs, q, d);                                           \
    }

#define PAGED_TYPE(name, type)                                                                     \
    PAGED_ROWS(name, type, 1)                                                                      \
    PAGED_ROWS(name, type, 2)                                                                      \
    PAGED_ROWS(name, type, 3)                                                                      \
    PAGED_ROWS(name, type, 4)                                                                      \
    static paged_keys_function *const keys_##name[PAGED_SCORE_ROWS + 1] = {                        \
        NULL, keys_##name##_1, keys_##name##_2, keys_##name##_3, keys_##name##_4};                 \
                                                                                                   \
    static void scores_##name(float *s, size_t s_row, const cpu_page_run *k, size_t runs,          \
                              const float *q, size_t d, size_t rows)                               \
    {                                                                                              \
        for (size_t n; rows; rows -= n, s += n * s_row, q += n * d) {                              \
            n = rows < PAGED_SCORE_ROWS ? rows : PAGED_SCORE_ROWS;                                 \
            keys_##name[n](s, s_row, k, runs, q, d);                                               \
        }                                                                                          \
    }                                                                                              \
    static void values_##name(float *o, const cpu_page_run *v, size_t runs, size_t cols,           \
                              const float *p, size_t p_row, size_t rows)                           \
    {                                                                                              \
        for (size_t n; runs; runs -= n, v += n) {                                                  \
            n = paged_behind(v, runs);                                                             \
            paged_sums(type, o + v->row * cols, v, n, cols, p + v->row * p_row + v->key, p_row,    \
                       rows);                                                                      \
        }                                                                                          \
    }

PAGED_TYPE(f32, PAGED_F32)
#if defined(__AVX2__)
PAGED_TYPE(bf16, PAGED_BF16)
PAGED_TYPE(f16, PAGED_F16)
PAGED_TYPE(i8, PAGED_I8)
#endif

#undef PAGED_ROWS
#undef PAGED_TYPE

/* One row, as paged_join_columns has it. */
static void keyed_join(float *o, float *top, float *sum, const float *o2, float top2, float sum2,
                       size_t cols)
{
    float now = top2 > *top ? top2 : *top;
    lane_f base = lane_all(now == -INFINITY ? 0.0f : now);
    lane_f alpha = lane_exp_minus(lane_all(*top) - base);
    lane_f beta = lane_exp_minus(lane_all(top2) - base);
    *top = now;
    *sum = lane_fma(lane_all(*sum), alpha, lane_all(sum2) * beta)[0];
    for (size_t c = 0; c < cols; c += LANES)
        lane_store(o + c, lane_fma(lane_load(o + c), alpha, lane_load(o2 + c) * beta));
}

#endif
