/* Paged attention for few query rows (a decoder's tokens): vectors run along the keys for scores,
 * which takes squares of keys turned in registers, and along the channels for values. So a score is
 * one chain over the channels, and a sum of values one chain over the keys, as where rows are many;
 * and memory is the slower one all the same. */
#ifndef CPU_LANES_PAGED_FEW_H
#define CPU_LANES_PAGED_FEW_H

#include "lanes/flash_vector.h"
#include "paged.h"

/* Rows whose sums registers hold beside a square, and beside a row of values. */
#if defined(__AVX512F__)
enum { PAGED_SCORE_ROWS = 8, PAGED_VALUE_ROWS = 4 };
#else
enum { PAGED_SCORE_ROWS = 4, PAGED_VALUE_ROWS = 2 };
#endif

/* ---- Rows of pages --------------------------------------------------------------------------- */

FLASH_INLINE size_t page_bytes(size_t type)
{
    return type == PAGED_F32 ? 4 : type == PAGED_I8 ? 1 : 2;
}

/* LANES numbers as they lie in pages; those of int8 times their scale. */
FLASH_INLINE lane_f page_load(size_t type, const char *at, float scale)
{
#if defined(__AVX512F__)
    if (type == PAGED_BF16)
        return (lane_f)_mm512_slli_epi32(
            _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm512_cvtepi32_ps(
                   _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at))) *
               scale;
#elif defined(__AVX2__)
    if (type == PAGED_BF16)
        return (lane_f)_mm256_slli_epi32(
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)), 16);
    if (type == PAGED_F16)
        return (lane_f)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)at));
    if (type == PAGED_I8)
        return (lane_f)_mm256_cvtepi32_ps(
                   _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at))) *
               scale;
#endif
    (void)scale, (void)type;
    return lane_load((const float *)(const void *)at);
}

FLASH_INLINE float page_scale(size_t type, const cpu_page_rows *x, size_t j)
{
    return type == PAGED_I8 ? x->scales[j * x->scale_row] : 1.0f;
}

/* ---- Scores --------------------------------------------------------------------------------- */

// clang-format off
/* LANES keys from key `first` on; behind `keys` the last one is repeated. */
FLASH_INLINE void paged_square(size_t type, size_t rows, float *s, size_t s_row,
                               const cpu_page_rows *k, size_t first, size_t keys, const float *q,
                               size_t d)
{
    size_t bytes = page_bytes(type), step = k->row * bytes;
    const char *next = k->next + first * step;
    float scale[LANES];
    lane_f sum[PAGED_SCORE_ROWS];
    FLASH_UNROLL
    for (size_t j = 0; j < LANES; j++)
        scale[j] = page_scale(type, k, first + (j < keys ? j : keys - 1));
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        sum[r] = (lane_f){0};
    for (size_t i = 0; i < d; i += LANES) {
        lane_f x[LANES];
        for (size_t j = 0; j < LANES && i * bytes % PAGED_LINE == 0; j++)
            __builtin_prefetch(next + j * step + i * bytes);
        FLASH_UNROLL
        for (size_t j = 0; j < LANES; j++)
            x[j] = page_load(type, k->at + (first + (j < keys ? j : keys - 1)) * step + i * bytes,
                             scale[j]);
        lane_turn(x);
        FLASH_UNROLL
        for (size_t c = 0; c < LANES; c++)
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r] += q[r * d + i + c] * x[c];
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        lane_store(s + r * s_row, sum[r]);
}

/* Some rows; all keys. */
FLASH_INLINE void paged_squares(size_t type, size_t rows, float *s, size_t s_row,
                                const cpu_page_rows *k, size_t keys, const float *q, size_t d)
{
    size_t j = 0;
    for (; j + LANES <= keys; j += LANES)
        paged_square(type, rows, s + j, s_row, k, j, LANES, q, d);
    if (j < keys)
        paged_square(type, rows, s + j, s_row, k, j, keys - j, q, d);
}

FLASH_INLINE void paged_scores(size_t type, float *s, size_t s_row, const cpu_page_rows *k,
                               size_t keys, const float *q, size_t d, size_t rows)
{
    for (size_t n; rows; rows -= n, s += n * s_row, q += n * d) {
        n = rows < PAGED_SCORE_ROWS ? rows : PAGED_SCORE_ROWS;
        switch (n) {
#if defined(__AVX512F__)
        case 8: paged_squares(type, 8, s, s_row, k, keys, q, d); break;
        case 7: paged_squares(type, 7, s, s_row, k, keys, q, d); break;
        case 6: paged_squares(type, 6, s, s_row, k, keys, q, d); break;
        case 5: paged_squares(type, 5, s, s_row, k, keys, q, d); break;
#endif
        case 4: paged_squares(type, 4, s, s_row, k, keys, q, d); break;
        case 3: paged_squares(type, 3, s, s_row, k, keys, q, d); break;
        case 2: paged_squares(type, 2, s, s_row, k, keys, q, d); break;
        default: paged_squares(type, 1, s, s_row, k, keys, q, d); break;
        }
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

/* ---- Values --------------------------------------------------------------------------------- */

// clang-format off
/* o += p v for some rows and vectors, from channel `first` on. */
FLASH_INLINE void paged_columns(size_t type, size_t rows, size_t vectors, float *o, size_t cols,
                                const cpu_page_rows *v, size_t first, const float *p, size_t p_row,
                                size_t keys)
{
    size_t bytes = page_bytes(type), step = v->row * bytes;
    const char *at = v->at + first * bytes, *next = v->next + first * bytes;
    lane_f sum[16];
    o += first;
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            sum[r * vectors + c] = lane_load(o + r * cols + c * LANES);
    for (size_t j = 0; j < keys; j++, at += step, next += step) {
        float scale = page_scale(type, v, j);
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++) {
            if (c * LANES * bytes % PAGED_LINE == 0)
                __builtin_prefetch(next + c * LANES * bytes);
            lane_f x = page_load(type, at + c * LANES * bytes, scale);
            FLASH_UNROLL
            for (size_t r = 0; r < rows; r++)
                sum[r * vectors + c] += p[r * p_row + j] * x;
        }
    }
    FLASH_UNROLL
    for (size_t r = 0; r < rows; r++)
        FLASH_UNROLL
        for (size_t c = 0; c < vectors; c++)
            lane_store(o + r * cols + c * LANES, sum[r * vectors + c]);
}
// clang-format on

FLASH_INLINE void paged_row_values(size_t type, size_t rows, float *o, const cpu_page_rows *v,
                                   size_t cols, const float *p, size_t p_row, size_t keys)
{
    size_t c = 0;
    if (PAGED_VALUE_ROWS >= 4 && rows <= 2)
        for (; c + 8 * LANES <= cols; c += 8 * LANES)
            paged_columns(type, rows, 8, o, cols, v, c, p, p_row, keys);
    for (; c + 4 * LANES <= cols; c += 4 * LANES)
        paged_columns(type, rows, 4, o, cols, v, c, p, p_row, keys);
    for (; c < cols; c += LANES)
        paged_columns(type, rows, 1, o, cols, v, c, p, p_row, keys);
}

FLASH_INLINE void paged_sums(size_t type, float *o, const cpu_page_rows *v, size_t cols,
                             const float *p, size_t p_row, size_t keys, size_t rows)
{
    size_t r = 0;
    for (; PAGED_VALUE_ROWS >= 4 && r + 4 <= rows; r += 4)
        paged_row_values(type, 4, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; PAGED_VALUE_ROWS >= 4 && r + 3 <= rows; r += 3)
        paged_row_values(type, 3, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; r + 2 <= rows; r += 2)
        paged_row_values(type, 2, o + r * cols, v, cols, p + r * p_row, p_row, keys);
    for (; r < rows; r++)
        paged_row_values(type, 1, o + r * cols, v, cols, p + r * p_row, p_row, keys);
}

#define PAGED_TYPE(name, type)                                                                     \
    static void scores_##name(float *s, size_t s_row, const cpu_page_rows *k, size_t keys,         \
                              const float *q, size_t d, size_t rows)                               \
    {                                                                                              \
        paged_scores(type, s, s_row, k, keys, q, d, rows);                                         \
    }                                                                                              \
    static void values_##name(float *o, const cpu_page_rows *v, size_t cols, const float *p,       \
                              size_t p_row, size_t keys, size_t rows)                              \
    {                                                                                              \
        paged_sums(type, o, v, cols, p, p_row, keys, rows);                                        \
    }

PAGED_TYPE(f32, PAGED_F32)
#if defined(__AVX2__)
PAGED_TYPE(bf16, PAGED_BF16)
PAGED_TYPE(f16, PAGED_F16)
PAGED_TYPE(i8, PAGED_I8)
#endif

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

/* ---- Pages of int8 -------------------------------------------------------------------------- */

/* round(127 x / m) for the largest magnitude m, beside m / 127. Halves go to even numbers, as the
 * sum with ROUND_MAGIC has them. */
static float paged_narrow8(int8_t *to, const float *x, size_t n)
{
    float most = 0.0f, odd = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float size = fabsf(x[i]);
        most = size > most ? size : most;
        odd = x[i] != x[i] ? x[i] : odd;
    }
    float each = 127.0f / most;
    bool zero = !(most > 0.0f) || !(each < INFINITY) || !(most < INFINITY) || odd != odd;
    for (size_t i = 0; i < n; i++) {
        float y = zero ? 0.0f : x[i] * each;
        to[i] = (int8_t)(int32_t)((y + ROUND_MAGIC) - ROUND_MAGIC);
    }
    return odd != odd ? odd : most / 127.0f;
}

static void paged_widen8(float *to, const int8_t *x, size_t n, float scale)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        to[i] = (float)x[i] * scale;
}

#endif
